package exchange_test

import (
	"context"
	"net/url"
	"testing"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// deaf is a wire to partners that list search parameters and ignore them, as some do.
type deaf struct{ *wire }

func (d deaf) Search(ctx context.Context, to exchange.Partner, typ string, _ url.Values) ([]fhir.Resource, error) {
	return d.wire.Search(ctx, to, typ, url.Values{"_count": {"500"}})
}

func TestAnAnswerGoesToItsOwnTaskThoughThePartnerShowsEverything(t *testing.T) {
	ch := &wire{}
	w := newWorld(t, newParts(t), deaf{ch})
	ch.world = w
	other, asked := w.clinic.referral("1", "requested"), w.clinic.referral("2", "requested")
	w.settle()
	theirs := w.copyOf(asked)[0]
	subject, _ := theirs.Root().Get("for").Ref()
	w.hospital.put(`{"resourceType":"DocumentReference","id":"other","status":"current","description":"Another report","subject":{"reference":"` + subject.String() + `"},"content":[{"attachment":{"contentType":"text/plain","data":"eA=="}}]}`)
	w.hospital.put(`{"resourceType":"DocumentReference","id":"report","status":"current","description":"The report","subject":{"reference":"` + subject.String() + `"},"content":[{"attachment":{"contentType":"text/plain","data":"eA=="}}]}`)
	for _, step := range []struct{ status, output string }{{"accepted", ""}, {"in-progress", ""}, {"completed", "DocumentReference/report"}} {
		if a := w.hospital.step(theirs.Key, step.status, step.output); a.Status != 200 {
			t.Fatal(step.status, said(a))
		}
		w.settle()
	}
	if dead := w.hospital.works(true); len(dead) > 0 {
		t.Fatalf("given up: %+v", dead)
	}
	got := w.clinic.get(asked.String()).Root()
	out, _ := got.Get("output").Index(0).Get("valueReference").Ref()
	if s, d := got.Get("status").Text(), w.clinic.get(out.String()).Root().Get("description").Text(); s != "completed" || d != "The report" {
		t.Errorf("it is %s with %q", s, d)
	}
	if s := w.clinic.get(other.String()).Root().Get("status").Text(); s != "requested" {
		t.Errorf("the other referral is %s", s)
	}
}
