package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/policy"
)

const jsonPatch = "application/json-patch+json"

func TestA15APartOfAResourceIsAPartOfWhatMayBeSeen(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	for _, q := range []string{"?_elements=subject", "?_summary=true", "?_summary=text", "?_summary=data", "?_pretty=true"} {
		got, want := w.send(c, http.MethodGet, "/"+w.b.about["Goal"].String()+q, ""), w.send(c, http.MethodGet, "/Goal/"+ids()+q, "")
		if !same(got, want) || got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", q, got.status, got.body)
		}
	}
	if a := w.send(c, http.MethodGet, "/Goal?_summary=count", ""); a.status != http.StatusOK || w.total(a) != 1 {
		t.Errorf("it counts what is hidden: %s", a.body)
	}
}

func TestA24EverythingIsWhatSearchesWouldShow(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	a := w.send(c, http.MethodGet, "/"+w.a.patient.String()+"/$everything", "")
	if a.status != http.StatusOK || strings.Contains(string(a.body), w.b.mark) || strings.Contains(string(a.body), w.b.patient.ID) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	shown := map[fhir.Key]bool{}
	for _, k := range w.entries(a, false) {
		shown[k] = true
	}
	for typ, k := range w.a.about {
		readable := w.send(c, http.MethodGet, "/"+k.String(), "").status == http.StatusOK
		if readable != shown[k] && typ != "Group" {
			t.Errorf("%s: can be read %v, is shown %v", typ, readable, shown[k])
		}
	}
	got, want := w.send(c, http.MethodGet, "/"+w.b.patient.String()+"/$everything", ""), w.send(c, http.MethodGet, "/Patient/"+ids()+"/$everything", "")
	if !same(got, want) {
		t.Errorf("of another's client: %d %s", got.status, got.body)
	}
	// A narrower scope shows less; a page's link is its caller's alone.
	narrow := w.as(issuer.Grant{Role: policy.Therapist, Practitioner: w.a.doctor.ID, Scope: "user/Patient.rs user/Goal.rs"})
	if a := w.send(narrow, http.MethodGet, "/"+w.a.patient.String()+"/$everything", ""); a.status != http.StatusOK || strings.Contains(string(a.body), `"resourceType":"Observation"`) {
		t.Errorf("beyond its scope: %d %s", a.status, a.body)
	}
	first := w.send(c, http.MethodGet, "/"+w.a.patient.String()+"/$everything?_count=2", "")
	next := w.next(first)
	if next == "" {
		t.Fatal("there is no next page")
	}
	if a := w.send(w.self(w.a), http.MethodGet, next, ""); a.status < 400 && strings.Contains(next, ".") && !strings.HasSuffix(next, ".") {
		t.Errorf("another's page: %d", a.status)
	}
	if a := w.send(w.therapistOf(w.b), http.MethodGet, next, ""); a.status != http.StatusNotFound {
		t.Errorf("another's page: %d", a.status)
	}
}

func TestA30WhoMayOnlyWriteLearnsNothingByWriting(t *testing.T) {
	w := newWorld(t)
	c := w.as(issuer.Grant{Role: policy.Therapist, Practitioner: w.a.doctor.ID, Scope: "user/Goal.cu"})
	k := w.a.about["Goal"]
	for _, steps := range []string{`[{"op":"test","path":"/subject/reference","value":"` + w.a.patient.String() + `"}]`, `[{"op":"add","path":"/note","value":[{"text":"x"}]}]`, `[{"op":"copy","from":"/subject","path":"/expressedBy"}]`} {
		if a := w.send(c, http.MethodPatch, "/"+k.String(), steps, "Content-Type", jsonPatch); a.status != http.StatusForbidden || strings.Contains(string(a.body), w.a.mark) {
			t.Errorf("a patch without the right to read: %d %s", a.status, a.body)
		}
	}
	body := string(mustGet(t, w, k))
	for _, prefer := range []string{"return=representation", "return=OperationOutcome"} {
		for _, try := range [][2]string{{http.MethodPut, "/Goal?identifier=" + w.a.mark}, {http.MethodDelete, "/Goal?identifier=" + w.a.mark}} {
			if a := w.send(c, try[0], try[1], strings.Replace(body, `"id":"`+k.ID+`",`, "", 1), "Prefer", prefer); a.status != http.StatusForbidden {
				t.Errorf("%s by criteria without the right to search: %d %s", try[0], a.status, a.body)
			}
		}
	}
}

