package instrument

import (
	"context"
	"slices"

	"github.com/gofrs/uuid/v5"
	"rapport/fhir"
)

// Deriver makes of a response to a known instrument its score and, where an
// answer or a change needs a person, a flag and a task. It is safe for concurrent
// use.
type Deriver struct{ library *Library }

// NewDeriver returns the Deriver of a library's instruments.
func NewDeriver(l *Library) *Deriver { return &Deriver{l} }

var _ fhir.Deriver = (*Deriver)(nil)

// space is the namespace of derived ids. It never changes: ids would.
var space = uuid.Must(uuid.FromString("6f2b1f52-6a55-5c1e-9d3c-6a1c6b1d9e57"))

// Derived returns the key of what follows from parent in a role, the same for
// ever: UUID version 5 over both.
func Derived(typ string, parent fhir.Key, role string) fhir.Key {
	return fhir.Key{Type: typ, ID: uuid.NewV5(space, parent.String()+" "+role).String()}
}

func scoreKey(response fhir.Key) fhir.Key { return Derived("Observation", response, "score") }

// Derive implements [fhir.Deriver]. What follows from a response depends on its
// status:
//
//   - completed, amended: the score as an Observation (final, amended), with the
//     change since earlier scores that in can see; risks; and what a change calls for.
//   - in-progress, stopped: risks alone. A form that is broken off at the answer
//     that matters most is not passed over. A score from before is in error.
//   - entered-in-error: the Observation, flags and tasks that exist are
//     entered-in-error too.
//   - deleted: they are deleted too.
//
// Whatever it is, scores that lie later in time are told anew where this one was
// what they were compared with: in any order of writes, the same responses end in
// the same scores. The same holds for a bare score, one that is stored without a
// response: it stays as it was said, and what its change calls for follows.
//
// An error refuses the response: an answer that is none of its item's, or a
// stated score that its items do not give.
//
// A session that turns out to be of another course of therapy takes the scores of its
// responses there; a course that is new, begins or ends otherwise than before takes and
// leaves those that belong by their time.
func (d *Deriver) Derive(ctx context.Context, in fhir.Reader, r fhir.Resource) ([]fhir.Resource, error) {
	if r.ID == "" {
		return nil, nil
	}
	j := d.library.derivation(in)
	var err error
	switch {
	case r.Type == "QuestionnaireResponse" && r.IsZero():
		err = j.withdrawn(ctx, r.Key)
	case r.Type == "QuestionnaireResponse":
		err = j.response(ctx, r, r.Version != 1)
	case r.Type == "Encounter":
		err = j.session(ctx, r)
	case r.Type == "EpisodeOfCare":
		err = j.bounded(ctx, r)
	case r.Type == "Observation":
		err = j.stated(ctx, r)
	}
	return j.out, err
}

// derivation is what follows from one write.
type derivation struct {
	library *Library
	in      remembering
	clients map[fhir.Key]client // whose courses of therapy were read
	out     []fhir.Resource
}

func (l *Library) derivation(in fhir.Reader) *derivation {
	return &derivation{library: l, in: remember(in), clients: map[fhir.Key]client{}}
}

// make adds a resource to what follows; what is read later sees it.
func (j *derivation) make(r fhir.Resource) {
	j.out = append(j.out, r)
	j.in.seen[r.Key] = answer{Resource: r}
}

// unmake takes a resource back altogether.
func (j *derivation) unmake(r fhir.Resource) {
	j.out = append(j.out, fhir.Tombstone(r.Key, 0))
	j.in.seen[r.Key] = answer{err: &fhir.Error{Code: fhir.Deleted, Detail: "It follows no more."}}
}

// response derives from a response that is there, in whatever status; known says that
// something may have followed from it before.
func (j *derivation) response(ctx context.Context, r fhir.Resource, known bool) error {
	in := j.library.ByURL(r.Root().Get("questionnaire").Text())
	if in == nil && !known {
		return nil
	}
	w := aboutOf(r)
	var prior fhir.Resource // the score of an earlier version
	var err error
	if known {
		if prior, err = fhir.Look(ctx, j.in, scoreKey(w.key)); err != nil {
			return err
		}
	}
	if in == nil || w.status == "entered-in-error" {
		if err := j.mistaken(ctx, w.key); err != nil {
			return err
		}
		return j.settle(ctx, prior, fhir.Resource{}, nil)
	}
	s, err := in.Score(r)
	if err != nil {
		return err
	}
	var now fhir.Resource
	var t timeline
	if w.scored() {
		course, err := courseOf(ctx, j.in, w)
		if err != nil {
			return err
		}
		var c compared
		if c, t, _, err = j.compare(ctx, in, s, w, course); err != nil {
			return err
		}
		if now, err = in.observed(s, w, course, c); err != nil {
			return err
		}
		j.make(now)
	} else if Stands(prior) {
		if err := j.mark(prior, "entered-in-error"); err != nil {
			return err
		}
	}
	if err := j.risks(ctx, in, s, w); err != nil {
		return err
	}
	if known && j.library.scaleOf(prior) != in {
		if err := j.restOthers(ctx, in, w); err != nil {
			return err
		}
	}
	return j.settle(ctx, prior, now, t)
}

// compare sets the score of a response against the earlier ones of its line; t is the
// timeline as it is stored, me the place of the score in it.
func (j *derivation) compare(ctx context.Context, in *Instrument, s Score, w about, course fhir.Key) (c compared, t timeline, me point, err error) {
	me = point{key: w.score, course: course, informant: in.informant(w)}
	var ok bool
	if me.at, ok = momentOf(w.authored); s.Total().Value == nil || !ok {
		return c, nil, me, nil
	}
	if t, err = j.timeline(ctx, in, w.subject); err != nil {
		return c, nil, me, err
	}
	if err = j.place(ctx, &me, w.subject); err != nil {
		return c, nil, me, err
	}
	return in.compare(s.Total(), t.before(me)), t, me, nil
}

// compareBare returns the timeline with what its bare scores come to.
func (in *Instrument) compareBare(t timeline) timeline {
	if !slices.ContainsFunc(t, func(p point) bool { return p.bare }) {
		return t
	}
	out := slices.Clone(t)
	for i := range out {
		if p := &out[i]; p.bare {
			c := in.compare(ScaleScore{Scale: in.Total(), Value: &p.points}, t.before(*p))
			p.compared = &c
		}
	}
	return out
}

// observed makes the Observation of a response's score.
func (in *Instrument) observed(s Score, w about, course fhir.Key, c compared) (fhir.Resource, error) {
	m := Measured{
		ID:     scoreKey(w.key).ID,
		Status: "final", Subject: w.subject, Encounter: w.encounter, Performer: w.author,
		Effective: w.authored, Response: w.key, Security: w.security, USCore: w.usCore, course: course, compared: c,
	}
	in.answered(w, &m)
	if w.status == "amended" {
		m.Status = "amended"
	}
	return in.Observation(s, m)
}

// mark puts a resource into a status; the zero Resource is left alone.
func (j *derivation) mark(r fhir.Resource, status string) error {
	if r.IsZero() || r.Root().Get("status").Text() == status {
		return nil
	}
	marked, err := withStatus(r, status)
	if err == nil {
		j.make(marked)
	}
	return err
}

func withStatus(r fhir.Resource, status string) (fhir.Resource, error) {
	return r.Apply(fhir.Replace(r.Root().Get("status"), fhir.AppendQuote(nil, status)))
}
