# METADATA
# title: Research does not see persons
# description: |
#   A token for research sees the practice's instruments and nothing about a client;
#   what it may have leaves by the de-identified export.
package gateway.floor.purpose

holds if {
	every code in research {
		input.purpose != code
	}
}

holds if {
	input.group == "setting"
}

research := {
	"HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC",
	"PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH",
}
