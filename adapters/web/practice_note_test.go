package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const note = `{"key":"n1","client":"c1","session":"s1","written":"2026-02-02T11:00:00+01:00","text":"Kolibri-Saphir-7431"}`

func TestAProcessNoteIsForItsAuthorAlone(t *testing.T) {
	c := newClinic(t)
	before := c.versions()
	r := c.as("mira", http.MethodPost, "/practice/process-notes", note, http.StatusCreated)
	made := decode[noteAnswer](t, r)
	if made.ID == "" || len(made.Note) > 0 || strings.Contains(string(r.body), "Kolibri") || made.Author != c.mapper.ID("Practitioner", ofPractice, "t1").String() {
		t.Errorf("%s", r.body)
	}
	path := "/practice/process-notes/" + made.ID
	if r.Header.Get("Location") != path {
		t.Errorf("Location %s", r.Header.Get("Location"))
	}
	read := decode[noteAnswer](t, c.as("mira", http.MethodGet, path, "", http.StatusOK))
	var kept struct{ Text, Session string }
	if err := json.Unmarshal(read.Note, &kept); err != nil || kept.Text != "Kolibri-Saphir-7431" || kept.Session != "s1" || read.Client != c.mapper.ID("Patient", ofPractice, "c1").String() {
		t.Errorf("%v %+v", err, read)
	}
	if head := c.as("mira", http.MethodHead, path, "", http.StatusOK); len(head.body) > 0 {
		t.Errorf("HEAD has a body")
	}
	if r := c.send(http.MethodGet, path, "", "Accept", "text/html"); r.StatusCode != http.StatusNotAcceptable {
		t.Errorf("as HTML: %d", r.StatusCode)
	}
	for _, who := range []string{"jon", "ida", "admin", "desk", "import"} {
		there, nowhere := c.as(who, http.MethodGet, path, "", http.StatusNotFound), c.as(who, http.MethodGet, "/practice/process-notes/none", "", http.StatusNotFound)
		if string(there.body) != string(nowhere.body) {
			t.Errorf("%s can tell that there is one", who)
		}
	}
	c.as("mira", http.MethodGet, "/practice/process-notes", "", http.StatusMethodNotAllowed)
	c.as("mira", http.MethodPut, path, note, http.StatusMethodNotAllowed)
	c.as("mira", http.MethodDelete, path, "", http.StatusMethodNotAllowed)
	if c.versions() != before {
		t.Error("a note reached the store of resources")
	}
	for id, sealed := range c.notes.sealed {
		if strings.Contains(string(sealed), "Kolibri") {
			t.Errorf("%s lies open", id)
		}
	}
	if strings.Contains(c.log.String(), "Kolibri") {
		t.Error("the log has it")
	}
}

func TestAProcessNoteIsWrittenByTheOwnTherapistAndNobodyElse(t *testing.T) {
	c := newClinic(t)
	for _, try := range []struct {
		who, body string
		status    int
	}{
		{"jon", note, 403},
		{"jon", strings.Replace(note, `"c1"`, `"c9"`, 1), 403},
		{"import", note, 403},
		{"admin", note, 403},
		{"ida", note, 403},
		{"reader", note, 403},
		{"mira", strings.Replace(note, `"key"`, `"author":"t2","key"`, 1), 422},
		{"mira", strings.Replace(note, `"c1"`, `{"reference":"Practitioner/1"}`, 1), 422},
		{"mira", strings.Replace(note, `"text":"Kolibri-Saphir-7431"`, `"text":""`, 1), 422},
		{"mira", strings.Replace(note, `"text"`, `"mood":"low","text"`, 1), 400},
		{"mira", strings.Replace(note, `"key"`, `"author":"t1","key"`, 1), 201},
	} {
		r := c.as(try.who, http.MethodPost, "/practice/process-notes", try.body, try.status)
		if strings.Contains(string(r.body), "Kolibri") {
			t.Errorf("%s: the answer repeats the note", try.who)
		}
	}
	if len(c.notes.sealed) != 1 {
		t.Errorf("%d notes are kept", len(c.notes.sealed))
	}
}

// notes is where they are posted.
const notes = "/practice/process-notes"

// noted is what is answered about one.
type noted struct {
	Index, Line, Status int
	Outcome             string
	DryRun              bool
	Issues              []issue
	noteAnswer
}

