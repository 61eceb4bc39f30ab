package policy

import (
	"context"
	"slices"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/store"
)

// Release returns the fhir.Release of a tenant: of a package for a partner it lets
// through what the rules disclose, each resource judged for the partner itself by
// its class and by the consents of everyone it is about. What is clinical leaves with
// the labels by which it was judged, so that the obligations go along: the receiver
// cannot conclude them from a code that it reads otherwise. Handing over is recorded
// and on disk before it returns. courier is who hands over.
func (g *Guard) Release(courier Principal) fhir.Release {
	return func(ctx context.Context, to fhir.Key, rs []fhir.Resource) (out []fhir.Resource, err error) {
		from := &gate{Guard: g, caller: newCaller(courier)}
		act := fhir.Act{Interaction: fhir.Disclose, Operation: "release", Recipient: to}
		if len(rs) > 0 {
			act.Type, act.ID = rs[0].Type, rs[0].ID
		}
		e := newEntry(act)
		s, err := from.session(act)
		defer from.settle(ctx, s, &[]*entry{e}, &err, false)
		if err != nil {
			return nil, err
		}
		if to.IsZero() {
			return nil, &fhir.Error{Code: fhir.Exception, Detail: "A package needs a recipient."}
		}
		purpose := courier.Purpose
		if purpose == "" {
			purpose = "TREAT" // a referral asks for treatment
		}
		partner := newCaller(Principal{Tenant: courier.Tenant, Role: Partner, Grants: []fhir.Key{to}, Purpose: purpose})
		st, err := g.Store(courier.Tenant)
		if err != nil {
			return nil, err
		}
		err = st.View(ctx, func(in store.Reader) error {
			out = nil
			*e = *newEntry(act)
			rd := &reader{session: s, in: in, entry: e}
			for _, r := range rs {
				f := g.factor.FactsOf(r)
				j, err := rd.released(ctx, partner, r.Type, f)
				if err != nil {
					return err
				}
				if !j.Allow {
					e.patients = append(e.patients, f.Patients...)
					e.reasons = append(e.reasons, "withheld "+r.Key.String())
					continue
				}
				e.touch(r.Key, r.Version, WasRead, f.Patients, j.By)
				if r, err = marked(r, parseClass(f.Class)); err != nil {
					return err
				}
				out = append(out, r)
			}
			return nil
		})
		return out, err
	}
}

// released judges one resource for a partner. All patients must agree; the
// strictest state counts.
func (rd *reader) released(ctx context.Context, partner *caller, typ string, f fhir.Facts) (Judgement, error) {
	cl := parseClass(f.Class)
	fs, err := rd.in.Patients(ctx, f.Patients...)
	if err != nil {
		return Judgement{}, err
	}
	q := partner.question(ToDisclose, typ, cl)
	q.Tie, q.Consent = TieReleased, NoConsent
	out, err := rd.judge.ask(ctx, rd.rules, q)
	if err != nil {
		return Judgement{}, err
	}
	if len(f.Patients) > 0 {
		out = Judgement{Allow: true}
	}
	for _, k := range f.Patients {
		var p fhir.PatientFacts
		if i := slices.IndexFunc(fs, func(p fhir.PatientFacts) bool { return p.Patient == k }); i >= 0 {
			p = fs[i]
		}
		if !p.Until.IsZero() && !rd.now.Before(p.Until) {
			return Judgement{}, nil
		}
		q.Consent = rd.judge.state(partner, ToDisclose, typ, cl, p.Profile)
		j, err := rd.judge.ask(ctx, rd.rules, q)
		if err != nil || !j.Allow {
			return Judgement{}, err
		}
		out.By = append(out.By, j.By...)
	}
	return out, nil
}

// marked writes into a clinical resource's meta.security what was concluded of it
// and is not stated, and of records of a substance use programme that they must not
// be disclosed further without consent. No label is taken off.
//
// Source: 42 CFR 2.32; HL7 v3-ActCode, v3-Confidentiality
func marked(r fhir.Resource, c class) (fhir.Resource, error) {
	if c.group != string(spec.Clinical) {
		return r, nil
	}
	want := slices.DeleteFunc(split(c.labels), func(l string) bool { return l == otherLabel })
	if slices.Contains(want, "42CFRPart2") || slices.Contains(want, "42CFRPart2CD") {
		want = append(want, "NORDSCLCD")
	}
	conf := c.conf
	for s := range r.Root().Get("meta").Get("security").Elements() {
		switch code := s.Get("code").Text(); s.Get("system").Text() {
		case actCodeSystem:
			want = slices.DeleteFunc(want, func(l string) bool { return l == code })
		case confidentialitySystem:
			if retired[code] == "" {
				conf = ""
			}
		}
	}
	var add []*fhir.Object
	if conf != "" {
		add = append(add, fhir.Coding(confidentialitySystem, conf, ""))
	}
	for _, l := range want {
		add = append(add, fhir.Coding(actCodeSystem, l, ""))
	}
	if len(add) == 0 {
		return r, nil
	}
	bare, err := fhir.NewObject().Set("resourceType", r.Type).Set("meta", fhir.NewObject().Set("security", add)).Resource()
	if err != nil {
		return r, err
	}
	return keepLabels(bare, r)
}
