package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/mapping/practice"
)

func TestAnIdIsTheSameForEverAndNobodysGuess(t *testing.T) {
	m := newMapper(t)
	k := practice.SourceKey{Kind: "client", System: "urn:test:practice", Key: "LH-01"}
	// Written down once: a change here gives every client of every practice another id.
	if got := m.KeyOf(k).String(); got != "Patient/fe7a71f0-2464-8984-8e71-80670ef7b912" {
		t.Errorf("%s", got)
	}
	other := *m
	other.key = [32]byte{2}
	if other.KeyOf(k) == m.KeyOf(k) {
		t.Error("another tenant's key gives the same id")
	}
	if own := (practice.SourceKey{Kind: "client", Key: "LH-01"}); m.KeyOf(own) != m.KeyOf(k) {
		t.Error("a key without a system is not the practice's own")
	}
	if k := m.KeyOf(practice.SourceKey{Kind: "process-note", Key: "N1"}); !k.IsZero() {
		t.Errorf("a process note has the id %s", k)
	}
	mira, jon := fhir.Key{Type: "Practitioner", ID: "mira"}, fhir.Key{Type: "Practitioner", ID: "jon"}
	note := practice.SourceKey{Kind: "process-note", Key: "N1"}
	if of := m.NoteID(mira, note); of != m.NoteID(mira, practice.SourceKey{Kind: "process-note", System: "urn:test:practice", Key: "N1"}) || of == m.NoteID(jon, note) || of == other.NoteID(mira, note) {
		t.Errorf("the note of a key is %s, and not its author's in their tenant", of)
	}
}

func TestNoTwoListsOfPartsHaveOneId(t *testing.T) {
	m := newMapper(t)
	parts := rapid.SliceOfN(rapid.StringMatching(`[a-c/#]{0,3}`), 3, 5)
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		if same := m.ID(a[0], a[1], a[2], a[3:]...).ID == m.ID(b[0], b[1], b[2], b[3:]...).ID; same != slices.Equal(a, b) {
			t.Fatalf("%q and %q", a, b)
		}
	})
}

func TestWhatAnEarlierVersionMayHaveLeft(t *testing.T) {
	m := newMapper(t)
	key := practice.Origin{BusinessKey: "S1"}
	client := practice.Ref{Key: "LH-01"}
	for name, c := range map[string]struct {
		earlier, now practice.Record
		stale        string
	}{
		"a session that turned out a no-show": {
			&practice.Session{Origin: key, Client: client, Status: "finished", Start: "2026-03-02", Techniques: []string{"body", "crisis"}},
			&practice.Session{Origin: key, Client: client, Status: "noshow", Start: "2026-03-02"}, "Encounter Procedure Procedure",
		},
		"a technique that was taken back": {
			&practice.Session{Origin: key, Client: client, Status: "finished", Start: "2026-03-02", Techniques: []string{"body", "crisis"}},
			&practice.Session{Origin: key, Client: client, Status: "finished", Start: "2026-03-02", Techniques: []string{"crisis"}}, "Procedure",
		},
		"a phase that was struck": {
			&practice.Plan{Origin: key, Client: client, Status: "active", Phases: []practice.Phase{{Phase: "acute", Status: "active"}, {Phase: "acute", Status: "draft"}}},
			&practice.Plan{Origin: key, Client: client, Status: "active", Phases: []practice.Phase{{Phase: "acute", Status: "active"}}}, "CarePlan",
		},
		"a diagnosis and a team that are gone": {
			&practice.Episode{Origin: key, Client: client, Status: "active", Team: []practice.Ref{{Key: "kim"}}, Diagnoses: []practice.Diagnosis{{Concept: practice.Concept{Text: "a"}}}},
			&practice.Episode{Origin: key, Client: client, Status: "active"}, "CareTeam Condition",
		},
		"a workshop to which one did not come after all": {
			&practice.Workshop{Origin: key, Start: "2026-03-02", Techniques: []string{"body"}, Clients: []practice.Attendance{{Client: client, Status: "finished"}, {Client: practice.Ref{Key: "LH-02"}, Status: "finished"}}},
			&practice.Workshop{Origin: key, Start: "2026-03-02", Techniques: []string{"body"}, Clients: []practice.Attendance{{Client: client, Status: "noshow"}, {Client: practice.Ref{Key: "LH-02"}, Status: "finished"}}}, "Encounter Procedure",
		},
		"a report on an exercise that was taken back": {
			&practice.Exercise{Origin: key, Client: client, Status: "completed", Exercise: "body", Report: &practice.Report{Outcome: "done"}},
			&practice.Exercise{Origin: key, Client: client, Status: "requested", Exercise: "body"}, "QuestionnaireResponse",
		},
		"scores to which the items came": {
			&practice.Response{Origin: key, Client: client, Instrument: "gad-7", Scores: map[string]json.Number{"total": "3"}},
			&practice.Response{Origin: key, Client: client, Instrument: "gad-7", Answers: practice.Answers{"1": "3"}}, "Observation",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := m.ToFHIR(c.earlier)
			if err != nil {
				t.Fatal(err)
			}
			now, err := m.ToFHIR(c.now)
			if err != nil {
				t.Fatal(err)
			}
			stale := m.Superseded(c.now, now)
			var left []string
			for _, r := range before {
				switch still := slices.ContainsFunc(now, func(n fhir.Resource) bool { return n.Key == r.Key }); {
				case slices.Contains(stale, r.Key):
					left = append(left, r.Type)
				case !still:
					t.Errorf("%s stays behind", r)
				}
			}
			slices.Sort(left)
			if got := strings.Join(left, " "); got != c.stale {
				t.Errorf("%s, not %s", got, c.stale)
			}
		})
	}
}

