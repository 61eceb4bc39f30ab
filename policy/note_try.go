package policy

import (
	"context"

	"rapport/fhir"
)

// Try returns the same gate for a dry run: it decides and answers as if what is written
// were kept, sees what it wrote itself, and keeps nothing. It serves one goroutine.
func (n *Notes) Try() *Notes {
	return &Notes{gate: n.gate, try: &tryNotes{written: map[string][]byte{}}}
}

// tryNotes is a NoteStore in front of another, to which nothing comes.
type tryNotes struct {
	NoteStore
	written map[string][]byte
}

// PutNote implements NoteStore.
func (t *tryNotes) PutNote(_ context.Context, id string, sealed []byte) error {
	t.written[id] = sealed
	return nil
}

// ReplaceNote implements NoteStore.
func (t *tryNotes) ReplaceNote(_ context.Context, id string, _, sealed []byte) error {
	t.written[id] = sealed
	return nil
}

// Note implements NoteStore.
func (t *tryNotes) Note(ctx context.Context, id string) ([]byte, error) {
	if sealed, ok := t.written[id]; ok {
		return sealed, nil
	}
	return t.NoteStore.Note(ctx, id)
}

// errTried ends a dry run: its record says that nothing came of it.
var errTried = &fhir.Error{Code: fhir.BusinessRule, Detail: "This was a dry run; nothing of it is stored."}

// store returns where notes are kept, or would be.
func (n *Notes) store() (NoteStore, error) {
	s, err := n.gate.Config.Notes(n.gate.caller.Tenant)
	if err != nil || n.try == nil {
		return s, err
	}
	n.try.NoteStore = s
	return n.try, nil
}
