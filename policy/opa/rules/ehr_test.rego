package test.rule.ehr

import data.gateway.rule.ehr
import data.test.sample

score := sample.with_changes({"role": "ehr", "tie": "related", "verb": "read", "consent": "permit", "marks": ["score"]})

test_outcomes_are_read if {
	ehr.allow with input as score
	ehr.allow with input as object.union(score, {"verb": "export"})
	every type in {"Goal", "CarePlan", "Encounter", "Condition"} {
		ehr.allow with input as object.union(score, {"type": type, "marks": []})
	}
	every group in {"contact", "frame"} {
		ehr.allow with input as object.union(score, {"type": "Patient", "group": group, "marks": []})
	}
}

test_no_further if {
	every change in [
		{"role": "partner"}, {"tie": "anyone"}, {"verb": "update"},
		{"consent": "none"}, {"consent": "deny"}, {"consent": "barred"},
		{"marks": []}, {"type": "QuestionnaireResponse"}, {"group": "record"},
		{"labels": ["OTHER"]}, {"labels": ["NODSCLCD"]}, {"labels": ["NOAUTH", "PSY"]},
	] {
		not ehr.allow with input as object.union(score, change)
	}
	every group in {"record", "setting", "note"} {
		not ehr.allow with input as object.union(score, {"type": "Goal", "group": group})
	}
	not ehr.allow with input as object.union(score, {"type": "Procedure"})
}

test_who_is_no_client_of_theirs_is_not_seen_at_all if {
	every kind in [{"type": "Patient", "group": "contact", "marks": []}, {"type": "Goal", "marks": []}] {
		every change in [{"role": "partner"}, {"tie": "anyone"}, {"verb": "update"}, {"consent": "none"}, {"labels": ["OTHER"]}] {
			not ehr.allow with input as object.union(object.union(score, kind), change)
		}
	}
}
