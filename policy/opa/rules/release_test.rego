package test.rule.release

import data.gateway.rule.release
import data.test.sample

yes := sample.with_changes({"role": "partner", "tie": "released", "verb": "disclose"})

test_a_package_goes if {
	every group in {"setting", "contact", "frame", "clinical"} {
		every consent in {"none", "permit"} {
			release.allow with input as object.union(yes, {"group": group, "consent": consent})
		}
	}
}

test_no_further if {
	every consent in {"none", "permit"} {
		every change in [
			{"role": "ehr"}, {"tie": "party"}, {"verb": "read"}, {"group": "record"}, {"group": "note"},
			{"labels": ["OTHER"]}, {"labels": ["NODSCLCD"]}, {"labels": ["PSY", "NOAUTH"]},
		] {
			not release.allow with input as object.union(object.union(yes, {"consent": consent}), change)
		}
	}
	every consent in {"deny", "barred"} {
		not release.allow with input as object.union(yes, {"consent": consent})
	}
}

test_a_programme_s_records_go_by_consent_alone if {
	every label in {"42CFRPart2", "42CFRPart2CD"} {
		not release.allow with input as object.union(yes, {"labels": ["SUD", label]})
		release.allow with input as object.union(yes, {"labels": ["SUD", label], "consent": "permit"})
	}
}