func TestResourcesThatAreNoRecordAreRefused(t *testing.T) {
	m := newMapper(t)
	for body, want := range map[string]fhir.Code{
		`{"resourceType":"Basic","id":"b"}`:                                  fhir.NotSupported,
		`{"resourceType":"Patient","id":"p","name":[{"family":"Ahorn"}]}`:    fhir.Required,
		`{"resourceType":"Observation","id":"o","code":{"text":"pulse"}}`:    fhir.NotSupported,
		`{"resourceType":"CarePlan","id":"c","partOf":[{"reference":"x"}]}`:  fhir.NotSupported,
		`{"resourceType":"QuestionnaireResponse","id":"q"}`:                  fhir.NotSupported,
		`{"resourceType":"Encounter","id":"e","identifier":[{"value":"S"}]}`: fhir.Required,
	} {
		r, err := fhir.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if rec, err := m.FromFHIR([]fhir.Resource{r}); !fhir.Is(err, want) {
			t.Errorf("%s: %v, %v", body, rec, err)
		}
	}
}

func TestAReferenceToTheWrongKindIsNamedByItsPlace(t *testing.T) {
	m := newMapper(t)
	goal := practice.Ref{Stored: fhir.Key{Type: "Goal", ID: "1"}}
	_, err := m.ToFHIR(&practice.Session{
		Origin: practice.Origin{BusinessKey: "S1"}, Client: goal, Status: "finished", Start: "2026-03-02",
		Practitioners: []practice.Participant{{Practitioner: goal}},
	})
	var got []string
	for _, e := range fhir.IssuesOf(err) {
		got = append(got, fmt.Sprint(e.At, e.Code == fhir.Value))
	}
	if want := "[/client] true [/practitioners/0/practitioner] true"; strings.Join(got, " ") != want {
		t.Errorf("%v, not %s", got, want)
	}
}

func TestAMapperNeedsAKeyAndASystem(t *testing.T) {
	for name, c := range map[string]Config{
		"no key":    {System: "urn:x", Instruments: newMapper(t).instruments},
		"no system": {IDKey: [32]byte{1}, Instruments: newMapper(t).instruments},
		"no files":  {IDKey: [32]byte{1}, System: "urn:x"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: nothing was said", name)
		}
	}
}

func TestTheWordsOfTheSchemasAreThoseOfTheTables(t *testing.T) {
	m := newMapper(t)
	enum := func(kind string, path ...string) (out []string) {
		root, err := fhir.ParseNode(practice.Schema(kind))
		if err != nil {
			t.Fatal(err)
		}
		for e := range root.At(path...).Elements() {
			out = append(out, e.Text())
		}
		return out
	}
	for system, words := range map[string][]string{
		"technique":          enum("session", "$defs", "techniques", "items", "enum"),
		"therapy-phase":      enum("session", "$defs", "phase", "enum"),
		"session-format":     enum("session", "properties", "format", "enum"),
		"session-modality":   enum("session", "$defs", "modality", "enum"),
		"session-place":      enum("session", "properties", "place", "enum"),
		"therapy-approach":   enum("plan", "properties", "approach", "enum"),
		"plan-part":          enum("plan", "properties", "adjustments", "items", "properties", "changed", "items", "enum"),
		"exercise":           enum("exercise", "properties", "exercise", "enum"),
		"exercise-outcome":   enum("exercise", "properties", "report", "properties", "outcome", "enum"),
		"feeling":            enum("notebook-entry", "properties", "feelings", "items", "properties", "feeling", "enum"),
		"framing-topic":      enum("consent", "properties", "explained", "items", "enum"),
		"supervision-format": enum("supervision", "properties", "format", "enum"),
	} {
		if got := m.codes.concepts(system); len(words) == 0 || !slices.Equal(got, words) {
			t.Errorf("%s: the schema has %v, the table %v", system, words, got)
		}
	}
}

func TestAFactKeepsItsIdWhenAnotherComesBeforeIt(t *testing.T) {
	m, yes := newMapper(t), true
	fact := func(code string) practice.Detail {
		return practice.Detail{About: practice.Coding{System: "urn:x", Code: code}, Yes: &yes}
	}
	key := func(facts ...practice.Detail) fhir.Key {
		rs, err := m.ToFHIR(&practice.Episode{Origin: practice.Origin{BusinessKey: "E1"}, Client: practice.Ref{Key: "LH-01"}, Status: "active", Facts: facts})
		if err != nil {
			t.Fatal(err)
		}
		return rs[len(rs)-1].Key
	}
	if a, b := key(fact("work")), key(fact("home"), fact("work")); a != b {
		t.Errorf("%s became %s", a, b)
	}
	if a, b := key(fact("work")), key(fact("work"), fact("work")); a == b {
		t.Error("two facts about the same are one")
	}
}
