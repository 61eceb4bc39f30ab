# METADATA
# title: Who may take the setting along with an export
# description: |
#   What backends and imports may read about no client goes along. Which clients, and
#   what of them, their own rules say.
package gateway.rule.export

allow if {
	input.role in {"ehr", "integration"}
	input.verb == "export"
	input.group == "setting"
	input.tie == "loose"
}
