package instrument

import (
	"context"
	"math"
	"time"

	"rapport/fhir"
)

// before is how long before the course of therapy begins a first score may lie:
// the questionnaire sent with the invitation.
const before = 14 * 24 * time.Hour

// earlier is a score that was there already.
type earlier struct {
	key    fhir.Key
	date   string
	points Points
	usCore bool
}

// history is the first score of the course of therapy and the last one before a
// response.
type history struct{ first, last *earlier }

// history looks for earlier scores of the same patient and scale. A caller who
// may not search Observations gets none; nothing is said of the reason.
func (in *Instrument) history(ctx context.Context, r fhir.Reader, s *Scale, w about) (history, error) {
	at, ok := momentOf(w.authored)
	if w.subject.IsZero() || !ok {
		return history{}, nil
	}
	from := int64(math.MinInt64)
	start, err := courseStart(ctx, r, w.encounter)
	if err != nil {
		return history{}, err
	}
	if !start.IsZero() {
		from = fhir.Micros(start.Add(-before))
	}
	find := func(newest bool) (*earlier, error) { return in.find(ctx, r, s, w.subject, from, at, newest) }
	first, err := find(false)
	if err != nil || first == nil {
		return history{}, err
	}
	last, err := find(true)
	return history{first: first, last: last}, err
}

// find returns the oldest or the newest score between two moments, at excluded.
func (in *Instrument) find(ctx context.Context, r fhir.Reader, s *Scale, patient fhir.Key, from, at int64, newest bool) (*earlier, error) {
	is := func(param string, codes ...string) fhir.Clause {
		c := fhir.Clause{Param: param, Kind: fhir.Token}
		for _, k := range codes {
			c.Any = append(c.Any, fhir.Operand{Code: k})
		}
		return c
	}
	code := fhir.Clause{Param: "code", Kind: fhir.Token, Any: []fhir.Operand{{System: s.Code.System, HasSystem: true, Code: s.Code.Code}}}
	q := fhir.Query{
		Type: "Observation",
		Where: []fhir.Clause{
			{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patient}}},
			code,
			is("status", "final", "amended", "corrected"),
			{Param: "date", Kind: fhir.Date, Any: []fhir.Operand{{Prefix: fhir.Lt, Low: at, High: at}}},
		},
		Sort:  []fhir.Order{{Param: "date", Kind: fhir.Date, Desc: newest}},
		Count: 20,
	}
	if from != math.MinInt64 {
		q.Where = append(q.Where, fhir.Clause{Param: "date", Kind: fhir.Date, Any: []fhir.Operand{{Prefix: fhir.Ge, Low: from, High: from}}})
	}
	for {
		set, err := r.Search(ctx, q)
		if fhir.Is(err, fhir.Forbidden) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range set.Entries {
			if x, ok := s.readScore(e.Resource); ok {
				return x, nil
			}
		}
		if set.Next == "" {
			return nil, nil
		}
		q.After = set.Next
	}
}

// readScore reads an Observation's value; one without a number or outside the
// scale's range is none to compare with.
func (s *Scale) readScore(r fhir.Resource) (*earlier, bool) {
	root := r.Root()
	v := root.At("valueQuantity", "value")
	for _, name := range []string{"valueInteger", "valueDecimal"} {
		if !v.Exists() {
			v = root.Get(name)
		}
	}
	p, err := ParsePoints(v.Decimal())
	if err != nil || p.Cmp(s.Low) < 0 || p.Cmp(s.High) > 0 {
		return nil, false
	}
	return &earlier{key: r.Key, date: root.Get("effectiveDateTime").Text(), points: p, usCore: claims(root, usCoreSurvey)}, true
}

// courseStart returns when the course of therapy began that an encounter belongs
// to, the zero time if that is not known or not visible.
func courseStart(ctx context.Context, r fhir.Reader, encounter fhir.Key) (time.Time, error) {
	enc, err := visible(ctx, r, encounter)
	if err != nil || enc.IsZero() {
		return time.Time{}, err
	}
	k, ok := enc.Root().Get("episodeOfCare").Index(0).Ref()
	if !ok {
		return time.Time{}, nil
	}
	episode, err := visible(ctx, r, k)
	if err != nil || episode.IsZero() {
		return time.Time{}, err
	}
	us, ok := momentOf(episode.Root().At("period", "start").Text())
	if !ok {
		return time.Time{}, nil
	}
	return time.UnixMicro(us), nil
}

// visible reads a resource; one that is not there, deleted or not for the caller
// is the zero Resource.
func visible(ctx context.Context, r fhir.Reader, k fhir.Key) (fhir.Resource, error) {
	if k.IsZero() {
		return fhir.Resource{}, nil
	}
	res, err := r.Read(ctx, k)
	for _, c := range []fhir.Code{fhir.NotFound, fhir.Deleted, fhir.Forbidden} {
		if fhir.Is(err, c) {
			return fhir.Resource{}, nil
		}
	}
	return res, err
}

// momentOf returns the first microsecond that a FHIR dateTime means; a date
// without a zone is read as UTC, as the index does.
func momentOf(s string) (int64, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return fhir.Micros(t), true
		}
	}
	return 0, false
}

func claims(root fhir.Node, profile string) bool {
	for p := range root.At("meta", "profile").Elements() {
		if p.Text() == profile {
			return true
		}
	}
	return false
}
