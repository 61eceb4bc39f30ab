package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/mapping"
	"rapport/policy"
	"rapport/policy/audit"
	"rapport/testdata"
)

// phq9 is the LOINC code of the total score.
const phq9 = "http://loinc.org|44261-6"

// imports is step a: the invented practice's CSV files through its site mapping, the way
// that a real export takes.
func (s *story) imports(ctx context.Context) (t tale, err error) {
	folder := filepath.Join(s.dir, "export")
	if err := os.CopyFS(folder, testdata.Practice()); err != nil {
		return t, err
	}
	sum, err := s.clinic.i.importFrom(ctx, clinicTenant, practiceSite, folder, nil)
	if err != nil {
		return t, err
	}
	if !sum.Complete() {
		return t, fmt.Errorf("%d rows were not stored:\n%s", sum.Failed, sum)
	}
	rows, made := 0, 0
	for _, c := range sum.Tables {
		rows += c.Total()
	}
	for _, c := range sum.Resources {
		made += c.Created
	}
	t.say("%d clients in %d courses of therapy: %d rows of CSV became %d resources in %.1f s.", sum.Resource("Patient").Created,
		sum.Resource("EpisodeOfCare").Created, rows, made, sum.Ended.Sub(sum.Began).Seconds())
	t.say("%d sessions, %d answered questionnaires with their scores, %d goals, %d care plans and their phases, %d consents.",
		sum.Resource("Encounter").Created, sum.Resource("QuestionnaireResponse").Created, sum.Resource("Goal").Created,
		sum.Resource("CarePlan").Created, sum.Resource("Consent").Created)
	if s.admin, err = s.speaks(ctx, s.clinic, "admin", issuer.Grant{Role: policy.Admin}); err != nil {
		return t, err
	}
	if err := s.meet(ctx); err != nil {
		return t, err
	}
	t.see("%s", s.admin.curl("Patient?_total=accurate&_count=3"))
	t.see("gateway dump --data %s | wc -l", s.clinic.dir)
	return t, nil
}

// meet finds the story's people among those who were imported.
func (s *story) meet(ctx context.Context) error {
	episodeAt := func(org string) (fhir.Resource, error) {
		q := "EpisodeOfCare?status=active&_sort=identifier&_count=1&organization.identifier=" + mapping.IdentifierSystem(s.practice.System, "organisation") + "|" + org
		return s.admin.one(ctx, q)
	}
	mine, err := episodeAt(lindenhof)
	if err != nil {
		return err
	}
	theirs, err := episodeAt(bruecke)
	if err != nil {
		return err
	}
	s.episode = mine.Key
	s.client, _ = mine.Root().Get("patient").Ref()
	s.other, _ = theirs.Root().Get("patient").Ref()
	s.doctor, _ = mine.Root().Get("careManager").Ref()
	if s.client.IsZero() || s.other.IsZero() || s.doctor.IsZero() {
		return fmt.Errorf("an episode names no client or no therapist")
	}
	s.therapist, err = s.speaks(ctx, s.clinic, "therapist", issuer.Grant{Role: policy.Therapist, Practitioner: s.doctor.ID})
	return err
}

// stored is what POST /practice answers about one record.
type stored struct {
	Outcome   string `json:"outcome"`
	Resources []struct {
		Reference string `json:"reference"`
	} `json:"resources"`
	Feedback struct {
		Scores []struct {
			Score json.Number `json:"score"`
			High  json.Number `json:"high"`
			Band  struct {
				Label string `json:"label"`
			} `json:"band"`
		} `json:"scores"`
		First *struct {
			Score  json.Number `json:"score"`
			Change json.Number `json:"change"`
		} `json:"sinceFirst"`
		ForClinician string `json:"forClinician"`
		ForClient    string `json:"forClient"`
		Safety       string `json:"safety"`
		Risks        []struct {
			Display string `json:"display"`
			Flag    string `json:"flag"`
			Task    string `json:"task"`
		} `json:"risks"`
	} `json:"feedback"`
}

func (r stored) first(typ string) (string, error) {
	for _, res := range r.Resources {
		if strings.HasPrefix(res.Reference, typ+"/") {
			return res.Reference, nil
		}
	}
	return "", fmt.Errorf("the record made no %s", typ)
}

type object = map[string]any

func to(k fhir.Key) object { return object{"reference": k.String()} }

