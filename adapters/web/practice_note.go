package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
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

// postNote keeps a process note. It goes to the notes gate and nowhere else: no
// mapping, no resource, nothing derived.
func (c *Config) postNote(g *gin.Context) {
	p, ok := c.principal(g)
	if !ok {
		return
	}
	rec, ok := c.record(g, processNote)
	if !ok {
		return
	}
	note, err := c.noteOf(p, rec.(*practice.ProcessNote))
	if err == nil {
		note, err = c.Practice.Notes(p).Write(g.Request.Context(), note)
	}
	if err != nil {
		c.fail(g, err)
		return
	}
	g.Header("Location", "/practice/process-notes/"+note.ID)
	c.say(g, http.StatusCreated, noteAnswer{ID: note.ID, Client: note.Patient.String(), Author: note.Author.String(), Written: note.Written})
}

func (c *Config) noteOf(p policy.Principal, rec *practice.ProcessNote) (policy.Note, error) {
	m, err := c.Practice.Mapper(p.Tenant)
	if err != nil {
		return policy.Note{}, err
	}
	key := func(kind string, r practice.Ref) fhir.Key {
		if !r.Stored.IsZero() {
			return r.Stored
		}
		system := r.System
		if system == "" {
			system = rec.System
		}
		return m.KeyOf(practice.SourceKey{Kind: kind, System: system, Key: r.Key})
	}
	client := key("client", rec.Client)
	if client.Type != "Patient" {
		return policy.Note{}, fhir.Errorf(fhir.Value, "/client", "must refer to a client")
	}
	if !rec.Author.IsZero() && key("practitioner", rec.Author) != p.User {
		return policy.Note{}, fhir.Errorf(fhir.BusinessRule, "/author", "a process note is written by its author alone; leave the author out")
	}
	body, err := practice.Encode(rec)
	if err != nil {
		return policy.Note{}, err
	}
	return policy.Note{Patient: client, Body: body}, nil
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
	c.say(g, http.StatusOK, noteAnswer{ID: note.ID, Client: note.Patient.String(), Author: note.Author.String(), Written: note.Written, Note: note.Body})
}
