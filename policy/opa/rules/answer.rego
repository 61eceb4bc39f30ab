# METADATA
# title: A partner answers a referral
# description: Of a Task that names it, what its steps change, and what a sender may ask for besides.
package gateway.rule.answer

allow if {
	input.role == "partner"
	input.tie == "party"
	input.verb == "update"
	input.type == "Task"
	input.consent in {"none", "permit"}
}

change_only := ["status", "statusReason", "businessStatus", "executionPeriod", "output", "lastModified", "priority", "restriction"]
