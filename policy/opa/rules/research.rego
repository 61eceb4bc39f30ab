# METADATA
# title: Research gets what its clients agreed to, de-identified
# description: |
#   By the export alone that a treatment shapes, and never in the form in which it is
#   kept. Only clients whose consent to research permits it, or, where the project rests
#   on another legal basis (a waiver), those who do not object. What is about others,
#   or may not be passed on, stays.
package gateway.rule.research

allow if {
	study
	input.group == "setting"
	input.tie == "loose"
}

allow if {
	study
	input.group in {"contact", "frame", "clinical"}
	input.tie == "anyone"
	agreed
	every label in input.labels {
		every kept in {"OTHER", "NODSCLCD", "NOAUTH"} {
			label != kept
		}
	}
}

study if {
	input.role == "researcher"
	input.verb == "study"
}

agreed if input.consent == "permit"

agreed if {
	input.consent == "none"
	input.basis == "waiver"
	every label in input.labels {
		every programme in {"42CFRPart2", "42CFRPart2CD"} {
			label != programme
		}
	}
}
