package trajectory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// Phase is a stretch of therapy as a plan lays it out.
type Phase struct {
	Plan   string `json:"plan"`  // CarePlan/id
	Phase  string `json:"phase"` // assessment, acute, consolidation, closing, follow-up
	Status string `json:"status"`
	Start  string `json:"start"`
	End    string `json:"end,omitempty"`

	from, to time.Time // to none: open
}

// Adjustment is a change to a plan.
type Adjustment struct {
	Plan    string   `json:"plan"`
	Date    string   `json:"date"`
	Reason  string   `json:"reason"`
	Changed []string `json:"changed,omitempty"`
	Agreed  []string `json:"agreed,omitempty"`

	day time.Time
}

const (
	phaseSystem = instrument.Canonical + "/CodeSystem/therapy-phase"
	extension   = instrument.Canonical + "/StructureDefinition/"
)

// plans reads phases and adjustments from the CarePlans that stood. A caller that may
// not search them gets none.
func (g *gatherer) plans(ctx context.Context, client fhir.Key, t *Trajectory) error {
	q := fhir.Query{Type: "CarePlan", Where: []fhir.Clause{about(client), coded("status", "active", "on-hold", "revoked", "completed")}}
	for p, err := range fhir.VisibleMatches(ctx, g, q) {
		if err != nil {
			return err
		}
		g.phase(p, t)
		g.adjustments(p, t)
	}
	slices.SortFunc(t.Phases, func(a, b Phase) int {
		return cmp.Or(a.from.Compare(b.from), strings.Compare(a.Plan, b.Plan))
	})
	slices.SortFunc(t.Adjustments, func(a, b Adjustment) int {
		return cmp.Or(a.day.Compare(b.day), strings.Compare(a.Plan, b.Plan), strings.Compare(a.Reason, b.Reason))
	})
	return nil
}

func (g *gatherer) phase(p fhir.Resource, t *Trajectory) {
	root := p.Root()
	for c := range root.Get("category").Elements() {
		for x := range c.Get("coding").Elements() {
			if x.Get("system").Text() != phaseSystem {
				continue
			}
			ph := Phase{Plan: p.Key.String(), Phase: x.Get("code").Text(), Status: root.Get("status").Text(), Start: root.At("period", "start").Text(), End: root.At("period", "end").Text()}
			from, ok := dayOf(ph.Start, g.zone)
			if !ok {
				return // it cannot be placed
			}
			ph.from = from
			ph.to, _ = dayOf(ph.End, g.zone)
			t.Phases = append(t.Phases, ph)
			return
		}
	}
}

// adjustments reads those that a plan notes of itself, and that it took the place of
// another.
func (g *gatherer) adjustments(p fhir.Resource, t *Trajectory) {
	root := p.Root()
	add := func(a Adjustment) {
		var ok bool
		if a.day, ok = dayOf(a.Date, g.zone); ok {
			a.Plan = p.Key.String()
			t.Adjustments = append(t.Adjustments, a)
		}
	}
	for n := range root.Get("note").Elements() {
		a := Adjustment{Date: n.Get("time").Text(), Reason: n.Get("text").Text()}
		for x := range n.Get("extension").Elements() {
			switch x.Get("url").Text() {
			case extension + "adjustment-agreed":
				a.Agreed = append(a.Agreed, x.Get("valueCode").Text())
			case extension + "adjustment-changed":
				a.Changed = append(a.Changed, x.Get("valueCode").Text())
			}
		}
		if len(a.Agreed) > 0 { // other notes are no adjustments
			add(a)
		}
	}
	for x := range root.Get("extension").Elements() {
		if x.Get("url").Text() == extension+"plan-adjustment-reason" {
			add(Adjustment{Date: cmp.Or(root.Get("created").Text(), root.At("period", "start").Text()), Reason: x.Get("valueString").Text()})
		}
	}
}

// noShows reads the days on which the client did not come.
func (g *gatherer) noShows(ctx context.Context, client fhir.Key, t *Trajectory) error {
	q := fhir.Query{Type: "Appointment", Where: []fhir.Clause{about(client), coded("status", "noshow")}}
	for a, err := range fhir.VisibleMatches(ctx, g, q) {
		if err != nil {
			return err
		}
		when := cmp.Or(a.Root().Get("start").Text(), a.Root().Get("requestedPeriod").Index(0).Get("start").Text())
		if d, ok := dayOf(when, g.zone); ok {
			t.NoShows = append(t.NoShows, d.Format(time.DateOnly))
		}
	}
	slices.Sort(t.NoShows)
	return nil
}
