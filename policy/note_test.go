package policy_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/policy"
)

const secret = "canary: what was said in confidence"

func noted(t *testing.T, p *practice) policy.Note {
	t.Helper()
	n, err := p.guard.Notes(who("mira")).Write(t.Context(), policy.Note{Patient: k("Patient/anna"), Body: json.RawMessage(`{"text":"` + secret + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAProcessNoteIsReadByItsAuthorAlone(t *testing.T) {
	p := open(t)
	p.load(world()...)
	n := noted(t, p)
	got, err := p.guard.Notes(who("mira")).Read(t.Context(), n.ID)
	if err != nil || !strings.Contains(string(got.Body), secret) || got.Patient != k("Patient/anna") || got.Author != k("Practitioner/mira") {
		t.Fatalf("its author got %+v, %v", got, err)
	}
	_, none := p.guard.Notes(who("mira")).Read(t.Context(), "no-such-note")
	refused(t, "no such note", none, fhir.NotFound)
	for _, name := range names {
		if name == "mira" {
			continue
		}
		_, err := p.guard.Notes(who(name)).Read(t.Context(), n.ID)
		_, other := p.guard.Notes(who(name)).Read(t.Context(), "no-such-note")
		if !fhir.Is(err, fhir.NotFound) || told(err) != told(none) || told(other) != told(none) {
			t.Errorf("%s is told %v of the note and %v of none", name, err, other)
		}
	}
	for what, change := range map[string]func(*policy.Principal){
		"in an emergency":            func(x *policy.Principal) { x.Purpose = "BTG" },
		"as another person":          func(x *policy.Principal) { x.User = k("Practitioner/other") },
		"without scopes":             func(x *policy.Principal) { x.Scopes = nil },
		"confined to a patient":      func(x *policy.Principal) { x.Scopes[0].Context, x.Patient = "patient", k("Patient/anna") },
		"with a scope that narrows":  func(x *policy.Principal) { x.Scopes[0].Where = []policy.Param{{Name: "status", Value: "current"}} },
		"in another role":            func(x *policy.Principal) { x.Role = policy.Integration },
		"in another tenant":          func(x *policy.Principal) { x.Tenant = "other" },
		"as the patient of the same": func(x *policy.Principal) { x.User = k("Patient/anna") },
	} {
		x := who("mira")
		x.Scopes = append([]policy.Scope(nil), x.Scopes...)
		change(&x)
		if got, err := p.guard.Notes(x).Read(t.Context(), n.ID); err == nil {
			t.Errorf("%s it is read: %+v", what, got)
		}
	}
}

func TestAProcessNoteLiesSealedAndIsTiedToItsID(t *testing.T) {
	p := open(t)
	p.load(world()...)
	n := noted(t, p)
	for id, sealed := range p.notes.kept {
		for _, word := range []string{"canary", "anna", "mira", "Patient"} {
			if bytes.Contains(sealed, []byte(word)) {
				t.Errorf("%s: %q can be read in the store", id, word)
			}
		}
	}
	p.notes.kept["moved"] = p.notes.kept[n.ID]
	if _, err := p.guard.Notes(who("mira")).Read(t.Context(), "moved"); err == nil {
		t.Error("a note in another's place was read")
	}
	if r := p.log.last(); r.Outcome != policy.Failure {
		t.Errorf("recorded as %+v", r)
	}
}

func TestAProcessNoteIsFoundNowhereElse(t *testing.T) {
	p := open(t)
	p.load(world()...)
	n := noted(t, p)
	for _, r := range p.log.kept {
		if b, err := json.Marshal(r); err != nil || bytes.Contains(b, []byte(n.ID)) && r.ID != n.ID && r.Request != n.ID {
			t.Errorf("a record leads to the note: %s %v", b, err)
		}
	}
	for _, typ := range []string{"DocumentReference", "Observation", "Communication", "QuestionnaireResponse"} {
		_, err := read(t.Context(), p.gate("import"), fhir.Key{Type: typ, ID: n.ID})
		refused(t, typ, err, fhir.NotFound)
	}
}

func TestNotesAreWrittenAboutTheOwnCaseloadAlone(t *testing.T) {
	p := open(t)
	p.load(world()...)
	body := json.RawMessage(`{"text":"x"}`)
	for _, name := range names {
		for _, about := range []string{"anna", "bert", "nobody"} {
			_, err := p.guard.Notes(who(name)).Write(t.Context(), policy.Note{Patient: k("Patient/" + about), Body: body})
			if want := name == "mira" && about == "anna" || name == "jon" && about == "bert"; (err == nil) != want || err != nil && !fhir.Is(err, fhir.Forbidden) {
				t.Errorf("%s writes about %s: %v", name, about, err)
			}
		}
	}
	_, err := p.guard.Notes(who("mira")).Write(t.Context(), policy.Note{Patient: k("Patient/anna"), Body: json.RawMessage(`{"text":`)})
	refused(t, "no JSON", err, fhir.Structure)
	if len(p.notes.kept) != 2 {
		t.Errorf("%d notes are kept", len(p.notes.kept))
	}
}
