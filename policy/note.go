package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/policy/keyring"
)

// NoteStore keeps sealed process notes, apart from everything else: its own
// place, its own key, ids that are used nowhere else. It never sees a note.
type NoteStore interface {
	// PutNote keeps a new note durably; [fhir.Duplicate] if the id is in use.
	PutNote(ctx context.Context, id string, sealed []byte) error
	// ReplaceNote durably keeps a note in the place of one that is still as it was;
	// [fhir.Conflict] if it is another by now.
	ReplaceNote(ctx context.Context, id string, was, sealed []byte) error
	// Note returns a sealed note, nil if there is none of that id.
	Note(ctx context.Context, id string) ([]byte, error)
}

// Note is a therapist's process note: what was said in a session and what the
// therapist makes of it, kept apart from the record. Session times, modality,
// scores, diagnosis, plan and progress are no process notes and belong into the record.
//
// Source: 45 CFR 164.501 «psychotherapy notes».
type Note struct {
	ID      string // "" for Write: one of ours, and so a new note
	Patient fhir.Key
	Author  fhir.Key // the Practitioner who wrote it, set by Write
	Written time.Time
	Body    json.RawMessage
	Effect  fhir.Effect // what Write did
}

// Notes is the gate of process notes for one principal: the only way to them.
// None can be listed, searched, counted, exported or referred to; only its author
// reads one, whatever role, consent or emergency another may show.
type Notes struct {
	gate *gate
	try  *tryNotes // nil: what is written is kept
}

// Notes returns the notes gate of a principal.
func (g *Guard) Notes(p Principal) *Notes {
	return &Notes{gate: &gate{Guard: g, caller: newCaller(p)}}
}

// noteClass is what the rules see of any process note.
var noteClass = class{group: "note", conf: "V", labels: "PSYTHPN"}

// sealedNote is what a store gets, encrypted.
type sealedNote struct {
	Patient fhir.Key        `json:"patient"`
	Author  fhir.Key        `json:"author"`
	Issuer  string          `json:"issuer"`
	Subject string          `json:"subject"`
	Written time.Time       `json:"written"`
	Body    json.RawMessage `json:"body"`
}

// Write keeps a note about a client of the caller's own caseload and returns it
// with its id. One of an id in use takes the place of the caller's own note about the
// same client; the same content again leaves it as it is. Errors: [fhir.Forbidden], also
// for a client that is not the caller's or does not exist, and for a note of somebody
// else's; [fhir.BusinessRule] for the caller's own about another client.
func (n *Notes) Write(ctx context.Context, note Note) (Note, error) {
	out, err := n.write(ctx, note)
	if n.try != nil && errors.Is(err, errTried) {
		err = nil
	}
	return out, err
}

func (n *Notes) write(ctx context.Context, note Note) (out Note, err error) {
	g := n.gate
	e := newEntry(fhir.Act{Interaction: fhir.NoteWrite})
	if n.try != nil {
		e.act.Operation = "dry-run"
	}
	s, err := g.session(e.act)
	defer g.settle(ctx, s, &[]*entry{e}, &err, false)
	if err != nil {
		return Note{}, err
	}
	if !json.Valid(note.Body) {
		return Note{}, &fhir.Error{Code: fhir.Structure, Detail: "A process note is a JSON document."}
	}
	c := g.caller.ceiling("DocumentReference", mayCreate)
	if !c.some || len(c.where) > 0 || !practitioner(g.caller.User) || g.Config.Notes == nil {
		return Note{}, forbidden()
	}
	st, err := g.Store(g.caller.Tenant)
	if err != nil {
		return Note{}, err
	}
	var v verdict
	err = st.View(ctx, func(in store.Reader) (err error) {
		*e = *newEntry(e.act)
		s.land, s.tied = nil, nil
		rd := &reader{session: s, in: in, entry: e}
		if err := rd.passNote(ctx, ToWriteNote, TieRelated); err != nil {
			return err
		}
		f := fhir.Facts{Class: noteClass.text(), Patients: []fhir.Key{note.Patient}}
		v, err = rd.may(ctx, ToWriteNote, mayCreate, fhir.Key{Type: "DocumentReference"}, f, "")
		return err
	})
	if err != nil {
		return Note{}, err
	}
	if !v.ok || note.Patient.Type != "Patient" {
		e.deny("not-related", []fhir.Key{note.Patient})
		return Note{}, unwritable()
	}
	if note.ID == "" {
		note.ID = g.IDs()
	}
	note.Author, note.Written = g.caller.User, s.now
	how, err := n.keep(ctx, e, &note)
	switch {
	case err != nil:
		return Note{}, err
	case n.try != nil:
		e.patients = append(e.patients, note.Patient)
		return note, errTried
	}
	e.note(g, note.ID, how, note.Patient, v.by)
	return note, nil
}

