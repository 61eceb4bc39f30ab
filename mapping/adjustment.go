package mapping

import (
	"context"
	"fmt"
	"slices"

	"rapport/fhir"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
)

const dataOperation = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"

// adjustments are the notes of a plan: the reason in words, when and by whom, with
// who agreed and what was changed as extensions.
func (w *writer) adjustments(r *practice.Plan) (notes []*fhir.Object) {
	for i, a := range r.Adjustments {
		at := fmt.Sprintf("/adjustments/%d", i)
		by := w.target("practitioner", a.By, at+"/by")
		if by.IsZero() {
			by = w.target("practitioner", r.Author, "/author")
		}
		if by.IsZero() && slices.Contains(a.Agreed, "therapist") {
			w.fail(at+"/by", fhir.Errorf(fhir.Required, at+"/by", "is missing, and the plan has no author: who is the therapist that agreed?"))
		}
		var x extensions
		for _, who := range a.Agreed {
			x.code("adjustment-agreed", who)
		}
		for _, c := range a.Changed {
			if _, ok := w.m.codes.display("plan-part", c); !ok {
				w.fail(at+"/changed", fhir.Errorf(fhir.CodeInvalid, at+"/changed", "is none of the words that are known here"))
			}
			x.code("adjustment-changed", c)
		}
		notes = append(notes, fhir.NewObject().
			Set("extension", x.objects()).
			Set("authorReference", by).
			Set("time", a.Date).
			Set("text", a.Reason))
	}
	return notes
}

// adjustmentsIn reads them; other notes are none.
func adjustmentsIn(n fhir.Node) (out []practice.Adjustment) {
	author := refIn(n.Get("author"))
	for note := range n.Get("note").Elements() {
		a := practice.Adjustment{
			Date: note.Get("time").Text(), Reason: note.Get("text").Text(),
			Changed: codesIn(note, "adjustment-changed"), Agreed: codesIn(note, "adjustment-agreed"),
		}
		if len(a.Agreed) == 0 {
			continue
		}
		if by := refIn(note.Get("authorReference")); by != author {
			a.By = by
		}
		out = append(out, a)
	}
	return out
}

// codesIn lists the codes of an extension that may come several times.
func codesIn(n fhir.Node, slug string) (out []string) {
	for e := range n.Get("extension").Elements() {
		if e.Get("url").Text() == extensionURL(slug) {
			out = append(out, e.Get("valueCode").Text())
		}
	}
	return out
}

// Adjustments is the [fhir.Follow] of plans: for each adjustment that a version of a
// CarePlan has and the one before had not, it derives a Provenance of that version,
// with why and by whom, client and therapist each where they agreed. It is recorded
// when the plan was written, since nobody else knows when; when it was decided is
// occurred.
func Adjustments(ctx context.Context, tx fhir.Tx, w fhir.Written) error {
	if w.Type != "CarePlan" || w.Resource.IsZero() || w.Effect != fhir.Created && w.Effect != fhir.Updated {
		return nil
	}
	now := adjustmentsIn(w.Resource.Root())
	if len(now) == 0 {
		return nil
	}
	var before []practice.Adjustment
	if w.Version > 1 {
		r, err := tx.ReadVersion(ctx, w.Key, w.Version-1)
		switch {
		case err == nil:
			before = adjustmentsIn(r.Root())
		case !fhir.Is(err, fhir.Deleted) && !fhir.Is(err, fhir.NotFound):
			return err
		}
	}
	for i, a := range now {
		if i < len(before) && same(before[i], a) {
			continue
		}
		r, err := provenanceOf(w, a, i)
		if err != nil {
			return err
		}
		if _, err := tx.Derive(ctx, w.Head, r); err != nil {
			return err
		}
	}
	return nil
}

func same(a, b practice.Adjustment) bool {
	return a.Date == b.Date && a.Reason == b.Reason && a.By == b.By && slices.Equal(a.Changed, b.Changed) && slices.Equal(a.Agreed, b.Agreed)
}

// provenanceOf makes the Provenance of one adjustment in a version of a plan.
func provenanceOf(w fhir.Written, a practice.Adjustment, i int) (fhir.Resource, error) {
	plan := w.Resource.Root()
	if a.By.IsZero() {
		a.By = refIn(plan.Get("author"))
	}
	agent := func(who fhir.Key, role string) *fhir.Object {
		return fhir.NewObject().
			Set("type", fhir.Concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type", role, "")).
			Set("who", who)
	}
	var agents []*fhir.Object
	if !a.By.IsZero() {
		agents = append(agents, agent(a.By.Stored, "author"))
	}
	if client := refIn(plan.Get("subject")); slices.Contains(a.Agreed, "client") && !client.IsZero() {
		agents = append(agents, agent(client.Stored, "attester"))
	}
	var changed []*fhir.Object
	for _, c := range a.Changed {
		changed = append(changed, fhir.Coding(systemURL("plan-part"), c, ""))
	}
	target := fhir.NewObject().Set("reference", fmt.Sprintf("%s/_history/%d", w.Key, w.Version))
	return fhir.NewResource(instrument.Derived("Provenance", w.Key, fmt.Sprintf("adjustment %d %d", i, w.Version))).
		Set("meta", clinical.object()).
		Set("target", []*fhir.Object{target}).
		Set("occurredDateTime", a.Date).
		Set("recorded", w.Updated).
		Set("reason", []*fhir.Object{fhir.NewObject().Set("coding", changed).Set("text", a.Reason)}).
		Set("activity", fhir.Concept(dataOperation, "UPDATE", "revise")).
		Set("agent", agents).
		Resource()
}
