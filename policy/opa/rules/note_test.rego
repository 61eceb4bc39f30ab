package test.rule.note

import data.gateway.rule.note
import data.test.sample

own := sample.with_changes({"role": "therapist", "verb": "write-note", "group": "note", "tie": "related"})

test_a_note_is_written if note.allow with input as own

test_writing_no_further if {
	every change in [{"role": "integration"}, {"verb": "create"}, {"group": "clinical"}, {"tie": "anyone"}, {"tie": "author"}] {
		not note.allow with input as object.union(own, change)
	}
}

mine := sample.with_changes({"role": "therapist", "verb": "read-note", "group": "note", "tie": "author"})

test_its_author_reads_it if note.allow with input as mine

test_reading_no_further if {
	every change in [{"role": "admin"}, {"verb": "read"}, {"group": "clinical"}, {"tie": "related"}, {"tie": "anyone"}] {
		not note.allow with input as object.union(mine, change)
	}
}