// keep puts a note that was decided about where notes are kept, unless its like is there.
func (n *Notes) keep(ctx context.Context, e *entry, note *Note) (How, error) {
	g := n.gate
	notes, err := n.store()
	if err != nil {
		return "", err
	}
	plain := must(json.Marshal(sealedNote{note.Patient, note.Author, g.caller.Issuer, g.caller.Subject, note.Written, note.Body}))
	sealed := g.Keys.Seal(g.caller.Tenant, keyring.Notes, plain, noteBound(note.ID))
	for range noteTries {
		was, is, err := n.sealed(ctx, notes, note.ID)
		switch {
		case err != nil:
			return "", err
		case was == nil:
			if err = notes.PutNote(ctx, note.ID, sealed); err == nil {
				note.Effect = fhir.Created
				return WasCreated, nil
			}
		case is.Author != note.Author:
			e.deny("not-author", []fhir.Key{is.Patient})
			return "", unwritable()
		case is.Patient != note.Patient:
			e.patients = append(e.patients, note.Patient, is.Patient)
			return "", fhir.Errorf(fhir.BusinessRule, "/client", "your note of this key is about another client; give this one a key of its own")
		case bytes.Equal(is.Body, must(json.Marshal(note.Body))):
			note.Effect, note.Written = fhir.Unchanged, is.Written
			return WasSame, nil
		default:
			if err = notes.ReplaceNote(ctx, note.ID, was, sealed); err == nil {
				note.Effect = fhir.Updated
				return WasUpdated, nil
			}
		}
		if !fhir.Is(err, fhir.Duplicate) && !fhir.Is(err, fhir.Conflict) { // another one came between
			return "", err
		}
	}
	return "", &fhir.Error{Code: fhir.Conflict, Detail: "The note is being written by somebody else at the same time. Try again."}
}

// noteTries is how often a note that lost to another of the same id is tried again.
const noteTries = 3

// sealed opens the note of an id; nil where there is none.
func (n *Notes) sealed(ctx context.Context, notes NoteStore, id string) (b []byte, in sealedNote, err error) {
	if b, err = notes.Note(ctx, id); err != nil || b == nil {
		return nil, in, err
	}
	plain, err := n.gate.Keys.Open(n.gate.caller.Tenant, keyring.Notes, b, noteBound(id))
	if err != nil {
		return nil, in, fmt.Errorf("process note: %w", err)
	}
	if err := json.Unmarshal(plain, &in); err != nil {
		return nil, in, errors.New("a sealed process note cannot be read")
	}
	return b, in, nil
}

// Read returns a note to its author. To anybody else, and for any id without a
// note, there is the same [fhir.NotFound].
func (n *Notes) Read(ctx context.Context, id string) (out Note, err error) {
	g := n.gate
	e := newEntry(fhir.Act{Interaction: fhir.NoteRead})
	s, err := g.session(e.act)
	defer g.settle(ctx, s, &[]*entry{e}, &err, false)
	if err != nil {
		return Note{}, err
	}
	missing := fhir.Missing(fhir.Key{})
	c := g.caller.ceiling("DocumentReference", mayRead)
	if !fhir.ValidID(id) || !c.some || len(c.where) > 0 || c.confined || g.Config.Notes == nil {
		e.deny("interaction", nil)
		return Note{}, missing
	}
	rd := &reader{session: s, entry: e}
	if err := rd.passNote(ctx, ToReadNote, TieAuthor); err != nil {
		if fhir.Is(err, fhir.Forbidden) { // that there are notes is not told
			e.deny("interaction", nil)
			err = missing
		}
		return Note{}, err
	}
	notes, err := n.store()
	if err != nil {
		return Note{}, err
	}
	b, in, err := n.sealed(ctx, notes, id)
	if err != nil {
		return Note{}, err
	}
	if b == nil {
		return Note{}, missing
	}
	if !practitioner(g.caller.User) || in.Author != g.caller.User {
		e.deny("not-author", []fhir.Key{in.Patient})
		return Note{}, missing
	}
	e.note(g, id, WasRead, in.Patient, nil)
	return Note{ID: id, Patient: in.Patient, Author: in.Author, Written: in.Written, Body: in.Body}, nil
}

// passNote asks the rules for a verb of the notes gate alone.
func (rd *reader) passNote(ctx context.Context, v Verb, t Tie) error {
	q := rd.caller.question(v, "DocumentReference", noteClass)
	q.Tie, q.Consent = t, NoConsent
	j, err := rd.judge.ask(ctx, rd.rules, q)
	if err != nil {
		return err
	}
	if !j.Allow {
		return forbidden()
	}
	rd.entry.reasons = append(rd.entry.reasons, j.By...)
	return nil
}

// noteBound binds a sealed note to its id, so that none can be put in another's
// place. The keyring binds it to the tenant.
func noteBound(id string) []byte { return []byte("process-note\x00" + id) }

// note records a process note without its id: the record must not lead to it.
func (e *entry) note(g *gate, id string, how How, patient fhir.Key, by []string) {
	h := sha256.Sum256([]byte(g.caller.Tenant + "\x00process-note\x00" + id))
	e.touch(fhir.Key{Type: "ProcessNote", ID: hex.EncodeToString(h[:16])}, 1, how, []fhir.Key{patient}, by)
}