func TestANoteSentAgainIsTheSameNote(t *testing.T) {
	c := newClinic(t)
	first := decode[noted](t, c.as("mira", http.MethodPost, notes, note, http.StatusCreated))
	again := decode[noted](t, c.as("mira", http.MethodPost, notes, note, http.StatusOK))
	if again.ID != first.ID || first.Outcome != "created" || again.Outcome != "unchanged" || len(c.notes.sealed) != 1 {
		t.Errorf("the same again: %+v, after %+v", again, first)
	}
	changed := decode[noted](t, c.as("mira", http.MethodPost, notes, strings.Replace(note, "7431", "7432", 1), http.StatusOK))
	if changed.ID != first.ID || changed.Outcome != "updated" || len(c.notes.sealed) != 1 {
		t.Errorf("changed: %+v", changed)
	}
	if r := c.as("mira", http.MethodGet, notes+"/"+first.ID, "", http.StatusOK); !strings.Contains(string(r.body), "Kolibri-Saphir-7432") {
		t.Errorf("it reads %s", r.body)
	}
	// The key is the author's own: to another it is free, and takes nothing of the first.
	other := decode[noted](t, c.as("jon", http.MethodPost, notes, `{"key":"n1","client":"c2","text":"Mine."}`, http.StatusCreated))
	if other.ID == first.ID || len(c.notes.sealed) != 2 {
		t.Errorf("another's of the same key: %+v", other)
	}
	c.as("jon", http.MethodGet, notes+"/"+first.ID, "", http.StatusNotFound)
	c.as("mira", http.MethodGet, notes+"/"+other.ID, "", http.StatusNotFound)
}

func TestANoteStaysAboutItsClient(t *testing.T) {
	c := newClinic(t)
	c.as("import", http.MethodPost, "/practice/clients", `{"key":"c3","name":{"family":"Ulm"}}`, http.StatusCreated)
	c.as("import", http.MethodPost, "/practice/episodes", `{"key":"e3","client":"c3","organisation":"home","therapist":"t1","status":"active","start":"2026-01-05"}`, http.StatusCreated)
	note := strings.Replace(note, `"session":"s1",`, "", 1)
	c.as("mira", http.MethodPost, notes, note, http.StatusCreated)
	is := c.outcome(c.as("mira", http.MethodPost, notes, strings.Replace(note, `"c1"`, `"c3"`, 1), http.StatusUnprocessableEntity), http.StatusUnprocessableEntity)
	if at := is[0].Get("expression").Index(0).Text(); at != "/client" {
		t.Errorf("told at %s", at)
	}
}

func TestANoteNamesNoSessionOfAnotherClientThatItsAuthorSees(t *testing.T) {
	c := newClinic(t)
	c.as("import", http.MethodPost, "/practice/clients", `{"key":"c3","name":{"family":"Ulm"}}`, http.StatusCreated)
	c.as("import", http.MethodPost, "/practice/episodes", `{"key":"e3","client":"c3","organisation":"home","therapist":"t1","status":"active","start":"2026-01-05"}`, http.StatusCreated)
	for key, client := range map[string]string{"s3": "c3", "s4": "c2"} {
		c.as("import", http.MethodPost, "/practice/sessions", `{"key":"`+key+`","client":"`+client+`","status":"finished","start":"2026-01-12"}`, http.StatusCreated)
	}
	about := func(session string, status int) reply {
		return c.as("mira", http.MethodPost, notes, strings.NewReplacer(`"n1"`, `"of `+session+`"`, `"s1"`, `"`+session+`"`).Replace(note), status)
	}
	if at := c.outcome(about("s3", http.StatusUnprocessableEntity), http.StatusUnprocessableEntity)[0].Get("expression").Index(0).Text(); at != "/session" {
		t.Errorf("told at %s", at)
	}
	about("s4", http.StatusCreated) // of a client who is not hers, which tells her nothing
	about("s9", http.StatusCreated) // of none
}

