package test.rule.auditor

import data.gateway.rule.auditor
import data.test.sample

yes := sample.with_changes({"role": "auditor", "verb": "read", "group": "record", "tie": "loose", "type": "AuditEvent"})

test_the_record_is_read if {
	every tie in {"loose", "anyone"} {
		auditor.allow with input as object.union(yes, {"tie": tie})
	}
}

test_no_further if {
	every change in [{"role": "admin"}, {"verb": "create"}, {"group": "clinical"}, {"tie": "related"}] {
		not auditor.allow with input as object.union(yes, change)
	}
}
