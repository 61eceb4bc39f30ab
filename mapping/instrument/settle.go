package instrument

import (
	"context"
	"math"
	"slices"

	"rapport/fhir"
)

// Stands reports whether an Observation is a score that holds: final, amended or
// corrected. The zero Resource does not.
func Stands(o fhir.Resource) bool {
	return !o.IsZero() && slices.Contains([]string{"final", "amended", "corrected"}, o.Root().Get("status").Text())
}

// measure reads an Observation as a score of a known scale, if it stands.
func (l *Library) measure(o fhir.Resource) (*Instrument, point, bool) {
	if !Stands(o) {
		return nil, point{}, false
	}
	in := l.scaleOf(o)
	if in == nil {
		return nil, point{}, false
	}
	p, ok := in.pointOf(o)
	return in, p, ok
}

// scaleOf finds the instrument of a score by what it says, else by its code; nil if it
// is of none.
func (l *Library) scaleOf(o fhir.Resource) *Instrument {
	if in := l.ByURL(Stated(o)); in != nil && o.Root().Get("code").HasCoding(in.Total().Code.System, in.Total().Code.Code) {
		return in
	}
	for c := range o.Root().At("code", "coding").Elements() {
		if in := l.byScore[key(Code{System: c.Get("system").Text(), Code: c.Get("code").Text()})]; in != nil {
			return in
		}
	}
	return nil
}

func subjectOf(r fhir.Resource) fhir.Key {
	k, _ := r.Root().Get("subject").Ref()
	return k
}

// settle does what comes of a score that was another before, or none, or is none
// now: those later in time are told anew, and what a change calls for is raised or
// put to rest. t is the timeline of now as it is stored.
func (j *derivation) settle(ctx context.Context, prior, now fhir.Resource, t timeline) error {
	was, old, stood := j.library.measure(prior)
	is, p, is2 := j.library.measure(now)
	for _, x := range []*point{&old, &p} {
		if !x.key.IsZero() {
			if err := j.place(ctx, x, subjectOf(x.stored)); err != nil {
				return err
			}
		}
	}
	same := stood && is2 && was.Total().Code == is.Total().Code && subjectOf(prior) == subjectOf(now)
	if stood && !same {
		left, err := j.timeline(ctx, was, subjectOf(prior))
		if err != nil {
			return err
		}
		if err := j.retell(ctx, was, left.without(prior.Key), old.at, &old, true); err != nil {
			return err
		}
	}
	if !is2 {
		return nil
	}
	from := p.at
	if same {
		from = min(from, old.at)
		if old.at == p.at && old.points.Cmp(p.points) == 0 && old.usCore == p.usCore && old.line == p.line {
			from = math.MaxInt64 // to the others it is what it was
		}
	}
	return j.retell(ctx, is, t.with(p), from, &p, !prior.IsZero())
}

// retell tells the scores after a moment anew against a timeline in which me, or
// what it was, has changed; known says that it was there before.
func (j *derivation) retell(ctx context.Context, in *Instrument, t timeline, from int64, me *point, known bool) error {
	var changed []fhir.Key
	whole := known // the runs of scores may be others now
	if known {
		changed = append(changed, me.basis())
	}
	for i := range t {
		p := &t[i]
		whole = whole || p.at > me.at
		switch {
		case p.at <= from, p.key == me.key:
			continue
		case p.from.IsZero():
			changed = append(changed, p.basis()) // it stays as it was said; what it calls for may not
			continue
		}
		o, err := j.again(ctx, t, *p)
		if err != nil {
			return err
		}
		if o.IsZero() || fhir.SameContent(p.stored, o) {
			continue
		}
		p.stored = o
		j.make(o)
		changed = append(changed, p.from)
	}
	since := me.at
	if whole {
		since = math.MinInt64
	}
	return j.alerts(ctx, in, t, since, changed)
}

