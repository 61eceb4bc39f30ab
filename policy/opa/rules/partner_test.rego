package test.rule.partner

import data.gateway.rule.partner
import data.test.sample

named := sample.with_changes({"role": "partner", "tie": "party", "verb": "read", "type": "Task", "group": "frame"})

test_what_names_it_is_read if {
	every group in {"setting", "contact", "frame", "clinical"} {
		every consent in {"none", "permit"} {
			partner.allow with input as object.union(named, {"group": group, "consent": consent})
		}
	}
}

test_named_no_further if {
	every change in [{"role": "ehr"}, {"tie": "anyone"}, {"tie": "related"}, {"verb": "update"}, {"verb": "delete"}, {"group": "record"}, {"consent": "deny"}, {"consent": "barred"}] {
		not partner.allow with input as object.union(named, change)
	}
}

referred := sample.with_changes({"role": "partner", "tie": "related", "verb": "read", "type": "Patient", "group": "contact"})

test_who_is_referred_is_read if {
	every consent in {"none", "permit"} {
		partner.allow with input as object.union(referred, {"consent": consent})
	}
}

test_referred_no_further if {
	every change in [{"role": "ehr"}, {"tie": "anyone"}, {"verb": "update"}, {"type": "Observation"}, {"consent": "deny"}] {
		not partner.allow with input as object.union(referred, change)
	}
}

brought := sample.with_changes({"role": "partner", "tie": "introduced", "verb": "create"})

test_a_referral_is_brought if {
	every group in {"contact", "frame", "clinical"} {
		partner.allow with input as object.union(brought, {"group": group})
	}
}

test_brought_no_further if {
	every change in [{"role": "ehr"}, {"tie": "anyone"}, {"verb": "update"}, {"group": "record"}, {"group": "setting"}] {
		not partner.allow with input as object.union(brought, change)
	}
}

corrected := sample.with_changes({"role": "partner", "tie": "brought", "verb": "update", "type": "Goal"})

test_what_it_brought_is_corrected if {
	every group in {"contact", "frame", "clinical"} {
		every consent in {"none", "permit"} {
			partner.allow with input as object.union(corrected, {"group": group, "consent": consent})
		}
	}
}

test_corrected_no_further if {
	every change in [{"role": "ehr"}, {"tie": "party"}, {"tie": "introduced"}, {"verb": "delete"}, {"group": "record"}, {"group": "setting"}, {"type": "Task"}, {"type": "Consent"}, {"consent": "deny"}, {"consent": "barred"}] {
		not partner.allow with input as object.union(corrected, change)
	}
}

house := sample.with_changes({"role": "partner", "tie": "loose", "verb": "create", "type": "Organization", "group": "setting"})

test_whom_a_referral_names_is_brought if {
	every type in {"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Endpoint"} {
		partner.allow with input as object.union(house, {"type": type})
	}
}

test_names_no_further if {
	every change in [{"role": "ehr"}, {"tie": "anyone"}, {"verb": "update"}, {"type": "Questionnaire"}] {
		not partner.allow with input as object.union(house, change)
	}
}

report := sample.with_changes({"role": "partner", "tie": "related", "verb": "create", "type": "DiagnosticReport"})

test_reports_are_sent if {
	every type in {"DocumentReference", "DiagnosticReport", "Communication", "Observation", "QuestionnaireResponse"} {
		every consent in {"none", "permit"} {
			partner.allow with input as object.union(report, {"type": type, "consent": consent})
		}
	}
}

test_reports_no_further if {
	every change in [{"role": "ehr"}, {"tie": "anyone"}, {"verb": "update"}, {"type": "Condition"}, {"consent": "deny"}] {
		not partner.allow with input as object.union(report, change)
	}
}