// records is step b.
func (s *story) records(ctx context.Context) (t tale, err error) {
	now := time.Now().Truncate(time.Second)
	var session, response stored
	err = s.therapist.post(ctx, "/practice/sessions", object{
		"key": "demo-session", "client": to(s.client), "episode": to(s.episode), "status": "finished",
		"practitioners": []object{{"practitioner": to(s.doctor), "primary": true}},
		"start":         now.Add(-50 * time.Minute).Format(time.RFC3339), "end": now.Format(time.RFC3339),
		"modality": "in-person", "format": "individual", "phase": "acute", "techniques": []string{"behavioural"},
	}, &session)
	if err != nil {
		return t, err
	}
	encounter, err := session.first("Encounter")
	if err != nil {
		return t, err
	}
	procedure, err := session.first("Procedure")
	if err != nil {
		return t, err
	}
	answers := object{}
	for i, v := range []int{3, 3, 2, 3, 2, 2, 1, 1, 1, 2} { // item 9, thoughts of being better off dead: several days
		answers[fmt.Sprint(i+1)] = v
	}
	err = s.therapist.post(ctx, "/practice/responses", object{
		"key": "demo-phq9", "instrument": "phq-9", "client": to(s.client), "episode": to(s.episode), "session": "demo-session",
		"authored": now.Format(time.RFC3339), "answeredBy": "client", "answers": answers,
	}, &response)
	if err != nil {
		return t, err
	}
	f := response.Feedback
	if len(f.Scores) == 0 || f.First == nil || len(f.Risks) == 0 || f.Risks[0].Flag == "" || f.Risks[0].Task == "" {
		return t, fmt.Errorf("the answer lacks a score, the change since the first one, or what came of item 9: %+v", response)
	}
	t.say("PHQ-9: %s of %s, %s; %s since the first one (%s).", f.Scores[0].Score, f.Scores[0].High, f.Scores[0].Band.Label, signed(f.First.Change), f.First.Score)
	if f.ForClinician == "" || f.ForClient == "" || f.Safety == "" {
		return t, fmt.Errorf("the answer lacks its sentences: %+v", f)
	}
	t.say("Told to the therapist: %s", f.ForClinician)
	t.say("Told to the client: %s %s", f.ForClient, f.Safety)
	t.say("Item 9 was answered: %s and %s were made in the same transaction.", f.Risks[0].Flag, f.Risks[0].Task)
	answered, err := response.first("QuestionnaireResponse")
	if err != nil {
		return t, err
	}
	observation, err := response.first("Observation")
	if err != nil {
		return t, err
	}
	for _, ref := range []string{encounter, procedure, answered, observation, f.Risks[0].Flag, f.Risks[0].Task} {
		if _, err := s.therapist.get(ctx, ref); err != nil {
			return t, err
		}
		t.see("%s", s.therapist.curl(ref))
	}
	trajectory := "/practice/clients/" + s.client.ID + "/trajectory"
	if err := s.keep(ctx, s.therapist, trajectory+".svg", "image/svg+xml", "trajectory.svg", &t); err != nil {
		return t, err
	}
	t.see("%s", s.therapist.curlOf(trajectory))
	if err := s.adjusts(ctx, now, &t); err != nil {
		return t, err
	}
	return t, s.due(ctx, &t)
}

// adjusts lets therapist and client agree on a closer plan, with its reason.
func (s *story) adjusts(ctx context.Context, now time.Time, t *tale) error {
	var plan stored
	err := s.therapist.post(ctx, "/practice/plans", object{
		"key": "demo-plan", "client": to(s.client), "episode": to(s.episode), "author": to(s.doctor), "status": "active",
		"phases": []object{{"phase": "acute", "status": "active", "start": now.Format(time.DateOnly), "frequency": object{"times": 2, "every": 1, "unit": "wk"},
			"monitoring": []object{{"instrument": "gad-7", "every": 1, "unit": "wk"}, {"instrument": "alliance", "every": 1, "unit": "wk"}}}},
		"adjustments": []object{{"date": now.Format(time.RFC3339), "reason": "It became worse: two sessions a week for now.", "changed": []string{"frequency", "monitoring"},
			"agreed": []string{"client", "therapist"}, "by": to(s.doctor)}},
	}, &plan)
	if err != nil {
		return err
	}
	ref, err := plan.first("CarePlan")
	if err != nil {
		return err
	}
	t.say("The plan is adjusted, by agreement and with its reason: %s.", ref)
	t.see("%s", s.therapist.curl("Provenance?target="+ref))
	return nil
}

// due counts what the plans of the therapist's clients ask for.
func (s *story) due(ctx context.Context, t *tale) error {
	a, err := s.therapist.do(ctx, http.MethodGet, "/practice/due", nil)
	if err != nil {
		return err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil || a.status != http.StatusOK {
		return fmt.Errorf("/practice/due answered %d: %w", a.status, err)
	}
	if len(list.Items) < 2 {
		return fmt.Errorf("/practice/due lists %d questionnaires, and the plan asks for two today", len(list.Items))
	}
	t.say("%d questionnaires are due among the therapist's clients by what their plans ask for.", len(list.Items))
	t.see("%s", s.therapist.curlOf("/practice/due"))
	return nil
}

// keep brings something to look at to the story's folder.
func (s *story) keep(ctx context.Context, c *caller, path, accept, name string, t *tale) error {
	a, err := c.do(ctx, http.MethodGet, path, nil, "Accept", accept)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("GET %s answered %d: %s", path, a.status, a.body)
	}
	file := filepath.Join(s.dir, name)
	if err := os.WriteFile(file, a.body, 0o600); err != nil {
		return err
	}
	if !s.gone {
		t.say("To look at: %s", file)
	}
	return nil
}

