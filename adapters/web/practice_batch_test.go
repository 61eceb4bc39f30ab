package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/policy"
)

// toldOf is what is answered about one record among several.
type toldOf struct {
	Index, Line, Status int
	DryRun              bool
	told
}

type toldAll struct {
	Records []toldOf
	Summary struct{ Created, Updated, Unchanged, Rejected int }
}

// outcomes puts what became of each record into one line.
func outcomes(rs []toldOf) string {
	var out []string
	for _, r := range rs {
		out = append(out, fmt.Sprintf("%d %s %d", r.Index, r.Outcome, r.Status))
	}
	return strings.Join(out, ", ")
}

func (o *office) postAll(path, body string, header ...string) (out toldAll) {
	o.Helper()
	r := o.send(http.MethodPost, "/practice/"+path, body, header...)
	if r.StatusCode != http.StatusOK {
		o.Fatalf("%s: %d %s", path, r.StatusCode, r.body)
	}
	if r.Header.Get("Content-Type") != "application/x-ndjson" {
		if err := json.Unmarshal(r.body, &out); err != nil {
			o.Fatalf("%v: %s", err, r.body)
		}
		return out
	}
	for line := range bytes.Lines(r.body) {
		var one toldOf
		if err := json.Unmarshal(line, &one); err != nil {
			o.Fatalf("%v: %s", err, line)
		}
		out.Records = append(out.Records, one)
	}
	return out
}

const worse = `{"key":"s3","client":"nobody","practitioners":[{"practitioner":"t1"}],"status":"finished","start":"2026-02-09T10:00:00+01:00"}`

func TestOneBadRecordDoesNotLoseTheOthers(t *testing.T) {
	o := newOffice(t).settle()
	again := strings.Replace(session, `"s2"`, `"s4"`, 1)
	got := o.postAll("sessions", "["+strings.Join([]string{session, worse, `{"key":7}`, again, again}, ",\n")+"]")
	if s := outcomes(got.Records); s != "0 created 201, 1 rejected 422, 2 rejected 422, 3 created 201, 4 unchanged 200" {
		t.Error(s)
	}
	if got.Summary.Created != 2 || got.Summary.Unchanged != 1 || got.Summary.Rejected != 2 || got.Summary.Updated != 0 {
		t.Errorf("%+v", got.Summary)
	}
	bad := got.Records[1]
	if len(bad.Resources) != 0 || len(bad.Issues) != 1 || bad.Issues[0].Severity != "error" || bad.Issues[0].Code != "business-rule" {
		t.Errorf("%+v", bad)
	}
	if n := len(o.of("Encounter")); n != 3 {
		t.Errorf("%d sessions are stored", n)
	}
}

func TestEmptyAnswersTakeNothingBack(t *testing.T) {
	o := newOffice(t).settle()
	first := phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130")
	o.post("responses", first)
	got := o.postAll("responses", "["+first[:strings.Index(first, `"answers"`)]+`"answers":{}}`+"]").Records[0]
	if got.Outcome != "rejected" || got.Status != 422 && got.Status != 400 || len(got.Issues) == 0 || !slices.Contains(got.Issues[0].Expression, "/answers") {
		t.Errorf("%+v", got)
	}
	if n := len(o.of("Flag")); n != 1 {
		t.Errorf("%d safety flags", n)
	}
}

