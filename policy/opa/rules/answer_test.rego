package test.rule.answer

import data.gateway.rule.answer
import data.test.sample

yes := sample.with_changes({"role": "partner", "tie": "party", "verb": "update", "type": "Task", "group": "frame"})

test_a_referral_is_answered if {
	every consent in {"none", "permit"} {
		answer.allow with input as object.union(yes, {"consent": consent})
	}
	answer.change_only == ["status", "statusReason", "businessStatus", "executionPeriod", "output", "lastModified", "priority", "restriction"]
}

test_no_further if {
	every change in [{"role": "patient"}, {"tie": "related"}, {"verb": "delete"}, {"type": "ServiceRequest"}, {"consent": "deny"}] {
		not answer.allow with input as object.union(yes, change)
	}
}
