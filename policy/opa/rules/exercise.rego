# METADATA
# title: Patients report on their exercises
# description: A task that names the patient as its owner takes status and result from them.
package gateway.rule.exercise

allow if {
	input.role == "patient"
	input.tie == "party"
	input.verb == "update"
	input.type == "Task"
	every label in input.labels {
		label != "NOPAT"
	}
}

change_only := ["status", "statusReason", "businessStatus", "executionPeriod", "output", "lastModified"]
