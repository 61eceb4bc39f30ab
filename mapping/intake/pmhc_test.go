package intake_test

import (
	"archive/zip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/mapping"
	"rapport/mapping/intake"
	"rapport/mapping/practice"
	"rapport/mapping/site"
)

const treatment = "fixtures/pmhc-v4/example-files/PMHC-4-0-treatment.zip"

// treatmentWith unpacks the published example upload and edits its files: triples of
// file, what stands there, what stands there instead.
func treatmentWith(t *testing.T, edits ...string) string {
	t.Helper()
	z, err := zip.OpenReader(fixture.Path(t, treatment))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		text, name := string(b), filepath.Base(f.Name)
		for i := 0; i < len(edits); i += 3 {
			if edits[i] != name {
				continue
			}
			if !strings.Contains(text, edits[i+1]) {
				t.Fatalf("%s does not say %q", name, edits[i+1])
			}
			text = strings.Replace(text, edits[i+1], edits[i+2], 1)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// keyed returns the resource of a business key in the example upload.
func keyed(t *testing.T, m *memory, kind, key string) fhir.Resource {
	t.Helper()
	for _, r := range m.now {
		for id := range r.Root().Get("identifier").Elements() {
			if id.Get("system").Text() == mapping.IdentifierSystem("urn:au:pmhc-mds", kind) && id.Get("value").Text() == "PHN999:Treatment01|"+key {
				return r
			}
		}
	}
	t.Fatalf("no %s has the key %s", kind, key)
	return fhir.Resource{}
}

// scoreOf returns the score that followed from a response.
func scoreOf(t *testing.T, m *memory, response fhir.Resource) fhir.Node {
	t.Helper()
	for _, o := range m.of("Observation") {
		for from := range o.Root().Get("derivedFrom").Elements() {
			if from.Get("reference").Text() == response.Key.String() {
				return o.Root()
			}
		}
	}
	t.Fatalf("no score follows from %s", response.Key)
	return fhir.Node{}
}

func text(n fhir.Node, path ...any) string {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			n = n.Get(p)
		case int:
			n = n.Index(p)
		}
	}
	if n.Kind() == fhir.Num {
		return n.Decimal()
	}
	return n.Text()
}

func TestTheAustralianExampleUploadImportsWholeAndTheSecondTimeNothing(t *testing.T) {
	m := newMemory()
	sum := imported(t, m, "pmhc-v4", fixture.Path(t, treatment), "PHN999")
	if !sum.Complete() {
		t.Fatalf("%s", sum)
	}
	for table, n := range map[string]int{
		"organisations.csv": 2, "practitioners.csv": 10, "clients.csv": 5, "episodes.csv": 10, "intake-episodes.csv": 10, "service-contacts.csv": 10,
		"service-contact-practitioners.csv": 12, "collection-occasions.csv": 21, "k10p.csv": 5, "k5.csv": 10, "sdq.csv": 21,
	} {
		if c := sum.Table(table); c.Created != n || c.Total() != n {
			t.Errorf("%+v, want %d created", c, n)
		}
	}
	for typ, n := range map[string]int{
		"Patient": 5, "EpisodeOfCare": 10, "Encounter": 10, "Practitioner": 10, "PractitionerRole": 10, "Organization": 2, "Consent": 10,
		"QuestionnaireResponse": 36, "Questionnaire": 8,
	} {
		if got := len(m.of(typ)); got != n || sum.Resource(typ).Created != n {
			t.Errorf("%d %s, told are %+v, want %d", got, typ, sum.Resource(typ), n)
		}
	}
	if sum.Loose != 10 || !strings.HasPrefix(sum.Dangling[0].Element, "EpisodeOfCare.referralRequest") {
		t.Errorf("%d references lead nowhere, 10 intakes are not there", sum.Loose)
	}
	questionnaires := map[string]bool{}
	for _, q := range m.of("Questionnaire") {
		questionnaires[text(q.Root(), "url")+"|"+text(q.Root(), "version")] = true
	}
	for _, r := range m.of("QuestionnaireResponse") {
		if !questionnaires[text(r.Root(), "questionnaire")] {
			t.Errorf("%s is not stored", text(r.Root(), "questionnaire"))
		}
	}
	valid(t, m)

	m.writes = 0
	again := imported(t, m, "pmhc-v4", fixture.Path(t, treatment), "PHN999")
	if m.writes != 0 || again.Changed() || !again.Complete() || again.Loose != 10 {
		t.Errorf("the second import wrote %d versions:\n%s", m.writes, again)
	}
}

