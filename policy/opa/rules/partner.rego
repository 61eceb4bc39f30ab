# METADATA
# title: A partner works on what was referred
# description: |
#   It reads its Tasks and ServiceRequests, what it brought itself, and who is
#   referred to it; it answers by status and output of its Tasks, and by reports.
package gateway.rule.partner

# What names it, or what it brought.
allow if {
	input.role == "partner"
	input.tie == "party"
	input.verb == "read"
	input.group in {"setting", "contact", "frame", "clinical"}
	input.consent in {"none", "permit"}
}

# Who is referred to it.
allow if {
	input.role == "partner"
	input.tie == "related"
	input.verb == "read"
	input.type == "Patient"
	input.consent in {"none", "permit"}
}

# A referral of its own: a client that it brings here, with all that goes along, and
# the organisations and people that the referral names.
allow if {
	input.role == "partner"
	input.tie == "introduced"
	input.verb == "create"
	input.group in {"contact", "frame", "clinical"}
}

allow if {
	input.role == "partner"
	input.tie == "loose"
	input.verb == "create"
	input.type in {"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Endpoint"}
}

# Corrections of what it brought itself. Of a Task it answers for its part alone, and a
# consent, once here, is the client's and ours.
allow if {
	input.role == "partner"
	input.tie == "brought"
	input.verb == "update"
	input.group in {"contact", "frame", "clinical"}
	every kept in {"Task", "Consent"} {
		input.type != kept
	}
	input.consent in {"none", "permit"}
}

# Reports on a client who was referred to it.
allow if {
	input.role == "partner"
	input.tie == "related"
	input.verb == "create"
	input.consent in {"none", "permit"}
	input.type in {"DocumentReference", "DiagnosticReport", "Communication", "Observation", "QuestionnaireResponse"}
}
