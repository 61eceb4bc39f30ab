package instrument

import (
	"cmp"
	"context"
	"slices"

	"rapport/fhir"
)

// point is one score of a timeline.
type point struct {
	key    fhir.Key // of the Observation
	from   fhir.Key // the response that it was derived from here; zero: none
	bare   bool     // stated without items
	at     int64    // microsecond
	date   string   // as it was said
	points Points
	usCore bool
	stored fhir.Resource

	course    fhir.Key // EpisodeOfCare that it names, or its encounter; zero: none
	informant string
	line      line

	compared *compared // of a bare score: what is not stored with it
}

// basis is what a task rests on: the response, or the bare score; zero: it is for another
// to ask.
func (p point) basis() fhir.Key {
	if p.bare {
		return p.key
	}
	return p.from
}

// timeline is every score of one patient on one scale that stands, in the order of
// time; what was measured at the same moment, in that of the keys.
type timeline []point

// timeline reads the total scores of a patient. A caller who may not search
// Observations gets none; nothing is said of the reason.
func (j *derivation) timeline(ctx context.Context, in *Instrument, patient fhir.Key) (timeline, error) {
	ts, err := j.timelines(ctx, patient, in)
	return ts[in], err
}

// timelines reads those of several instruments at once.
func (j *derivation) timelines(ctx context.Context, patient fhir.Key, ins ...*Instrument) (map[*Instrument]timeline, error) {
	if patient.IsZero() {
		return nil, nil
	}
	var codes []fhir.Operand
	for _, in := range ins {
		codes = append(codes, fhir.Operand{System: in.Total().Code.System, HasSystem: true, Code: in.Total().Code.Code})
	}
	q := fhir.Query{
		Type: "Observation",
		Where: []fhir.Clause{
			{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patient}}},
			{Param: "code", Kind: fhir.Token, Any: codes},
			{Param: "status", Kind: fhir.Token, Any: []fhir.Operand{{Code: "final"}, {Code: "amended"}, {Code: "corrected"}}},
		},
		Sort: []fhir.Order{{Param: "date", Kind: fhir.Date}},
	}
	out := map[*Instrument]timeline{}
	for r, err := range fhir.VisibleMatches(ctx, j.in, q) {
		if err != nil {
			return nil, err
		}
		for _, in := range ins {
			if !r.Root().Get("code").HasCoding(in.Total().Code.System, in.Total().Code.Code) {
				continue
			}
			p, ok, err := j.placed(ctx, in, r)
			if err != nil {
				return nil, err
			}
			if ok {
				out[in] = append(out[in], p)
			}
		}
	}
	for _, t := range out {
		slices.SortFunc(t, point.compare)
	}
	return out, nil
}

// placed reads a total score and finds where it belongs.
func (j *derivation) placed(ctx context.Context, in *Instrument, o fhir.Resource) (p point, ok bool, err error) {
	if p, ok = in.pointOf(o); ok {
		err = j.place(ctx, &p, subjectOf(o))
	}
	return p, ok, err
}

// place finds the course of therapy and the line of a score.
func (j *derivation) place(ctx context.Context, p *point, patient fhir.Key) (err error) {
	if k, ok := p.stored.Root().Get("encounter").Ref(); ok && p.course.IsZero() {
		if p.course, err = episodeOf(ctx, j.in, k); err != nil {
			return err
		}
	}
	if !p.course.IsZero() {
		p.line = line{course: p.course, informant: p.informant}
		return nil
	}
	cs, _, err := j.coursesOf(ctx, patient)
	p.line = cs.line(*p)
	return err
}

func (p point) compare(o point) int {
	return cmp.Or(cmp.Compare(p.at, o.at), p.key.Compare(o.key))
}

// pointOf reads a total score; one without a number, without a date or outside the
// scale's range is none to compare with.
func (in *Instrument) pointOf(r fhir.Resource) (point, bool) {
	root, s := r.Root(), in.Total()
	n, err := ParsePoints(numberIn(root).Decimal())
	if err != nil || n.Cmp(s.Low) < 0 || n.Cmp(s.High) > 0 {
		return point{}, false
	}
	p := point{key: r.Key, date: root.Get("effectiveDateTime").Text(), points: n, usCore: claims(root, usCoreSurvey), stored: r, course: Course(r), informant: in.informantOf(root), bare: bare(root)}
	var ok bool
	if p.at, ok = momentOf(p.date); !ok {
		return point{}, false
	}
	if k, is := root.Get("derivedFrom").Index(0).Ref(); is && Derived("Observation", k, "score") == r.Key {
		p.from = k
	}
	return p, true
}

