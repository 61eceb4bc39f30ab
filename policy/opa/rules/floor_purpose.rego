# METADATA
# title: Research does not see persons
# description: |
#   A token for research sees the practice's instruments and nothing about a client;
#   what it may have leaves by the de-identified export, and that for research alone.
package gateway.floor.purpose

holds if {
	input.verb != "study"
	every code in research {
		input.purpose != code
	}
}

holds if {
	input.verb == "study"
	input.purpose in research
}

holds if {
	input.verb != "study"
	input.group == "setting"
}

research := {
	"HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC",
	"PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH",
}
