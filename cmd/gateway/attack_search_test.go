package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/policy"
)

func TestA9NoWayOfAskingForAnothersClientFindsOne(t *testing.T) {
	w := newWorld(t)
	for who, c := range map[string]*caller{"therapist": w.therapistOf(w.a), "client": w.self(w.a)} {
		mine := w.entries(w.send(c, http.MethodGet, "/Observation?_count=100", ""), false)
		if len(mine) == 0 {
			t.Fatalf("%s sees nothing of the own", who)
		}
		a, b := w.a.patient, w.b.patient
		for _, q := range []string{
			"subject=" + b.String(), "patient=" + a.ID + "," + b.ID, "patient=" + a.ID + "&patient=" + b.ID, "subject:Patient=" + b.ID,
			"patient:missing=true", "patient:missing=false", "patient.identifier=birch", "subject:Patient.identifier=urn:x:client|birch", "identifier=birch", "code=44261-6",
			"subject=" + w.base + "/fhir/" + b.String(), "_id=" + w.b.about["Observation"].ID, "_sort=-date&_count=1", "identifier:not=alder",
		} {
			got := w.send(c, http.MethodGet, "/Observation?"+q+sep(q)+"_total=accurate", "")
			if got.status != http.StatusOK {
				if got.status/100 != 4 || strings.Contains(string(got.body), w.b.mark) {
					t.Errorf("%s: %s: %d %s", who, q, got.status, got.body)
				}
				continue
			}
			for _, k := range w.entries(got, false) {
				if !slices.Contains(mine, k) {
					t.Errorf("%s: %s shows %s", who, q, k)
				}
			}
			if w.total(got) > len(mine) {
				t.Errorf("%s: %s counts %d", who, q, w.total(got))
			}
		}
		for _, q := range []string{"patient=" + b.ID, "_id=" + w.b.about["Observation"].ID, "_summary=count&patient=" + b.ID, "patient=" + a.ID} {
			posted := w.send(c, http.MethodPost, "/Observation/_search", q+"&_total=accurate", "Content-Type", "application/x-www-form-urlencoded")
			got := w.send(c, http.MethodGet, "/Observation?"+q+"&_total=accurate", "")
			if posted.status != http.StatusOK || w.total(posted) != w.total(got) || len(w.entries(posted, false)) != len(w.entries(got, false)) {
				t.Errorf("%s: %s posted: %d %s, asked %s", who, q, posted.status, posted.body, got.body)
			}
			if strings.Contains(q, b.ID) && w.total(posted) != 0 {
				t.Errorf("%s: %s counts another's", who, q)
			}
		}
	}
}

func sep(q string) string {
	if q == "" {
		return ""
	}
	return "&"
}

func TestA10AChainSeesOnlyWhatItsCallerSees(t *testing.T) {
	w := newWorld(t)
	// Without a scope for Patient the chain is refused.
	narrow := w.as(issuer.Grant{Role: policy.Therapist, Practitioner: w.a.doctor.ID, Scope: "user/Observation.rs"})
	for _, q := range []string{"patient.family=Family", "subject:Patient.birthdate=ge1970-01-01", "subject:Patient.name=Family"} {
		if a := w.send(narrow, http.MethodGet, "/Observation?"+q, ""); a.status == http.StatusOK && len(w.entries(a, false)) > 0 {
			t.Errorf("%s without a scope for Patient: %d", q, a.status)
		}
	}
	c := w.therapistOf(w.a)
	for q, want := range map[string]int{"patient.family=Family": 1, "patient.family=Familybirch": 0, "subject:Patient.birthdate=ge1970-01-01": 1} {
		a := w.send(c, http.MethodGet, "/Observation?"+q+"&_total=accurate", "")
		if a.status != http.StatusOK || w.total(a) != want {
			t.Errorf("%s: %d, total %d, want %d: %s", q, a.status, w.total(a), want, a.body)
		}
	}
}

func TestA11HiddenRowsDoNotAnswerAHas(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	for _, q := range []string{
		"_has:Observation:patient:code=44261-6", "_has:Observation:patient:identifier=birch", "_has:Goal:patient:identifier=birch", "_has:Observation:patient:date=ge2026-01-01",
	} {
		a := w.send(c, http.MethodGet, "/Patient?"+q+"&_total=accurate", "")
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", q, a.status, a.body)
			continue
		}
		want := []fhir.Key{w.a.patient}
		if strings.Contains(q, "birch") {
			want = nil
		}
		if got := w.entries(a, true); !slices.Equal(got, want) || w.total(a) != len(want) {
			t.Errorf("%s found %v of %d, want %v", q, got, w.total(a), want)
		}
	}
	// The desk sees both Patients and no clinical content: what it may not see moves no one.
	desk := w.as(issuer.Grant{Role: policy.Intake})
	for _, q := range []string{"_has:Observation:patient:code=44261-6", "_has:Goal:patient:identifier=birch"} {
		if a := w.send(desk, http.MethodGet, "/Patient?"+q+"&_total=accurate", ""); a.status == http.StatusOK && (len(w.entries(a, true)) > 0 || w.total(a) > 0) {
			t.Errorf("the desk: %s found something", q)
		}
	}
}

