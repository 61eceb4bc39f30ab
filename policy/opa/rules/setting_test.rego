package test.rule.setting

import data.gateway.rule.setting
import data.test.sample

yes := sample.with_changes({"role": "researcher", "verb": "read", "group": "setting", "tie": "loose", "type": "Questionnaire"})

test_everyone_reads_the_setting if {
	every role in {"therapist", "admin", "intake", "patient", "ehr", "partner", "researcher", "auditor", "integration"} {
		setting.allow with input as object.union(yes, {"role": role})
	}
}

test_and_nothing_else if {
	every change in [{"role": "nobody"}, {"verb": "update"}, {"group": "contact"}, {"tie": "anyone"}] {
		not setting.allow with input as object.union(yes, change)
	}
}