func TestA32CriteriaMeetOnlyWhatTheirCallerSees(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	theirs := fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":%q},"identifier":[{"system":"urn:x:g","value":"theirs"}]}`, w.b.patient)
	hidden := w.make(theirs)
	mine := strings.Replace(theirs, w.b.patient.String(), w.a.patient.String(), 1)
	for method, body := range map[string]string{http.MethodDelete: "", http.MethodPatch: `[{"op":"remove","path":"/identifier"}]`} {
		var header []string
		if method == http.MethodPatch {
			header = []string{"Content-Type", jsonPatch}
		}
		got := w.send(c, method, "/Goal?identifier=urn:x:g|theirs", body, header...)
		want := w.send(c, method, "/Goal?identifier=urn:x:g|nobodys", body, header...)
		if !same(got, want) {
			t.Errorf("%s: %d %s, of nobody's %d %s", method, got.status, got.body, want.status, want.body)
		}
	}
	if a := w.send(w.importer, http.MethodGet, "/"+hidden.String(), ""); a.status != http.StatusOK || a.etag != `W/"1"` {
		t.Errorf("what is hidden was changed: %d %s", a.status, a.etag)
	}
	// None is met, so one is made; the next time it is that one.
	a := w.send(c, http.MethodPut, "/Goal?identifier=urn:x:g|theirs", mine)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if b := w.send(c, http.MethodPut, "/Goal?identifier=urn:x:g|theirs", strings.Replace(mine, `"active"`, `"completed"`, 1)); b.status != http.StatusOK {
		t.Errorf("%d %s", b.status, b.body)
	}
	// An id of one's own choice tells nothing of whether it is in use.
	chosen := func(id string) answer {
		return w.send(c, http.MethodPut, "/Goal?identifier=urn:x:g|none", strings.Replace(mine, `{"resourceType":"Goal",`, `{"resourceType":"Goal","id":"`+id+`",`, 1))
	}
	if got, want := chosen(hidden.ID), chosen(ids()); !same(got, want) {
		t.Errorf("an id in use: %d %s, a free one %d %s", got.status, got.body, want.status, want.body)
	}
}

