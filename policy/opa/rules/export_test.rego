package test.rule.export

import data.gateway.rule.export
import data.test.sample

yes := sample.with_changes({"role": "ehr", "verb": "export", "group": "setting", "tie": "loose"})

test_the_setting_goes_along if {
	every role in {"ehr", "integration"} {
		export.allow with input as object.union(yes, {"role": role})
	}
}

test_no_further if {
	every change in [
		{"role": "therapist"}, {"role": "admin"}, {"role": "partner"}, {"role": "researcher"}, {"role": "patient"},
		{"verb": "study"}, {"verb": "read"}, {"group": "contact"}, {"group": "clinical"}, {"tie": "anyone"},
	] {
		not export.allow with input as object.union(yes, change)
	}
}
