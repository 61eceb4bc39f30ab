package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/policy"
)

// office is a practice whose records are kept in memory.
type office struct {
	*front
	*memory
	*desk
	mapper *mapping.Mapper
}

func newOffice(t *testing.T, seen ...*witnessed) *office {
	t.Helper()
	library, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.New(mapping.Config{IDKey: [32]byte{1}, System: "urn:practice:test", Instruments: library})
	if err != nil {
		t.Fatal(err)
	}
	factor, err := policy.NewFactor(spec.R4(), spec.Capability(), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{memory: newMemory(t), desk: newDesk(t), mapper: m}
	smart, err := o.SMART()
	if err != nil {
		t.Fatal(err)
	}
	o.front = serve(t, Config{Gates: o.memory, SMART: func() []byte { return smart }, Mounts: map[string]http.Handler{"/auth/": o.Handler()}, Practice: &Practice{
		Mapper: func(string) (*mapping.Mapper, error) { return m, nil },
		Follow: func(string) ([]fhir.Follow, error) {
			return []fhir.Follow{fhir.Deriving(instrument.NewDeriver(library))}, nil
		},
		Validate: validate.New(spec.R4()), Library: library, Clock: noon,
		About: func(r fhir.Resource) []fhir.Key { return factor.FactsOf(r).Patients },
	}}, seen...)
	return o
}

// records that the others rest on.
var ground = []struct{ kinds, body string }{
	{"organisations", `{"key":"home","name":"Lindenhof"}`},
	{"organisations", `{"key":"hospital","name":"Seespital"}`},
	{"practitioners", `{"key":"t1","name":{"family":"Lindqvist"}}`},
	{"clients", `{"key":"c1","name":{"family":"Ott","given":["Ida"]},"birthDate":"1980-02-03","gender":"female"}`},
	{"episodes", `{"key":"e1","client":"c1","organisation":"home","therapist":"t1","status":"active","start":"2026-01-05"}`},
	{"sessions", `{"key":"s1","client":"c1","episode":"e1","practitioners":[{"practitioner":"t1","primary":true}],"status":"finished","start":"2026-01-12T10:00:00+01:00","end":"2026-01-12T10:50:00+01:00","modality":"in-person"}`},
}

func (o *office) settle() *office {
	o.Helper()
	for _, r := range ground {
		if got := o.post(r.kinds, r.body); got.Outcome != "created" {
			o.Fatalf("%s: %+v", r.kinds, got)
		}
	}
	return o
}

// told is what is answered about a record.
type told struct {
	Outcome   string
	Resources []struct{ Reference, VersionID, Outcome string }
	Issues    []struct {
		Severity, Code string
		Expression     []string
	}
	Feedback *struct {
		Instrument, Response, Observation string
		Scores                            []struct {
			Scale string
			Score json.Number
			High  json.Number
			Band  *struct{ Code, Label string }
		}
		SinceFirst, SinceLast *struct {
			Observation, Date string
			Score, Change     json.Number
		}
		Risks []struct{ Risk, Display, Flag, Task string }
	}
}

func (o *office) post(kinds, body string) (out told) {
	o.Helper()
	r := o.send(http.MethodPost, "/practice/"+kinds, body)
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusCreated {
		o.Fatalf("%s: %d %s", kinds, r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, &out); err != nil {
		o.Fatal(err)
	}
	if want := http.StatusOK; (out.Outcome == "created") != (r.StatusCode != want) {
		o.Errorf("%s: %s with status %d", kinds, out.Outcome, r.StatusCode)
	}
	location := ""
	if out.Outcome == "created" {
		location = "/fhir/" + out.Resources[0].Reference
	}
	if got := r.Header.Get("Location"); got != location {
		o.Errorf("%s: Location %q, want %q", kinds, got, location)
	}
	for _, res := range out.Resources {
		k, _ := fhir.ParseKey(res.Reference)
		if vs := o.versions[k]; res.VersionID != fmt.Sprint(len(vs)) {
			o.Errorf("%s is told to be at %s and is at %d", res.Reference, res.VersionID, len(vs))
		}
		if gone := o.get(k).IsZero(); gone != (res.Outcome == "removed") {
			o.Errorf("%s is told to be %s", res.Reference, res.Outcome)
		}
	}
	return out
}

// types lists the types that an answer names, with what became of each.
func (t told) types() (out []string) {
	for _, r := range t.Resources {
		k, _ := fhir.ParseKey(r.Reference)
		out = append(out, k.Type+" "+r.Outcome)
	}
	return out
}

const session = `{"key":"s2","client":"c1","episode":"e1","practitioners":[{"practitioner":"t1"}],"status":"finished","start":"2026-02-02T10:00:00+01:00","modality":"video","techniques":["cognitive","exposure"]}`

func phq9(key, authored, answers string) string {
	var items []string
	for i, c := range answers {
		items = append(items, fmt.Sprintf(`"%d":%c`, i+1, c))
	}
	return fmt.Sprintf(`{"key":%q,"instrument":"phq-9","client":"c1","episode":"e1","session":"s1","authored":%q,"answeredBy":"client","therapist":"t1","answers":{%s}}`,
		key, authored, strings.Join(items, ","))
}

func TestASessionBecomesAnEncounterWithItsProcedures(t *testing.T) {
	o := newOffice(t).settle()
	got := o.post("sessions", session)
	if got.Outcome != "created" || !slices.Equal(got.types(), []string{"Encounter created", "Procedure created", "Procedure created"}) || len(got.Issues) > 0 {
		t.Errorf("%+v", got)
	}
	k, _ := fhir.ParseKey(got.Resources[0].Reference)
	if subject, _ := o.get(k).Root().Get("subject").Ref(); subject != o.of("Patient")[0].Key {
		t.Errorf("the session is about %s", subject)
	}
}

func TestTheSameRecordAgainWritesNothing(t *testing.T) {
	o := newOffice(t).settle()
	o.post("sessions", session)
	o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "1111111110"))
	before := o.count()
	for kinds, body := range map[string]string{"sessions": session, "responses": phq9("r1", "2026-02-02T11:00:00+01:00", "1111111110")} {
		if got := o.post(kinds, body); got.Outcome != "unchanged" || slices.ContainsFunc(got.types(), func(s string) bool { return !strings.HasSuffix(s, " unchanged") }) {
			t.Errorf("%s: %+v", kinds, got)
		}
	}
	if o.count() != before {
		t.Errorf("%d versions more", o.count()-before)
	}
}

