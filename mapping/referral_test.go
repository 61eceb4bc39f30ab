package mapping

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/mapping/practice"
)

// outbox is a Tx that knows what was stored and keeps what is enqueued.
type outbox struct {
	fhir.Tx
	kept
	works []fhir.Work
}

func (o *outbox) Derive(context.Context, fhir.Head, ...fhir.Resource) ([]fhir.Written, error) {
	return nil, nil // who made the step: Provenance
}

func (o *outbox) Read(ctx context.Context, k fhir.Key) (fhir.Resource, error) {
	return o.kept.Read(ctx, k)
}

func (o *outbox) ReadVersion(ctx context.Context, k fhir.Key, v int64) (fhir.Resource, error) {
	return o.kept.Read(ctx, k)
}

func (o *outbox) Search(ctx context.Context, q fhir.Query) (fhir.Set, error) {
	return o.kept.Search(ctx, q)
}

func (o *outbox) History(ctx context.Context, s fhir.Scope, span fhir.Span) (fhir.Set, error) {
	return o.kept.History(ctx, s, span)
}

func (o *outbox) Enqueue(_ context.Context, w fhir.Work) error {
	o.works = append(o.works, w)
	return nil
}

func TestAReferralSetsTheCourierGoing(t *testing.T) {
	m, ctx := newMapper(t), context.Background()
	organisation := func(key string) (fhir.Resource, exchange.Partner) {
		rs, err := m.ToFHIR(&practice.Organisation{Origin: practice.Origin{BusinessKey: key}, Name: key})
		if err != nil {
			t.Fatal(err)
		}
		return rs[0], exchange.Partner{Name: key, Base: "https://" + key + ".example/fhir", System: IdentifierSystem("urn:test:practice", "organisation"), Value: key}
	}
	clinic, asClinic := organisation("lindenhof")
	hospital, asHospital := organisation("seespital")
	referral := func(status string) fhir.Resource {
		rs, err := m.ToFHIR(&practice.Referral{
			Origin: practice.Origin{BusinessKey: "V1"}, Client: practice.Ref{Key: "LH-01"}, Direction: "out", Status: status,
			From: practice.Ref{Key: "lindenhof"}, To: practice.Ref{Key: "seespital"}, Requester: practice.Ref{Key: "mira"}, Reason: "worse",
		})
		if err != nil {
			t.Fatal(err)
		}
		return rs[1]
	}
	tx := &outbox{kept: kept{}}
	tx.put(clinic, hospital)
	follow := func(f exchange.Referrals, r fhir.Resource, version int64) error {
		return f.Follow(ctx, tx, fhir.Written{Head: fhir.Head{Key: r.Key, Version: version}, Effect: fhir.Updated, Resource: r})
	}
	at := func(what string) {
		t.Helper()
		n := 0
		for _, w := range tx.works { // beside others, such as a reminder of an answer
			if w.Kind == exchange.Kind && strings.HasPrefix(w.ID, what+"/") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d works to %s, not one", n, what)
		}
		tx.works = nil
	}
	here := exchange.Referrals{Partners: []exchange.Partner{asHospital}}
	if err := follow(here, referral("requested"), 1); err != nil {
		t.Fatal(err)
	}
	at(exchange.Deliver)
	tx.put(referral("requested"))
	if err := follow(here, referral("draft"), 2); !fhir.Is(err, fhir.BusinessRule) {
		t.Errorf("a step back: %v", err)
	}
	// At the hospital a copy carries the identifier by which the clinic knows its own.
	there := exchange.Referrals{Partners: []exchange.Partner{asClinic}}
	copied := referral("accepted")
	id, err := json.Marshal(map[string]string{"system": asClinic.Base + "/Task", "value": copied.ID})
	if err != nil {
		t.Fatal(err)
	}
	first := copied.Root().Get("identifier").Index(0)
	if copied, err = copied.Apply(fhir.Replace(first, append(append(first.Raw()[:len(first.Raw()):len(first.Raw())], ','), id...))); err != nil {
		t.Fatal(err)
	}
	if err := follow(there, copied, 2); err != nil {
		t.Fatal(err)
	}
	at(exchange.Answer)
}
