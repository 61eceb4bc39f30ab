package instrument

import (
	"context"
	"fmt"
	"strings"

	"rapport/fhir"
)

// Feedback is what somebody who has just handed in a response is told: plain
// facts, each as the instrument's file has it, no advice, and sentences of them.
type Feedback struct {
	Instrument string        `json:"instrument"` // slug
	Title      string        `json:"title"`
	Response   string        `json:"response,omitempty"`        // QuestionnaireResponse/id; none where scores came without answers
	Bare       bool          `json:"withoutItems,omitempty"`    // so that nothing is said of risks
	Scores     []ScaleFacts  `json:"scores"`                    // the total first
	Undated    bool          `json:"undated,omitempty"`         // it says no day, so it is compared with no other
	Undecided  bool          `json:"courseUndecided,omitempty"` // it names none of several courses of therapy of its time, so it is compared with no other
	First      *ChangeFacts  `json:"sinceFirst,omitempty"`
	Last       *ChangeFacts  `json:"sinceLast,omitempty"`
	OwnMean    *OwnMeanFacts `json:"ownMean,omitempty"`
	Risks      []RiskFacts   `json:"risks,omitempty"`

	// What follows [Library.Tell] makes of the above.
	Language     string `json:"language"` // of the sentences, BCP 47
	ForClinician string `json:"forClinician"`
	ForClient    string `json:"forClient,omitempty"` // none where a practitioner answers
	Safety       string `json:"safety,omitempty"`    // for the client, where a risk fired by their own answers

	informant  string
	risky      bool // it has items that ask about a risk
	unfinished bool // broken off or going on, so that nothing is scored
}

// ScaleFacts is one score.
type ScaleFacts struct {
	Scale     string     `json:"scale"` // slug
	Name      string     `json:"name,omitempty"`
	Code      string     `json:"code"`            // system|code
	Score     *Points    `json:"score,omitempty"` // absent: too little was answered
	Low       Points     `json:"low"`
	High      Points     `json:"high"`
	Worse     string     `json:"worse"` // "higher" or "lower"
	Absent    []string   `json:"notAnswered,omitempty"`
	Estimated bool       `json:"estimated,omitempty"`
	Rule      string     `json:"rule,omitempty"` // by which it was estimated
	Band      *BandFacts `json:"band,omitempty"`
}

// BandFacts is the band that a score lies in.
type BandFacts struct {
	Code   string `json:"code"`
	Label  string `json:"label"`
	Low    Points `json:"low"`
	High   Points `json:"high"`
	Source string `json:"source"`
}

// ChangeFacts is the change from an earlier score of the same patient.
type ChangeFacts struct {
	Observation      string `json:"observation"` // the earlier score
	Date             string `json:"date"`
	Score            Points `json:"score"`
	Change           Points `json:"change"` // now − then
	Class            Class  `json:"class"`
	Recovery         bool   `json:"recovery,omitempty"`
	ReliableRecovery bool   `json:"reliableRecovery,omitempty"`
	Source           string `json:"source,omitempty"` // of the class
	Task             string `json:"task,omitempty"`   // Task/id that waits because of a deterioration

	owned bool // the task is a therapist's
}

// OwnMeanFacts is a score beside the mean of the person's own earlier ones of the
// course of therapy.
type OwnMeanFacts struct {
	Earlier int     `json:"earlier"`          // so many there are
	Least   int     `json:"least"`            // so many there must be
	Mean    *Points `json:"mean,omitempty"`   // to hundredths; absent: too few
	Change  *Points `json:"change,omitempty"` // now − mean
	Drop    bool    `json:"drop"`
	Fall    Points  `json:"fall"` // this far below the mean is a drop
	Source  string  `json:"source"`
	Flag    string  `json:"flag,omitempty"` // Flag/id, where one is active for it
	Task    string  `json:"task,omitempty"` // Task/id that waits because of a drop

	owned bool // the task is a therapist's
}

// RiskFacts is a risk that fired and what came of it.
type RiskFacts struct {
	Risk    string `json:"risk"`
	Display string `json:"display"`
	Source  string `json:"source"`
	Flag    string `json:"flag,omitempty"` // Flag/id, where one is active
	Task    string `json:"task,omitempty"` // Task/id, where one is open
}

