# METADATA
# title: The record of what was done cannot be written to
# description: |
#   AuditEvents come from the journal alone. A Provenance is added and never changed.
package gateway.floor.record

holds if {
	input.group in {"contact", "setting", "frame", "clinical", "note"}
}

holds if {
	input.group == "record"
	input.verb in {"read", "disclose", "export"}
}

holds if {
	input.type == "Provenance"
	input.verb == "create"
}
