# METADATA
# title: An EHR vendor's backend reads outcomes of clients who permit it
# description: |
#   Clients of the granted organisations or groups, where a current consent permits:
#   contact, frame, and of clinical content scores, goals, plans, encounters,
#   conditions. Answers to single items stay (minimum necessary).
package gateway.rule.ehr

allow if {
	client
	input.group in {"contact", "frame"}
}

allow if {
	client
	input.type in {"Goal", "CarePlan", "Encounter", "Condition"}
	input.group == "clinical"
}

allow if {
	client
	input.type == "Observation"
	input.group == "clinical"
	"score" in input.marks
}

client if {
	input.role == "ehr"
	input.tie == "related"
	input.verb in {"read", "export"}
	input.consent == "permit"
	every label in input.labels {
		every kept in {"OTHER", "NODSCLCD", "NOAUTH"} {
			label != kept
		}
	}
}
