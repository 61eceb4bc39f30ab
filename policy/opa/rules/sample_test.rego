package test.sample

# A question that no rule allows.
base := {
	"role": "nobody", "purpose": "TREAT", "verb": "none", "type": "Observation", "group": "clinical",
	"confidentiality": "R", "labels": ["PSY"], "marks": [], "tie": "none", "consent": "none", "basis": "",
}

with_changes(changes) := object.union(base, changes)
