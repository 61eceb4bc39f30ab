package exchange_test

import (
	"bytes"
	"context"
	"regexp"
	"testing"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// plain is a wire to a partner that takes transactions and creates under no condition.
type plain struct{ *wire }

var condition = regexp.MustCompile(`,?"ifNoneExist":"[^"]*"`)

func (p plain) Transact(ctx context.Context, to exchange.Partner, b fhir.Resource) (fhir.Resource, error) {
	bare, err := fhir.Parse(condition.ReplaceAll(b.Body(), nil))
	if err != nil {
		return bare, err
	}
	return p.wire.Transact(ctx, to, bare)
}

func (p plain) Capabilities(ctx context.Context, of exchange.Partner) (fhir.Resource, error) {
	r, err := p.wire.Capabilities(ctx, of)
	if err != nil {
		return r, err
	}
	return fhir.Parse(bytes.ReplaceAll(r.Body(), []byte(`"conditionalCreate":true`), []byte(`"conditionalCreate":false`)))
}

func TestAPartnerWithoutConditionalCreateHasOnceWhatTwoReferralsCarry(t *testing.T) {
	ch := &wire{}
	w := newWorld(t, newParts(t), plain{ch})
	ch.world = w
	first := w.clinic.referral("1", "requested")
	w.settle()
	// Its answer is lost, so the second is sent twice.
	lose := 1
	ch.fault = func(write bool) fault {
		if write && lose > 0 {
			lose--
			return lostOnTheWayBack
		}
		return none
	}
	second := w.clinic.referral("2", "requested")
	w.settle()
	for _, task := range []fhir.Key{first, second} {
		if n := len(w.copyOf(task)); n != 1 {
			t.Errorf("%s arrived %d times; dead: %+v", task, n, w.clinic.works(true))
		}
	}
	once(t, w.hospital, w.clinic.base)
	goals := w.theirsOf("Goal/g1")
	if len(goals) != 1 {
		t.Fatalf("the hospital has %d goals", len(goals))
	}
	for _, r := range w.hospital.find("ServiceRequest", "", "") {
		if whom, _ := r.Root().Get("subject").Ref(); whom != w.theirsOf("Patient/p1")[0].Key {
			t.Errorf("%s is about %s", r.Key, whom)
		}
	}
	w.clinic.amend("Goal/g1", "Sleep", "Rest well")
	w.settle()
	if got := w.theirsOf("Goal/g1"); len(got) != 1 || got[0].Root().At("description", "text").Text() != "Rest well" {
		t.Errorf("the goal there: %v; dead: %+v", got, w.clinic.works(true))
	}
}
