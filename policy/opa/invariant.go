package opa

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"rapport/policy"
)

//go:embed invariants.txt
var invariants string

// invariant asks what no version of the rules may answer otherwise.
func invariant(ctx context.Context, r *rules) error {
	for i, line := range strings.Split(invariants, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		q, want, err := question(f)
		if err != nil {
			return fmt.Errorf("policy: invariants.txt:%d: %w", i+1, err)
		}
		got, err := r.Judge(ctx, q)
		if err != nil {
			return fmt.Errorf("policy: invariants.txt:%d: %w", i+1, err)
		}
		if got.Allow != want {
			return fmt.Errorf("policy: invariants.txt:%d: the rules answer otherwise", i+1)
		}
	}
	return nil
}

// question reads «allow|deny role verb type group tie [field=value…]».
func question(f []string) (q policy.Question, allow bool, err error) {
	if len(f) < 6 || f[0] != "allow" && f[0] != "deny" {
		return q, false, fmt.Errorf("a line is: allow or deny, role, verb, type, group, tie, and more as field=value")
	}
	q = policy.Question{Role: policy.Role(f[1]), Verb: policy.Verb(f[2]), Type: f[3], Group: f[4], Tie: policy.Tie(f[5]),
		Purpose: "TREAT", Confidentiality: "R", Consent: policy.NoConsent}
	for _, extra := range f[6:] {
		name, value, _ := strings.Cut(extra, "=")
		switch name {
		case "purpose":
			q.Purpose = value
		case "confidentiality":
			q.Confidentiality = value
		case "labels":
			q.Labels = value
		case "marks":
			q.Marks = value
		case "consent":
			q.Consent = policy.ConsentState(value)
		case "basis":
			q.Basis = policy.Basis(value)
		default:
			return q, false, fmt.Errorf("%q is no field", name)
		}
	}
	return q, f[0] == "allow", nil
}
