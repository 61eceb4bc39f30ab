package test.floor.notes

import data.gateway.floor.notes
import data.test.sample

note := sample.with_changes({"verb": "read-note", "group": "note", "labels": ["PSYTHPN"]})

test_the_notes_gate_reaches_notes if {
	every verb in {"read-note", "write-note"} {
		notes.holds with input as object.union(note, {"verb": verb})
	}
}

test_no_other_verb_and_no_emergency_does if {
	every change in [{"verb": "read"}, {"verb": "disclose"}, {"purpose": "BTG"}] {
		not notes.holds with input as object.union(note, change)
	}
}

test_the_notes_verbs_reach_nothing_else_that_is_labelled if {
	not notes.holds with input as object.union(note, {"group": "clinical"})
}

test_ordinary_resources_pass if {
	every group in {"contact", "setting", "frame", "clinical", "record"} {
		notes.holds with input as sample.with_changes({"group": group, "labels": ["PSY", "SUD"]})
	}
}

test_the_label_stops_an_ordinary_resource if {
	not notes.holds with input as sample.with_changes({"labels": ["PSY", "PSYTHPN"]})
}

test_an_unknown_group_is_stopped if {
	not notes.holds with input as sample.with_changes({"group": "other"})
}
