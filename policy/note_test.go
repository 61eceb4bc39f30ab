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

func TestANoteOfAnIDIsReplacedByItsAuthorAloneAndStaysAboutItsClient(t *testing.T) {
	p := open(t)
	p.load(append(world(), client("anton", "mira", "clinic")...)...)
	write := func(g *policy.Notes, about, text string) (policy.Note, error) {
		return g.Write(t.Context(), policy.Note{ID: "of-key-1", Patient: k("Patient/" + about), Body: json.RawMessage(`{"text":"` + text + `"}`)})
	}
	reads := func(want string) {
		t.Helper()
		if got, err := p.guard.Notes(who("mira")).Read(t.Context(), "of-key-1"); err != nil || string(got.Body) != `{"text":"`+want+`"}` {
			t.Errorf("it reads %s, %v", got.Body, err)
		}
	}
	mira := p.guard.Notes(who("mira"))
	for _, c := range []struct {
		text string
		want fhir.Effect
		how  policy.How
	}{{"first", fhir.Created, policy.WasCreated}, {"first", fhir.Unchanged, policy.WasSame}, {"a < b", fhir.Updated, policy.WasUpdated}, {"a < b", fhir.Unchanged, policy.WasSame}} {
		n, err := write(mira, "anna", c.text)
		if err != nil || n.ID != "of-key-1" || n.Effect != c.want {
			t.Errorf("%q: %+v, %v", c.text, n, err)
		}
		if r := p.log.last(); len(r.Touched) != 1 || r.Touched[0].How != c.how {
			t.Errorf("%q is recorded as %+v", c.text, r)
		}
	}
	reads(`a \u003c b`)
	_, err := write(mira, "anton", "x")
	refused(t, "about another client", err, fhir.BusinessRule)
	// Another author whose id it were: there is no such way in, and it does not matter.
	_, err = write(p.guard.Notes(who("jon")), "bert", "x")
	refused(t, "another's", err, fhir.Forbidden)
	if r := p.log.last(); r.Decision != policy.Deny || len(r.Reasons) != 1 || r.Reasons[0] != "not-author" {
		t.Errorf("recorded as %+v", r)
	}
	reads(`a \u003c b`)
}

func TestADryRunOfANoteKeepsNothingAndSaysSo(t *testing.T) {
	p := open(t)
	p.load(world()...)
	try := p.guard.Notes(who("mira")).Try()
	for i, want := range []fhir.Effect{fhir.Created, fhir.Unchanged} {
		n, err := try.Write(t.Context(), policy.Note{ID: "of-key-1", Patient: k("Patient/anna"), Body: json.RawMessage(`{"text":"` + secret + `"}`)})
		if err != nil || n.Effect != want || n.ID != "of-key-1" {
			t.Errorf("time %d: %+v, %v", i, n, err)
		}
		r := p.log.last()
		if r.Operation != "dry-run" || r.Outcome != policy.Failure || r.Decision != policy.Permit || len(r.Touched) != 0 || len(r.Patients) != 1 || !r.Synced {
			t.Errorf("recorded as %+v", r)
		}
	}
	_, err := try.Write(t.Context(), policy.Note{ID: "2", Patient: k("Patient/bert"), Body: json.RawMessage(`{}`)})
	refused(t, "about another's client", err, fhir.Forbidden)
	if len(p.notes.kept) != 0 {
		t.Errorf("%d notes are kept", len(p.notes.kept))
	}
}

func TestOneNoteWrittenBySeveralAtOnceIsOne(t *testing.T) {
	p := open(t)
	p.load(world()...)
	// Between look and write another one comes.
	p.notes.between = func() {
		if len(p.notes.kept) == 0 {
			p.notes.between = nil
			if _, err := p.guard.Notes(who("mira")).Write(t.Context(), policy.Note{ID: "1", Patient: k("Patient/anna"), Body: json.RawMessage(`{"text":"other"}`)}); err != nil {
				t.Error(err)
			}
		}
	}
	n, err := p.guard.Notes(who("mira")).Write(t.Context(), policy.Note{ID: "1", Patient: k("Patient/anna"), Body: json.RawMessage(`{"text":"mine"}`)})
	if err != nil || n.Effect != fhir.Updated || len(p.notes.kept) != 1 {
		t.Errorf("%+v, %v, %d kept", n, err, len(p.notes.kept))
	}
}
