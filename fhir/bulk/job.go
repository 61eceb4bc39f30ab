package bulk

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"rapport/fhir"
)

// Level says whose resources an export is of.
type Level string

// The levels.
const (
	System   Level = "system"
	Patients Level = "patient"
	Group    Level = "group"
)

// Job is one export as it was asked for.
type Job struct {
	ID     string   `json:"id"`
	Tenant string   `json:"tenant"`
	Grant  Grant    `json:"grant"`
	Level  Level    `json:"level"`
	Group  string   `json:"group,omitempty"` // id of the Group that it is of
	Types  []string `json:"types,omitempty"` // read; none: all
	// Shown are the types that leave of a treated export, which reads more than it shows:
	// nobody can be judged by their responses alone. None: all.
	Shown []string  `json:"shown,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Born  time.Time `json:"born"`
}

// act is what a job does, for the gate.
func (j Job) act(typ, id string) fhir.Act {
	a := fhir.Act{Interaction: fhir.Export, Type: typ, ID: id, Operation: "$export"}
	if j.Grant.Treated {
		a.Interaction = fhir.Study
	}
	return a
}

type phase string

const (
	waiting   phase = "waiting"
	gathering phase = "gathering"
	deleting  phase = "deleting" // looks for what was deleted since
	treating  phase = "treating"
	complete  phase = "complete"
	failed    phase = "failed"
	cancelled phase = "cancelled"
)

// over reports whether nothing more will be done for a job.
func (p phase) over() bool { return p == complete || p == failed || p == cancelled }

// state is a job as it is kept: where it stands, and from where it goes on.
type state struct {
	Job
	Request string    `json:"request"` // for the manifest
	Named   bool      `json:"named"`   // the types were named by the caller
	Phase   phase     `json:"phase"`
	At      time.Time `json:"at,omitzero"` // transactionTime
	Run     int       `json:"run"`         // how often it was taken up
	Tries   int       `json:"tries"`       // how often in a row that came to nothing
	Step    int       `json:"step"`
	Cursor  string    `json:"cursor,omitempty"`
	Read    int       `json:"read"` // resources, for the progress
	Members []part    `json:"members,omitempty"`
	Notes   []note    `json:"notes,omitempty"`
	Files   []file    `json:"files,omitempty"`
	Stamp   time.Time `json:"stamp,omitzero"` // of a treatment, instead of At
	Failure *note     `json:"failure,omitempty"`
	Done    time.Time `json:"done,omitzero"`
	Expires time.Time `json:"expires"`
}

// note is an issue that the caller is told of.
type note struct {
	Code   fhir.Code `json:"code"`
	Detail string    `json:"detail"`
	Info   bool      `json:"info,omitempty"` // nothing is missing
}

type kind string

const (
	raw      kind = "raw"     // what a treatment is made of
	output   kind = "output"  // what is asked for
	outcomes kind = "error"   // what could not be had
	gone     kind = "deleted" // what is there no more
	attached kind = "attached"
)

// file is one that the caller may get, or that becomes one.
type file struct {
	Kind  kind   `json:"kind"`
	Type  string `json:"type,omitempty"`
	Name  string `json:"name,omitempty"`  // attached
	Media string `json:"media,omitempty"` // attached
	Count int    `json:"count"`
	Bytes int64  `json:"bytes"`
	Parts []part `json:"parts"`
	Keys  []part `json:"keys,omitempty"` // of the resources that it was made of, a line each
}

const (
	stateSpace = "export"      // jobs by id
	lockSpace  = "export-lock" // who runs a job
	indexSpace = "export-jobs" // the list of all, under one key
	indexKey   = "all"
)

// kept is a state with the version that it was read in.
type kept struct {
	state
	version int64
}

// load returns a job; nil if there is none.
func (e *Exports) load(ctx context.Context, id string) (*kept, error) {
	m, err := e.Memos.Memo(ctx, stateSpace, id)
	if err != nil || m.Version == 0 {
		return nil, err
	}
	k := &kept{version: m.Version}
	return k, json.Unmarshal(m.Value, &k.state)
}

// save writes it down; [fhir.Conflict] if somebody else did meanwhile.
func (e *Exports) save(ctx context.Context, k *kept) error {
	b, err := json.Marshal(k.state)
	if err != nil {
		return err
	}
	if err := e.Memos.SetMemo(ctx, fhir.Memo{Space: stateSpace, Key: k.ID, Value: b, Version: k.version, Expires: k.Expires.Add(e.Limits.Keep)}); err != nil {
		return err
	}
	k.version++
	return nil
}

// change does f to a job whatever else is done to it at the time.
func (e *Exports) change(ctx context.Context, id string, f func(*kept) error) error {
	for {
		k, err := e.load(ctx, id)
		if err != nil {
			return err
		}
		if k == nil {
			return fhir.Missing(fhir.Key{})
		}
		if err := f(k); err != nil {
			return err
		}
		if err := e.save(ctx, k); !fhir.Is(err, fhir.Conflict) {
			return err
		}
	}
}

// listed is one job of the list.
type listed struct {
	ID      string    `json:"id"`
	Owner   string    `json:"owner"`
	Open    bool      `json:"open"`
	Expires time.Time `json:"expires"`
}

// list changes the list of all jobs.
func (e *Exports) list(ctx context.Context, f func([]listed) ([]listed, error)) error {
	for {
		m, err := e.Memos.Memo(ctx, indexSpace, indexKey)
		if err != nil {
			return err
		}
		var all []listed
		if m.Version > 0 {
			if err := json.Unmarshal(m.Value, &all); err != nil {
				return err
			}
		}
		before := slices.Clone(all)
		if all, err = f(all); err != nil || slices.Equal(before, all) {
			return err
		}
		m.Space, m.Key, m.Expires = indexSpace, indexKey, time.Time{}
		if m.Value, err = json.Marshal(all); err != nil {
			return err
		}
		if err := e.Memos.SetMemo(ctx, m); !fhir.Is(err, fhir.Conflict) {
			return err
		}
	}
}

// enlist takes a job up if there are not too many.
func (e *Exports) enlist(ctx context.Context, j Job, expires time.Time) error {
	return e.list(ctx, func(all []listed) ([]listed, error) {
		open, own := 0, 0
		for _, l := range all {
			if l.Open {
				open++
				if l.Owner == j.Grant.Owner {
					own++
				}
			}
		}
		if own >= e.Limits.OpenOfOne || open >= e.Limits.Open {
			return nil, &fhir.Error{Code: fhir.Throttled, Detail: "Too many exports are running. Wait for one to end, or cancel one, and ask again."}
		}
		return append(all, listed{ID: j.ID, Owner: j.Grant.Owner, Open: true, Expires: expires}), nil
	})
}

// closed notes that a job is over; until when its files stay.
func (e *Exports) closed(ctx context.Context, id string, expires time.Time) error {
	return e.list(ctx, func(all []listed) ([]listed, error) {
		for i := range all {
			if all[i].ID == id {
				all[i].Open, all[i].Expires = false, expires
			}
		}
		return all, nil
	})
}

// sweep removes what has expired: from the disk first, so that nothing is forgotten.
func (e *Exports) sweep(ctx context.Context) error {
	now := e.Clock()
	return e.list(ctx, func(all []listed) (left []listed, err error) {
		for _, l := range all {
			if now.Before(l.Expires) {
				left = append(left, l)
			} else if err := e.root.RemoveAll(l.ID); err != nil {
				return nil, err
			}
		}
		return left, nil
	})
}
