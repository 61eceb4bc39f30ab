package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/policy"
)

// The cases are named as in the list of attacks that the product is held to. Each
// runs on the gateway as it is served.

// therapistOf is the therapist who treats a client.
func (w *world) therapistOf(c client) *caller {
	return w.as(issuer.Grant{Role: policy.Therapist, Practitioner: c.doctor.ID})
}

func (w *world) self(c client) *caller {
	return w.as(issuer.Grant{Role: policy.Patient, Patient: c.patient.ID})
}

// same reports whether two answers tell a caller the same.
func same(a, b answer) bool {
	return a.status == b.status && string(a.body) == string(b.body) && a.etag == b.etag
}

func TestA1NoTypeAndNoInteractionReachesAnothersClient(t *testing.T) {
	w := newWorld(t)
	random := ids()
	covered := map[string]bool{}
	for who, c := range map[string]*caller{"the other's therapist": w.therapistOf(w.a), "the other client": w.self(w.a)} {
		for typ, k := range w.b.about {
			covered[typ] = true
			nobody := fhir.Key{Type: typ, ID: random}
			body := string(mustGet(t, w, k))
			for _, try := range []struct{ name, method, suffix string }{
				{"read", http.MethodGet, ""}, {"vread", http.MethodGet, "/_history/1"}, {"history", http.MethodGet, "/_history"},
				{"delete", http.MethodDelete, ""},
			} {
				got, want := w.send(c, try.method, "/"+k.String()+try.suffix, ""), w.send(c, try.method, "/"+nobody.String()+try.suffix, "")
				if !same(got, want) {
					t.Errorf("%s: %s of %s answers %d %s, of a random id %d %s", who, try.name, typ, got.status, got.body, want.status, want.body)
				}
				if try.method == http.MethodGet && got.status == http.StatusOK {
					t.Errorf("%s: %s of %s answers", who, try.name, typ)
				}
			}
			a := w.send(c, http.MethodPut, "/"+k.String(), body)
			if a.status < 400 {
				t.Errorf("%s: update of %s answers %d", who, typ, a.status)
			}
			if strings.Contains(string(a.body), w.b.mark) {
				t.Errorf("%s: refusal of an update of %s quotes it", who, typ)
			}
			if got := w.send(c, http.MethodGet, "/"+typ, ""); got.status == http.StatusOK && strings.Contains(string(got.body), w.b.mark) {
				t.Errorf("%s: search of %s shows it", who, typ)
			}
			if got := mustGet(t, w, k); string(got) != body {
				t.Errorf("%s: %s was changed", who, typ)
			}
		}
	}
	// A type that can be about a client and has no row here breaks the build.
	for typ := range spec.R4().Compartment("Patient") {
		if _, served := spec.Capability().Type(typ); served && !covered[typ] && typ != "Patient" && typ != "Group" {
			t.Errorf("%s can be about a client and is not tried; add it to testdata/attack", typ)
		}
	}
}

func TestA1TypesThatAreNotServedAnswerAlike(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	for _, typ := range spec.R4().ResourceTypes() {
		if _, served := spec.Capability().Type(typ); served {
			continue
		}
		for _, path := range []string{"/" + typ, "/" + typ + "/" + ids(), "/" + typ + "/" + ids() + "/_history"} {
			if a := w.send(c, http.MethodGet, path, ""); a.status != http.StatusNotFound {
				t.Errorf("%s answers %d", path, a.status)
			}
		}
	}
}

func mustGet(t *testing.T, w *world, k fhir.Key) []byte {
	t.Helper()
	a := w.send(w.importer, http.MethodGet, "/"+k.String(), "")
	if a.status != http.StatusOK {
		t.Fatalf("%s: %d %s", k, a.status, a.body)
	}
	return a.body
}

func TestA2WhatIsHiddenWhatIsGoneAndWhatNeverWasAnswerAlike(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	hidden, gone := w.b.about["Goal"], w.b.about["Flag"]
	if a := w.send(w.importer, http.MethodDelete, "/"+gone.String(), ""); a.status != http.StatusNoContent {
		t.Fatal(a.status)
	}
	if a := w.send(w.importer, http.MethodGet, "/"+gone.String(), ""); a.status != http.StatusGone {
		t.Errorf("who could read the last version is told %d, not 410", a.status)
	}
	want := w.send(c, http.MethodGet, "/Goal/"+ids(), "")
	for _, k := range []fhir.Key{hidden, gone} {
		if got := w.send(c, http.MethodGet, "/"+k.String(), ""); !same(got, want) || got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s, a random id %d %s", k.Type, got.status, got.body, want.status, want.body)
		}
	}
}

