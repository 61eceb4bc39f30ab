# METADATA
# title: Imports and the gateway's own processes
# description: |
#   Everything but process notes, and the only ones that may take labels off: they
#   carry what a labelling source says.
package gateway.rule.integration

allow if {
	input.role == "integration"
	input.tie in {"anyone", "loose"}
	input.verb in {"read", "create", "update", "delete", "relabel", "export"}
	input.group in {"contact", "setting", "frame", "clinical", "record"}
}
