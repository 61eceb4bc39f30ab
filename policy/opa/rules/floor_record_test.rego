package test.floor.record

import data.gateway.floor.record
import data.test.sample

test_other_groups_pass if {
	every group in {"contact", "setting", "frame", "clinical", "note"} {
		record.holds with input as sample.with_changes({"group": group, "verb": "delete"})
	}
}

test_records_are_read_and_disclosed if {
	every verb in {"read", "disclose", "export"} {
		record.holds with input as sample.with_changes({"group": "record", "type": "AuditEvent", "verb": verb})
	}
}

test_a_provenance_is_added if {
	record.holds with input as sample.with_changes({"group": "record", "type": "Provenance", "verb": "create"})
}

test_records_are_not_changed if {
	every verb in {"create", "update", "delete", "relabel"} {
		not record.holds with input as sample.with_changes({"group": "record", "type": "AuditEvent", "verb": verb})
	}
	every verb in {"update", "delete", "relabel"} {
		not record.holds with input as sample.with_changes({"group": "record", "type": "Provenance", "verb": verb})
	}
}

test_an_unknown_group_is_stopped if {
	every verb in {"read", "disclose", "export"} {
		not record.holds with input as sample.with_changes({"group": "other", "verb": verb})
	}
}
