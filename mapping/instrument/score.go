package instrument

import (
	"fmt"

	"rapport/fhir"
)

// Answers are what was answered, item by item. The keys are linkIds, aliases or
// item codes; the values are an option's code or value ("LA6569-3" or "1"), or
// a whole number for an integer item. What is not stated is left out.
type Answers map[string]string

// Score is what a set of answers comes to.
type Score struct {
	Instrument *Instrument
	Scales     []ScaleScore // as in Instrument.Scales: the total first
	Risks      []*Risk      // that fired

	answers map[int]string // code of the answer to the item of each risk that fired
}

// ScaleScore is the value of one scale.
type ScaleScore struct {
	*Scale
	Value     *Points  // nil: too little was answered
	Answered  int      // how many of its items were answered with a score
	Absent    []string // linkIds of those that were not
	Estimated bool     // scaled up for a missing item by the publisher's rule
	Band      *Band    // nil without a value or without bands
}

// Total returns the score of the whole.
func (s Score) Total() ScaleScore { return s.Scales[0] }

// Of returns the score of one scale; its Scale is nil if there is none such.
func (s Score) Of(slug string) ScaleScore {
	for _, sc := range s.Scales {
		if sc.Scale != nil && sc.Slug == slug {
			return sc
		}
	}
	return ScaleScore{}
}

// Fired reports whether a risk fired.
func (s Score) Fired(slug string) bool {
	for _, r := range s.Risks {
		if r.Slug == slug {
			return true
		}
	}
	return false
}

// given is what was answered to each item: by index into Instrument.Items.
type given []reply

// reply is one item's answer; option is an index into the item's list.
type reply struct {
	set    bool
	option int
	number int64
}

// resolve turns Answers into replies. Errors name items, never answers.
func (in *Instrument) resolve(a Answers) (given, error) {
	g := make(given, len(in.Items))
	var errs fhir.Errors
	for name, v := range a {
		i, ok := in.byLink[name]
		if !ok {
			errs = append(errs, fhir.Errorf(fhir.Value, "/answers", "%s has no item of that name; its items are %s to %s", in.Slug, in.Items[0].Link, in.Items[len(in.Items)-1].Link))
			continue
		}
		if g[i].set {
			errs = append(errs, fhir.Errorf(fhir.Value, "/answers/"+name, "item %s of %s is answered twice, under two names", in.Items[i].Link, in.Slug))
			continue
		}
		r, err := in.Items[i].read(v)
		if err != nil {
			errs = append(errs, fhir.Errorf(fhir.CodeInvalid, "/answers/"+name, "item %s of %s: %v", in.Items[i].Link, in.Slug, err))
			continue
		}
		g[i] = r
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return g, nil
}

func (it *Item) read(v string) (reply, error) {
	if it.list == nil {
		n, err := parseWhole(v)
		if err != nil || n < *it.Min || n > *it.Max {
			return reply{}, fmt.Errorf("the answer must be a whole number from %d to %d", *it.Min, *it.Max)
		}
		return reply{set: true, number: n}, nil
	}
	if o := it.list.byCode[v]; o != nil {
		return reply{set: true, option: it.list.index(o)}, nil
	}
	return reply{}, fmt.Errorf("the answer is none of the options %s", it.list.codes())
}

// ScoreAnswers scores answers.
//
// Errors, each with its JSON Pointer in a record that holds them as answers:
// [fhir.Value] for an unknown item, whose name is not repeated, [fhir.CodeInvalid] for an
// answer that is none of its item's.
func (in *Instrument) ScoreAnswers(a Answers) (Score, error) {
	g, err := in.resolve(a)
	if err != nil {
		return Score{}, err
	}
	return in.score(g), nil
}

func (in *Instrument) score(g given) Score {
	out := Score{Instrument: in, Scales: make([]ScaleScore, len(in.Scales))}
	for i, s := range in.Scales {
		if len(s.of) == 0 {
			out.Scales[i] = in.scoreScale(s, g)
		}
	}
	for i, s := range in.Scales {
		if len(s.of) > 0 {
			out.Scales[i] = out.addUp(s)
		}
	}
	for _, r := range in.Risks {
		if o := in.option(g, r.item); o != nil && o.Score != nil && o.Score.Cmp(r.AtLeast) >= 0 {
			out.Risks = append(out.Risks, r)
			if out.answers == nil {
				out.answers = map[int]string{}
			}
			out.answers[r.item] = o.Code
		}
	}
	return out
}

// option returns the option chosen for an item, nil if there is none.
func (in *Instrument) option(g given, item int) *Option {
	if it := in.Items[item]; g[item].set && it.list != nil {
		return it.list.Options[g[item].option]
	}
	return nil
}

func (in *Instrument) scoreScale(s *Scale, g given) ScaleScore {
	out := ScaleScore{Scale: s}
	var sum Points
	for n, i := range s.items {
		o := in.option(g, i)
		if o == nil || o.Score == nil {
			out.Absent = append(out.Absent, in.Items[i].Link)
			continue
		}
		out.Answered++
		sum = sum.Plus(s.weights[n][g[i].option])
	}
	switch {
	case in.holds(s.Zero, g):
		out.Value, out.Absent = &Points{}, nil
	case len(out.Absent) == 0:
		if s.Mean {
			sum = sum.over(len(s.items))
		}
		out.Value = &sum
	case s.Missing != nil && out.Answered >= s.Missing.Least:
		scaled := sum.share(len(s.items), out.Answered)
		out.Value, out.Estimated = &scaled, true
	}
	return out.banded()
}

func (in *Instrument) holds(u *Unless, g given) bool {
	if u == nil {
		return false
	}
	o := in.option(g, in.byLink[u.Item])
	return o != nil && o.Code == u.Is
}

func (s Score) addUp(sc *Scale) ScaleScore {
	out := ScaleScore{Scale: sc}
	sum, known := Points{}, true
	for _, part := range sc.of {
		p := s.Of(part.Slug)
		out.Answered += p.Answered
		out.Absent = append(out.Absent, p.Absent...)
		out.Estimated = out.Estimated || p.Estimated
		if p.Value == nil {
			known = false
			continue
		}
		sum = sum.Plus(*p.Value)
	}
	if known {
		out.Value = &sum
	} else {
		out.Estimated = false
	}
	return out.banded()
}

func (sc ScaleScore) banded() ScaleScore {
	if sc.Value != nil {
		sc.Band = sc.Scale.band(*sc.Value)
	}
	return sc
}
