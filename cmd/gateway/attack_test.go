package main

import (
	"fmt"
	"net/http"
	"slices"
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
