package instrument

import (
	"context"
	"slices"

	"rapport/fhir"
)

const (
	flagCategory = "http://terminology.hl7.org/CodeSystem/flag-category"
	extDetail    = "http://hl7.org/fhir/StructureDefinition/flag-detail"
	reviewCode   = "review"
	reviewText   = "An answer needs a clinician's review today"
)

func (in *Instrument) riskCode(r *Risk) string { return in.Slug + "-" + r.Slug }

func flagKey(response fhir.Key, r *Risk) fhir.Key {
	return Derived("Flag", response, "flag "+r.Slug)
}

// taskKey names the task that an answer gives rise to: one for each answer that a
// response may come to hold, however often it is amended.
func taskKey(response fhir.Key, r *Risk, answer string) fhir.Key {
	return Derived("Task", response, "task "+r.Slug+" "+answer)
}

// tasksOf reads the tasks of a risk that exist.
func (in *Instrument) tasksOf(ctx context.Context, r fhir.Reader, w about, risk *Risk) (out []fhir.Resource, err error) {
	for _, o := range in.Items[risk.item].list.Options {
		if o.Score == nil || o.Score.Cmp(risk.AtLeast) < 0 {
			continue
		}
		t, err := fhir.Look(ctx, r, taskKey(w.key, risk, o.Code))
		if err != nil {
			return nil, err
		}
		if !t.IsZero() {
			out = append(out, t)
		}
	}
	return out, nil
}

// risks makes, keeps or puts to rest the flag and the task of each risk.
//
// A task that exists is a person's work: it is never reset, and while one is open
// there is no second. A flag that a clinician has ended, with the task closed,
// stays ended while the same answer stands; another answer raises both anew. An
// answer that no longer is a risk puts the flag to rest and leaves the task: that
// it was withdrawn is worth a look.
func (j *derivation) risks(ctx context.Context, in *Instrument, s Score, w about) error {
	for _, risk := range in.Risks {
		rs, err := in.risk(ctx, j.in, s, w, risk)
		if err != nil {
			return err
		}
		for _, r := range rs {
			j.make(r)
		}
	}
	return nil
}

