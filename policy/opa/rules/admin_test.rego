package test.rule.admin

import data.gateway.rule.admin
import data.test.sample

yes := sample.with_changes({"role": "admin", "tie": "anyone", "verb": "read", "group": "contact"})

test_contact_and_frame_are_run if {
	every verb in {"read", "create", "update", "delete"} {
		every group in {"contact", "frame"} {
			every tie in {"anyone", "loose"} {
				admin.allow with input as object.union(yes, {"verb": verb, "group": group, "tie": tie})
			}
		}
	}
}

test_no_further if {
	every change in [{"role": "intake"}, {"tie": "party"}, {"verb": "relabel"}, {"group": "clinical"}, {"group": "record"}, {"group": "setting"}] {
		not admin.allow with input as object.union(yes, change)
	}
}

settings := sample.with_changes({"role": "admin", "tie": "loose", "verb": "update", "group": "setting"})

test_the_setting_is_kept if {
	every verb in {"create", "update", "delete"} {
		admin.allow with input as object.union(settings, {"verb": verb})
	}
}

test_the_setting_no_further if {
	every change in [{"role": "therapist"}, {"tie": "anyone"}, {"verb": "relabel"}, {"group": "clinical"}] {
		not admin.allow with input as object.union(settings, change)
	}
}
