# METADATA
# title: The intake desk receives clients and knows no reasons
# description: |
#   Contact, and requests and tasks that do not say why. A request with reason or
#   notes is out of the desk's sight as a whole: a masked one could still be found by
#   what was masked.
package gateway.rule.intake

allow if {
	input.role == "intake"
	input.tie in {"anyone", "loose"}
	input.verb in {"read", "create", "update"}
	input.group == "contact"
	bare
}

allow if {
	input.role == "intake"
	input.tie in {"anyone", "loose"}
	input.verb in {"read", "create", "update"}
	input.type in {"ServiceRequest", "Task"}
	bare
}

bare if {
	every mark in input.marks {
		mark != "reason"
	}
}