func TestTheExampleUploadMeansWhatItsSpecificationSays(t *testing.T) {
	m := newMemory()
	imported(t, m, "pmhc-v4", fixture.Path(t, treatment), "PHN999")
	mapper, err := mapping.New(mapping.Config{IDKey: [32]byte{1}, System: "urn:au:pmhc-mds", Instruments: library(t)})
	if err != nil {
		t.Fatal(err)
	}
	client, episode, contact := keyed(t, m, "client", "C401").Root(), keyed(t, m, "episode", "E400").Root(), keyed(t, m, "session", "S409").Root()
	consent, k5, k10 := keyed(t, m, "consent", "E400").Root(), keyed(t, m, "response", "K5M401"), keyed(t, m, "response", "K10M400")
	for what, c := range map[string]struct{ got, want string }{
		"a client has no name":         {text(client, "name", 0, "extension", 0, "valueCode") + text(client, "name", 0, "family"), "unknown"},
		"and no gender that is stated": {text(client, "gender"), ""},
		"another's gender":             {text(keyed(t, m, "client", "C400").Root(), "gender"), "other"},
		"the date of birth":            {text(client, "birthDate"), "1940-01-14"},
		"who keeps the record":         {text(client, "managingOrganization", "reference"), mapper.KeyOf(practice.SourceKey{Kind: "organisation", Key: "PHN999:Treatment01"}).String()},
		"where an episode comes from":  {text(episode, "referralRequest", 0, "reference"), mapper.KeyOf(practice.SourceKey{Kind: "referral", Key: "PHN999:Intake01|I400"}).String()},
		"when it ended":                {text(episode, "period", "end") + text(episode, "period", "start"), "2021-05-17"},
		"that it is over":              {text(episode, "status"), "finished"},
		"one that is open":             {text(keyed(t, m, "episode", "E405").Root(), "status"), "active"},
		"a contact is on a day":        {text(contact, "period", "start"), "2021-08-17"},
		"with two practitioners":       {text(contact, "participant", 0, "type", 0, "coding", 0, "code") + text(contact, "participant", 1, "type", 0, "coding", 0, "code"), "PPRFSPRF"},
		"consent is to one purpose":    {text(consent, "provision", "purpose", 0, "code") + text(consent, "provision", "purpose", 1, "code"), "HPRGRP"},
		"for what is anonymised":       {text(consent, "provision", "securityLabel", 0, "code"), "ANONYED"},
		"and names no recipient":       {text(consent, "provision", "type") + text(consent, "provision", "actor", 0, "reference", "reference"), "permit"},
		"a K5":                         {text(scoreOf(t, m, k5), "valueQuantity", "value"), "14"},
		"a K10+":                       {text(scoreOf(t, m, k10), "valueQuantity", "value"), "25"},
		"99 is a score not stated":     {text(scoreOf(t, m, keyed(t, m, "response", "K5M400")), "dataAbsentReason", "coding", 0, "code"), "unknown"},
		"an SDQ of its version":        {text(keyed(t, m, "response", "SDQM404").Root(), "questionnaire"), "https://rapport.example/fhir/Questionnaire/sdq-yr101|1.0.0"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", what, c.got, c.want)
		}
	}
	if len(m.of("Appointment")) != 0 {
		t.Error("all contacts took place, and some are Appointments")
	}
}

