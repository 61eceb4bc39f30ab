package exchange

import (
	"net/url"
	"strings"
	"testing"

	"rapport/fhir"
)

func res(t testing.TB, json string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var hospital = Partner{Name: "hospital", Base: "https://hospital.example/fhir", System: "urn:example:org", Value: "H1"}

const clinicBase = "https://clinic.example/fhir"

func TestAPackageLeadsOnlyToWhatItHolds(t *testing.T) {
	patient := res(t, `{"resourceType":"Patient","id":"p1","meta":{"versionId":"4","lastUpdated":"2026-01-01T00:00:00Z","source":"urn:x","security":[{"code":"R"}]},"identifier":[{"system":"urn:mrn","value":"77"}],"birthDate":"1990-01-01","_birthDate":{"extension":[{"url":"urn:e","valueCode":"x"}]}}`)
	sr := res(t, `{"resourceType":"ServiceRequest","id":"s1","subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e9","display":"Session about the divorce"},"supportingInfo":[{"reference":"#c"},{"reference":"https://elsewhere.example/Observation/1"}],"contained":[{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p1"}}]}`)
	b, err := newPack(clinicBase, hospital, []fhir.Resource{patient, sr}, nil).bundle()
	if err != nil {
		t.Fatal(err)
	}
	body := string(b.Body())
	for _, secret := range []string{"Encounter/e9", "divorce", "elsewhere.example", "lastUpdated", "urn:x"} {
		if strings.Contains(body, secret) {
			t.Errorf("the package holds %q", secret)
		}
	}
	for _, kept := range []string{`"_birthDate":{"extension":[{"url":"urn:e","valueCode":"x"}]}`, `"security":[{"code":"R"}]`, `"system":"urn:mrn","value":"77"`,
		`"system":"https://clinic.example/fhir/Patient","value":"p1"`, `"ifNoneExist":"identifier=https%3A%2F%2Fclinic.example%2Ffhir%2FPatient%7Cp1"`, `"valueCode":"masked"`, `{"reference":"#c"}`} {
		if !strings.Contains(body, kept) {
			t.Errorf("the package lacks %s", kept)
		}
	}
	if n := strings.Count(body, urn(patient.Key)); n != 3 { // its fullUrl, the subject, the contained subject
		t.Errorf("the patient is named %d times", n)
	}
	again, err := newPack(clinicBase, hospital, []fhir.Resource{patient, sr}, nil).bundle()
	if err != nil || string(again.Body()) != body {
		t.Error("the same package built twice differs")
	}
}

func TestWhatCameFromThePartnerIsReferredToAsItsOwn(t *testing.T) {
	patient := res(t, `{"resourceType":"Patient","id":"local1","identifier":[{"system":"https://hospital.example/fhir/Patient","value":"theirs7"}]}`)
	report := res(t, `{"resourceType":"DocumentReference","id":"d1","subject":{"reference":"Patient/local1"}}`)
	p := newPack(clinicBase, hospital, []fhir.Resource{report}, []fhir.Resource{patient})
	b, err := p.bundle()
	if err != nil {
		t.Fatal(err)
	}
	if n := b.Root().Get("entry").Len(); n != 1 {
		t.Errorf("%d entries", n)
	}
	if got := b.Root().At("entry", "resource", "subject", "reference").Text(); got != "Patient/theirs7" {
		t.Errorf("the subject is %s", got)
	}
}

func TestAnAnswerChangesOnlyWhatTheReceiverOwns(t *testing.T) {
	theirs := res(t, `{"resourceType":"Task","id":"t1","meta":{"versionId":"2"},"status":"requested","intent":"order","description":"kept","priority":"urgent"}`)
	ours := res(t, `{"resourceType":"Task","id":"x","meta":{"versionId":"3","lastUpdated":"2026-02-01T10:00:00Z"},"status":"accepted","intent":"order","description":"changed here","businessStatus":{"text":"seen"}}`)
	m, changed, err := newPack("https://h", Partner{}, nil, nil).merge(theirs, ours)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	root := m.Root()
	if root.Get("status").Text() != "accepted" || root.Get("description").Text() != "kept" || root.At("businessStatus", "text").Text() != "seen" || root.Get("priority").Text() != "urgent" || m.ID != "t1" {
		t.Errorf("%s", m.Body())
	}
}

func TestAnAnswerThatComesLateChangesNothing(t *testing.T) {
	for _, c := range []struct {
		theirs, ours string
		due          bool
		code         fhir.Code // of the error; Exception: none
	}{
		{"requested", "accepted", true, fhir.Exception},
		{"accepted", "accepted", true, fhir.Exception}, // an output may be new
		{"completed", "accepted", false, fhir.Exception},
		{"cancelled", "in-progress", false, fhir.Exception},
		{"entered-in-error", "completed", false, fhir.Exception},
		{"rejected", "accepted", false, fhir.BusinessRule},
		{"cancelled", "completed", false, fhir.BusinessRule},
		{"requested", "completed", false, fhir.BusinessRule},
	} {
		got, err := due(res(t, `{"resourceType":"Task","id":"t1","status":"`+c.theirs+`"}`), res(t, `{"resourceType":"Task","id":"x","status":"`+c.ours+`"}`))
		if got != c.due || fhir.Is(err, fhir.BusinessRule) != (c.code == fhir.BusinessRule) {
			t.Errorf("%s when they have %s: %v, %v", c.ours, c.theirs, got, err)
		}
	}
}

func TestAnOrganisationGoesByWhatBothSidesKnowItBy(t *testing.T) {
	var rs []fhir.Resource
	want := map[string]string{}
	for id, c := range map[string][2]string{
		"o1": {`,"identifier":[{"value":"no system"},{"system":"urn:reg","value":"A,1|$\\"},{"system":"urn:tax","value":"2"}]`, `urn:reg|A\,1\|\$\\,urn:tax|2`},
		"o2": {``, clinicBase + "/Organization|o2"},
		"o3": {`,"identifier":[{"system":"urn:tax","value":"9"},{"system":"urn:example:org","value":"H1"}]`, "urn:example:org|H1"}, // the partner itself
	} {
		rs = append(rs, res(t, `{"resourceType":"Organization","id":"`+id+`"`+c[0]+`}`))
		want[urn(fhir.Key{Type: "Organization", ID: id})] = c[1]
	}
	b, err := newPack(clinicBase, hospital, rs, nil).bundle()
	if err != nil {
		t.Fatal(err)
	}
	for e := range b.Root().Get("entry").Elements() {
		q, err := url.ParseQuery(e.At("request", "ifNoneExist").Text())
		if got := q.Get("identifier"); err != nil || got != want[e.Get("fullUrl").Text()] {
			t.Errorf("created if there is no %s, want %s", got, want[e.Get("fullUrl").Text()])
		}
	}
}

func TestAPackageBeginsWithThePatientAndEndsWithTheTask(t *testing.T) {
	var rs []fhir.Resource
	for _, typ := range []string{"Task", "ServiceRequest", "Goal", "PractitionerRole", "Practitioner", "Organization", "Patient"} {
		rs = append(rs, res(t, `{"resourceType":"`+typ+`","id":"1"}`))
	}
	b, err := newPack(clinicBase, hospital, rs, nil).bundle()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for e := range b.Root().Get("entry").Elements() {
		got = append(got, e.At("request", "url").Text())
	}
	if s := strings.Join(got, " "); s != "Patient Organization Practitioner PractitionerRole Goal ServiceRequest Task" {
		t.Error(s)
	}
}

func TestOfWhoIsMaskedOnlyStaffKeepTheirNames(t *testing.T) {
	doc := res(t, `{"resourceType":"DocumentReference","id":"d","author":[{"reference":"Practitioner/p","display":"Dr. Roth"},{"reference":"RelatedPerson/r","display":"Her mother"}],"custodian":{"reference":"Organization/o","identifier":{"system":"urn:reg","value":"H1"}}}`)
	b, err := newPack(clinicBase, hospital, []fhir.Resource{doc}, nil).bundle()
	if err != nil {
		t.Fatal(err)
	}
	body := string(b.Body())
	if !strings.Contains(body, `"type":"Practitioner","display":"Dr. Roth"`) || strings.Contains(body, "mother") || !strings.Contains(body, `"type":"Organization","identifier":{"system":"urn:reg","value":"H1"}`) {
		t.Error(body)
	}
}

func TestNoAnswerIsModifiedBeforeItWasAsked(t *testing.T) {
	for _, c := range []struct{ authored, want string }{
		{`"authoredOn":"2026-02-01T11:00:00+02:00",`, "2026-02-01T10:00:00Z"},
		{`"authoredOn":"2026-02-01T11:00:01+01:00",`, ""}, // our clock is behind theirs
		{`"authoredOn":"2026-02-01",`, ""},
		{``, "2026-02-01T10:00:00Z"},
	} {
		theirs := res(t, `{"resourceType":"Task","id":"t1",`+c.authored+`"status":"requested","lastModified":"2026-01-01T00:00:00Z"}`)
		ours := res(t, `{"resourceType":"Task","id":"x","meta":{"lastUpdated":"2026-02-01T10:00:00Z"},"status":"accepted"}`)
		got, err := take(theirs, ours, answered)
		if s := got.Root().Get("lastModified").Text(); err != nil || s != c.want {
			t.Errorf("asked %s: modified %q, %v", c.authored, s, err)
		}
	}
}
