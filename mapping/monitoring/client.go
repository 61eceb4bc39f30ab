package monitoring

import (
	"context"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// Rules is what due and overdue are worked out by. It is safe for concurrent use.
type Rules struct {
	Library *instrument.Library
	Zone    *time.Location // of the practice's calendar; nil: UTC
	// Grace is for how many days after its due day a follow-up is not overdue yet; 0: 3,
	// negative: none.
	Grace int
}

const defaultGrace = 3

func (u *Rules) grace() int {
	if u.Grace == 0 {
		return defaultGrace
	}
	return max(u.Grace, 0)
}

func (u *Rules) zone() *time.Location {
	if u.Zone == nil {
		return time.UTC
	}
	return u.Zone
}

// Day returns the day of a moment in the practice's calendar.
func (u *Rules) Day(t time.Time) string { return midnight(t.In(u.zone())).Format(time.DateOnly) }

// State of what a plan asks for.
type State string

// The states.
const (
	Later   State = "later"   // not due yet
	Due     State = "due"     // from its due day
	Overdue State = "overdue" // when the days of grace are over
)

// Item is one instrument that a plan asks of one client.
type Item struct {
	Client        string  `json:"client"` // Patient/id
	Instrument    string  `json:"instrument"`
	Title         string  `json:"title"`
	Questionnaire string  `json:"questionnaire"`       // canonical, with version
	Plan          string  `json:"plan"`                // CarePlan/id that asks
	Phase         string  `json:"phase,omitempty"`     // of therapy, where the plan says it
	Therapist     string  `json:"therapist,omitempty"` // care manager of the course of therapy, else author of the plan
	Every         Every   `json:"every"`
	Last          *Answer `json:"last,omitempty"`
	Due           string  `json:"due"` // day
	State         State   `json:"state"`
	Days          int     `json:"days"` // since the due day

	due    time.Time
	plan   fhir.Resource
	client fhir.Key
	owner  fhir.Key
}

// Answer is a response, or scores that a source states without one.
type Answer struct {
	Reference string `json:"reference"`
	Date      string `json:"date"` // day

	day time.Time
}

const (
	phaseSystem = instrument.Canonical + "/CodeSystem/therapy-phase"
)

// spell is how many resources one search brings, so that no page is large.
const spell = 100

// client works out what is asked of one client, one item for each instrument, those
// longest due first. first is the client's first plan that asks for anything, by its
// key: whoever walks over plans and meets several of one client takes this one.
func (u *Rules) client(ctx context.Context, r fhir.Reader, patient fhir.Key, now time.Time) (items []Item, first fhir.Key, err error) {
	plans, err := u.plans(ctx, r, patient)
	if err != nil {
		return nil, first, err
	}
	for _, p := range plans {
		if asks(p) && (first.IsZero() || p.Key.Compare(first) < 0) {
			first = p.Key
		}
	}
	if first.IsZero() {
		return nil, first, nil
	}
	who, err := fhir.Look(ctx, r, patient)
	if err != nil || who.IsZero() || died(who) {
		return nil, first, err
	}
	found := map[string]Item{}
	for _, p := range plans {
		if err := u.asked(ctx, r, plans, p, now, found); err != nil {
			return nil, first, err
		}
	}
	for _, it := range found {
		items = append(items, it)
	}
	slices.SortFunc(items, byDue)
	return items, first, nil
}

func byDue(a, b Item) int {
	if c := a.due.Compare(b.due); c != 0 {
		return c
	}
	if c := strings.Compare(a.Client, b.Client); c != 0 {
		return c
	}
	return strings.Compare(a.Instrument, b.Instrument)
}

// plans reads the active CarePlans of a client that no other of them replaces.
func (u *Rules) plans(ctx context.Context, r fhir.Reader, patient fhir.Key) (out []fhir.Resource, err error) {
	q := fhir.Query{Type: "CarePlan", Where: []fhir.Clause{about(patient), coded("status", "active")}, Count: spell}
	replaced := map[fhir.Key]bool{}
	for p, err := range fhir.VisibleMatches(ctx, r, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		for n := range p.Root().Get("replaces").Elements() {
			if k, ok := n.Ref(); ok {
				replaced[k] = true
			}
		}
	}
	return slices.DeleteFunc(out, func(p fhir.Resource) bool { return replaced[p.Key] }), nil
}

// asks reports whether any activity of a plan names a questionnaire.
func asks(p fhir.Resource) bool {
	for a := range p.Root().Get("activity").Elements() {
		if a.At("detail", "instantiatesCanonical").Exists() {
			return true
		}
	}
	return false
}

// asked adds what one plan asks for to what was found; of two that ask for the same
// instrument the one that is due first counts.
func (u *Rules) asked(ctx context.Context, r fhir.Reader, plans []fhir.Resource, p fhir.Resource, now time.Time, found map[string]Item) error {
	if !asks(p) {
		return nil
	}
	lines, ok := lineage(plans, p)
	if !ok {
		return nil
	}
	episode, ok, err := u.course(ctx, r, lines)
	if err != nil || !ok {
		return err
	}
	today := midnight(now.In(u.zone()))
	for a := range p.Root().Get("activity").Elements() {
		detail := a.Get("detail")
		in := u.named(detail)
		s, timed := intervalOf(detail.Get("scheduledTiming"))
		if in == nil || !timed || !slices.Contains([]string{"not-started", "scheduled", "in-progress"}, detail.Get("status").Text()) {
			continue
		}
		for _, l := range lines {
			s.bounds(l.Root().Get("period"), u.zone())
		}
		s.bounds(detail.At("scheduledTiming", "repeat", "boundsPeriod"), u.zone())
		s.bounds(endOnly(episode), u.zone())
		if s.from.IsZero() {
			s.from = u.begun(lines)
		}
		if !s.to.IsZero() && today.After(s.to) {
			continue
		}
		it := Item{
			Client: subject(p).String(), Instrument: in.Slug, Title: in.Title, Questionnaire: in.Canonical(),
			Plan: p.Key.String(), Phase: phaseOf(p), Every: s.Every, plan: p, client: subject(p), owner: owner(episode, lines),
		}
		it.Therapist = it.owner.String()
		what := sought{it.client, in, episode.Key}
		var last time.Time
		if it.Last, err = u.last(ctx, r, what, now); err != nil {
			return err
		}
		if it.Last != nil {
			last = it.Last.day
		}
		if s.count > 0 {
			n, err := u.answers(ctx, r, what, s.from, today)
			if err != nil {
				return err
			}
			if n >= s.count {
				continue
			}
		}
		due, more := s.next(last)
		if old, twice := found[in.Slug]; !more || twice && !due.Before(old.due) {
			continue
		}
		it.due, it.Due, it.Days, it.State = due, due.Format(time.DateOnly), days(due, today), Later
		switch {
		case it.Days > u.grace():
			it.State = Overdue
		case it.Days >= 0:
			it.State = Due
		}
		found[in.Slug] = it
	}
	return nil
}

// named returns the instrument that an activity asks for, nil for none of ours.
func (u *Rules) named(detail fhir.Node) *instrument.Instrument {
	for n := range detail.Get("instantiatesCanonical").Elements() {
		url, _, _ := strings.Cut(n.Text(), "|")
		if in := u.Library.ByURL(url); in != nil {
			return in
		}
	}
	return nil
}

// depth is so many plans that are part of one another.
const depth = 4

// lineage is a plan and those that it is part of, itself first. All of them must be
// active, visible and not replaced; false where one is not.
func lineage(plans []fhir.Resource, p fhir.Resource) (out []fhir.Resource, ok bool) {
	for range depth {
		out = append(out, p)
		up := p.Root().Get("partOf").Index(0)
		if !up.Exists() {
			return out, true
		}
		k, _ := up.Ref()
		i := slices.IndexFunc(plans, func(x fhir.Resource) bool { return x.Key == k })
		if i < 0 {
			return nil, false
		}
		p = plans[i]
	}
	return nil, false
}

// course reads the course of therapy that a plan belongs to; the zero Resource where
// the plan names none, false where the named one asks for nothing any more.
func (u *Rules) course(ctx context.Context, r fhir.Reader, lines []fhir.Resource) (fhir.Resource, bool, error) {
	for _, l := range lines {
		k := instrument.Course(l)
		if k.IsZero() {
			continue
		}
		e, err := fhir.Look(ctx, r, k)
		if err != nil || e.IsZero() {
			return e, false, err
		}
		return e, slices.Contains([]string{"planned", "waitlist", "active"}, e.Root().Get("status").Text()), nil
	}
	return fhir.Resource{}, true, nil
}

// endOnly is an episode's period without its start: a plan may begin before.
func endOnly(episode fhir.Resource) fhir.Node {
	if end := episode.Root().At("period", "end"); !episode.IsZero() && end.Exists() {
		n, err := fhir.ParseNode(fhir.NewObject().Set("end", end.Text()).JSON())
		if err == nil {
			return n
		}
	}
	return fhir.Node{}
}

// begun is when a plan that says no start began: when it was made, else when this
// version was stored.
func (u *Rules) begun(lines []fhir.Resource) time.Time {
	for _, l := range lines {
		if d, ok := dayOf(l.Root().Get("created").Text(), u.zone()); ok {
			return d
		}
	}
	d, _ := dayOf(lines[0].Root().At("meta", "lastUpdated").Text(), u.zone())
	return d
}

func owner(episode fhir.Resource, lines []fhir.Resource) fhir.Key {
	if !episode.IsZero() {
		if k, ok := episode.Root().Get("careManager").Ref(); ok {
			return k
		}
	}
	for _, l := range lines {
		if k, ok := l.Root().Get("author").Ref(); ok && strings.HasPrefix(k.Type, "Practitioner") {
			return k
		}
	}
	return fhir.Key{}
}

func phaseOf(p fhir.Resource) string {
	for c := range p.Root().Get("category").Elements() {
		for x := range c.Get("coding").Elements() {
			if x.Get("system").Text() == phaseSystem {
				return x.Get("code").Text()
			}
		}
	}
	return ""
}

func subject(p fhir.Resource) fhir.Key {
	k, _ := p.Root().Get("subject").Ref()
	return k
}

func died(patient fhir.Resource) bool {
	yes, _ := patient.Root().Get("deceasedBoolean").Bool()
	return yes || patient.Root().Get("deceasedDateTime").Exists()
}