func TestAnAnswerIsToldAgainOnlyToWhomItBelongsAndAsFarAsTheyMaySeeIt(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	goal := fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"Sleep"},"subject":{"reference":%q}}`, w.a.patient)
	first := w.send(c, http.MethodPost, "/Goal", goal, "Idempotency-Key", "k-1")
	if first.status != http.StatusCreated {
		t.Fatalf("%d %s", first.status, first.body)
	}
	if again := w.send(w.therapistOf(w.a), http.MethodPost, "/Goal", goal, "Idempotency-Key", "k-1"); !same(first, again) {
		t.Errorf("with a new token: %d %s", again.status, again.body)
	}
	if other := w.send(w.importer, http.MethodPost, "/Goal", goal, "Idempotency-Key", "k-1"); other.status != http.StatusCreated || string(other.body) == string(first.body) {
		t.Errorf("another caller's key is another key: %d %s", other.status, other.body)
	}
	// The client leaves the caseload: the answer is no way back to them.
	episode := string(mustGet(t, w, w.a.episode))
	if a := w.send(w.importer, http.MethodPut, "/"+w.a.episode.String(), strings.ReplaceAll(episode, w.a.doctor.String(), w.b.doctor.String())); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, typ := range []string{"CareTeam", "Encounter"} {
		if k, ok := w.a.about[typ]; ok {
			w.send(w.importer, http.MethodPut, "/"+k.String(), strings.ReplaceAll(string(mustGet(t, w, k)), w.a.doctor.String(), w.b.doctor.String()))
		}
	}
	if again := w.send(w.therapistOf(w.a), http.MethodPost, "/Goal", goal, "Idempotency-Key", "k-1"); again.status < 400 || strings.Contains(string(again.body), "Sleep") {
		t.Errorf("after the client has gone to another: %d %s", again.status, again.body)
	}
}

func TestValidatingLooksNothingUp(t *testing.T) {
	w := newWorld(t)
	c := w.therapistOf(w.a)
	verdict := func(patient string) string {
		return string(w.send(c, http.MethodPost, "/Goal/$validate", fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":%q}}`, patient)).body)
	}
	if a, b := verdict(w.b.patient.String()), verdict("Patient/"+ids()); a != b {
		t.Errorf("%s\n%s", a, b)
	}
	got, want := w.send(c, http.MethodGet, "/"+w.b.about["Goal"].String()+"/$validate", ""), w.send(c, http.MethodGet, "/Goal/"+ids()+"/$validate", "")
	if !same(got, want) || got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestWhoReadsOutcomesReadsNoDiary(t *testing.T) {
	w := newWorld(t)
	w.permit(w.a, w.a.org)
	vendor := w.as(issuer.Grant{Client: "vendor"})
	rated := func(labels string) fhir.Key {
		return w.make(fmt.Sprintf(`{"resourceType":"Observation","status":"final","meta":{"security":[%s]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],
"code":{"text":"x"},"subject":{"reference":%q},"valueInteger":3}`, labels, w.a.patient))
	}
	score, diary := rated(`{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}`), rated(`{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"PATAST"}`)
	if a := w.send(vendor, http.MethodGet, "/"+score.String(), ""); a.status != http.StatusOK {
		t.Errorf("a score: %d %s", a.status, a.body)
	}
	if a := w.send(vendor, http.MethodGet, "/"+diary.String(), ""); a.status != http.StatusNotFound {
		t.Errorf("a feeling of the notebook: %d", a.status)
	}
	if a := w.send(w.therapistOf(w.a), http.MethodGet, "/"+diary.String(), ""); a.status != http.StatusOK {
		t.Errorf("the therapist: %d", a.status)
	}
}

func TestASupervisionIsKeptByThoseWhoWereInIt(t *testing.T) {
	w := newWorld(t)
	mine, theirs := w.therapistOf(w.a), w.therapistOf(w.b)
	third := w.make(`{"resourceType":"Practitioner","name":[{"family":"Third"}]}`)
	outside := w.as(issuer.Grant{Role: policy.Therapist, Practitioner: third.ID})
	record := object{"key": "s-1", "supervisor": to(w.a.doctor), "supervisees": []object{to(w.b.doctor)}, "status": "fulfilled",
		"start": "2026-03-02T10:00:00+01:00", "minutes": 60}
	var kept stored
	if err := mine.post(t.Context(), "/practice/supervisions", record, &kept); err != nil {
		t.Fatal(err)
	}
	ref, err := kept.first("Appointment")
	if err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]*caller{"supervisor": mine, "supervisee": theirs} {
		if a := w.send(c, http.MethodGet, "/"+ref, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d", who, a.status)
		}
	}
	for who, c := range map[string]*caller{"another therapist": outside, "a client": w.self(w.a)} {
		if a := w.send(c, http.MethodGet, "/"+ref, ""); a.status != http.StatusNotFound && a.status != http.StatusForbidden {
			t.Errorf("%s: %d", who, a.status)
		}
	}
	// With a client among them it is no supervision.
	a := w.send(outside, http.MethodPost, "/Appointment", fmt.Sprintf(`{"resourceType":"Appointment","status":"booked","participant":[{"actor":{"reference":%q},"status":"accepted"},{"actor":{"reference":%q},"status":"accepted"}]}`, third, w.a.patient))
	if a.status != http.StatusForbidden {
		t.Errorf("a therapist makes an appointment with another's client: %d", a.status)
	}
}

