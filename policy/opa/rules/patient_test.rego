package test.rule.patient

import data.gateway.rule.patient
import data.test.sample

own := sample.with_changes({"role": "patient", "tie": "own", "verb": "read"})

test_the_own_record_is_read if {
	every group in {"contact", "frame", "clinical"} {
		patient.allow with input as object.union(own, {"group": group})
	}
}

test_no_further if {
	every change in [{"role": "therapist"}, {"tie": "related"}, {"verb": "create"}, {"verb": "delete"}, {"group": "record"}, {"group": "note"}, {"labels": ["NOPAT", "PSY"]}] {
		not patient.allow with input as object.union(own, change)
	}
}

disclosure := sample.with_changes({"role": "patient", "tie": "own", "verb": "read", "type": "AuditEvent", "group": "record", "marks": ["disclosure"]})

test_disclosures_are_read if patient.allow with input as disclosure

test_disclosures_no_further if {
	every change in [{"role": "admin"}, {"tie": "anyone"}, {"verb": "update"}, {"type": "Provenance"}, {"marks": []}] {
		not patient.allow with input as object.union(disclosure, change)
	}
}

response := sample.with_changes({"role": "patient", "tie": "own", "verb": "create", "type": "QuestionnaireResponse"})

test_responses_and_messages_are_sent if {
	every type in {"QuestionnaireResponse", "Communication"} {
		every marks in [[], ["self"]] {
			patient.allow with input as object.union(response, {"type": type, "marks": marks})
		}
	}
}

test_responses_no_further if {
	every change in [{"role": "ehr"}, {"tie": "related"}, {"verb": "delete"}, {"type": "Observation"}, {"marks": ["other"]}, {"labels": ["NOPAT"]}] {
		not patient.allow with input as object.union(response, change)
	}
}

correction := object.union(response, {"verb": "update", "marks": ["self"]})

test_own_words_are_corrected if patient.allow with input as correction

test_corrections_no_further if {
	every change in [{"role": "ehr"}, {"tie": "related"}, {"verb": "relabel"}, {"type": "Communication"}, {"marks": []}, {"marks": ["other"]}, {"labels": ["NOPAT"]}] {
		not patient.allow with input as object.union(correction, change)
	}
}
