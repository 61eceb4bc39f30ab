package instrument

import (
	"context"
	"slices"

	"rapport/fhir"
)

// An alert asks a therapist to look at a score because of how it changed. It is
// raised once for a run of scores that each call for it, and not while a task of
// an earlier run still waits. A score that calls for it by comparison with the last
// one begins a run of its own: things went on from where somebody has looked.
type alert struct {
	slug       string
	code, text string   // of the Task; it says that something is to be looked at, not what
	since      []string // what the change may be measured from
	mark       string   // and what it must amount to
	flag       bool     // beside the task
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
		out = append(out, alert{"deterioration", changeCode, changeText, []string{sinceFirst, sinceLast}, string(ReliableDeterioration), false})
	}
	if in.OwnMean != nil {
		out = append(out, alert{ownMeanDrop, ownMeanCode, ownMeanText, []string{sinceOwnMean}, ownMeanDrop, true})
	}
	return out
}

func (a alert) taskOf(response fhir.Key) fhir.Key { return Derived("Task", response, "task "+a.slug) }
func (a alert) flagOf(response fhir.Key) fhir.Key { return Derived("Flag", response, "flag "+a.slug) }

// calls lists the comparisons by which a score calls for it; none: it does not.
func (a alert) calls(p point) (since []string) {
	if p.compared != nil {
		for _, code := range a.since {
			if slices.Contains(p.compared.amounts(code), a.mark) {
				since = append(since, code)
			}
		}
		return since
	}
	if p.basis().IsZero() {
		return nil
	}
	for c := range p.stored.Root().Get("component").Elements() {
		for _, code := range a.since {
			if c.Get("code").HasCoding(ChangeCodes, code) && marked(c, a.mark) {
				since = append(since, code)
			}
		}
	}
	return since
}

// marked reports whether a change amounts to something.
func marked(component fhir.Node, mark string) bool {
	for i := range component.Get("interpretation").Elements() {
		if i.HasCoding(ChangeCodes, mark) {
			return true
		}
	}
	return false
}

// reason says by which comparisons a task was asked for.
func (in *Instrument) reason(since []string) *fhir.Object {
	code := since[0]
	if len(since) > 1 {
		code = sinceBoth
	}
	display := in.changeDisplay(code)
	return fhir.Concept(ChangeCodes, code, display).Set("text", display)
}

// lookout is an alert among the scores of a timeline.
type lookout struct {
	alert
	timeline
	calling [][]string // by which comparisons each score calls for it
	runs    []int      // in which run of its line each stands
}

func (a alert) among(t timeline) lookout {
	l := lookout{alert: a, timeline: t, calling: make([][]string, len(t)), runs: make([]int, len(t))}
	run := map[line]int{}
	for i, p := range t {
		l.calling[i] = a.calls(p)
		if len(l.calling[i]) == 0 || begins(l.calling[i]) {
			run[p.line]++
		}
		l.runs[i] = run[p.line]
	}
	return l
}

// begins reports whether a score that calls begins a run, whatever came before it.
func begins(since []string) bool { return slices.Contains(since, sinceLast) }

// alerts raises what the scores from a moment on call for, and takes back what those
// that changed called for and no longer do. The moment is the beginning wherever runs may
// have changed: a task that was taken back may have stood for earlier scores too.
func (j *derivation) alerts(ctx context.Context, in *Instrument, t timeline, from int64, changed []fhir.Key) error {
	alerts := in.alerts()
	if len(alerts) == 0 {
		return nil
	}
	t = in.compareBare(t)
	for _, a := range alerts {
		l := a.among(t)
		if err := j.rest(ctx, in, l, changed); err != nil {
			return err
		}
		for i, p := range t {
			if len(l.calling[i]) == 0 || p.at < from {
				continue
			}
			covered, err := j.covered(ctx, l, i)
			if err != nil {
				return err
			}
			if covered {
				continue
			}
			if err := j.raise(ctx, in, a, p, l.calling[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest takes back the tasks and flags of scores that changed and call for them no
// longer, and says anew why the others wait. What a person has closed stays as it is.
func (j *derivation) rest(ctx context.Context, in *Instrument, a lookout, changed []fhir.Key) error {
	for _, k := range changed {
		if k.IsZero() {
			continue
		}
		task, err := fhir.Look(ctx, j.in, a.taskOf(k))
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(a.timeline, func(p point) bool { return p.basis() == k }); i >= 0 && len(a.calling[i]) > 0 {
			if err := j.reword(task, in.reason(a.calling[i])); err != nil {
				return err
			}
			continue
		}
		if !task.IsZero() && open(task) {
			if err := j.mark(task, "entered-in-error"); err != nil {
				return err
			}
		}
		if !a.flag {
			continue
		}
		flag, err := fhir.Look(ctx, j.in, a.flagOf(k))
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

// reword puts the reason of a task that waits right.
func (j *derivation) reword(task fhir.Resource, reason *fhir.Object) error {
	if task.IsZero() || !open(task) {
		return nil
	}
	edit := fhir.Add(task.Root(), append([]byte(`"reasonCode":`), reason.JSON()...))
	if was := task.Root().Get("reasonCode"); was.Exists() {
		edit = fhir.Replace(was, reason.JSON())
	}
	r, err := task.Apply(edit)
	if err == nil && !fhir.SameContent(task, r) {
		j.make(r)
	}
	return err
}

// covered reports whether somebody was asked already: a task of any score of its line
// that calls for it is open, or one of its run was dealt with.
func (j *derivation) covered(ctx context.Context, a lookout, i int) (bool, error) {
	for n, p := range a.timeline {
		if len(a.calling[n]) == 0 || p.line != a.timeline[i].line {
			continue
		}
		task, err := fhir.Look(ctx, j.in, a.taskOf(p.basis()))
		if err != nil {
			return false, err
		}
		if task.IsZero() {
			continue
		}
		if open(task) || a.runs[n] == a.runs[i] && task.Root().Get("status").Text() != "entered-in-error" {
			return true, nil
		}
	}
	return false, nil
}

// raise makes the task of a score, and the flag, anew or once more.
func (j *derivation) raise(ctx context.Context, in *Instrument, a alert, p point, since []string) error {
	basis := p.basis()
	r, err := fhir.Look(ctx, j.in, basis)
	if err != nil || r.IsZero() {
		return err
	}
	w := aboutOf(r)
	if p.bare {
		w = in.aboutScore(r)
	}
	if a.flag {
		flag, err := fhir.Look(ctx, j.in, a.flagOf(basis))
		if err != nil {
			return err
		}
		if flag.IsZero() {
			flag, err = flagged(w, a.flagOf(basis), p.key, "clinical", "Clinical", in.alertCode(a), in.OwnMean.Display)
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
	task, err := asked(w, a.taskOf(basis), p.key, who, "urgent", a.code, a.text, in.reason(since))
	if err != nil {
		return err
	}
	j.make(task)
	return nil
}

func (in *Instrument) alertCode(a alert) string { return in.Slug + "-" + a.slug }
