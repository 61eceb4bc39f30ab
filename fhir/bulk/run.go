package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"rapport/fhir"
)

const (
	pollEvery = 2 * time.Second
	runsFor   = 24 * time.Hour // a job that is not done by then is given up
	tries     = 8              // in a row without getting any further
)

// Run does the jobs of the tenant, one at a time, until ctx ends. It returns ctx's
// error. One may run in each of several processes that share store and folder.
func (e *Exports) Run(ctx context.Context) error {
	for {
		n, err := e.Once(ctx)
		if err != nil && ctx.Err() == nil {
			e.Log.ErrorContext(ctx, "exports", "err", err)
		}
		if n > 0 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.Wake:
		case <-time.After(pollEvery):
		}
	}
}

// Once runs the job that is due next, as far as it comes, and returns how many works
// it looked at. It removes what has expired.
func (e *Exports) Once(ctx context.Context) (int, error) {
	if err := e.sweep(ctx); err != nil {
		return 0, err
	}
	works, err := e.Queue.Lease(ctx, Kind, 1, e.Limits.Lock)
	if err != nil || len(works) == 0 {
		return 0, err
	}
	w := works[0]
	k, err := e.load(ctx, string(w.Body))
	if err != nil {
		return 0, err
	}
	if k == nil || k.Phase.over() {
		return 1, e.Queue.Finish(ctx, w, fhir.Outcome{Done: true})
	}
	// A lease cannot be made longer, and a job may take hours. So the work is put back at
	// once, to be looked at again when the lock has run out, and the lock is what says
	// that somebody is at it.
	mine, unlock, err := e.lock(ctx, k.ID)
	if err != nil {
		return 0, err
	}
	if err := e.Queue.Finish(ctx, w, fhir.Outcome{Retry: e.Clock().Add(e.Limits.Lock)}); err != nil {
		return 0, err
	}
	if mine == nil {
		return 1, nil
	}
	defer unlock()
	return 1, e.try(mine, k)
}

// lock makes this process the one that runs a job, for as long as it lives and unlock
// is not called. The context that it returns ends when the lock is lost; nil: somebody
// else has it.
func (e *Exports) lock(ctx context.Context, job string) (mine context.Context, unlock func(), err error) {
	m, err := e.Memos.Memo(ctx, lockSpace, job)
	if err != nil {
		return nil, nil, err
	}
	var until time.Time
	if m.Version > 0 && json.Unmarshal(m.Value, &until) == nil && e.Clock().Before(until) {
		return nil, nil, nil
	}
	m.Space, m.Key = lockSpace, job
	hold := func(ctx context.Context, until time.Time) error {
		m.Value, _ = json.Marshal(until) // a time can always be written
		m.Expires = e.Clock().Add(runsFor)
		err := e.Memos.SetMemo(ctx, m)
		if err == nil {
			m.Version++
		}
		return err
	}
	if err := hold(ctx, e.Clock().Add(e.Limits.Lock)); err != nil {
		if fhir.Is(err, fhir.Conflict) {
			err = nil
		}
		return nil, nil, err
	}
	mine, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-mine.Done():
				return
			case <-time.After(e.Limits.Lock / 3):
				if err := hold(mine, e.Clock().Add(e.Limits.Lock)); err != nil {
					stop()
				}
			}
		}
	}()
	return mine, func() {
		stop()
		<-over
		_ = hold(context.WithoutCancel(ctx), e.Clock()) // else it runs out by itself
	}, nil
}

// try takes a job up, and says what becomes of it.
func (e *Exports) try(ctx context.Context, k *kept) error {
	err := e.survive(ctx, k)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errCrash):
		return err
	case fhir.Is(err, fhir.Conflict), ctx.Err() != nil: // cancelled, or somebody else's by now, or we end
		return nil
	}
	e.Log.WarnContext(ctx, "export failed", "job", k.ID, "code", fhir.CodeOf(err).Issue(), "err", err)
	err = e.change(ctx, k.ID, func(k *kept) error {
		if k.Phase.over() {
			return nil
		}
		k.Tries++
		code := fhir.CodeOf(err)
		switch code {
		case fhir.Transient, fhir.Timeout, fhir.Throttled, fhir.Exception:
			if k.Tries < tries && e.Clock().Sub(k.Born) < runsFor {
				return nil // the work comes again when the lock would have run out
			}
		}
		detail := fhir.IssuesOf(err)[0].Detail
		if code == fhir.NotFound { // of a page: the cursor is bound to all that decides
			code, detail = fhir.Forbidden, "What the client may do, or the Group, changed while the export ran. Start a new one."
		}
		k.Phase, k.Files = failed, nil
		k.Failure, k.Expires = &note{Code: code, Detail: detail}, e.Clock().Add(e.Limits.Keep)
		return nil
	})
	if err != nil {
		return err
	}
	now, err := e.load(ctx, k.ID)
	if err != nil || now == nil || now.Phase != failed {
		return err
	}
	if err := e.root.RemoveAll(k.ID); err != nil {
		return err
	}
	return e.closed(ctx, k.ID, now.Expires)
}

