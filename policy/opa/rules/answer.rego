# METADATA
# title: A partner answers a referral
# description: Of a Task that names it, status and output alone.
package gateway.rule.answer

allow if {
	input.role == "partner"
	input.tie == "party"
	input.verb == "update"
	input.type == "Task"
	input.consent in {"none", "permit"}
}

change_only := ["status", "statusReason", "businessStatus", "executionPeriod", "output", "lastModified"]
