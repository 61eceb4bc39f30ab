package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/document"
)

func TestAReferralIsShownAsADocumentAndAsAPageToWhoeverMayReadIt(t *testing.T) {
	w := newWorld(t)
	request := w.make(fmt.Sprintf(`{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":%q},"reasonCode":[{"text":"Asked by alder"}]}`, w.a.patient))
	task := w.make(fmt.Sprintf(`{"resourceType":"Task","status":"requested","intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}]},
"focus":{"reference":%q},"for":{"reference":%q},"requester":{"reference":%q},"owner":{"reference":%q}}`, request, w.a.patient, w.a.org, w.b.org))
	c := w.therapistOf(w.a)
	a := w.send(c, http.MethodGet, "/"+task.String()+"/$referral-summary", "")
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"type":"document"`) || !strings.Contains(string(a.body), "Asked by alder") {
		t.Errorf("%d %s", a.status, a.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+fhirPath+"/"+task.String()+"/$referral-summary", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "text/html")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || len(r.Header.Values("Content-Security-Policy")) != 1 || r.Header.Get("Content-Security-Policy") != document.Policy() {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	batch := w.send(c, http.MethodPost, "/", fmt.Sprintf(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"%[1]s/$referral-summary?_format=html"}},{"request":{"method":"GET","url":"%[1]s/$referral-summary"}}]}`, task))
	b, err := fhir.Parse(batch.body)
	if err != nil {
		t.Fatalf("a batch with a page in it: %v: %s", err, batch.body)
	}
	for i, want := range []string{"400", "200"} {
		if got := b.Root().Get("entry").Index(i).At("response", "status").Text(); got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
	}
	for who, c := range map[string]*caller{"another therapist": w.therapistOf(w.b), "another client": w.self(w.b)} {
		got, want := w.send(c, http.MethodGet, "/"+task.String()+"/$referral-summary", ""), w.send(c, http.MethodGet, "/Task/"+ids()+"/$referral-summary", "")
		if !same(got, want) || got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", who, got.status, got.body)
		}
	}
}
