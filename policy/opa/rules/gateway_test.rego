package test.gateway

import data.gateway
import data.test.sample

allowed := sample.with_changes({"role": "therapist", "verb": "read", "tie": "related"})

test_a_rule_and_all_floors_allow if {
	gateway.decision == {"allow": true, "by": {"therapist": []}} with input as allowed
}

test_no_rule_no_permission if {
	gateway.decision == {"allow": false, "by": {}} with input as sample.base
}

test_a_floor_that_does_not_hold_denies_what_a_rule_allows if {
	gateway.decision.allow == false with input as object.union(allowed, {"labels": ["PSYTHPN"]})
}

test_elements_are_handed_on if {
	task := sample.with_changes({"role": "patient", "verb": "update", "tie": "party", "type": "Task", "group": "frame"})
	count(gateway.decision.by.exercise) > 0 with input as task
}

test_nothing_is_allowed_without_input if {
	gateway.decision == {"allow": false, "by": {}} with input as {}
}
