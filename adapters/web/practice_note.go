package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/mapping"
	"rapport/mapping/practice"
	"rapport/policy"
)

// noteAnswer is what is told of a process note; the note itself only to its author.
type noteAnswer struct {
	ID      string          `json:"id"`
	Client  string          `json:"client"`
	Author  string          `json:"author"`
	Written time.Time       `json:"written"` // when it was kept
	Note    json.RawMessage `json:"note,omitempty"`
}

func answerOf(n policy.Note) noteAnswer {
	return noteAnswer{ID: n.ID, Client: n.Patient.String(), Author: n.Author.String(), Written: n.Written}
}

// scribe keeps the process notes of one request for one author. They go to the notes
// gate and nowhere else: no resource, nothing derived.
type scribe struct {
	*Practice
	author fhir.Key
	mapper *mapping.Mapper
	gate   fhir.Gate // to look at what a note refers to, and for nothing else
	notes  *policy.Notes
}

// keep implements custodian.
func (s *scribe) keep(ctx context.Context, rec practice.Record) (receipt, error) {
	return s.write(ctx, s.notes, rec)
}

// try implements custodian. A note is shown as it would be kept: whoever sent it wrote it.
func (s *scribe) try(ctx context.Context, ts []trial) error {
	notes := s.notes.Try()
	for i := range ts {
		t := &ts[i]
		if t.err == nil {
			t.receipt, t.err = s.write(ctx, notes, t.record)
		}
		if t.err != nil && !refuses(t.err) {
			return t.err
		}
		t.receipt.DryRun = true
		if t.err != nil {
			continue
		}
		body, err := practice.Encode(t.record)
		if err != nil {
			return err
		}
		t.receipt.Note = body
	}
	return nil
}

func (s *scribe) write(ctx context.Context, notes *policy.Notes, rec practice.Record) (receipt, error) {
	note, err := s.noteOf(rec.(*practice.ProcessNote))
	if err == nil {
		err = s.ofClient(ctx, rec.(*practice.ProcessNote), note.Patient)
	}
	if err == nil {
		note, err = notes.Write(ctx, note)
	}
	if err != nil {
		return receipt{}, err
	}
	a := answerOf(note)
	return receipt{Outcome: effectOf(fhir.Written{Effect: note.Effect}), Resources: []kept{}, Issues: []issue{}, noteAnswer: &a}, nil
}

// key resolves a reference of a note to a record of a kind.
func (s *scribe) key(rec *practice.ProcessNote, kind string, r practice.Ref) fhir.Key {
	if !r.Stored.IsZero() {
		return r.Stored
	}
	system := r.System
	if system == "" {
		system = rec.System
	}
	return s.mapper.KeyOf(practice.SourceKey{Kind: kind, System: system, Key: r.Key})
}

// ofClient refuses a note that names another client's session. One that is not there,
// or is not for the author to see, is let pass: a note may be written before the session
// is recorded, and of one that did not take place.
func (s *scribe) ofClient(ctx context.Context, rec *practice.ProcessNote, client fhir.Key) error {
	if rec.Session.IsZero() {
		return nil
	}
	k := s.key(rec, "session", rec.Session)
	err := s.gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}, func(in fhir.Reader) error {
		session, err := in.Read(ctx, k)
		if err == nil && !slices.Contains(s.About(session), client) {
			err = anothers("/session")
		}
		return err
	})
	if fhir.Unseen(err) {
		return nil
	}
	return err
}

func (s *scribe) noteOf(rec *practice.ProcessNote) (policy.Note, error) {
	client := s.key(rec, "client", rec.Client)
	if client.Type != "Patient" {
		return policy.Note{}, fhir.Errorf(fhir.Value, "/client", "must refer to a client")
	}
	if !rec.Author.IsZero() && s.key(rec, "practitioner", rec.Author) != s.author {
		return policy.Note{}, fhir.Errorf(fhir.BusinessRule, "/author", "a process note is written by its author alone; leave the author out")
	}
	body, err := practice.Encode(rec)
	if err != nil {
		return policy.Note{}, err
	}
	return policy.Note{ID: s.mapper.NoteID(s.author, rec.Key()), Patient: client, Body: body}, nil
}

// getNote gives a note to its author; everybody else gets what they get for an id
// that never was.
func (c *Config) getNote(g *gin.Context) {
	p, ok := c.principal(g)
	if !ok || !accepts(g, "application/json") {
		return
	}
	note, err := c.Practice.Notes(p).Read(g.Request.Context(), g.Param("id"))
	if err != nil {
		c.fail(g, err)
		return
	}
	a := answerOf(note)
	a.Note = note.Body
	c.say(g, http.StatusOK, a)
}
