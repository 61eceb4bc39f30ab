package instrument

import (
	"context"

	"github.com/gofrs/uuid/v5"
	"rapport/fhir"
)

// Deriver makes of a response to a known instrument its score and, where an
// answer is a risk, a flag and a task. It is safe for concurrent use.
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

// about is what a response says of itself.
type about struct {
	key                fhir.Key
	status             string
	subject, encounter fhir.Key
	author, source     fhir.Key
	authored           string
	security           []*fhir.Object
	usCore             bool
}

func aboutOf(qr fhir.Resource) about {
	root := qr.Root()
	ref := func(name string) fhir.Key {
		k, _ := root.Get(name).Ref()
		return k
	}
	a := about{
		key: qr.Key, status: root.Get("status").Text(),
		subject: ref("subject"), encounter: ref("encounter"), author: ref("author"), source: ref("source"),
		authored: root.Get("authored").Text(),
		usCore:   claims(root, usCoreResponse) && len(root.Get("authored").Text()) >= len("2006-01-02"),
	}
	for l := range root.At("meta", "security").Elements() {
		o := fhir.NewObject()
		for name, v := range l.Members() {
			o.Set(name, v)
		}
		a.security = append(a.security, o)
	}
	return a
}

// Derive implements [fhir.Deriver]. What it returns depends on the response's
// status:
//
//   - completed, amended: the score as an Observation (final, amended), with the
//     change since earlier scores that in can see; and risks.
//   - in-progress, stopped: risks alone. A form that is broken off at the answer
//     that matters most is not passed over.
//   - entered-in-error: the Observation, flags and tasks that exist are
//     entered-in-error too.
//
// An error refuses the response: an answer that is none of its item's, or a
// stated score that its items do not give.
func (d *Deriver) Derive(ctx context.Context, in fhir.Reader, r fhir.Resource) ([]fhir.Resource, error) {
	if r.Type != "QuestionnaireResponse" || r.ID == "" {
		return nil, nil
	}
	ins := d.library.ByURL(r.Root().Get("questionnaire").Text())
	if ins == nil {
		return nil, nil
	}
	w := aboutOf(r)
	if w.status == "entered-in-error" {
		return ins.retract(ctx, in, w)
	}
	s, err := ins.Score(r)
	if err != nil {
		return nil, err
	}
	var out []fhir.Resource
	if w.status == "completed" || w.status == "amended" {
		o, err := ins.scored(ctx, in, s, w)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	risks, err := ins.risks(ctx, in, s, w)
	return append(out, risks...), err
}

func (in *Instrument) scored(ctx context.Context, r fhir.Reader, s Score, w about) (fhir.Resource, error) {
	m := Measured{
		ID:     Derived("Observation", w.key, "score").ID,
		Status: "final", Subject: w.subject, Encounter: w.encounter, Performer: w.author,
		Effective: w.authored, Response: w.key, Security: w.security, USCore: w.usCore,
	}
	if w.status == "amended" {
		m.Status = "amended"
	}
	if total := s.Total(); total.Value != nil {
		h, err := in.history(ctx, r, total.Scale, w)
		if err != nil {
			return fhir.Resource{}, err
		}
		m.since = h.since(in, total)
	}
	return in.Observation(s, m)
}

// since tells the change from each of the earlier scores; where both are one, it
// is told once, since the first.
func (h history) since(in *Instrument, sc ScaleScore) (out []since) {
	if h.first == nil {
		return nil
	}
	out = append(out, since{sinceFirst, *h.first, in.Shift(sc.Scale, h.first.points, *sc.Value)})
	if h.last != nil && h.last.key != h.first.key {
		out = append(out, since{sinceLast, *h.last, in.Shift(sc.Scale, h.last.points, *sc.Value)})
	}
	return out
}

// retract marks what was derived from a response that should never have been.
func (in *Instrument) retract(ctx context.Context, r fhir.Reader, w about) (out []fhir.Resource, err error) {
	keys := []fhir.Key{Derived("Observation", w.key, "score")}
	for _, risk := range in.Risks {
		keys = append(keys, flagKey(w, risk))
		tasks, err := in.tasksOf(ctx, r, w, risk)
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			keys = append(keys, t.Key)
		}
	}
	for _, k := range keys {
		res, err := visible(ctx, r, k)
		if err != nil {
			return nil, err
		}
		if res.IsZero() {
			continue
		}
		if res, err = withStatus(res, "entered-in-error"); err != nil {
			return nil, err
		}
		out = append(out, res)
	}
	return out, nil
}

func withStatus(r fhir.Resource, status string) (fhir.Resource, error) {
	return r.Apply(fhir.Replace(r.Root().Get("status"), fhir.AppendQuote(nil, status)))
}