// Feedback tells what a response came to, or scores that a source states without one
// (the Observation): no item of those was seen, so that nothing is told of a risk, and of
// subscales what is stated. derived is what the [Deriver] made of
// it, where the caller has that; what is missing there is read from r, so nil
// will do in the transaction that wrote the response or after it.
//
// Errors: [fhir.NotSupported] for a response to no instrument of the library, as
// [Instrument.Score], and those of r.
func (l *Library) Feedback(ctx context.Context, r fhir.Reader, qr fhir.Resource, derived []fhir.Resource) (Feedback, error) {
	in, s, w, err := l.scored(qr)
	if err != nil {
		return Feedback{}, err
	}
	out := Feedback{Instrument: in.Slug, Title: in.Title, Bare: w.key == w.score, informant: in.informant(w), risky: len(in.Risks) > 0}
	out.unfinished = !Stands(qr)
	if !out.Bare {
		out.Response, out.unfinished = w.key.String(), !w.scored()
	}
	_, dated := momentOf(w.authored)
	out.Undated = !dated
	for i, sc := range s.Scales {
		if i == 0 || !out.Bare || sc.Value != nil {
			out.Scores = append(out.Scores, in.scaleFacts(sc))
		}
	}
	j := l.derivation(r)
	for _, d := range derived {
		if !d.IsZero() {
			j.in.seen[d.Key] = answer{Resource: d}
		}
	}
	course, err := courseOf(ctx, j.in, w)
	if err != nil {
		return Feedback{}, fmt.Errorf("course of therapy: %w", err)
	}
	c, t, me, err := j.compare(ctx, in, s, w, course)
	if err != nil {
		return Feedback{}, fmt.Errorf("earlier scores: %w", err)
	}
	out.Undecided = !me.line.alone.IsZero()
	if !out.Undated && !out.Undecided {
		out.First, out.Last, out.OwnMean = in.changeFacts(c.first), in.changeFacts(c.last), in.ownMeanFacts(c.own)
	}
	if err := j.waits(ctx, in, w, me, in.compareBare(t), &out); err != nil {
		return Feedback{}, err
	}
	for _, risk := range s.Risks {
		f, err := in.riskFacts(ctx, r, w, risk, derived)
		if err != nil {
			return Feedback{}, err
		}
		out.Risks = append(out.Risks, f)
	}
	l.Tell(&out)
	return out, nil
}

// scored reads a response, or bare scores.
func (l *Library) scored(r fhir.Resource) (in *Instrument, s Score, w about, err error) {
	if r.Type == "Observation" {
		if in = l.scaleOf(r); in == nil || !bare(r.Root()) {
			return nil, s, w, fhir.Errorf(fhir.NotSupported, "Observation.code", "this is no score without answers of an instrument that is known here")
		}
		s, err = in.statedIn(r.Root())
		return in, s, in.aboutScore(r), err
	}
	if in = l.ByURL(r.Root().Get("questionnaire").Text()); in == nil {
		return nil, s, w, fhir.Errorf(fhir.NotSupported, "QuestionnaireResponse.questionnaire", "this questionnaire is none of the instruments that are scored here")
	}
	s, err = in.Score(r)
	return in, s, aboutOf(r), err
}

// statedIn reads the scores that an Observation states: the total, and subscales as
// components.
func (in *Instrument) statedIn(o fhir.Node) (Score, error) {
	stated := map[string]Points{}
	take := func(s *Scale, n fhir.Node) {
		if p, err := ParsePoints(numberIn(n).Decimal()); err == nil {
			stated[s.Slug] = p
		}
	}
	take(in.Total(), o)
	for c := range o.Get("component").Elements() {
		for _, s := range in.Scales[1:] {
			if c.Get("code").HasCoding(s.Code.System, s.Code.Code) {
				take(s, c)
			}
		}
	}
	return in.Stated(stated)
}

func (in *Instrument) scaleFacts(sc ScaleScore) ScaleFacts {
	f := ScaleFacts{
		Scale: sc.Slug, Name: sc.Code.Display, Code: key(sc.Code), Score: sc.Value,
		Low: sc.Low, High: sc.High, Worse: sc.Worse, Absent: sc.Absent, Estimated: sc.Estimated,
	}
	if sc.Estimated && sc.Missing != nil {
		f.Rule = sc.Missing.Source
	}
	if b := sc.Band; b != nil {
		f.Band = &BandFacts{Code: in.bandCode(sc.Scale, b), Label: b.Label, Low: b.Low, High: b.High, Source: sc.Banding}
	}
	return f
}

