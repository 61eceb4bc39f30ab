package opa

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"rapport/policy"
)

// deadline ends a question that runs away. An answer takes 50 µs; a busy machine may
// well pause for a second, and to deny then helps nobody.
const deadline = 5 * time.Second

// rules are one version of the policy, ready to be asked.
type rules struct {
	query  rego.PreparedEvalQuery
	digest string
}

// Digest implements policy.Rules.
func (r *rules) Digest() string { return r.digest }

// Judge implements policy.Rules. An undefined or malformed answer is an error.
func (r *rules) Judge(ctx context.Context, q policy.Question) (policy.Judgement, error) {
	if err := check(q); err != nil {
		return policy.Judgement{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	rs, err := r.query.Eval(ctx, rego.EvalParsedInput(input(q)))
	if err != nil {
		return policy.Judgement{}, fmt.Errorf("policy: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return policy.Judgement{}, fmt.Errorf("policy: %w", err)
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return policy.Judgement{}, fmt.Errorf("policy: the decision is undefined")
	}
	return judgement(rs[0].Expressions[0].Value)
}

// judgement reads {"allow": bool, "by": {name: [element…]}} and nothing else.
func judgement(v any) (policy.Judgement, error) {
	bad := func(what string) (policy.Judgement, error) {
		return policy.Judgement{}, fmt.Errorf("policy: the decision's %s is not of the form agreed", what)
	}
	o, ok := v.(map[string]any)
	if !ok || len(o) != 2 {
		return bad("document")
	}
	allow, ok := o["allow"].(bool)
	if !ok {
		return bad("allow")
	}
	by, ok := o["by"].(map[string]any)
	if !ok {
		return bad("by")
	}
	if !allow {
		return policy.Judgement{}, nil
	}
	out := policy.Judgement{Allow: true}
	free := false
	for name, es := range by {
		out.By = append(out.By, name)
		list, ok := es.([]any)
		if !ok {
			return bad("by." + name)
		}
		free = free || len(list) == 0
		for _, e := range list {
			s, ok := e.(string)
			if !ok {
				return bad("by." + name)
			}
			out.ChangeOnly = append(out.ChangeOnly, s)
		}
	}
	if len(out.By) == 0 {
		return bad("by")
	}
	if free {
		out.ChangeOnly = nil
	}
	slices.Sort(out.By)
	slices.Sort(out.ChangeOnly)
	out.ChangeOnly = slices.Compact(out.ChangeOnly)
	return out, nil
}

// What a question may say. A rule meets nothing else.
var (
	roles = policy.Roles()
	verbs = []policy.Verb{policy.ToRead, policy.ToCreate, policy.ToUpdate, policy.ToDelete,
		policy.ToDisclose, policy.ToRelabel, policy.ToWriteNote, policy.ToReadNote, policy.ToExport, policy.ToStudy}
	ties = []policy.Tie{policy.TieLoose, policy.TieAnyone, policy.TieRelated, policy.TieOwn,
		policy.TieParty, policy.TieIntroduced, policy.TieBrought, policy.TieReleased, policy.TieAuthor}
	consents = []policy.ConsentState{policy.NoConsent, policy.Permitted, policy.Denied, policy.Barred}
	groups   = []string{"contact", "setting", "frame", "clinical", "record", "note"}
	levels   = []string{"U", "L", "M", "N", "R", "V"}
)

func check(q policy.Question) error {
	for _, c := range []struct {
		what string
		ok   bool
	}{
		{"role", slices.Contains(roles, q.Role)},
		{"verb", slices.Contains(verbs, q.Verb)},
		{"type", q.Type != ""},
		{"group", slices.Contains(groups, q.Group)},
		{"confidentiality", slices.Contains(levels, q.Confidentiality)},
		{"tie", slices.Contains(ties, q.Tie)},
		{"consent", slices.Contains(consents, q.Consent)},
		{"basis", q.Basis == policy.OnConsent || q.Basis == policy.OnWaiver},
	} {
		if !c.ok {
			return fmt.Errorf("policy: the question's %s is none that rules know", c.what)
		}
	}
	return nil
}

// input is the question as Rego sees it. Lists are always there.
func input(q policy.Question) ast.Value {
	list := func(s string) *ast.Term {
		if s == "" {
			return ast.ArrayTerm()
		}
		var ts []*ast.Term
		for part := range strings.SplitSeq(s, ",") {
			ts = append(ts, ast.StringTerm(part))
		}
		return ast.ArrayTerm(ts...)
	}
	pair := func(k string, v *ast.Term) [2]*ast.Term { return ast.Item(ast.StringTerm(k), v) }
	return ast.NewObject(
		pair("role", ast.StringTerm(string(q.Role))),
		pair("purpose", ast.StringTerm(q.Purpose)),
		pair("verb", ast.StringTerm(string(q.Verb))),
		pair("type", ast.StringTerm(q.Type)),
		pair("group", ast.StringTerm(q.Group)),
		pair("confidentiality", ast.StringTerm(q.Confidentiality)),
		pair("labels", list(q.Labels)),
		pair("marks", list(q.Marks)),
		pair("tie", ast.StringTerm(string(q.Tie))),
		pair("consent", ast.StringTerm(string(q.Consent))),
		pair("basis", ast.StringTerm(string(q.Basis))),
	)
}
