# METADATA
# title: Administration runs the practice without clinical content
# description: All of contact, frame and setting, groups for exports; nothing clinical.
package gateway.rule.admin

allow if {
	input.role == "admin"
	input.tie in {"anyone", "loose"}
	input.verb in {"read", "create", "update", "delete"}
	input.group in {"contact", "frame"}
}

allow if {
	input.role == "admin"
	input.tie == "loose"
	input.verb in {"create", "update", "delete"}
	input.group == "setting"
}
