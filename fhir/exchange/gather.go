package exchange

import (
	"context"
	"slices"

	"rapport/fhir"
)

// referral is what belongs to one referral, before anything is withheld.
type referral struct {
	task fhir.Resource
	rs   []fhir.Resource // task first
}

// scores bounds how many score Observations go along, the latest first; looked is how
// many are looked through for them.
const (
	scores = 20
	looked = 80
)

// between says that a score is about client and therapist: their alliance stays
// between them, and goes only where the request names it as supporting information.
func between(r fhir.Resource) bool {
	return r.Type == "Observation" && r.Root().Get("code").HasCoding("https://rapport.example/fhir/CodeSystem/instrument-score", "alliance-total")
}

// gather reads what a receiver needs to judge a referral: who asks, for whom, why,
// where the therapy stands. What the gate does not show is not part of it.
//
// Source: domain practice of 360X and BSeR packages: reason, problems, assessments,
// goals, plan.
func gather(ctx context.Context, in fhir.Reader, task fhir.Key) (referral, error) {
	t, err := in.Read(ctx, task)
	if err != nil {
		return referral{}, err
	}
	g := &gatherer{ctx: ctx, in: in, seen: map[fhir.Key]bool{}}
	g.add(t)
	root := t.Root()
	request := g.follow(root.Get("focus"))
	patient := g.follow(root.Get("for"))
	for _, ref := range []fhir.Node{root.Get("requester"), root.Get("owner"), request.Root().Get("requester")} {
		g.party(ref)
	}
	for ref := range request.Root().Get("performer").Elements() {
		g.party(ref)
	}
	for _, name := range []string{"reasonReference", "supportingInfo"} {
		for ref := range request.Root().Get(name).Elements() {
			if k, _ := ref.Ref(); k.Type != "Consent" { // see doc.go
				g.follow(ref)
			}
		}
	}
	if !patient.IsZero() {
		g.search("Condition", patient.Key, nil, "", 50)
		g.search("Goal", patient.Key, nil, "", 50)
		g.search("CarePlan", patient.Key, nil, "", 10)
		g.search("Flag", patient.Key, nil, "", 10)
		g.search("Observation", patient.Key, &fhir.Clause{Param: "category", Kind: fhir.Token, Any: []fhir.Operand{{Code: "survey"}}}, "date", looked)
	}
	return referral{task: t, rs: g.rs}, g.err
}

// gatherer collects resources once each; its first real error stays.
type gatherer struct {
	ctx  context.Context
	in   fhir.Reader
	seen map[fhir.Key]bool
	rs   []fhir.Resource
	err  error
}

func (g *gatherer) add(r fhir.Resource) {
	if !g.seen[r.Key] {
		g.seen[r.Key] = true
		g.rs = append(g.rs, r)
	}
}

// follow reads what a reference names; what is missing or hidden is left out.
func (g *gatherer) follow(ref fhir.Node) fhir.Resource {
	k, ok := ref.Ref()
	if !ok || g.err != nil {
		return fhir.Resource{}
	}
	if g.seen[k] {
		i := slices.IndexFunc(g.rs, func(r fhir.Resource) bool { return r.Key == k })
		return g.rs[i]
	}
	r, err := g.in.Read(g.ctx, k)
	if err != nil {
		if !fhir.Unseen(err) {
			g.err = err
		}
		return fhir.Resource{}
	}
	g.add(r)
	return r
}

// party follows a person or organisation, and a role to both of its ends.
func (g *gatherer) party(ref fhir.Node) {
	r := g.follow(ref)
	if r.Type == "PractitionerRole" {
		g.follow(r.Root().Get("practitioner"))
		g.follow(r.Root().Get("organization"))
	}
}

func (g *gatherer) search(typ string, patient fhir.Key, also *fhir.Clause, newest string, count int) {
	if g.err != nil {
		return
	}
	q := fhir.Query{Type: typ, Count: count, Where: []fhir.Clause{{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patient}}}}}
	if also != nil {
		q.Where = append(q.Where, *also)
	}
	if newest != "" {
		q.Sort = []fhir.Order{{Param: newest, Kind: fhir.Date, Desc: true}}
	}
	set, err := g.in.Search(g.ctx, q)
	if err != nil {
		if !fhir.Is(err, fhir.Forbidden) {
			g.err = err
		}
		return
	}
	most := count
	if count == looked {
		most = scores
	}
	for _, e := range set.Entries {
		if r := e.Resource; most > 0 && !mistaken(r.Root()) && !between(r) {
			g.add(r)
			most--
		}
	}
}
