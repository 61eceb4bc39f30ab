package test.rule.exercise

import data.gateway.rule.exercise
import data.test.sample

yes := sample.with_changes({"role": "patient", "tie": "party", "verb": "update", "type": "Task", "group": "frame"})

test_exercises_are_reported if {
	exercise.allow with input as yes
	exercise.change_only == ["status", "statusReason", "businessStatus", "executionPeriod", "output", "lastModified"]
}

test_no_further if {
	every change in [{"role": "partner"}, {"tie": "own"}, {"verb": "create"}, {"type": "ServiceRequest"}, {"labels": ["NOPAT"]}] {
		not exercise.allow with input as object.union(yes, change)
	}
}
