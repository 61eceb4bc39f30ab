# METADATA
# title: Everyone reads the setting
# description: Organisations, practitioners, questionnaires; what is about no client.
package gateway.rule.setting

allow if {
	input.verb == "read"
	input.group == "setting"
	input.tie == "loose"
	input.role in {
		"therapist", "admin", "intake", "patient", "ehr",
		"partner", "researcher", "auditor", "integration",
	}
}
