# METADATA
# title: Process notes
# description: |
#   A therapist writes them about the own caseload. Their author reads them: nobody
#   else, with no consent and in no emergency.
package gateway.rule.note

allow if {
	input.role == "therapist"
	input.verb == "write-note"
	input.group == "note"
	input.tie == "related"
}

allow if {
	input.role == "therapist"
	input.verb == "read-note"
	input.group == "note"
	input.tie == "author"
}
