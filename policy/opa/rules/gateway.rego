# METADATA
# title: The gateway's decision
# description: |
#   Joins the rules. Something is allowed when at least one rule allows it and every
#   floor holds. Rules only ever say allow; what no rule speaks of is denied.
# entrypoint: true
package gateway

decision := {"allow": allow, "by": by}

default allow := false

allow if {
	count(by) > 0
	every floor in data.gateway.floor {
		floor.holds == true
	}
}

# by: the rules that allow, and which elements each lets be changed; all, if none is named.
by[name] := elements if {
	some name
	data.gateway.rule[name].allow == true
	elements := object.get(data.gateway.rule[name], "change_only", [])
}