// survive makes an error of a panic: one job must not end the process, and end it
// again after each start.
func (e *Exports) survive(ctx context.Context, k *kept) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e.Log.ErrorContext(ctx, "an export panicked", "job", k.ID, "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	return e.run(ctx, k)
}

// run takes a job through what is left of its phases.
func (e *Exports) run(ctx context.Context, k *kept) error {
	gate, err := e.GateFor(ctx, k.Job)
	if err != nil {
		return err
	}
	k.Run++
	if k.Phase == waiting {
		k.Phase, k.At = gathering, e.Clock().UTC().Truncate(time.Microsecond)
	}
	if err := e.save(ctx, k); err != nil {
		return err
	}
	if err := e.tidy(k); err != nil {
		return err
	}
	if k.Phase == gathering {
		if err := e.gather(ctx, gate, k); err != nil {
			return err
		}
	}
	if k.Phase == deleting {
		if err := e.deleted(ctx, gate, k); err != nil {
			return err
		}
	}
	if k.Phase == treating {
		if err := e.treat(ctx, k); err != nil {
			return err
		}
	}
	return e.finish(ctx, gate, k)
}

// tidy removes from the job's folder what no state speaks of: what a process that died
// had begun.
func (e *Exports) tidy(k *kept) error {
	known := map[string]bool{}
	for _, p := range k.Members {
		known[p.Name] = true
	}
	for _, f := range k.Files {
		for _, p := range append(f.Parts[:len(f.Parts):len(f.Parts)], f.Keys...) {
			known[p.Name] = true
		}
	}
	d, err := e.root.Open(k.ID)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !known[n] {
			if err := e.root.Remove(k.ID + "/" + n); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish writes what the caller is told besides, records each file, and only then
// says that the files are there.
func (e *Exports) finish(ctx context.Context, gate fhir.Gate, k *kept) error {
	if len(k.Notes) > 0 {
		w, err := e.create(k.ID, fmt.Sprintf("notes-%d", k.Run))
		if err != nil {
			return err
		}
		defer w.close()
		f := file{Kind: outcomes}
		for _, n := range k.Notes {
			if err := f.add(w, n.outcome()); err != nil {
				return err
			}
		}
		p, err := w.sync()
		if err != nil {
			return err
		}
		f.Parts = []part{p}
		k.Files = append(k.Files, f)
	}
	if err := e.settled(k.ID); err != nil {
		return err
	}
	// Files have their place as their number: those that nobody is told of come last.
	slices.SortStableFunc(k.Files, func(a, b file) int {
		switch {
		case (a.Kind == raw) == (b.Kind == raw):
			return 0
		case a.Kind == raw:
			return 1
		}
		return -1
	})
	for _, f := range k.Files {
		if f.Kind == raw {
			continue
		}
		// The record of a file lies on disk before anybody can have the file.
		if err := gate.View(ctx, k.act("", k.ID), func(fhir.Reader) error { return nil }); err != nil {
			return err
		}
	}
	if err := e.crashed("recorded"); err != nil {
		return err
	}
	var spent []part
	for n, f := range k.Files {
		if f.Kind == raw {
			spent = append(spent, f.Parts...)
			k.Files[n].Parts = nil
		}
	}
	k.Phase, k.Done, k.Cursor = complete, e.Clock().UTC(), ""
	k.Expires = k.Done.Add(e.Limits.Keep)
	if err := e.save(ctx, k); err != nil {
		return err
	}
	for _, p := range spent {
		if err := e.root.Remove(k.ID + "/" + p.Name); err != nil {
			return err
		}
	}
	return e.closed(ctx, k.ID, k.Expires)
}

// outcome is a note as a line of a file.
func (n note) outcome() []byte {
	severity := "error"
	if n.Info {
		severity = "information"
	}
	return fhir.NewObject().Set("resourceType", "OperationOutcome").Set("issue", []*fhir.Object{fhir.NewObject().
		Set("severity", severity).Set("code", n.Code.Issue()).Set("details", fhir.NewObject().Set("text", n.Detail))}).JSON()
}

// errCrash is what a test's crash point answers with: nothing more is done, as if the
// process had ended.
var errCrash = errors.New("crashed")
