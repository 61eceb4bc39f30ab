package practice

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"rapport/fhir"
)

func TestWhatIsWrongIsNamedByItsPlaceAndNotByItsValue(t *testing.T) {
	const secret = "Silva-Ahorn"
	for name, c := range map[string]struct {
		kind, record string
		want         string // code, place and part of the detail
	}{
		"no JSON":                        {"client", `{"key": "Silva-Ahorn"`, "structure  "},
		"a member twice":                 {"client", `{"key": "a", "key": "Silva-Ahorn"}`, "structure  "},
		"no record at all":               {"client", `["Silva-Ahorn"]`, "structure / must be object"},
		"an unknown kind":                {"patient", `{}`, "there are organisation, practitioner, client"},
		"no key":                         {"client", `{"active": true}`, "required / key is missing"},
		"a field that is none":           {"client", `{"key": "a", "mood": "Silva-Ahorn"}`, "structure / there is no field mood"},
		"a field that is misspelt":       {"client", `{"key": "a", "birthdate": "Silva-Ahorn"}`, "birthDate is meant?"},
		"content in the place of a name": {"client", `{"key": "a", "Silva Ahorn, Silva-Ahorn": 1}`, "there is no field (not shown)"},
		"a number for a text":            {"client", `{"key": 12}`, "structure /key must be string, not number"},
		"a word that is none":            {"client", `{"key": "a", "gender": "Silva-Ahorn"}`, "code-invalid /gender must be one of male, female"},
		"a day that no month has":        {"client", `{"key": "a", "birthDate": "2026-02-30"}`, "value /birthDate does not have the form that is needed: YYYY"},
		"a time without its zone":        {"session", `{"key": "a", "client": "b", "status": "finished", "start": "2026-03-05T10:30:00"}`, "/start does not have the form that is needed: a date, or a date and time with its zone"},
		"a session without a start":      {"session", `{"key": "a", "client": "b", "status": "finished"}`, "required / start is missing"},
		"minutes and a band":             {"session", `{"key": "a", "client": "b", "status": "noshow", "minutes": 50, "minutesFrom": 46}`, "business-rule /minutesFrom cannot be said together"},
		"an empty text":                  {"client", `{"key": ""}`, "value /key must not be empty"},
		"a response of nothing":          {"response", `{"key": "a", "instrument": "phq-9", "client": "b"}`, "required / one of answers, scores, unscored is needed"},
		"a client in a supervision":      {"supervision", `{"key": "a", "supervisees": ["b"], "status": "booked", "start": "2026-03-05", "client": "Silva-Ahorn"}`, "structure / there is no field client"},
		"words in a supervision":         {"supervision", `{"key": "a", "supervisees": ["b"], "status": "booked", "start": "2026-03-05", "notes": "Silva-Ahorn"}`, "structure / there is no field notes"},
		"done, and not done":             {"exercise", `{"key": "a", "client": "b", "status": "completed", "exercise": "body", "report": {"outcome": "not-done"}}`, "/report/outcome must be one of done, partly"},
		"a rating of eleven":             {"goal-rating", `{"key": "a", "client": "b", "goal": "c", "by": "client", "rating": 11}`, "value /rating must be at most 10"},
		"an entry that says nothing":     {"notebook-entry", `{"key": "a", "client": "b"}`, "required / one of words, progress, question, feelings is needed"},
		"a correction of nothing":        {"session", `{"key": "a", "client": "b", "status": "finished", "start": "2026-03-05", "correctedBecause": "Silva-Ahorn"}`, "code-invalid /status must be one of amended, entered-in-error"},
		"a framing of research":          {"consent", `{"key": "a", "client": "b", "status": "active", "about": "research", "decision": "permit", "explained": ["fees"]}`, "/about"},
		"an adjustment by nobody":        {"plan", `{"key": "a", "client": "b", "status": "active", "adjustments": [{"date": "2026-03-05", "reason": "Silva-Ahorn", "changed": ["goals"], "agreed": []}]}`, "value /adjustments/0/agreed"},
		"a reference of two forms":       {"goal", `{"key": "a", "description": "b", "status": "active", "client": {"key": "c", "reference": "Patient/1"}}`, "value /client says too much"},
		"an end before the start":        {"session", `{"key": "a", "client": "b", "status": "finished", "start": "2026-03-05T10:30:00+01:00", "end": "2026-03-05T09:29:00Z"}`, "value /end lies before start"},
		"a phase that ends early":        {"plan", `{"key": "a", "client": "b", "status": "active", "start": "2026-03-05", "end": "2026-04", "phases": [{"phase": "acute", "status": "active", "start": "2026-03-05", "end": "2026-03-04"}]}`, "value /phases/0/end lies before start"},
		"a diagnosis that ends early":    {"episode", `{"key": "a", "client": "b", "status": "active", "diagnoses": [{"text": "Silva-Ahorn", "onset": "2026", "end": "2025-12-31"}]}`, "value /diagnoses/0/end lies before onset"},
		"two ends that are early":        {"plan", `{"key": "a", "client": "b", "status": "active", "start": "2026-03", "end": "2026-02", "phases": [{"phase": "acute", "status": "active", "start": "2026-03-05", "end": "2026-03-04"}]}`, "value /end lies before start; mend one of them\nvalue /phases/0/end"},
		"a detail of two values":         {"client", `{"key": "a", "details": [{"about": {"code": "x"}, "yes": true, "text": "Silva-Ahorn"}]}`, "value /details/0 says too much"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Decode(c.kind, []byte(c.record))
			if err == nil {
				t.Fatalf("it was read: %v", r)
			}
			var all []string
			for _, e := range fhir.IssuesOf(err) {
				all = append(all, fmt.Sprintf("%s %s %s", e.Code.Issue(), strings.Join(e.At, " "), plainDetail(e.Detail)))
			}
			got := strings.Join(all, "\n")
			if !strings.Contains(got, c.want) {
				t.Errorf("said was %q", got)
			}
			if strings.Contains(got, secret) || strings.Contains(err.Error(), secret) {
				t.Errorf("a value is repeated: %q", got)
			}
		})
	}
}

