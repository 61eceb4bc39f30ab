package test.rule.intake

import data.gateway.rule.intake
import data.test.sample

contact := sample.with_changes({"role": "intake", "tie": "anyone", "verb": "read", "group": "contact", "type": "Patient"})

request := object.union(contact, {"group": "frame", "type": "ServiceRequest"})

test_clients_are_received if {
	every verb in {"read", "create", "update"} {
		every tie in {"anyone", "loose"} {
			intake.allow with input as object.union(contact, {"verb": verb, "tie": tie})
			intake.allow with input as object.union(request, {"verb": verb, "tie": tie})
			intake.allow with input as object.union(request, {"verb": verb, "tie": tie, "type": "Task"})
		}
	}
}

test_no_further if {
	every change in [{"role": "auditor"}, {"tie": "related"}, {"verb": "delete"}, {"group": "clinical"}, {"group": "frame"}, {"marks": ["reason"]}] {
		not intake.allow with input as object.union(contact, change)
	}
	every change in [{"role": "auditor"}, {"tie": "related"}, {"verb": "delete"}, {"type": "EpisodeOfCare"}, {"type": "Consent"}, {"marks": ["reason"]}] {
		not intake.allow with input as object.union(request, change)
	}
}