func TestA3ConditionsTellNothingOfWhatIsHidden(t *testing.T) {
	w := newWorld(t)
	c, k := w.therapistOf(w.a), w.b.about["Goal"]
	body := string(mustGet(t, w, k))
	for name, try := range map[string]struct {
		method, body string
		header       []string
	}{
		"head":              {http.MethodHead, "", nil},
		"if-none-match":     {http.MethodGet, "", []string{"If-None-Match", `W/"1"`}},
		"if-none-match any": {http.MethodGet, "", []string{"If-None-Match", "*"}},
		"if-modified-since": {http.MethodGet, "", []string{"If-Modified-Since", "Fri, 31 Dec 2099 23:59:59 GMT"}},
		"delete if-match":   {http.MethodDelete, "", []string{"If-Match", `W/"7"`}},
		"update if-match":   {http.MethodPut, body, []string{"If-Match", `W/"7"`}},
	} {
		got := w.send(c, try.method, "/"+k.String(), try.body, try.header...)
		nobody := fhir.Key{Type: "Goal", ID: ids()}
		want := w.send(c, try.method, "/"+nobody.String(), strings.ReplaceAll(try.body, k.ID, nobody.ID), try.header...)
		if !same(got, want) || got.status == http.StatusNotModified || got.status == http.StatusPreconditionFailed && want.status != got.status {
			t.Errorf("%s: %d %s, of a random id %d %s", name, got.status, got.body, want.status, want.body)
		}
	}
}

func TestA4AnOldVersionIsJudgedByItselfAndByTheCurrentOne(t *testing.T) {
	w := newWorld(t)
	k := w.a.about["Goal"]
	body := string(mustGet(t, w, k))
	// It was filed under the wrong client and is moved.
	moved := strings.ReplaceAll(body, w.a.patient.String(), w.b.patient.String())
	if a := w.send(w.importer, http.MethodPut, "/"+k.String(), moved); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for who, c := range map[string]*caller{"the therapist it was taken from": w.therapistOf(w.a), "the one who has it now": w.therapistOf(w.b)} {
		a := w.send(c, http.MethodGet, "/"+k.String()+"/_history/1", "")
		if a.status != http.StatusNotFound {
			t.Errorf("%s reads the version under the wrong client: %d", who, a.status)
		}
	}
	if a := w.send(w.therapistOf(w.b), http.MethodGet, "/"+k.String()+"/_history", ""); a.status != http.StatusOK || strings.Contains(string(a.body), w.a.patient.ID) {
		t.Errorf("history after the move: %d, it names the other client", a.status)
	}
}

func TestA5AHistoryOfATypeOrOfAllHoldsNothingOfAnother(t *testing.T) {
	w := newWorld(t)
	gone := w.b.about["Goal"]
	w.send(w.importer, http.MethodDelete, "/"+gone.String(), "")
	mine := w.a.about["Flag"]
	w.send(w.importer, http.MethodDelete, "/"+mine.String(), "")
	for who, c := range map[string]*caller{"therapist": w.therapistOf(w.a), "client": w.self(w.a)} {
		for _, path := range []string{"/_history?_count=1000", "/Goal/_history?_count=1000", "/Observation/_history?_count=1000"} {
			a := w.send(c, http.MethodGet, path, "")
			if a.status != http.StatusOK || !strings.Contains(string(a.body), w.a.patient.ID) {
				t.Errorf("%s: %s: %d; the own is missing", who, path, a.status)
			}
			theirs := []fhir.Key{w.b.patient}
			for _, k := range w.b.about {
				theirs = append(theirs, k)
			}
			for _, k := range theirs {
				if strings.Contains(string(a.body), k.ID) {
					t.Errorf("%s: %s tells of another client by %s", who, path, k.Type)
				}
			}
		}
		// A tombstone of another's is no news.
		if a := w.send(c, http.MethodGet, "/"+gone.String()+"/_history", ""); a.status != http.StatusNotFound {
			t.Errorf("%s: history of what another had: %d", who, a.status)
		}
	}
	// Page by page it is the same.
	c, seen, next := w.therapistOf(w.a), 0, "/_history?_count=3"
	for range 1000 {
		a := w.send(c, http.MethodGet, next, "")
		seen += len(w.entries(a, false))
		if next = w.next(a); next == "" {
			break
		}
	}
	if all := len(w.entries(w.send(c, http.MethodGet, "/_history?_count=1000", ""), false)); seen != all || all == 0 {
		t.Errorf("%d in pages, %d at once", seen, all)
	}
	// A scope of one type opens the history of that one alone.
	narrow := w.as(issuer.Grant{Role: policy.Therapist, Practitioner: w.a.doctor.ID, Scope: "user/Goal.rs"})
	if a := w.send(narrow, http.MethodGet, "/_history?_count=1000", ""); a.status != http.StatusOK || strings.Contains(string(a.body), `"resourceType":"Observation"`) {
		t.Errorf("beyond its scope: %d", a.status)
	}
	if a := w.send(narrow, http.MethodGet, "/Observation/_history", ""); a.status != http.StatusForbidden {
		t.Errorf("beyond its scope: %d", a.status)
	}
}

