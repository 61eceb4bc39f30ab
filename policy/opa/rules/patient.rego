# METADATA
# title: Patients see their own record and write their own part of it
# description: |
#   All about themselves but what is labelled as withheld (NOPAT), which needs a
#   stated legal reason to be set, and process notes, which no resource is.
package gateway.rule.patient

allow if {
	input.role == "patient"
	input.tie == "own"
	input.verb == "read"
	input.group in {"contact", "frame", "clinical"}
	shown
}

# Disclosures about oneself.
allow if {
	input.role == "patient"
	input.tie == "own"
	input.verb == "read"
	input.type == "AuditEvent"
	"disclosure" in input.marks
}

# Responses, notebook entries, messages: new ones by anyone but another person …
allow if {
	input.role == "patient"
	input.tie == "own"
	input.verb == "create"
	input.type in {"QuestionnaireResponse", "Communication"}
	every mark in input.marks {
		mark != "other"
	}
	shown
}

# … and later changes to what they wrote themselves.
allow if {
	input.role == "patient"
	input.tie == "own"
	input.verb == "update"
	input.type == "QuestionnaireResponse"
	"self" in input.marks
	shown
}

shown if {
	every label in input.labels {
		label != "NOPAT"
	}
}