// again makes the Observation of a score as it is to be now; the zero Resource where
// it is to stay as it is: what it came from cannot be seen or scored, or it was
// compared with something that this caller may not know of.
func (j *derivation) again(ctx context.Context, t timeline, p point) (fhir.Resource, error) {
	qr, err := fhir.Look(ctx, j.in, p.from)
	if err != nil || qr.IsZero() {
		return fhir.Resource{}, err
	}
	in := j.library.ByURL(qr.Root().Get("questionnaire").Text())
	if in == nil {
		return fhir.Resource{}, nil
	}
	w := aboutOf(qr)
	s, err := in.Score(qr)
	if err != nil || !w.scored() || s.Total().Value == nil {
		return fhir.Resource{}, nil
	}
	if hidden, err := j.hidden(ctx, t, p); err != nil || hidden {
		return fhir.Resource{}, err
	}
	course, err := courseOf(ctx, j.in, w)
	if err != nil {
		return fhir.Resource{}, err
	}
	return in.observed(s, w, course, in.compare(s.Total(), t.before(p)))
}

// hidden reports whether a score was compared with one that is not in the timeline
// and is not for this caller, or belongs by its time to courses of therapy that are not:
// the change would be told wrong.
func (j *derivation) hidden(ctx context.Context, t timeline, p point) (bool, error) {
	if p.course.IsZero() {
		if _, seen, err := j.coursesOf(ctx, subjectOf(p.stored)); err != nil || !seen {
			return true, err
		}
	}
	for d := range p.stored.Root().Get("derivedFrom").Elements() {
		k, ok := d.Ref()
		if !ok || k.Type != "Observation" || t.index(k) >= 0 {
			continue
		}
		_, err := j.in.Read(ctx, k)
		switch {
		case fhir.Is(err, fhir.NotFound), fhir.Is(err, fhir.Forbidden):
			return true, nil
		case err != nil && !fhir.Is(err, fhir.Deleted):
			return false, err
		}
	}
	return false, nil
}

// stated follows a score that was stored by itself: responses later in time may be
// compared with it, and a change that it shows may ask for a person. It stays as it was
// said: what it comes to beside others is worked out when it is asked for.
func (j *derivation) stated(ctx context.Context, r fhir.Resource) error {
	gone := r.IsZero()
	if !gone && j.library.scaleOf(r) == nil {
		return nil
	}
	prior, err := j.prior(ctx, r)
	if err != nil || gone && prior.IsZero() {
		return err
	}
	said := r
	if gone {
		said = prior
	}
	if j.library.scaleOf(said) != nil && bare(said.Root()) {
		switch {
		case gone:
			err = j.each(ctx, r.Key, func(r fhir.Resource) error { j.unmake(r); return nil })
		case r.Root().Get("status").Text() == "entered-in-error":
			err = j.mistaken(ctx, r.Key)
		}
		if err != nil {
			return err
		}
	}
	var t timeline
	if in, _, ok := j.library.measure(r); ok {
		if t, err = j.timeline(ctx, in, subjectOf(r)); err != nil {
			return err
		}
	}
	return j.settle(ctx, prior, r, t)
}

// session derives anew from the responses and bare scores of a session that is of another
// course of therapy than before, or that they named before it was there: those that name
// no course themselves have that of their session.
func (j *derivation) session(ctx context.Context, r fhir.Resource) error {
	prior, err := j.prior(ctx, r)
	if err != nil {
		return err
	}
	course := func(enc fhir.Resource) fhir.Key {
		k, _ := enc.Root().Get("episodeOfCare").Index(0).Ref()
		return k
	}
	if course(prior) == course(r) {
		return nil
	}
	in := []fhir.Clause{{Param: "encounter", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: r.Key}}}}
	for qr, err := range fhir.VisibleMatches(ctx, j.in, fhir.Query{Type: "QuestionnaireResponse", Where: in}) {
		if err != nil {
			return err
		}
		if !Course(qr).IsZero() {
			continue
		}
		if err := j.response(ctx, qr, true); err != nil {
			return err
		}
	}
	scores := map[fhir.Key]bool{}
	var whose fhir.Key
	for o, err := range fhir.VisibleMatches(ctx, j.in, fhir.Query{Type: "Observation", Where: in}) {
		if err != nil {
			return err
		}
		if bare(o.Root()) && Course(o).IsZero() && j.library.scaleOf(o) != nil {
			scores[o.Key], whose = true, subjectOf(o)
		}
	}
	if len(scores) == 0 {
		return nil
	}
	return j.moved(ctx, whose, func(p point) bool { return scores[p.key] })
}