func TestA6APatientScopeWithoutAPatientOpensNothing(t *testing.T) {
	w := newWorld(t)
	c := w.as(issuer.Grant{Role: policy.Therapist, Practitioner: w.a.doctor.ID, Scope: "patient/*.cruds"})
	for typ, k := range w.a.about {
		if a := w.send(c, http.MethodGet, "/"+k.String(), ""); a.status < 400 {
			t.Errorf("%s: %d", typ, a.status)
		}
		if a := w.send(c, http.MethodGet, "/"+typ+"?_total=accurate", ""); a.status == http.StatusOK && len(w.entries(a, false)) > 0 {
			t.Errorf("search of %s shows something", typ)
		}
	}
}

func TestA7TheTenantComesFromTheTokenAlone(t *testing.T) {
	w := newWorld(t)
	c := w.as(issuer.Grant{Role: policy.Integration, Tenant: "two"})
	k := w.a.about["Goal"]
	for _, header := range [][]string{nil, {"X-Tenant", "one"}, {"X-Tenant-ID", "one"}, {"X-Forwarded-Host", "one"}} {
		if a := w.send(c, http.MethodGet, "/"+k.String(), "", header...); a.status != http.StatusNotFound {
			t.Errorf("%v: %d", header, a.status)
		}
	}
	// The same id in both tenants is two resources.
	mine := fmt.Sprintf(`{"resourceType":"Organization","id":%q,"name":"of two"}`, w.a.org.ID)
	if a := w.send(c, http.MethodPut, "/"+w.a.org.String(), mine); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := string(mustGet(t, w, w.a.org)); strings.Contains(got, "of two") {
		t.Error("a write in one tenant is seen in the other")
	}
}

func TestA8AnIDIsComparedExactlyAndWithItsType(t *testing.T) {
	w := newWorld(t)
	c := w.self(w.a)
	id := w.a.patient.ID
	for _, path := range []string{
		"/Group/" + id, "/Patient/" + id + "/", "/patient/" + id, "/Patient/0" + id, "/Patient/" + strings.ToUpper(id), "/Patient/%" + fmt.Sprintf("%x", id[0]) + id[1:],
		"/Patient/" + strings.Replace(id, "-", "‐", 1), "/Patient//" + id, "/Patient/./" + id, "/Patient/../Patient/" + w.b.patient.ID,
	} {
		if a := w.send(c, http.MethodGet, path, ""); a.status == http.StatusOK && !strings.Contains(path, "%") {
			t.Errorf("%s: %d", path, a.status)
		} else if strings.Contains(string(a.body), w.b.mark) {
			t.Errorf("%s shows another", path)
		}
	}
	// A token for one Patient id is not one for the Group, Practitioner or whoever has it.
	other := w.as(issuer.Grant{Role: policy.Patient, Patient: w.a.org.ID})
	for typ := range w.a.about {
		if a := w.send(other, http.MethodGet, "/"+typ, ""); a.status == http.StatusOK && len(w.entries(a, false)) > 0 {
			t.Errorf("a patient with an organisation's id sees %s", typ)
		}
	}
}