// restOthers puts to rest the flags of other instruments, one of which the response may
// have been to before: it holds none of their answers any more.
func (j *derivation) restOthers(ctx context.Context, in *Instrument, w about) error {
	for _, was := range j.library.list {
		for _, risk := range was.Risks {
			k := flagKey(w.key, risk)
			if slices.ContainsFunc(in.Risks, func(r *Risk) bool { return flagKey(w.key, r) == k }) {
				continue
			}
			flag, err := fhir.Look(ctx, j.in, k)
			if err != nil {
				return err
			}
			if active(flag) {
				if err := j.mark(flag, "inactive"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func active(flag fhir.Resource) bool {
	return !flag.IsZero() && flag.Root().Get("status").Text() == "active"
}

func (in *Instrument) risk(ctx context.Context, r fhir.Reader, s Score, w about, risk *Risk) ([]fhir.Resource, error) {
	flag, err := fhir.Look(ctx, r, flagKey(w.key, risk))
	if err != nil {
		return nil, err
	}
	if !s.Fired(risk.Slug) {
		if !active(flag) {
			return nil, nil
		}
		rested, err := withStatus(flag, "inactive")
		return []fhir.Resource{rested}, err
	}
	tasks, err := in.tasksOf(ctx, r, w, risk)
	if err != nil {
		return nil, err
	}
	k := taskKey(w.key, risk, s.answers[risk.item])
	awaited := slices.ContainsFunc(tasks, open)
	known := slices.ContainsFunc(tasks, func(t fhir.Resource) bool { // of what was an error nobody has decided
		return t.Key == k && t.Root().Get("status").Text() != "entered-in-error"
	})
	var out []fhir.Resource
	if !active(flag) && (awaited || !known) {
		f, err := in.raised(flag, w, risk)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	if awaited || known {
		return out, nil
	}
	owner, err := owner(ctx, r, w)
	if err != nil {
		return nil, err
	}
	t, err := in.task(w, risk, k, owner)
	return append(out, t), err
}

// open reports whether somebody still has a task before them.
func open(t fhir.Resource) bool {
	return !slices.Contains([]string{"completed", "cancelled", "rejected", "failed", "entered-in-error"}, t.Root().Get("status").Text())
}

// raised returns the flag that is there, active again, or a new one.
func (in *Instrument) raised(flag fhir.Resource, w about, r *Risk) (fhir.Resource, error) {
	if !flag.IsZero() {
		return withStatus(flag, "active")
	}
	return in.flag(w, r)
}

// flag makes the Flag of a risk.
func (in *Instrument) flag(w about, r *Risk) (fhir.Resource, error) {
	return flagged(w, flagKey(w.key, r), w.key, "safety", "Safety", in.riskCode(r), r.Display)
}

// flagged makes a Flag from a response on.
func flagged(w about, k, detail fhir.Key, category, name, code, display string) (fhir.Resource, error) {
	return fhir.NewResource(k).
		Set("meta", fhir.NewObject().Set("security", raise(w.security))).
		Set("extension", []*fhir.Object{fhir.NewObject().Set("url", extDetail).Set("valueReference", detail)}).
		Set("status", "active").
		Set("category", []*fhir.Object{fhir.Concept(flagCategory, category, name)}).
		Set("code", fhir.Concept(RiskCodes, code, display).Set("text", display)).
		Set("subject", w.subject).
		Set("period", fhir.NewObject().Set("start", w.authored)).
		Set("encounter", w.encounter).
		Resource()
}

// task makes the Task of a risk. It says that something is to be looked at, not
// what: tasks are read by those who run the practice too.
func (in *Instrument) task(w about, r *Risk, k, owner fhir.Key) (fhir.Resource, error) {
	return asked(w, k, flagKey(w.key, r), owner, "stat", reviewCode, reviewText, nil)
}

// asked makes a Task that asks for a review of focus because of a response; reason is
// nil where the focus says it.
func asked(w about, k, focus, owner fhir.Key, priority, code, text string, reason *fhir.Object) (fhir.Resource, error) {
	return fhir.NewResource(k).
		Set("meta", fhir.NewObject().Set("security", raise(w.security))).
		Set("status", "requested").
		Set("intent", "order").
		Set("priority", priority).
		Set("code", fhir.Concept(RiskCodes, code, text).Set("text", text)).
		Set("focus", focus).
		Set("for", w.subject).
		Set("encounter", w.encounter).
		Set("authoredOn", w.authored).
		Set("owner", owner).
		Set("reasonCode", reason).
		Set("reasonReference", w.key).
		Resource()
}

// owner finds who should look: the therapist who wrote the answers down, else
// who held the encounter, else who manages the course of therapy; none if
// nobody is known.
func owner(ctx context.Context, r fhir.Reader, w about) (fhir.Key, error) {
	if therapist(w.author) {
		return w.author, nil
	}
	enc, err := fhir.Look(ctx, r, w.encounter)
	if err != nil {
		return fhir.Key{}, err
	}
	for p := range enc.Root().Get("participant").Elements() {
		if k, ok := p.Get("individual").Ref(); ok && therapist(k) {
			return k, nil
		}
	}
	k, err := courseOf(ctx, r, w)
	if err != nil {
		return fhir.Key{}, err
	}
	episode, err := fhir.Look(ctx, r, k)
	if err != nil {
		return fhir.Key{}, err
	}
	if m, ok := episode.Root().Get("careManager").Ref(); ok && therapist(m) {
		return m, nil
	}
	return manager(ctx, r, w.subject)
}

func therapist(k fhir.Key) bool { return k.Type == "Practitioner" || k.Type == "PractitionerRole" }

// manager returns the care manager of the patient's active course of therapy, if
// there is exactly one.
func manager(ctx context.Context, r fhir.Reader, patient fhir.Key) (fhir.Key, error) {
	if patient.Type != "Patient" {
		return fhir.Key{}, nil
	}
	set, err := r.Search(ctx, fhir.Query{
		Type: "EpisodeOfCare",
		Where: []fhir.Clause{
			{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patient}}},
			{Param: "status", Kind: fhir.Token, Any: []fhir.Operand{{Code: "active"}}},
		},
		Count: 20,
	})
	if err != nil {
		if fhir.Is(err, fhir.Forbidden) {
			err = nil
		}
		return fhir.Key{}, err
	}
	var found fhir.Key
	for _, e := range set.Entries {
		k, ok := e.Resource.Root().Get("careManager").Ref()
		if !ok || !therapist(k) || k == found {
			continue
		}
		if !found.IsZero() {
			return fhir.Key{}, nil
		}
		found = k
	}
	return found, nil
}
