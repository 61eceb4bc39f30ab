package exchange

import (
	"maps"
	"slices"
	"strings"

	"rapport/fhir"
)

// Side is whose act a transition is.
type Side uint8

// The sides; Either is for transitions both may make.
const (
	Sender Side = 1 << iota
	Receiver
	Either = Sender | Receiver
)

// machine says from which status a Task may come to which, and by whose act. What is
// not in it is refused. "" is a Task that does not exist yet.
type machine map[string]map[string]Side

// transitions is that of a referral's Task.
//
// Source: Gravity SDOH Clinical Care, «Referral workflow» (Task states), and
// HL7 FHIR Clinical Order Workflows, Task coordination.
var transitions = machine{
	"":                 {"draft": Sender, "requested": Sender},
	"draft":            {"requested": Sender, "cancelled": Sender, "entered-in-error": Sender},
	"requested":        {"accepted": Receiver, "rejected": Receiver, "cancelled": Either, "entered-in-error": Sender},
	"accepted":         {"in-progress": Receiver, "on-hold": Receiver, "completed": Receiver, "failed": Receiver, "cancelled": Either, "entered-in-error": Sender},
	"in-progress":      {"on-hold": Receiver, "completed": Receiver, "failed": Receiver, "cancelled": Receiver, "entered-in-error": Sender},
	"on-hold":          {"in-progress": Receiver, "completed": Receiver, "failed": Receiver, "cancelled": Receiver, "entered-in-error": Sender},
	"rejected":         {"entered-in-error": Sender},
	"cancelled":        {"entered-in-error": Sender},
	"failed":           {"entered-in-error": Sender},
	"completed":        {"entered-in-error": Sender},
	"entered-in-error": {},
}

// Check says whether a referral's Task may go from one status to another by an act of one
// of the sides given. Staying is always allowed: other elements may change. An
// illegal step is a [fhir.BusinessRule] that names the legal ones.
func Check(from, to string, by Side) error { return transitions.check(from, to, by) }

func (m machine) check(from, to string, by Side) error {
	if from == to && from != "" {
		return nil
	}
	next, known := m[from]
	if known && next[to]&by != 0 {
		return nil
	}
	legal := m.next(from, by)
	switch {
	case from == "":
		return fhir.Errorf(fhir.BusinessRule, "Task.status", "This Task begins as %s.", strings.Join(legal, " or "))
	case len(legal) == 0:
		return fhir.Errorf(fhir.BusinessRule, "Task.status", "A Task that is %s is at its end. A new Task starts anew.", from)
	}
	return fhir.Errorf(fhir.BusinessRule, "Task.status", "A Task that is %s can become %s.", from, strings.Join(legal, ", "))
}

// Next returns the statuses that a referral's Task in one of them may go to by an act of
// one of the sides given, sorted.
func Next(from string, by Side) []string { return transitions.next(from, by) }

func (m machine) next(from string, by Side) (legal []string) {
	for s, side := range m[from] {
		if side&by != 0 {
			legal = append(legal, s)
		}
	}
	slices.Sort(legal)
	return legal
}

// begin says whether a Task may begin in a status.
func begin(status string) error {
	if _, known := transitions[status]; known && status != "" {
		return nil
	}
	return fhir.Errorf(fhir.BusinessRule, "Task.status", "A referral's Task is one of %s.", strings.Join(slices.Sorted(maps.Keys(transitions))[1:], ", "))
}

// guard checks what a status demands of the rest of the Task.
func guard(task fhir.Node) error {
	switch task.Get("status").Text() {
	case "rejected", "failed":
		if !task.Get("statusReason").Exists() {
			return fhir.Errorf(fhir.BusinessRule, "Task.statusReason", "Say why: a Task that is rejected or failed needs a statusReason.")
		}
	case "completed":
		if task.Get("output").Len() == 0 {
			return fhir.Errorf(fhir.BusinessRule, "Task.output", "A completed Task needs at least one output: what came of the referral.")
		}
	}
	return nil
}

// reachable reports whether a Task can come from one status to another by any steps.
func reachable(from, to string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(s string) bool {
		for next := range transitions[s] {
			if next == to {
				return true
			}
			if !seen[next] {
				seen[next] = true
				if walk(next) {
					return true
				}
			}
		}
		return false
	}
	return walk(from)
}