// numberIn finds the value of an Observation or of a component.
func numberIn(n fhir.Node) fhir.Node {
	v := n.At("valueQuantity", "value")
	for _, name := range []string{"valueInteger", "valueDecimal"} {
		if !v.Exists() {
			v = n.Get(name)
		}
	}
	return v
}

// with returns the timeline with a score in the place of the one of the same key.
func (t timeline) with(p point) timeline {
	out := t.without(p.key)
	i, _ := slices.BinarySearchFunc(out, p, point.compare)
	return slices.Insert(out, i, p)
}

// without returns the timeline without a score.
func (t timeline) without(k fhir.Key) timeline {
	return slices.DeleteFunc(slices.Clone(t), func(p point) bool { return p.key == k })
}

// index finds a score of the timeline; -1: it is not there.
func (t timeline) index(k fhir.Key) int {
	return slices.IndexFunc(t, func(p point) bool { return p.key == k })
}

// before returns the scores earlier than one that belong to the same line.
func (t timeline) before(p point) (out timeline) {
	for _, e := range t {
		if e.at >= p.at {
			break
		}
		if e.line == p.line && e.key != p.key {
			out = append(out, e)
		}
	}
	return out
}

// compared is what a score comes to beside earlier ones.
type compared struct {
	first, last *since      // nil: there is none before
	own         *ownCompare // nil: no rule
}

// since is the change from an earlier score.
type since struct {
	code    string // sinceFirst, sinceLast
	earlier point
	shift   Shift
}

// ownCompare is a score beside the mean of the person's own earlier ones.
type ownCompare struct {
	earlier int    // of so many scores
	enough  bool   // for a mean; otherwise nothing more is told
	mean    Points // to hundredths
	change  Points // now − mean
	drop    bool   // by the rule, exactly
}

// compare sets a score against earlier ones.
func (in *Instrument) compare(sc ScaleScore, before timeline) (c compared) {
	if sc.Value == nil {
		return c
	}
	c.own = in.ownCompare(sc, before)
	if len(before) == 0 {
		return c
	}
	first, last := before[0], before[len(before)-1]
	c.first = &since{sinceFirst, first, in.Shift(sc.Scale, first.points, *sc.Value)}
	c.last = &since{sinceLast, last, in.Shift(sc.Scale, last.points, *sc.Value)}
	return c
}

func (in *Instrument) ownCompare(sc ScaleScore, before timeline) *ownCompare {
	rule := in.OwnMean
	if rule == nil || in.scales[rule.Scale] != sc.Scale {
		return nil
	}
	n, sum := len(before), Points{}
	if n < rule.Least {
		return &ownCompare{earlier: n}
	}
	for _, p := range before {
		sum = sum.Plus(p.points)
	}
	fall := sum.Minus(sc.Value.Times(n)) // n times how far it lies below the mean
	if sc.Worse == "higher" {
		fall = PointsOf(0).Minus(fall)
	}
	mean := sum.over(n)
	return &ownCompare{earlier: n, enough: true, mean: mean, change: sc.Value.Minus(mean), drop: fall.Cmp(rule.Fall.Times(n)) >= 0}
}

// amounts lists what a change of a score amounts to, codes of [ChangeCodes].
func (c compared) amounts(since string) []string {
	if since == sinceOwnMean && c.own != nil && c.own.drop {
		return []string{ownMeanDrop}
	}
	for _, s := range c.told() {
		if s.code == since {
			return s.shift.codes()
		}
	}
	return nil
}

// told lists the changes that stand with a score; where the first score and the
// last are one, the change is told once.
func (c compared) told() (out []since) {
	if c.first != nil {
		out = append(out, *c.first)
	}
	if c.last != nil && c.last.earlier.key != c.first.earlier.key {
		out = append(out, *c.last)
	}
	return out
}