// What precision or a missing zone leaves open is for nobody to refuse.
func TestAnEndThatMayBeThatOfItsStartIsTaken(t *testing.T) {
	for _, c := range [][2]string{
		{"2026-03-05", "2026-03-05"}, {"2026-03-05T10:30:00+01:00", "2026-03-05T09:30:00Z"}, {"2026-03-05", "2026-03-05T10:30:00+01:00"},
		{"2026-03-05T23:30:00+01:00", "2026-03-05"}, {"2026-03-05", "2026-03-04T22:00:00Z"}, {"2026-03-05T23:30:00+13:00", "2026-03-05T11:00:00Z"},
	} {
		if _, err := Decode("session", fmt.Appendf(nil, `{"key": "a", "client": "b", "status": "finished", "start": %q, "end": %q}`, c[0], c[1])); err != nil {
			t.Errorf("from %s to %s: %v", c[0], c[1], err)
		}
	}
}

// plainDetail takes line and column off.
func plainDetail(s string) string {
	if _, rest, ok := strings.Cut(s, ": "); ok && strings.HasPrefix(s, "line ") {
		return rest
	}
	return s
}

func TestLineAndColumnLeadToTheFault(t *testing.T) {
	_, err := Decode("client", []byte("{\n  \"key\": \"a\",\n  \"gender\": \"x\"\n}"))
	if got := fhir.IssuesOf(err)[0].Detail; !strings.HasPrefix(got, "line 3, column 13: ") {
		t.Errorf("%s", got)
	}
}

func TestNoMoreIsSaidThanSomebodyReads(t *testing.T) {
	var fields []string
	for i := range 100 {
		fields = append(fields, fmt.Sprintf(`"f%d": 1`, i))
	}
	_, err := Decode("client", []byte("{"+strings.Join(fields, ",")+"}"))
	if n := len(fhir.IssuesOf(err)); n != maxIssues {
		t.Errorf("%d issues", n)
	}
}

func TestAReferenceHasThreeForms(t *testing.T) {
	for text, want := range map[string]Ref{
		`"LH-01"`:                          {Key: "LH-01"},
		`{"system":"urn:x","key":"LH-01"}`: {System: "urn:x", Key: "LH-01"},
		`{"reference":"Patient/17"}`:       {Stored: fhir.Key{Type: "Patient", ID: "17"}},
	} {
		var got Ref
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if b, err := json.Marshal(want); err != nil || string(b) != text {
			t.Errorf("%+v: %s, %v", want, b, err)
		}
	}
}

func TestARecordIsNeverPrinted(t *testing.T) {
	r := &Client{Origin: Origin{BusinessKey: "Silva"}, Name: Name{Family: "Ahorn"}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "record", r)
	for _, got := range []string{fmt.Sprint(r), fmt.Sprintf("%v %+v %#v %s", *r, *r, *r, r), log.String()} {
		if strings.Contains(got, "Silva") || strings.Contains(got, "Ahorn") {
			t.Errorf("printed: %s", got)
		}
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	for _, kind := range Kinds() {
		if _, ok := New(kind); !ok {
			t.Errorf("%s cannot be made", kind)
		}
	}
	yes := true
	r := &Response{Origin: Origin{BusinessKey: "R1"}, Instrument: "phq-9", Client: Ref{Key: "c"}, Answers: Answers{"1": "2"},
		Scores: map[string]json.Number{"total": "2.50"}, Details: []Detail{{About: Coding{Code: "x"}, Yes: &yes}}}
	b, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode("response", b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(back)
	if err != nil || string(again) != string(b) {
		t.Errorf("%s, then %s, %v", b, again, err)
	}
	whole, err := Decode("response", []byte(`{"key":"R1","instrument":"phq-9","client":"c","answers":{"1":2,"2":"LA6569-3"}}`))
	if err != nil || whole.(*Response).Answers["1"] != "2" || whole.(*Response).Answers["2"] != "LA6569-3" {
		t.Errorf("whole numbers and codes: %v", err)
	}
}
