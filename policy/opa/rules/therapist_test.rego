package test.rule.therapist

import data.gateway.rule.therapist
import data.test.sample

yes := sample.with_changes({"role": "therapist", "tie": "related", "verb": "read"})

test_the_caseload_is_read_and_written if {
	every verb in {"read", "create", "update", "delete"} {
		every group in {"contact", "frame", "clinical"} {
			therapist.allow with input as object.union(yes, {"verb": verb, "group": group})
		}
	}
}

test_no_further if {
	every change in [{"role": "admin"}, {"tie": "anyone"}, {"tie": "loose"}, {"verb": "disclose"}, {"verb": "relabel"}, {"group": "record"}, {"group": "setting"}, {"group": "note"}] {
		not therapist.allow with input as object.union(yes, change)
	}
}

calendar := sample.with_changes({"role": "therapist", "tie": "loose", "verb": "read", "type": "Schedule", "group": "contact"})

test_calendars_are_read if {
	every type in {"Schedule", "Slot"} {
		therapist.allow with input as object.union(calendar, {"type": type})
	}
}

test_calendars_no_further if {
	every change in [{"role": "patient"}, {"tie": "anyone"}, {"verb": "update"}, {"type": "Appointment"}] {
		not therapist.allow with input as object.union(calendar, change)
	}
}

supervision := sample.with_changes({"role": "therapist", "tie": "party", "verb": "read", "type": "Appointment", "group": "contact", "marks": ["staff"]})

test_supervision_is_kept if {
	every verb in {"read", "create", "update"} {
		therapist.allow with input as object.union(supervision, {"verb": verb})
	}
}

test_supervision_no_further if {
	every change in [{"role": "intake"}, {"tie": "loose"}, {"verb": "delete"}, {"type": "Task"}, {"marks": []}] {
		not therapist.allow with input as object.union(supervision, change)
	}
}

acts := sample.with_changes({"role": "therapist", "tie": "party", "verb": "read", "type": "AuditEvent", "group": "record"})

test_own_acts_are_read if therapist.allow with input as acts

test_own_acts_no_further if {
	every change in [{"role": "intake"}, {"tie": "anyone"}, {"verb": "create"}, {"group": "clinical"}] {
		not therapist.allow with input as object.union(acts, change)
	}
}