func TestLinesAreAnsweredByLinesWithTheirNumbers(t *testing.T) {
	o := newOffice(t).settle()
	body := "\n" + phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130") + "\r\n\n{\"key\":\n" + phq9("r2", "2026-02-09T11:00:00+01:00", "1111111110")
	lines := []string{"Content-Type", "application/x-ndjson; charset=utf-8"}
	got := o.postAll("responses", body, lines...).Records
	if s := outcomes(got); s != "0 created 201, 1 rejected 400, 2 created 201" {
		t.Error(s)
	}
	if got[0].Line != 2 || got[1].Line != 4 || got[2].Line != 5 {
		t.Errorf("lines %d, %d, %d", got[0].Line, got[1].Line, got[2].Line)
	}
	if f := got[2].Feedback; f == nil || f.SinceFirst == nil || len(got[0].Feedback.Risks) != 1 {
		t.Error("the feedback of each is missing")
	}
	for accept, want := range map[string]string{"application/json": "application/json", "*/*": "application/x-ndjson", "application/ndjson": "application/x-ndjson"} {
		if r := o.send(http.MethodPost, "/practice/responses", body, append(lines, "Accept", accept)...); r.Header.Get("Content-Type") != want || r.StatusCode != http.StatusOK {
			t.Errorf("Accept %s: %d %s", accept, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	if r := o.send(http.MethodPost, "/practice/responses", "["+phq9("r1", "2026-02-02", "1111111130")+"]", "Accept", "application/x-ndjson"); r.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%s", r.Header.Get("Content-Type"))
	}
	o.outcome(o.send(http.MethodPost, "/practice/responses", body, append(lines, "Accept", "text/csv")...), http.StatusNotAcceptable)
	o.outcome(o.send(http.MethodPost, "/practice/responses", body, append(lines, "Content-Encoding", "gzip")...), http.StatusUnsupportedMediaType)
	o.outcome(o.send(http.MethodPost, "/practice/responses", "\n\n", lines...), http.StatusBadRequest)
}

func TestRecordsThatRestOnOneAnotherAreStoredInTheirOrder(t *testing.T) {
	o := newOffice(t).settle()
	plan := func(key, adjusts string) string {
		return fmt.Sprintf(`{"key":%q,"client":"c1","author":"t1","status":"active","summary":"First sleep."%s}`, key, adjusts)
	}
	first, second := plan("p1", ""), plan("p2", `,"adjusts":"p1","because":"too slow"`)
	for _, try := range []string{"?dryRun=true", ""} {
		if s := outcomes(o.postAll("plans"+try, "["+second+","+first+"]").Records); !strings.HasPrefix(s, "0 rejected 422, 1 created") {
			t.Errorf("the later one first%s: %s", try, s)
		}
		if try == "" {
			continue
		}
		if s := outcomes(o.postAll("plans"+try, "["+first+","+second+"]").Records); s != "0 created 200, 1 created 200" {
			t.Errorf("in order: %s", s)
		}
	}
	if s := outcomes(o.postAll("plans", first+"\n"+second, "Content-Type", "application/x-ndjson").Records); s != "0 unchanged 200, 1 created 201" {
		t.Errorf("in order, by lines: %s", s)
	}
}

func TestOneRequestBringsSoManyRecordsAndNoMore(t *testing.T) {
	o := newOffice(t).settle()
	before := o.count()
	for path, n := range map[string]int{"goals": maxRecords, "goals?dryRun=true": maxTried} {
		for _, lines := range []string{"application/x-ndjson", "application/json"} {
			body := strings.Repeat("{}\n", n+1)
			if lines == "application/json" {
				body = "[" + strings.Repeat("{},", n) + "{}]"
			}
			if got := o.code(o.send(http.MethodPost, "/practice/"+path, body, "Content-Type", lines), http.StatusRequestEntityTooLarge); got != "too-long" {
				t.Errorf("%s: %s", path, got)
			}
			if got := o.postAll(path, strings.Repeat("{}\n", n), "Content-Type", "application/x-ndjson", "Accept", "application/json"); got.Summary.Rejected != n {
				t.Errorf("%s: %+v", path, got.Summary)
			}
		}
	}
	if o.count() != before {
		t.Error("something was stored")
	}
}

func TestADryRunShowsTheFHIRAndStoresNothing(t *testing.T) {
	o := newOffice(t).settle()
	o.post("responses", phq9("r1", "2026-01-12T10:40:00+01:00", "2222222222"))
	before := o.count()
	body := phq9("r2", "2026-02-02T11:00:00+01:00", "1111111130")
	var got struct {
		told
		DryRun    bool
		Resources []struct {
			Reference, Outcome string
			Resource           json.RawMessage
		}
	}
	r := o.send(http.MethodPost, "/practice/responses?dryRun=true", body)
	if err := json.Unmarshal(r.body, &got); err != nil || r.StatusCode != http.StatusOK || r.Header.Get("Location") != "" {
		t.Fatalf("%d %v %s", r.StatusCode, err, r.body)
	}
	if o.count() != before {
		t.Fatal("something was stored")
	}
	if !got.DryRun || got.Outcome != "created" || got.Feedback == nil || got.Feedback.SinceFirst == nil {
		t.Errorf("%+v", got.told)
	}
	var types []string
	v := validate.New(spec.R4())
	for _, x := range got.Resources {
		res, err := fhir.Parse(x.Resource)
		if err != nil {
			t.Fatalf("%s: %v", x.Reference, err)
		}
		if res.Key.String() != x.Reference {
			t.Errorf("%s is shown as %s", x.Reference, res.Key)
		}
		for _, e := range v.Resource(t.Context(), res) {
			if !e.Warn {
				t.Errorf("%s: %v", x.Reference, e)
			}
		}
		types = append(types, res.Type)
	}
	if !slices.Equal(types, []string{"QuestionnaireResponse", "Observation", "Flag", "Task"}) {
		t.Error(types)
	}
	// What it would be is what it is.
	real := o.post("responses", body)
	for i, x := range real.Resources {
		k, _ := fhir.ParseKey(x.Reference)
		tried, err := fhir.Parse(got.Resources[i].Resource)
		if err != nil || !fhir.SameContent(o.get(k), tried) {
			t.Errorf("%s was shown as another than it became", x.Reference)
		}
	}
	o.outcome(o.send(http.MethodPost, "/practice/responses?dryRun=true", strings.Replace(body, `"c1"`, `"nobody"`, 1)), http.StatusUnprocessableEntity)
	for _, q := range []string{"?dryRun=yes", "?dryRun=true&dryRun=true", "?dryRun=true&x=1", "?dryRun", "?dryrun=true"} {
		if r := o.send(http.MethodPost, "/practice/responses"+q, body); r.StatusCode < 400 {
			t.Errorf("%s: %d", q, r.StatusCode)
		}
	}
}

func TestADryRunOfSeveralLeavesNoPartOfOneThatIsRefusedToTheOthers(t *testing.T) {
	o := newOffice(t).settle()
	before := o.count()
	o.forbids = func(a fhir.Act) bool { return a.Type == "Procedure" && a.Interaction == fhir.Create }
	plain := `{"key":"s9","client":"c1","practitioners":[{"practitioner":"t1"}],"status":"finished","start":"2026-02-09T10:00:00+01:00"}`
	// The same session once more, without what is refused: it is new, not there already.
	again := strings.Replace(session, `,"techniques":["cognitive","exposure"]`, ``, 1)
	got := o.postAll("sessions?dryRun=true", "["+session+","+again+","+plain+"]").Records
	if s := outcomes(got); s != "0 rejected 403, 1 created 200, 2 created 200" || !got[0].DryRun || !got[1].DryRun {
		t.Error(s)
	}
	if o.count() != before {
		t.Error("something was stored")
	}
	many := make([]string, maxRounds+tries)
	for i := range many {
		many[i] = strings.Replace(session, `"s2"`, fmt.Sprintf(`"s%d"`, 20+i), 1)
	}
	if got := o.code(o.send(http.MethodPost, "/practice/sessions?dryRun=true", "["+strings.Join(many, ",")+"]"), http.StatusBadRequest); got != "too-costly" {
		t.Error(got)
	}
}

func TestADryRunIsDecidedAsTheRealThingAndIsNoWriteOnRecord(t *testing.T) {
	c := newClinic(t)
	c.as("mira", http.MethodPost, "/practice/responses", phq9("r1", "2026-01-12T10:40:00+01:00", "2222222202"), http.StatusCreated)
	before := c.versions()
	c.record.rs = nil
	body := phq9("r2", "2026-02-02T10:40:00+01:00", "1111111111")
	c.as("mira", http.MethodPost, "/practice/responses?dryRun=true", body, http.StatusOK)
	var reread int
	for _, r := range c.record.rs {
		for _, x := range r.Touched {
			if r.Outcome == policy.Success && x.How != policy.WasRead {
				t.Errorf("%s is on record as a %s that happened", x.Key, x.How)
			}
			if r.Outcome == policy.Success && r.Operation == "dry-run" && x.Key.Type == "Observation" {
				reread++
			}
		}
		if r.Outcome == policy.Failure && r.Failure != "business-rule" {
			t.Errorf("the dry run is on record as %s", r.Failure)
		}
	}
	if reread != 1 {
		t.Errorf("the earlier score is on record as read %d times", reread)
	}
	// Somebody else's client is not there, by either way.
	other := strings.NewReplacer(`"c1"`, `"c2"`, `"e1"`, `"e2"`).Replace(body)
	for _, b := range []string{other, strings.Replace(body, `"c1"`, `"c9"`, 1)} {
		c.as("mira", http.MethodPost, "/practice/responses?dryRun=true", b, http.StatusUnprocessableEntity)
	}
	c.as("reader", http.MethodPost, "/practice/responses?dryRun=true", body, http.StatusForbidden)
	c.as("admin", http.MethodPost, "/practice/responses?dryRun=true", body, http.StatusForbidden)
	if c.versions() != before {
		t.Error("something was stored")
	}
}
