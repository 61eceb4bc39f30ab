# METADATA
# title: Process notes stay in their own gate
# description: |
#   What is labelled a psychotherapy note is neither kept nor shown as an ordinary
#   resource, whoever asks: not by consent, not in an emergency (45 CFR 164.508(a)(2)).
#   What the law does not call one must not carry the label.
package gateway.floor.notes

holds if {
	input.verb in {"write-note", "read-note"}
	input.group == "note"
	input.purpose != "BTG"
}

holds if {
	input.group in {"contact", "setting", "frame", "clinical", "record"}
	every label in input.labels {
		label != "PSYTHPN"
	}
}