func (in *Instrument) changeFacts(c *since) *ChangeFacts {
	if c == nil {
		return nil
	}
	f := &ChangeFacts{
		Observation: c.earlier.key.String(), Date: c.earlier.date, Score: c.earlier.points,
		Change: c.shift.Points, Class: c.shift.Class, Recovery: c.shift.Recovery, ReliableRecovery: c.shift.ReliableRecovery,
	}
	if c.shift.Class != Unclassified {
		f.Source = strings.TrimSpace(in.Change.Source)
	}
	return f
}

func (in *Instrument) ownMeanFacts(c *ownCompare) *OwnMeanFacts {
	if c == nil {
		return nil
	}
	rule := in.OwnMean
	f := &OwnMeanFacts{Earlier: c.earlier, Least: rule.Least, Fall: rule.Fall, Drop: c.drop, Source: rule.Source}
	if c.enough {
		f.Mean, f.Change = &c.mean, &c.change
	}
	return f
}

// waits names the task and the flag by which somebody was asked to look at a change.
func (j *derivation) waits(ctx context.Context, in *Instrument, w about, me point, t timeline, out *Feedback) error {
	for _, a := range in.alerts() {
		var named []func(task string, owned bool) // where the task is told
		if a.mark == ownMeanDrop {
			if out.OwnMean != nil && out.OwnMean.Drop {
				named = append(named, out.OwnMean.waits)
			}
		} else {
			for _, c := range []*ChangeFacts{out.First, out.Last} {
				if c != nil && c.Class == ReliableDeterioration {
					named = append(named, c.waits)
				}
			}
		}
		if len(named) == 0 {
			continue
		}
		from := []fhir.Key{w.key}
		l := a.among(t)
		for i, p := range t {
			if p.line == me.line && len(l.calling[i]) > 0 {
				from = append(from, p.basis())
			}
		}
		for _, k := range from {
			r, err := fhir.Look(ctx, j.in, a.taskOf(k))
			if err != nil {
				return err
			}
			if r.IsZero() || !open(r) {
				continue
			}
			who, _ := r.Root().Get("owner").Ref()
			for _, waits := range named {
				waits(r.Key.String(), therapist(who))
			}
			if !a.flag {
				break
			}
			if r, err = fhir.Look(ctx, j.in, a.flagOf(k)); err != nil {
				return err
			}
			if !r.IsZero() && r.Root().Get("status").Text() == "active" {
				out.OwnMean.Flag = r.Key.String()
			}
			break
		}
	}
	return nil
}

func (f *ChangeFacts) waits(task string, owned bool)  { f.Task, f.owned = task, owned }
func (f *OwnMeanFacts) waits(task string, owned bool) { f.Task, f.owned = task, owned }

func (in *Instrument) riskFacts(ctx context.Context, r fhir.Reader, w about, risk *Risk, derived []fhir.Resource) (RiskFacts, error) {
	f := RiskFacts{Risk: in.riskCode(risk), Display: risk.Display, Source: risk.Source}
	flag := flagKey(w.key, risk)
	for _, d := range derived {
		switch {
		case d.Key == flag && d.Root().Get("status").Text() == "active":
			f.Flag = d.Key.String()
		case d.Type == "Task" && open(d):
			if k, ok := d.Root().Get("focus").Ref(); ok && k == flag {
				f.Task = d.Key.String()
			}
		}
	}
	if f.Flag == "" {
		res, err := fhir.Look(ctx, r, flag)
		if err != nil {
			return f, err
		}
		if !res.IsZero() && res.Root().Get("status").Text() == "active" {
			f.Flag = flag.String()
		}
	}
	if f.Task == "" {
		tasks, err := in.tasksOf(ctx, r, w, risk)
		if err != nil {
			return f, err
		}
		for _, t := range tasks {
			if open(t) {
				f.Task = t.Key.String()
			}
		}
	}
	return f, nil
}