func TestAChangedRecordTakesBackWhatItNoLongerSays(t *testing.T) {
	o := newOffice(t).settle()
	o.post("sessions", session)
	got := o.post("sessions", strings.Replace(session, `"cognitive",`, "", 1))
	if got.Outcome != "updated" || !slices.Equal(got.types(), []string{"Encounter unchanged", "Procedure unchanged", "Procedure removed"}) {
		t.Errorf("a technique taken back: %+v", got)
	}
	got = o.post("sessions", strings.Replace(strings.Replace(session, "finished", "noshow", 1), `,"techniques":["cognitive","exposure"]`, "", 1))
	if got.Outcome != "updated" || !slices.Equal(got.types(), []string{"Appointment created", "Encounter removed", "Procedure removed"}) {
		t.Errorf("a no-show after all: %+v", got)
	}
	if n := len(o.of("Encounter")); n != 1 { // the one of the ground
		t.Errorf("%d encounters are left", n)
	}
	got = o.post("sessions", session)
	if got.Outcome != "updated" || !slices.Equal(got.types(), []string{"Encounter created", "Procedure created", "Procedure created", "Appointment removed"}) {
		t.Errorf("it took place after all: %+v", got)
	}
}

func TestAResponseIsAnsweredWithWhatWasStoredOfIt(t *testing.T) {
	o := newOffice(t).settle()
	first := o.post("responses", phq9("r1", "2026-01-12T10:40:00+01:00", "2222222202"))
	if f := first.Feedback; f == nil || f.SinceFirst != nil || len(f.Risks) != 0 || f.Scores[0].Score != "16" {
		t.Fatalf("the first response: %+v", first)
	}
	got := o.post("responses", phq9("r2", "2026-02-02T10:40:00+01:00", "1111111111"))
	if !slices.Equal(got.types(), []string{"QuestionnaireResponse created", "Observation created", "Flag created", "Task created"}) {
		t.Errorf("%v", got.types())
	}
	f := got.Feedback
	if f == nil || len(f.Scores) == 0 || f.Scores[0].Band == nil || f.SinceFirst == nil || len(f.Risks) != 1 {
		t.Fatalf("%+v", f)
	}
	if f.Instrument != "phq-9" || f.Scores[0].Score != "9" || f.Scores[0].Band.Label != "Mild" && f.Scores[0].Band.Code != "phq-9-total-mild" {
		t.Errorf("scores %+v", f.Scores[0])
	}
	if f.SinceFirst.Change != "-7" || f.SinceFirst.Score != "16" || f.SinceFirst.Observation != first.Feedback.Observation || f.SinceFirst.Date != "2026-01-12T10:40:00+01:00" {
		t.Errorf("since the first: %+v", f.SinceFirst)
	}
	// Each is there as it is told.
	at := func(ref string) fhir.Node {
		k, ok := fhir.ParseKey(ref)
		if !ok || o.get(k).IsZero() {
			t.Fatalf("%q is told and not stored", ref)
		}
		return o.get(k).Root()
	}
	score := at(f.Observation)
	if v := score.At("valueQuantity", "value").Decimal(); v != string(f.Scores[0].Score) {
		t.Errorf("stored is %s", v)
	}
	change := ""
	for c := range score.Get("component").Elements() {
		if c.Get("code").HasCoding(instrument.ChangeCodes, "since-first") {
			change = c.At("valueQuantity", "value").Decimal()
		}
	}
	if change != string(f.SinceFirst.Change) {
		t.Errorf("stored is a change of %s", change)
	}
	if s := at(f.Risks[0].Flag).Get("status").Text(); s != "active" {
		t.Errorf("the flag is %s", s)
	}
	if k, _ := at(f.Risks[0].Task).Get("focus").Ref(); k.String() != f.Risks[0].Flag {
		t.Errorf("the task is about %s", k)
	}
	// The same again tells the same, though nothing is made any more.
	again := o.post("responses", phq9("r2", "2026-02-02T10:40:00+01:00", "1111111111"))
	a, b := must(json.Marshal(again.Feedback)), must(json.Marshal(got.Feedback))
	if again.Outcome != "unchanged" || string(a) != string(b) {
		t.Errorf("told first %s\nand then %s", b, a)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAChangeIsToldAsItIsStored(t *testing.T) {
	o := newOffice(t).settle()
	second := phq9("r2", "2026-02-02T10:40:00+01:00", "1111111100")
	third := phq9("r3", "2026-03-02T10:40:00+01:00", "0000000000")
	if f := o.post("responses", second).Feedback; f.SinceFirst != nil || f.SinceLast != nil {
		t.Fatalf("%+v", f)
	}
	f := o.post("responses", third).Feedback
	if f.SinceFirst == nil || f.SinceLast == nil || f.SinceFirst.Change != "-8" || f.SinceLast.Change != "-8" {
		t.Fatalf("one earlier score is the first and the last: %+v", f)
	}
	// An older one comes in late: the others are told against it, in its transaction.
	late := o.post("responses", phq9("r1", "2026-01-12T10:40:00+01:00", "3333333300"))
	moved := 0
	for _, r := range late.Resources {
		if strings.HasPrefix(r.Reference, "Observation/") && r.Outcome == "updated" {
			moved++
		}
	}
	if moved != 2 {
		t.Errorf("%d scores moved: %+v", moved, late.Resources)
	}
	again := o.post("responses", second)
	if f := again.Feedback; again.Outcome != "unchanged" || f.SinceFirst == nil || f.SinceFirst.Change != "-16" || f.Scores[0].Score != "8" {
		t.Errorf("%+v", f)
	}
	fourth := o.post("responses", phq9("r4", "2026-03-05T10:40:00+01:00", "1000000000")).Feedback
	if fourth.SinceFirst == nil || fourth.SinceLast == nil || fourth.SinceFirst.Change != "-23" || fourth.SinceLast.Change != "1" {
		t.Errorf("%+v", fourth)
	}
}

func TestAResponseThatIsBrokenOffTellsItsRiskAndNoScore(t *testing.T) {
	o := newOffice(t).settle()
	body := strings.Replace(phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130"), `"answeredBy"`, `"status":"stopped","answeredBy"`, 1)
	got := o.post("responses", body)
	f := got.Feedback
	if f == nil || len(f.Scores) != 0 || f.Observation != "" || len(f.Risks) != 1 || f.Risks[0].Flag == "" || f.Risks[0].Task == "" {
		t.Errorf("%+v", f)
	}
}

func TestAResponseTakenBackTakesItsFlagsAlong(t *testing.T) {
	o := newOffice(t).settle()
	o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130"))
	body := strings.Replace(phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130"), `"answeredBy"`, `"status":"entered-in-error","answeredBy"`, 1)
	got := o.post("responses", body)
	if got.Outcome != "updated" || got.Feedback != nil {
		t.Errorf("%+v", got)
	}
	for _, typ := range []string{"QuestionnaireResponse", "Observation", "Flag", "Task"} {
		if rs := o.of(typ); len(rs) != 1 || rs[0].Root().Get("status").Text() != "entered-in-error" {
			t.Errorf("%s: %d", typ, len(rs))
		}
	}
}

func TestAnswersThatBecomeMereScoresLeaveNoResponseThatStands(t *testing.T) {
	o := newOffice(t).settle()
	o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130"))
	got := o.post("responses", `{"key":"r1","instrument":"phq-9","client":"c1","authored":"2026-02-02T11:00:00+01:00","scores":{"total":9}}`)
	if f := got.Feedback; got.Outcome != "updated" || f == nil || f.Scores[0].Score != "9" || len(f.Risks) != 0 || f.SinceFirst != nil {
		t.Errorf("%+v", got)
	}
	for _, typ := range []string{"QuestionnaireResponse", "Flag", "Task"} {
		if rs := o.of(typ); len(rs) != 0 {
			t.Errorf("a %s is left", typ)
		}
	}
	standing := 0
	for _, r := range o.of("Observation") {
		if r.Root().Get("status").Text() == "final" {
			standing++
		}
	}
	if standing != 1 {
		t.Errorf("%d scores stand", standing)
	}
}

func TestAReferralIsARequestAndATask(t *testing.T) {
	o := newOffice(t).settle()
	got := o.post("referrals", `{"key":"f1","client":"c1","episode":"e1","direction":"out","from":"home","to":"hospital","requester":"t1","status":"requested","urgency":"urgent","date":"2026-02-02T12:00:00+01:00","service":{"text":"Assessment"},"reason":"Worse"}`)
	if got.Outcome != "created" || !slices.Equal(got.types(), []string{"ServiceRequest created", "Task created"}) {
		t.Errorf("%+v", got)
	}
}

func TestEveryKindOfRecordHasItsAddress(t *testing.T) {
	o := newOffice(t).settle()
	for kinds, body := range map[string]string{
		"goals":    `{"key":"g1","client":"c1","episode":"e1","description":"Sleep through the night","status":"active"}`,
		"plans":    `{"key":"p1","client":"c1","episode":"e1","author":"t1","status":"active","title":"Plan","summary":"First sleep.","phases":[{"phase":"acute","status":"active"}]}`,
		"consents": `{"key":"k1","client":"c1","status":"active","about":"treatment","decision":"permit","date":"2026-01-05"}`,
	} {
		if got := o.post(kinds, body); got.Outcome != "created" {
			t.Errorf("%s: %+v", kinds, got)
		}
	}
}

func TestARecordThatRefersToNothingIsRefusedWhereItDoes(t *testing.T) {
	o := newOffice(t).settle()
	before := o.count()
	hidden := o.mapper.ID("Patient", "urn:practice:test", "c1")
	for name, c := range map[string]struct {
		kinds, body string
		at          []string
	}{
		"a client by its key":   {"sessions", strings.Replace(session, `"c1"`, `"nobody"`, 1), []string{"/client"}},
		"a client as stored":    {"sessions", strings.Replace(session, `"c1"`, `{"reference":"Patient/0815"}`, 1), []string{"/client"}},
		"another system's key":  {"sessions", strings.Replace(session, `"c1"`, `{"system":"urn:elsewhere","key":"c1"}`, 1), []string{"/client"}},
		"one in a list":         {"sessions", strings.Replace(session, `{"practitioner":"t1"}`, `{"practitioner":"t1"},{"practitioner":"t2"}`, 1), []string{"/practitioners/1/practitioner"}},
		"two at once":           {"responses", strings.NewReplacer(`"s1"`, `"s9"`, `"t1"`, `"t9"`).Replace(phq9("r1", "2026-02-02", "1111111111")), []string{"/session", "/therapist"}},
		"the client, hidden":    {"goals", `{"key":"g1","client":"c1","description":"Sleep","status":"active"}`, []string{"/client"}},
		"what goes with it":     {"referrals", `{"key":"f1","client":"c1","direction":"in","status":"requested","supporting":[{"reference":"Goal/none"}]}`, []string{"/supporting/0"}},
		"the other way of both": {"plans", `{"key":"p1","client":"c1","status":"active","summary":"x","goals":["g9"],"adjusts":"p0"}`, []string{"/adjusts", "/goals/0"}},
	} {
		t.Run(name, func(t *testing.T) {
			o.front.T = t
			o.hides[hidden] = strings.HasSuffix(name, "hidden")
			var at []string
			for _, i := range o.outcome(o.send(http.MethodPost, "/practice/"+c.kinds, c.body), http.StatusUnprocessableEntity) {
				at = append(at, i.Get("expression").Index(0).Text())
			}
			slices.Sort(at)
			if !slices.Equal(at, c.at) {
				t.Errorf("told at %v, want %v", at, c.at)
			}
		})
	}
	if o.count() != before {
		t.Error("something of them was stored")
	}
}

func TestWrongContentIsRefusedWithItsPlace(t *testing.T) {
	o := newOffice(t).settle()
	before := o.count()
	for name, c := range map[string]struct {
		kinds, body string
		status      int
		code, at    string
	}{
		"not JSON":                {"sessions", `{"key":`, 400, "structure", ""},
		"nothing":                 {"sessions", ``, 400, "structure", "/"},
		"an empty list":           {"sessions", `[]`, 400, "structure", "/"},
		"a list that breaks off":  {"sessions", `[` + session + `,{"key":`, 400, "structure", "/"},
		"more behind a list":      {"sessions", `[` + session + `]]`, 400, "structure", "/"},
		"twice the member":        {"sessions", `{"key":"1","key":"2"}`, 400, "structure", ""},
		"an unknown field":        {"sessions", strings.Replace(session, `"status"`, `"mood":"low","status"`, 1), 400, "structure", "/"},
		"a wrong type":            {"sessions", strings.Replace(session, `"s2"`, `7`, 1), 400, "structure", "/key"},
		"a missing field":         {"sessions", strings.Replace(session, `"status":"finished",`, ``, 1), 422, "required", "/"},
		"a wrong code":            {"sessions", strings.Replace(session, `"video"`, `"telepathy"`, 1), 422, "code-invalid", "/modality"},
		"no such day":             {"sessions", strings.Replace(session, "2026-02-02T", "2026-02-30T", 1), 422, "value", "/start"},
		"an end before it began":  {"sessions", strings.Replace(session, `"modality"`, `"end":"2026-02-02T09:50:00+01:00","modality"`, 1), 422, "value", "/end"},
		"a phase that ends early": {"plans", `{"key":"p1","client":"c1","status":"active","phases":[{"phase":"acute","status":"active","start":"2026-02-02","end":"2026-02-01"}]}`, 422, "value", "/phases/0/end"},
		"the wrong kind of ref":   {"sessions", strings.Replace(session, `"c1"`, `{"reference":"Goal/1"}`, 1), 422, "value", "/client"},
		"a number as no int is":   {"sessions", strings.Replace(session, `"status"`, `"minutes":50.5,"status"`, 1), 400, "structure", "/minutes"},
		"a whole, as a decimal":   {"sessions", strings.Replace(session, `"status"`, `"minutes":50.0,"status"`, 1), 400, "structure", "/minutes"},
		"a huge number":           {"responses", `{"key":"r","instrument":"phq-9","client":"c1","scores":{"total":1e999}}`, 422, "", ""},
		"no such instrument":      {"responses", `{"key":"r","instrument":"none","client":"c1","answers":{"1":1}}`, 400, "not-supported", "/instrument"},
		"an answer that is none":  {"responses", strings.Replace(phq9("r", "2026-02-02", "1111111111"), `"9":1`, `"9":7`, 1), 422, "", ""},
		"a score that differs":    {"responses", strings.Replace(phq9("r", "2026-02-02", "1111111111"), `"answers"`, `"scores":{"total":3},"answers"`, 1), 422, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o.front.T = t
			r := o.send(http.MethodPost, "/practice/"+c.kinds, c.body)
			is := o.outcome(r, c.status)
			if got := is[0].Get("code").Text(); c.code != "" && got != c.code {
				t.Errorf("code %s, want %s: %s", got, c.code, r.body)
			}
			if got := is[0].Get("expression").Index(0).Text(); c.at != "" && got != c.at {
				t.Errorf("at %s, want %s", got, c.at)
			}
			if strings.Contains(string(r.body), "low") && strings.Contains(c.body, "low") || strings.Contains(string(r.body), "telepathy") {
				t.Errorf("the answer repeats content: %s", r.body)
			}
		})
	}
	if o.count() != before {
		t.Error("something of them was stored")
	}
}

func TestAKindThatIsNoneIsNotFoundAndParametersAreNotTaken(t *testing.T) {
	o := newOffice(t)
	for _, kinds := range []string{"session", "process-note", "notebooks", "Sessions", "s", "metadata"} {
		if got := o.code(o.send(http.MethodPost, "/practice/"+kinds, session), http.StatusNotFound); got != "not-found" {
			t.Errorf("%s: %s", kinds, got)
		}
	}
	o.outcome(o.send(http.MethodPost, "/practice/sessions?dry=true", session), http.StatusBadRequest)
	o.outcome(o.send(http.MethodPost, "/practice/sessions", session, "Accept", "text/csv"), http.StatusNotAcceptable)
	o.outcome(o.send(http.MethodPost, "/practice/sessions", session, "Content-Type", "text/csv"), http.StatusUnsupportedMediaType)
	o.outcome(o.send(http.MethodPost, "/practice/sessions", session, "Content-Encoding", "gzip"), http.StatusUnsupportedMediaType)
}

func TestARecordIsBoundedLikeEverythingElse(t *testing.T) {
	o := newOffice(t)
	if got := o.code(o.send(http.MethodPost, "/practice/sessions", `{"key":"`+strings.Repeat("x", defaultMaxBody)+`"}`), http.StatusRequestEntityTooLarge); got != "too-long" {
		t.Error(got)
	}
}

func TestTheGateDecidesAndNothingIsLeftHalfWritten(t *testing.T) {
	o := newOffice(t).settle()
	before := o.count()
	o.forbids = func(a fhir.Act) bool { return a.Type == "Procedure" }
	if got := o.code(o.send(http.MethodPost, "/practice/sessions", session), http.StatusForbidden); got != "forbidden" {
		t.Error(got)
	}
	if o.count() != before {
		t.Error("the Encounter was kept without its Procedures")
	}
}

func TestATransactionThatLostIsBegunAgain(t *testing.T) {
	o := newOffice(t).settle()
	lost := &fhir.Error{Code: fhir.Conflict, Detail: "Another write came between; try again."}
	o.fails = []error{lost, lost}
	got := o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "1111111111"))
	if got.Outcome != "created" || len(got.Resources) != 4 {
		t.Errorf("%+v", got)
	}
	o.fails = []error{lost, lost, lost}
	if got := o.code(o.send(http.MethodPost, "/practice/sessions", session), http.StatusConflict); got != "conflict" {
		t.Error(got)
	}
}
