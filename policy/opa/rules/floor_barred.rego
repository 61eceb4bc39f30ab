# METADATA
# title: Whom a client shuts out by name stays out
# description: |
#   A consent that denies somebody by name is kept by every role that it can name;
#   the client and the machines that run the practice's imports are none of those.
package gateway.floor.barred

holds if {
	input.consent in {"none", "permit", "deny"}
}

holds if {
	input.role in {"patient", "integration"}
}
