package instrument

import (
	"context"
	"slices"

	"rapport/fhir"
)

// An alert asks a therapist to look at a score because of how it changed. It is
// raised once for a run of scores that each call for it, and not while a task of
// an earlier run still waits.
type alert struct {
	slug       string
	code, text string // of the Task; it says that something is to be looked at, not what
	since      string // what the change is measured from
	mark       string // and what it must amount to
	flag       bool   // beside the task
}

const (
	changeCode  = "review-change"
	changeText  = "A change of scores needs a clinician's review soon"
	ownMeanCode = "review-own-mean"
	ownMeanText = "A change against earlier answers needs a clinician's review soon"
)

// alerts lists what an instrument's rules call for.
func (in *Instrument) alerts() (out []alert) {
	if in.Change != nil {
		out = append(out, alert{"deterioration", changeCode, changeText, sinceFirst, string(ReliableDeterioration), false})
	}
	if in.OwnMean != nil {
		out = append(out, alert{ownMeanDrop, ownMeanCode, ownMeanText, sinceOwnMean, ownMeanDrop, true})
	}
	return out
}

func (a alert) taskOf(response fhir.Key) fhir.Key { return Derived("Task", response, "task "+a.slug) }
func (a alert) flagOf(response fhir.Key) fhir.Key { return Derived("Flag", response, "flag "+a.slug) }

// calls reports whether a score calls for it.
func (a alert) calls(p point) bool {
	if p.from.IsZero() {
		return false
	}
	for c := range p.stored.Root().Get("component").Elements() {
		if !c.Get("code").HasCoding(ChangeCodes, a.since) {
			continue
		}
		for i := range c.Get("interpretation").Elements() {
			if i.HasCoding(ChangeCodes, a.mark) {
				return true
			}
		}
	}
	return false
}

// alerts raises what the scores from a moment on call for, and takes back what those
// that changed called for and no longer do. A task that was taken back may have stood
// for earlier scores too.
func (j *derivation) alerts(ctx context.Context, in *Instrument, t timeline, from int64, changed []fhir.Key) error {
	for _, a := range in.alerts() {
		calling := make([]bool, len(t))
		for i, p := range t {
			calling[i] = a.calls(p)
		}
		if err := j.rest(ctx, a, t, calling, changed); err != nil {
			return err
		}
		for i, p := range t {
			if !calling[i] || p.at < from && !j.lifted && !slices.Contains(changed, p.from) {
				continue
			}
			covered, err := j.covered(ctx, a, t, calling, i)
			if err != nil {
				return err
			}
			if covered {
				continue
			}
			if err := j.raise(ctx, in, a, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest takes back the tasks and flags of scores that changed and call for them no
// longer. What a person has closed stays as it is.
func (j *derivation) rest(ctx context.Context, a alert, t timeline, calling []bool, changed []fhir.Key) error {
	for _, k := range changed {
		if k.IsZero() || slices.ContainsFunc(t, func(p point) bool { return p.from == k && calling[t.index(p.key)] }) {
			continue
		}
		task, err := visible(ctx, j.in, a.taskOf(k))
		if err != nil {
			return err
		}
		if !task.IsZero() && open(task) {
			if err := j.mark(task, "entered-in-error"); err != nil {
				return err
			}
		}
		if !a.flag {
			continue
		}
		flag, err := visible(ctx, j.in, a.flagOf(k))
		if err != nil {
			return err
		}
		if !flag.IsZero() && flag.Root().Get("status").Text() == "active" {
			if err := j.mark(flag, "inactive"); err != nil {
				return err
			}
		}
	}
	return nil
}

// covered reports whether somebody was asked already: a task of any score that calls
// for it is open, or one of this run was dealt with.
func (j *derivation) covered(ctx context.Context, a alert, t timeline, calling []bool, i int) (bool, error) {
	first, last := i, i
	for first > 0 && calling[first-1] {
		first--
	}
	for last < len(t)-1 && calling[last+1] {
		last++
	}
	for n, p := range t {
		if !calling[n] {
			continue
		}
		task, err := visible(ctx, j.in, a.taskOf(p.from))
		if err != nil {
			return false, err
		}
		if task.IsZero() {
			continue
		}
		if open(task) || n >= first && n <= last && task.Root().Get("status").Text() != "entered-in-error" {
			return true, nil
		}
	}
	return false, nil
}

// raise makes the task of a score, and the flag, anew or once more.
func (j *derivation) raise(ctx context.Context, in *Instrument, a alert, p point) error {
	qr, err := visible(ctx, j.in, p.from)
	if err != nil || qr.IsZero() {
		return err
	}
	w := aboutOf(qr)
	if a.flag {
		flag, err := visible(ctx, j.in, a.flagOf(p.from))
		if err != nil {
			return err
		}
		if flag.IsZero() {
			flag, err = flagged(w, a.flagOf(p.from), p.key, "clinical", "Clinical", in.alertCode(a), in.OwnMean.Display)
		} else {
			flag, err = withStatus(flag, "active")
		}
		if err != nil {
			return err
		}
		j.make(flag)
	}
	who, err := owner(ctx, j.in, w)
	if err != nil {
		return err
	}
	task, err := asked(w, a.taskOf(p.from), p.key, who, "urgent", a.code, a.text)
	if err != nil {
		return err
	}
	j.make(task)
	return nil
}

func (in *Instrument) alertCode(a alert) string { return in.Slug + "-" + a.slug }

func (t timeline) index(k fhir.Key) int {
	return slices.IndexFunc(t, func(p point) bool { return p.key == k })
}
