# METADATA
# title: A therapist sees and writes the own caseload
# description: |
#   Treating somebody rests on the contract of treatment, not on a consent to share.
#   Being tied to a client is what the relations say: care manager, team, encounter.
package gateway.rule.therapist

allow if {
	input.role == "therapist"
	input.tie == "related"
	input.verb in {"read", "create", "update", "delete"}
	input.group in {"contact", "frame", "clinical"}
}

# Their own calendars are about no client.
allow if {
	input.role == "therapist"
	input.tie == "loose"
	input.verb == "read"
	input.type in {"Schedule", "Slot"}
}

# Supervision is of therapists with each other, and about no client.
allow if {
	input.role == "therapist"
	input.tie == "party"
	input.verb in {"read", "create", "update"}
	input.type == "Appointment"
	"staff" in input.marks
}

# What they did themselves.
allow if {
	input.role == "therapist"
	input.tie == "party"
	input.verb == "read"
	input.group == "record"
}