func TestA31AConditionalCreateFindsNoHiddenMatch(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	goal := func(value string) string {
		return fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":%q},"identifier":[{"system":"urn:x:goal","value":%q}]}`, w.a.patient, value)
	}
	hidden := w.send(c, http.MethodPost, "/Goal", goal("birch"), "If-None-Exist", "identifier=urn:x:goal|birch")
	none := w.send(c, http.MethodPost, "/Goal", goal("new"), "If-None-Exist", "identifier=urn:x:goal|new")
	if hidden.status != http.StatusCreated || none.status != http.StatusCreated {
		t.Errorf("with a hidden match %d %s, without any %d %s", hidden.status, hidden.body, none.status, none.body)
	}
	again := w.send(c, http.MethodPost, "/Goal", goal("new"), "If-None-Exist", "identifier=urn:x:goal|new")
	if again.status != http.StatusOK {
		t.Errorf("with a visible match %d", again.status)
	}
	// It looks something up, so it needs the right to search.
	creates := w.as(issuer.Grant{Role: policy.Therapist, Practitioner: w.a.doctor.ID, Scope: "user/Goal.cr"})
	if a := w.send(creates, http.MethodPost, "/Goal", goal("newer"), "If-None-Exist", "identifier=urn:x:goal|newer"); a.status != http.StatusForbidden {
		t.Errorf("without the right to search: %d", a.status)
	}
}

func TestA42ACursorIsGoodForWhoGotItAsLongAsTheyMay(t *testing.T) {
	w := newWorld(t)
	for n := range 5 {
		w.make(fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"g%d"},"subject":{"reference":%q}}`, n, w.a.patient))
	}
	mine := w.therapistOf(w.a)
	link := w.next(w.send(mine, http.MethodGet, "/Goal?_count=2&patient="+w.a.patient.ID, ""))
	if link == "" {
		t.Fatal("there is no next link")
	}
	if strings.Contains(link, w.a.patient.ID) {
		t.Error("the link names the client")
	}
	if a := w.send(mine, http.MethodGet, link, ""); len(w.entries(a, true)) != 2 {
		t.Error("the link does not continue")
	}
	for who, c := range map[string]*caller{
		"another user":              w.therapistOf(w.b),
		"the client":                w.self(w.a),
		"another tenant":            w.as(issuer.Grant{Role: policy.Integration, Tenant: "two"}),
		"the user's narrower token": w.as(issuer.Grant{Role: policy.Therapist, Practitioner: w.a.doctor.ID, Scope: "user/Observation.rs"}),
	} {
		if a := w.send(c, http.MethodGet, link, ""); a.status < 400 {
			t.Errorf("%s continues it: %d", who, a.status)
		}
	}
	edited := []byte(link)
	edited[len(edited)-6] ^= 1
	if a := w.send(mine, http.MethodGet, string(edited), ""); a.status != http.StatusNotFound && a.status != http.StatusBadRequest {
		t.Errorf("an edited link: %d", a.status)
	}
	// The tie ends; the policy is asked again for each page.
	ended := strings.Replace(strings.Replace(string(mustGet(t, w, w.a.episode)), `"active"`, `"finished"`, 1), `"start":"2026-01-05"`, `"start":"2026-01-05","end":"2026-02-01"`, 1)
	if a := w.send(w.importer, http.MethodPut, "/"+w.a.episode.String(), ended); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.send(mine, http.MethodGet, link, ""); a.status == http.StatusOK && len(w.entries(a, false)) > 0 {
		t.Error("the link goes on after the caseload ended")
	}
}

func TestA48WhatOneWarmsInTheCacheAnotherDoesNotGet(t *testing.T) {
	w := newWorld(t)
	k := w.a.about["Observation"]
	mine := w.therapistOf(w.a)
	var warm answer
	for range 3 {
		warm = w.send(mine, http.MethodGet, "/"+k.String(), "")
		w.send(mine, http.MethodGet, "/Observation?code=44261-6", "")
	}
	if warm.status != http.StatusOK {
		t.Fatal(warm.status)
	}
	for who, c := range map[string]*caller{
		"another therapist": w.therapistOf(w.b), "the desk": w.as(issuer.Grant{Role: policy.Intake}),
		"another tenant": w.as(issuer.Grant{Role: policy.Integration, Tenant: "two"}),
	} {
		for _, header := range [][]string{nil, {"If-None-Match", warm.etag}, {"Accept", "application/json"}} {
			if a := w.send(c, http.MethodGet, "/"+k.String(), "", header...); a.status < 400 || a.etag != "" {
				t.Errorf("%s, %v: %d %s", who, header, a.status, a.etag)
			}
		}
		if a := w.send(c, http.MethodGet, "/Observation?code=44261-6", ""); a.status == http.StatusOK && slices.Contains(w.entries(a, false), k) {
			t.Errorf("%s finds it", who)
		}
	}
	// A vendor's answers follow the consent at once, cached or not.
	vendor := w.as(issuer.Grant{Client: "vendor"})
	sees := func() bool {
		read := w.send(vendor, http.MethodGet, "/"+k.String(), "")
		found := w.entries(w.send(vendor, http.MethodGet, "/Observation?code=44261-6", ""), true)
		if (read.status == http.StatusOK) != slices.Contains(found, k) {
			t.Errorf("read answers %d, search finds %v", read.status, found)
		}
		return read.status == http.StatusOK
	}
	if sees() {
		t.Error("without a consent the vendor sees the score")
	}
	consent := w.permit(w.a, w.a.org)
	if first, cached := sees(), sees(); !first || !cached {
		t.Error("with a consent the vendor does not see the score")
	}
	w.send(w.importer, http.MethodDelete, "/"+consent.String(), "")
	if sees() {
		t.Error("the consent is gone and the vendor still sees the score")
	}
}
