package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
)

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
		"an answer that is none":  {"responses", strings.Replace(phq9("r", "2026-02-02", "1111111111"), `"9":1`, `"9":7`, 1), 422, "code-invalid", "/answers/9"},
		"an item that is none":    {"responses", strings.Replace(phq9("r", "2026-02-02", "1111111111"), `"9":1`, `"low":1`, 1), 422, "value", "/answers"},
		"a score out of range":    {"responses", `{"key":"r","instrument":"phq-9","client":"c1","authored":"2026-02-02","scores":{"total":99}}`, 422, "value", "/scores/total"},
		"a score that differs":    {"responses", strings.Replace(phq9("r", "2026-02-02", "1111111111"), `"answers"`, `"scores":{"total":3},"answers"`, 1), 422, "business-rule", "/scores/total"},
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
