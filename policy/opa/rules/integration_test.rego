package test.rule.integration

import data.gateway.rule.integration
import data.test.sample

yes := sample.with_changes({"role": "integration", "tie": "anyone", "verb": "read"})

test_all_is_carried if {
	every verb in {"read", "create", "update", "delete", "relabel", "export"} {
		every group in {"contact", "setting", "frame", "clinical", "record"} {
			every tie in {"anyone", "loose"} {
				integration.allow with input as object.union(yes, {"verb": verb, "group": group, "tie": tie})
			}
		}
	}
}

test_no_further if {
	every change in [{"role": "admin"}, {"tie": "author"}, {"verb": "read-note"}, {"verb": "study"}, {"group": "note"}] {
		not integration.allow with input as object.union(yes, change)
	}
}