func TestAKeyInUseTellsNothingOfWhoseItIs(t *testing.T) {
	w := newWorld(t)
	mine, theirs := w.therapistOf(w.a), w.therapistOf(w.b)
	goal := func(client fhir.Key) []byte {
		return []byte(fmt.Sprintf(`{"key":"in-use","client":{"reference":%q},"description":"Sleep","status":"active"}`, client))
	}
	post := func(c *caller, way string, client fhir.Key) answer {
		t.Helper()
		a, err := c.do(t.Context(), http.MethodPost, "/practice/goals"+way, goal(client))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := post(theirs, "", w.b.patient); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	hidden := post(mine, "", w.a.patient)
	if hidden.status != http.StatusUnprocessableEntity || !strings.Contains(string(hidden.body), `"/client"`) || strings.Contains(string(hidden.body), "client of yours") {
		t.Errorf("%d %s", hidden.status, hidden.body)
	}
	if tried := post(mine, "?dryRun=true", w.a.patient); !same(tried, hidden) {
		t.Errorf("tried: %d %s", tried.status, tried.body)
	}
	if seen := post(w.importer, "", w.a.patient); !same(seen, hidden) {
		t.Errorf("who sees it is told %d %s", seen.status, seen.body)
	}
}

func TestA33AnIDOfOnesOwnChoiceTellsNothingByAnyDoor(t *testing.T) {
	w := newWorld(t)
	kept := map[string]func(client) string{
		"Goal": func(c client) string {
			return fmt.Sprintf(`{"resourceType":"Goal",ID"lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":%q}}`, c.patient)
		},
		"Patient": func(client) string { return `{"resourceType":"Patient",ID"name":[{"family":"x"}]}` },
		"Task": func(c client) string {
			return fmt.Sprintf(`{"resourceType":"Task",ID"status":"requested","intent":"order","for":{"reference":%q}}`, c.patient)
		},
	}
	patch := []string{"Content-Type", jsonPatch}
	steps := `[{"op":"test","path":"/resourceType","value":"Goal"}]`
	entry := func(method, url, body, more string) string {
		return fmt.Sprintf(`{"resourceType":"Bundle","type":%%q,"entry":[{"fullUrl":"http://x.example/fhir/TYPE/THIS",%s"request":{"method":%q,"url":%q%s}}]}`, body, method, url, more)
	}
	resource := `"resource":BODY,`
	doors := map[string]struct {
		method, path, body string
		header             []string
	}{
		"update":                                {http.MethodPut, "/TYPE/THIS", "BODY", nil},
		"update of a version":                   {http.MethodPut, "/TYPE/THIS", "BODY", []string{"If-Match", `W/"1"`}},
		"update of what is there":               {http.MethodPut, "/TYPE/THIS", "BODY", []string{"If-Match", "*"}},
		"update of what is not":                 {http.MethodPut, "/TYPE/THIS", "BODY", []string{"If-None-Match", "*"}},
		"update with a key":                     {http.MethodPut, "/TYPE/THIS", "BODY", []string{"Idempotency-Key", "once-THIS"}},
		"patch":                                 {http.MethodPatch, "/TYPE/THIS", steps, patch},
		"patch of a version":                    {http.MethodPatch, "/TYPE/THIS", steps, append(patch, "If-Match", `W/"1"`)},
		"delete":                                {http.MethodDelete, "/TYPE/THIS", "", nil},
		"delete of a version":                   {http.MethodDelete, "/TYPE/THIS", "", []string{"If-Match", `W/"1"`}},
		"delete of what is there":               {http.MethodDelete, "/TYPE/THIS", "", []string{"If-Match", "*"}},
		"update by criteria":                    {http.MethodPut, "/TYPE?_id=THIS", "BODY", nil},
		"update by criteria, no id in the body": {http.MethodPut, "/TYPE?_id=THIS", "NAMELESS", nil},
		"patch by criteria":                     {http.MethodPatch, "/TYPE?_id=THIS", steps, patch},
		"delete by criteria":                    {http.MethodDelete, "/TYPE?_id=THIS", "", nil},
		"create unless it is there":             {http.MethodPost, "/TYPE", "NAMELESS", []string{"If-None-Exist", "_id=THIS"}},
		"validate":                              {http.MethodPost, "/TYPE/THIS/$validate", "BODY", nil},
		"entry that updates":                    {http.MethodPost, "", entry("PUT", "TYPE/THIS", resource, ""), nil},
		"entry that updates a version":          {http.MethodPost, "", entry("PUT", "TYPE/THIS", resource, `,"ifMatch":"W/\"1\""`), nil},
		"entry that updates what is not":        {http.MethodPost, "", entry("PUT", "TYPE/THIS", resource, `,"ifNoneMatch":"*"`), nil},
		"entry that updates by criteria":        {http.MethodPost, "", entry("PUT", "TYPE?_id=THIS", resource, ""), nil},
		"entry that creates":                    {http.MethodPost, "", entry("POST", "TYPE", resource, ""), nil},
		"entry that creates unless":             {http.MethodPost, "", entry("POST", "TYPE", resource, `,"ifNoneExist":"_id=THIS"`), nil},
		"entry that deletes":                    {http.MethodPost, "", entry("DELETE", "TYPE/THIS", "", ""), nil},
		"entry that reads":                      {http.MethodPost, "", entry("GET", "TYPE/THIS", "", ""), nil},
	}
	callers := map[string]*caller{"a therapist": w.therapistOf(w.a), "a client": w.self(w.a), "a hospital": w.as(issuer.Grant{Client: "hospital"}), "a vendor": w.as(issuer.Grant{Client: "vendor"}),
		"the office": w.as(issuer.Grant{Role: policy.Admin, Practitioner: w.a.doctor.ID}), "the intake desk": w.as(issuer.Grant{Role: policy.Intake, Practitioner: w.a.doctor.ID})}
	for typ, of := range kept {
		another := func() string { return w.make(strings.Replace(of(w.b), "ID", "", 1)).ID }
		gone := another()
		if a := w.send(w.importer, http.MethodDelete, "/"+typ+"/"+gone, ""); a.status != http.StatusNoContent {
			t.Fatal(a.status)
		}
		for who, c := range callers {
			for door, d := range doors {
				said := func(id string) string {
					in := strings.NewReplacer("TYPE", typ, "THIS", id, "BODY", strings.Replace(of(w.a), "ID", `"id":"`+id+`",`, 1), "NAMELESS", strings.Replace(of(w.a), "ID", "", 1))
					var header []string
					for _, h := range d.header {
						header = append(header, in.Replace(h))
					}
					out := ""
					for _, kind := range []string{"transaction", "batch"} {
						body := d.body
						if strings.Contains(body, "%q") {
							body = fmt.Sprintf(body, kind)
						} else if kind == "batch" {
							break
						}
						a := w.send(c, d.method, in.Replace(d.path), in.Replace(in.Replace(body)), header...)
						out += fmt.Sprint(a.status, " ", a.etag, " ", strings.ReplaceAll(minted.ReplaceAllString(strings.ReplaceAll(string(a.body), id, "THIS"), "NEW"), "THIS", "")) + "\n"
					}
					return out
				}
				want := said(ids())
				for state, id := range map[string]string{"hidden": another(), "hidden and deleted": gone} {
					if sees := w.send(c, http.MethodGet, "/"+typ+"/"+id, "").status; sees == http.StatusOK || sees == http.StatusGone {
						continue
					}
					if got := said(id); got != want {
						t.Errorf("%s: %s of a %s that is %s answers %sof a free id %s", who, door, typ, state, got, want)
					}
				}
			}
		}
	}
}

// minted are ids and moments of the answer's own.
var minted = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)|"http://127[^"]*"`)