func signed(n json.Number) string {
	if strings.HasPrefix(string(n), "-") {
		return string(n)
	}
	return "+" + string(n)
}

// reads is step d.
func (s *story) reads(ctx context.Context) (t tale, err error) {
	v, err := signIn(ctx, s.clinic.i.cfg.URL, s.clinic.i.issuer.TokenURL(), kartenwerk, "system/*.rs", s.vendorKey)
	if err != nil {
		return t, err
	}
	trajectory := "Observation?patient=" + s.client.ID + "&code=" + phq9 + "&_sort=date"
	scores, err := v.find(ctx, trajectory)
	if err != nil {
		return t, err
	}
	var line []string
	for _, o := range scores {
		line = append(line, o.Root().At("valueQuantity", "value").Decimal())
	}
	if len(line) < 2 {
		return t, fmt.Errorf("%s found %d scores", trajectory, len(line))
	}
	t.say("Kartenwerk signed in with its own key and reads PHQ-9 over time: %s.", strings.Join(line, " "))
	if err := s.outside(ctx, v); err != nil {
		return t, err
	}
	t.say("A client of Brücke, outside its grant: read, vread and history answer like a random id; searches, includes and counts as if there were none.")
	if s.vendor, err = s.speaks(ctx, s.clinic, "vendor", issuer.Grant{Client: kartenwerk}); err != nil {
		return t, err
	}
	t.see("%s", s.vendor.curl(trajectory))
	t.see("%s", s.vendor.curl(s.other.String()))
	return t, nil
}

// outside shows that a client outside the grant is, to the vendor, nobody.
func (s *story) outside(ctx context.Context, v *caller) error {
	nobody := fhir.Key{Type: "Patient", ID: ids()}
	for _, suffix := range []string{"", "/_history/1", "/_history"} {
		a, err := v.do(ctx, http.MethodGet, fhirPath+"/"+s.other.String()+suffix, nil)
		if err != nil {
			return err
		}
		b, err := v.do(ctx, http.MethodGet, fhirPath+"/"+nobody.String()+suffix, nil)
		if err != nil {
			return err
		}
		if a.status != http.StatusNotFound || a.status != b.status || string(a.body) != string(b.body) || a.etag != b.etag {
			return fmt.Errorf("%s answers %d, a random id %d", s.other.String()+suffix, a.status, b.status)
		}
	}
	for _, q := range []string{
		"Patient?_id=%s&_total=accurate", "Observation?patient=%s&_total=accurate", "Encounter?patient=%s&_include=Encounter:patient&_total=accurate",
		"Patient?_id=%s&_has:Observation:patient:code=" + phq9 + "&_total=accurate", "Patient?_id=%s&_revinclude=Observation:patient&_total=accurate",
	} {
		b, err := v.get(ctx, fmt.Sprintf(q, s.other.ID))
		if err != nil {
			return err
		}
		if n := b.Root().Get("entry").Len(); n != 0 || b.Root().Get("total").Decimal() != "0" {
			return fmt.Errorf("%s found something", q)
		}
	}
	return nil
}

// audits is step e.
func (s *story) audits(ctx context.Context) (t tale, err error) {
	var records int64
	for _, p := range []*side{s.clinic, s.hospital} {
		id := ""
		st, err := p.i.auditStore(&id)
		if err != nil {
			return t, err
		}
		var r audit.Report
		err = eventually(ctx, 5*time.Second, func() (bool, error) { // what was done last is sealed within a second
			r, err = audit.Verify(ctx, st, auditKeys{p.i.ring}, id, nil)
			return r.Sealed > 0 && r.Unsealed == 0, err
		})
		if err != nil {
			return t, err
		}
		if len(r.Faults) > 0 {
			return t, fmt.Errorf("the journal of %s has faults: %s", id, strings.Join(r.Faults, "; "))
		}
		records += r.Sealed
	}
	t.say("%d records at the clinic and the hospital, chained and sealed; none missing, none changed.", records)
	t.see("gateway audit list --data %s --patient %s", s.clinic.dir, s.client.ID)
	t.see("gateway audit list --data %s --denied", s.clinic.dir)
	t.see("gateway audit verify --data %s", s.clinic.dir)
	return t, nil
}