func TestSeveralNotesAreEachJudgedByThemselves(t *testing.T) {
	bodies := []string{
		note,
		`{"key":"n2","client":"c2","text":"Kolibri of another's client"}`,
		`{"key":"n3","client":"c1","text":""}`,
		`{"key":"n4","client":"c1","author":"t2","text":"Kolibri"}`,
		strings.Replace(note, "7431", "7432", 1),
		`{"key":"n5","client":"c1","text":"Kolibri","mood":"low"}`,
	}
	want := []struct {
		status      int
		outcome, at string
	}{{201, "created", ""}, {403, "rejected", ""}, {422, "rejected", "/text"}, {422, "rejected", "/author"}, {200, "updated", ""}, {400, "rejected", ""}}
	check := func(t *testing.T, c *clinic, got []noted) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%d outcomes", len(got))
		}
		for i, w := range want {
			g := got[i]
			at := ""
			if len(g.Issues) > 0 && len(g.Issues[0].Expression) > 0 {
				at = g.Issues[0].Expression[0]
			}
			if g.Index != i || g.Status != w.status || g.Outcome != w.outcome || w.at != "" && at != w.at || (g.ID != "") != (w.outcome != "rejected") || (len(g.Issues) > 0) != (w.outcome == "rejected") {
				t.Errorf("%d: %+v, want %+v", i, g, w)
			}
		}
		if got[0].ID != got[4].ID || len(c.notes.sealed) != 1 {
			t.Errorf("%d notes are kept", len(c.notes.sealed))
		}
	}
	t.Run("in an array", func(t *testing.T) {
		c := newClinic(t)
		r := c.as("mira", http.MethodPost, notes, "["+strings.Join(bodies, ",")+"]", http.StatusOK)
		var all struct {
			Records []noted
			Summary counts
		}
		if err := json.Unmarshal(r.body, &all); err != nil {
			t.Fatal(err)
		}
		if check(t, c, all.Records); all.Summary != (counts{Created: 1, Updated: 1, Rejected: 4}) || strings.Contains(string(r.body), "Kolibri") {
			t.Errorf("%s", r.body)
		}
	})
	t.Run("in lines", func(t *testing.T) {
		c := newClinic(t)
		r := c.send(http.MethodPost, notes, strings.Join(bodies, "\n\n"), "Authorization", "Bearer mira", "Content-Type", ndjson[0])
		var all []noted
		for line := range strings.Lines(string(r.body)) {
			var n noted
			if err := json.Unmarshal([]byte(line), &n); err != nil {
				t.Fatal(err)
			}
			if n.Line != 1+2*len(all) {
				t.Errorf("line %d is told as %d", 1+2*len(all), n.Line)
			}
			all = append(all, n)
		}
		check(t, c, all)
	})
}

func TestADryRunShowsANoteAndKeepsNothing(t *testing.T) {
	c := newClinic(t)
	one := decode[noted](t, c.as("mira", http.MethodPost, notes+"?dryRun=true", note, http.StatusOK))
	if one.Outcome != "created" || !one.DryRun || one.ID == "" || !strings.Contains(string(one.Note), "Kolibri-Saphir-7431") {
		t.Errorf("%+v", one)
	}
	var all struct{ Records []noted }
	body := "[" + note + "," + note + "," + strings.Replace(note, "7431", "7432", 1) + `,{"key":"n2","client":"c2","text":"x"}]`
	if err := json.Unmarshal(c.as("mira", http.MethodPost, notes+"?dryRun=true", body, http.StatusOK).body, &all); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"created", "unchanged", "updated", "rejected"} {
		if got := all.Records[i]; got.Outcome != want || !got.DryRun || (len(got.Note) > 0) != (want != "rejected") || want != "rejected" && got.ID != one.ID {
			t.Errorf("%d: %+v", i, got)
		}
	}
	if len(c.notes.sealed) != 0 {
		t.Errorf("%d notes are kept", len(c.notes.sealed))
	}
	c.as("mira", http.MethodGet, notes+"/"+one.ID, "", http.StatusNotFound)
	kept := decode[noted](t, c.as("mira", http.MethodPost, notes, note, http.StatusCreated))
	if kept.ID != one.ID || len(kept.Note) > 0 {
		t.Errorf("then it is kept as %+v", kept)
	}
	if got := decode[noted](t, c.as("mira", http.MethodPost, notes+"?dryRun=true", note, http.StatusOK)); got.Outcome != "unchanged" {
		t.Errorf("tried again: %+v", got)
	}
	c.as("mira", http.MethodPost, notes+"?dry=true", note, http.StatusBadRequest)
	c.as("jon", http.MethodPost, notes+"?dryRun=true", note, http.StatusForbidden)
}
