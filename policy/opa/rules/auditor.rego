# METADATA
# title: An auditor sees what was done and none of what it was done with
package gateway.rule.auditor

allow if {
	input.role == "auditor"
	input.verb == "read"
	input.group == "record"
	input.tie in {"anyone", "loose"}
}
