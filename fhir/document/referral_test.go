package document_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/document"
	"rapport/fhir/fixture"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
)

func resources(t testing.TB) (out []fhir.Resource) {
	t.Helper()
	b, err := os.ReadFile("testdata/referral.json")
	if err != nil {
		t.Fatal(err)
	}
	n, err := fhir.ParseNode(b)
	if err != nil {
		t.Fatal(err)
	}
	for m := range n.Elements() {
		r, err := fhir.ResourceOf(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func resource(t testing.TB, body string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func input(t testing.TB) document.Input {
	return document.Input{Base: "https://clinic.example/fhir", Resources: resources(t), At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
}

func referral(t testing.TB, in document.Input) *document.Referral {
	t.Helper()
	r, err := document.New(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// told is all that the document says: the narrative of each section, then the page.
func told(t testing.TB, r *document.Referral) (narrative, page string) {
	t.Helper()
	b, err := r.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	c := b.Root().Get("entry").Index(0).Get("resource")
	parts := []string{c.At("text", "div").Text()}
	for s := range c.Get("section").Elements() {
		parts = append(parts, s.Get("title").Text(), s.At("text", "div").Text())
	}
	p, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	plus := strings.NewReplacer("&#43;", "+")
	return plus.Replace(strings.Join(parts, "\n")), plus.Replace(string(p))
}

func TestTheDocumentSaysWhatAClinicianNeedsInBothForms(t *testing.T) {
	narrative, page := told(t, referral(t, input(t)))
	for _, want := range []string{
		"Eva Example-Roth", "1 January 1990", "Practice at the Canal", "St. Hedwig Psychiatry", "Psychiatric assessment", "Urgent", "9 March 2026",
		"despite twelve sessions", "afternoon", "Moderate depressive episode (F32.1)", "since October 2025", "Panic attacks", "safety plan of 26 February",
		"PHQ-9 total score", "19", "moderately severe", "the last +5 (reliable deterioration)", "14 (12 Jan 2026), 17 (3 Nov 2025)", "Not answered: 4, 5",
		"Sleep six hours", "target: nights a week 5 by 1 April 2026", "Activation first", "once a week", "cognitive restructuring", "Answers to a questionnaire",
		"Dr. Mira Lindqvist", "desk@practice.example",
	} {
		if !strings.Contains(narrative, want) {
			t.Errorf("the narrative lacks %q", want)
		}
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Index(page, "Risks and alerts") > strings.Index(page, "Problems") {
		t.Error("a danger stands behind what is less urgent")
	}
}

func TestTheDocumentIsValidAndBeginsWithItsComposition(t *testing.T) {
	in := input(t)
	in.Withheld = true
	b, err := referral(t, in).Bundle()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.New(spec.R4()).Check(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	root := b.Root()
	c := root.Get("entry").Index(0).Get("resource")
	if root.Get("type").Text() != "document" || c.Get("resourceType").Text() != "Composition" || !c.Get("type").HasCoding("http://loinc.org", "57133-1") {
		t.Errorf("%s", b.Body()[:300])
	}
	// Every resource is led to, and every reference of the Composition leads to one.
	there := map[string]bool{}
	for e := range root.Get("entry").Elements() {
		there[strings.TrimPrefix(e.Get("fullUrl").Text(), in.Base+"/")] = true
	}
	var led []string
	for _, m := range regexp.MustCompile(`"reference":"([^"]+)"`).FindAllStringSubmatch(string(c.Raw()), -1) {
		led = append(led, m[1])
		if !there[m[1]] {
			t.Errorf("the Composition refers to %s, which is not there", m[1])
		}
	}
	for e := range root.Get("entry").Elements() {
		k := strings.TrimPrefix(e.Get("fullUrl").Text(), in.Base+"/")
		if !slices.Contains(led, k) && !strings.HasPrefix(k, "Composition/") {
			t.Errorf("nothing leads to %s", k)
		}
	}
	if there["Task/t1"] {
		t.Error("the Task is part of the document")
	}
	if write := os.Getenv("DOCUMENT_OUT"); write != "" { // to look at
		_, page := told(t, referral(t, in))
		_ = os.WriteFile(filepath.Join(write, "referral.html"), []byte(page), 0o644)
		_ = os.WriteFile(filepath.Join(write, "referral.json"), b.Body(), 0o644)
	}
}

func TestOfWhatIsWithheldOnlyThatItIsIsSaid(t *testing.T) {
	whole := input(t)
	part := input(t)
	part.Resources = slices.DeleteFunc(part.Resources, func(r fhir.Resource) bool { return r.Type == "Observation" || r.Type == "Flag" || r.ID == "c2" })
	part.Withheld = true
	n, page := told(t, referral(t, part))
	for _, said := range []string{n, page} {
		for _, secret := range []string{"PHQ", "Panic", "safety plan", "self-harm", "Observation/", "Flag/", "Condition/c2"} {
			if strings.Contains(said, secret) {
				t.Errorf("%q is told", secret)
			}
		}
		if !strings.Contains(said, "Not included") || !strings.Contains(said, "No score stands in what the receiver may see.") {
			t.Error("it is not said that something is missing")
		}
	}
	if n, _ := told(t, referral(t, whole)); strings.Contains(n, "Not included") {
		t.Error("something is said to be missing of what is whole")
	}
}

func TestRecordsOfASubstanceUseProgrammeCarryTheirNotice(t *testing.T) {
	for _, code := range []string{"42CFRPart2", "ETHUD", "SUD"} {
		in := input(t)
		in.Resources = append(in.Resources, resource(t, `{"resourceType":"Condition","id":"c9","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"`+code+
			`"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"NORDSCLCD"}]},"code":{"text":"x"},"subject":{"reference":"Patient/p1"}}`))
		r := referral(t, in)
		n, page := told(t, r)
		b, err := r.Bundle()
		if err != nil {
			t.Fatal(err)
		}
		const notice = "42 CFR part 2 prohibits unauthorized disclosure of these records."
		if !strings.Contains(n, notice) || !strings.Contains(page, notice) || r.Notice != notice {
			t.Errorf("%s: no notice", code)
		}
		var labels []string
		for c := range b.Root().Get("meta").Get("security").Elements() {
			labels = append(labels, c.Get("code").Text())
		}
		for _, want := range []string{"R", "PSY", code, "NORDSCLCD"} {
			if !slices.Contains(labels, want) {
				t.Errorf("%s: the whole is labelled %q", code, labels)
			}
		}
	}
	if n, _ := told(t, referral(t, input(t))); strings.Contains(n, "42 CFR") {
		t.Error("a notice that does not apply")
	}
}

func TestNothingInARecordBecomesMarkup(t *testing.T) {
	in := input(t)
	for i, r := range in.Resources {
		in.Resources[i] = resource(t, strings.NewReplacer("Eva", `Eva<script>alert(1)</script>`, "Panic attacks", `</td><img src=x onerror=y> & \"q\"`, "St. Hedwig", "{{.}}").Replace(string(r.Body())))
	}
	n, page := told(t, referral(t, in))
	for _, said := range []string{n, page} {
		if strings.Contains(said, "<script") || strings.Contains(said, "<img") || !strings.Contains(said, "{{.}}") {
			t.Error("markup of a record reached the document")
		}
	}
	b, err := referral(t, in).Bundle()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.New(spec.R4()).Check(context.Background(), b); err != nil {
		t.Error(err)
	}
	d := xml.NewDecoder(strings.NewReader("<all>" + n + "</all>"))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestThePageNeedsNothingButItsOneStyle(t *testing.T) {
	_, page := told(t, referral(t, input(t)))
	m := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("no style")
	}
	h := sha256.Sum256([]byte(m[1]))
	if !strings.Contains(document.Policy(), base64.StdEncoding.EncodeToString(h[:])) {
		t.Error("the policy does not know the style")
	}
	for _, no := range []string{"<script", "src=", "href=", "url(", "style=", "@import"} {
		if strings.Contains(page, no) {
			t.Errorf("the page holds %s", no)
		}
	}
}

func TestADocumentIsTheSameForTheSame(t *testing.T) {
	a, err := referral(t, input(t)).Bundle()
	if err != nil {
		t.Fatal(err)
	}
	b, err := referral(t, input(t)).Bundle()
	if err != nil || string(a.Body()) != string(b.Body()) {
		t.Error("made twice it differs")
	}
	in := input(t)
	in.Resources = in.Resources[:len(in.Resources)-1]
	c, err := referral(t, in).Bundle()
	if err != nil || c.Root().At("identifier", "value").Text() == a.Root().At("identifier", "value").Text() {
		t.Error("another document has the same identifier")
	}
}

func TestWithoutItsHeartThereIsNoDocument(t *testing.T) {
	for _, typ := range []string{"Task", "ServiceRequest", "Patient"} {
		in := input(t)
		in.Resources = slices.DeleteFunc(in.Resources, func(r fhir.Resource) bool { return r.Type == typ })
		if _, err := document.New(in); !fhir.Is(err, fhir.Invalid) || !strings.Contains(err.Error(), typ) {
			t.Errorf("without %s: %v", typ, err)
		}
	}
}

// Referrals of others, with elements that ours do not have, become documents too.
func TestOthersReferralsBecomeDocuments(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(fixture.Path(t, "fixtures/gravity-sdoh"), "*.json"))
	more, _ := filepath.Glob(filepath.Join(fixture.Path(t, "fixtures/bser-referral"), "*.json"))
	files = append(files, more...)
	var all []fhir.Resource
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if r.Type != "Task" && r.Type != "Bundle" && r.Type != "Parameters" {
			all = append(all, r)
		}
	}
	for _, sr := range all {
		if sr.Type != "ServiceRequest" {
			continue
		}
		subject, _ := sr.Root().Get("subject").Ref()
		task := fhir.NewResource(fhir.Key{Type: "Task", ID: "t"}).Set("status", "requested").Set("intent", "order").Set("focus", sr.Key).Set("for", subject).
			Set("requester", json.RawMessage(sr.Root().Get("requester").Raw()))
		tr, err := task.Resource()
		if err != nil {
			t.Fatal(err)
		}
		in := document.Input{Base: "https://other.example/fhir", Resources: append([]fhir.Resource{tr}, all...), At: time.Unix(1_770_000_000, 0)}
		if !slices.ContainsFunc(all, func(r fhir.Resource) bool { return r.Key == subject }) {
			in.Resources = append(in.Resources, resource(t, `{"resourceType":"Patient","id":"`+subject.ID+`","name":[{"family":"Added"}]}`))
		}
		n, page := told(t, referral(t, in))
		if len(n) < 500 || len(page) < 500 {
			t.Errorf("%s: hardly anything is said", sr)
		}
	}
}