func TestASiteThatNamesItsZoneGetsTimesOfDay(t *testing.T) {
	s, err := site.Parse("north.yaml", []byte("extends: pmhc-v4\nsite: pmhc-melbourne\nversion: 1\ntimezone: Australia/Melbourne\n"))
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	sum, err := intake.Run(context.Background(), config(t, m, s, fixture.Path(t, treatment), "PHN999"))
	if err != nil || !sum.Complete() {
		t.Fatalf("%v\n%s", err, sum)
	}
	// Winter time and summer time.
	for key, want := range map[string]string{"S400": "2021-05-17T10:30:00+10:00", "S401": "2021-12-17T15:20:00+11:00"} {
		if got := text(keyed(t, m, "session", key).Root(), "period", "start"); got != want {
			t.Errorf("%s begins at %s, want %s", key, got, want)
		}
	}
	if sum.Mapping != "pmhc-melbourne 1 on pmhc-v4 2" {
		t.Errorf("the mapping is told as %s", sum.Mapping)
	}
}

func TestNoShowsAndCancelledContactsAreAppointments(t *testing.T) {
	m := newMemory()
	sum := imported(t, m, "pmhc-v4", treatmentWith(t,
		"service-contacts.csv", "PHN999:Treatment01,S400,E400,17052021,6,9999,2,1,98,8,1,1,2,2,1", "PHN999:Treatment01,S400,E400,17052021,0,9999,0,1,98,0,0,2,2,1,1",
		"service-contacts.csv", "PHN999:Treatment01,S401,E401,17122021,7,3065,1,5,2,8,2,1,2,2,1", "PHN999:Treatment01,S401,E401,17122021,0,3065,0,5,98,0,0,2,2,2,1",
	), "PHN999")
	if !sum.Complete() || len(m.of("Encounter")) != 8 {
		t.Errorf("%s", sum)
	}
	for key, want := range map[string]string{"S400": "Appointment noshow", "S401": "Appointment cancelled"} {
		if r := keyed(t, m, "session", key); r.Type+" "+text(r.Root(), "status") != want {
			t.Errorf("%s is a %s %s, want %s", key, r.Type, text(r.Root(), "status"), want)
		}
	}
	valid(t, m)
}

func TestScoresWithoutItemsAreObservationsAlone(t *testing.T) {
	m := newMemory()
	sum := imported(t, m, "pmhc-v4", treatmentWith(t,
		"k5.csv", "CO404,2,3,3,1,5,14", "CO404,9,9,9,9,9,14",
		"k5.csv", "CO403,5,9,4,3,1,99", "CO403,9,9,9,9,9,99",
		"k10p.csv", "CO401,1,3,2,4,4,4,4,1,1,1,4,18,88,3,25", "CO401,9,9,9,9,9,9,9,9,9,9,99,99,99,9,25",
	), "PHN999")
	if !sum.Complete() || len(m.of("QuestionnaireResponse")) != 33 {
		t.Fatalf("%d responses\n%s", len(m.of("QuestionnaireResponse")), sum)
	}
	for key, want := range map[string]string{"K5M401": "14", "K10M400": "25", "K5M400": "unknown"} {
		r := keyed(t, m, "response", key)
		if got := text(r.Root(), "valueQuantity", "value") + text(r.Root(), "dataAbsentReason", "coding", 0, "code"); r.Type != "Observation" || got != want {
			t.Errorf("%s is a %s of %s, want an Observation of %s", key, r.Type, got, want)
		}
	}
	valid(t, m)
}

func TestRowsThatTheSpecificationForbidsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		edits []string
		want  string
	}{
		"a K5 whose score its items do not give": {
			[]string{"k5.csv", "CO404,2,3,3,1,5,14", "CO404,2,3,3,1,5,15"},
			"k5.csv:3: quarantined: /scores/total: the stated total score of k5 is not what its items give; correct the one or the other"},
		"an SDQ subscale that its items do not give": {
			[]string{"sdq.csv", "2,6,5,5,5,18,8", "3,6,5,5,5,18,8"},
			"sdq.csv:2: quarantined: /scores/emotional: the stated emotional score of sdq-py101 is not what its items give; correct the one or the other"},
		"a score beyond the scale": {
			[]string{"k5.csv", "CO404,2,3,3,1,5,14", "CO404,9,9,9,9,9,26"},
			"k5.csv:3: quarantined: /scores/total: the stated total score of k5 is outside 5 to 25"},
		"another network's row": {
			[]string{"practitioners.csv", "PHN999:Treatment01,P403", "PHN998:Treatment01,P403"}, `
practitioners.csv:5: rejected: the row belongs to another tenant than the one that is imported to; name its own with --tenant`},
		"an SDQ of no version": {
			[]string{"sdq.csv", "CO400,PY101", "CO400,PY301"},
			`sdq.csv:2: quarantined: sdq_version: code "PY301" is not in code table sdq-version`},
		"a measure of no occasion": {
			[]string{"k5.csv", "K5M401,CO404", "K5M401,CO999"},
			"k5.csv:3: quarantined: collection_occasion_key: no row of collection-occasions in this upload has this key; upload them together"},
		"a contact on no day": {
			[]string{"service-contacts.csv", "S400,E400,17052021", "S400,E400,17132021"}, `
service-contact-practitioners.csv:2: quarantined: belongs to a row that was not stored (service-contacts.csv:2)
service-contact-practitioners.csv:12: quarantined: belongs to a row that was not stored (service-contacts.csv:2)
service-contacts.csv:2: quarantined: service_contact_date: is not a date of the form DDMMYYYY`},
		"a diagnosis that is none": {
			[]string{"episodes.csv", "E409,C404,,1,0,30122021,3,6,9,9,4455,9,3,1,3,2,1,9,102", "E409,C404,,1,0,30122021,3,6,9,9,4455,9,3,1,3,2,1,9,777"}, `
episodes.csv:11: quarantined: principal_diagnosis: code "777" is not in code table diagnosis-name
intake-episodes.csv:11: quarantined: belongs to a row that was not stored (episodes.csv:11)
k5.csv:11: quarantined: depends on the episode of a row that was not stored (episodes.csv:11)
sdq.csv:22: quarantined: depends on the episode of a row that was not stored (episodes.csv:11)`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			sum := imported(t, m, "pmhc-v4", treatmentWith(t, c.edits...), "PHN999")
			var told []string
			for line := range strings.SplitSeq(strings.TrimSpace(failures(sum)), "\n") {
				if !strings.HasPrefix(line, "collection-occasions.csv") {
					told = append(told, line)
				}
			}
			same(t, strings.Join(told, "\n"), c.want)
			valid(t, m)
		})
	}
}

func TestAnUploadOfAnotherKindOrTenantLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		edits  []string
		tenant string
		says   string
	}{
		"an older version": {[]string{"metadata.csv", "version,4.0", "version,3.0"}, "PHN999", "metadata.csv:3: key, value: the upload is not of version 4.0"},
		"another type":     {[]string{"metadata.csv", "PMHC", "WAYBACK"}, "PHN999", "not of the type PMHC"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := site.Embedded("pmhc-v4")
			if err != nil {
				t.Fatal(err)
			}
			m := newMemory()
			_, err = intake.Run(context.Background(), config(t, m, s, treatmentWith(t, c.edits...), c.tenant))
			if err == nil || !strings.Contains(err.Error(), c.says) || m.writes != 0 {
				t.Errorf("%d versions, %v", m.writes, err)
			}
		})
	}
	t.Run("all rows are another tenant's", func(t *testing.T) {
		m := newMemory()
		sum := imported(t, m, "pmhc-v4", fixture.Path(t, treatment), "PHN101")
		if m.writes != 0 || sum.Table("clients.csv").Rejected != 5 || sum.Failed != 116 {
			t.Errorf("%d versions\n%s", m.writes, sum)
		}
	})
}
