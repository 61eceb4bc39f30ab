package trajectory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rapport/mapping/instrument"
)

const longDay = "2 January 2006"

// names of phases, as words.
var phaseNames = map[string]string{
	"assessment": "Assessment", "acute": "Acute", "consolidation": "Consolidation", "closing": "Closing", "follow-up": "Follow-up",
}

func (p Phase) name() string { return cmp.Or(phaseNames[p.Phase], p.Phase) }

// name is the title, and who answered where that is not whom it is for.
func (s *Series) name() string {
	switch s.Informant {
	case "":
		return s.Title
	case "self":
		return s.Title + ", answered by the client"
	case "parent", "practitioner":
		return s.Title + ", answered by a " + s.Informant
	}
	if strings.HasPrefix(s.Informant, "RelatedPerson/") {
		return s.Title + ", answered by a relative"
	}
	return s.Title + ", answered by somebody else"
}

// story tells a series: where it began, where it is, what that amounts to.
func (s *Series) story() string {
	if len(s.Points) == 0 {
		return ""
	}
	first, last := s.Points[0], s.Points[len(s.Points)-1]
	var b strings.Builder
	fmt.Fprintf(&b, "%s, range %s to %s, %s is worse: ", s.name(), s.Low, s.High, s.Worse)
	if len(s.Points) == 1 {
		fmt.Fprintf(&b, "one score, %s, on %s.", said(last), first.day.Format(longDay))
		return b.String()
	}
	fmt.Fprintf(&b, "%d scores from %s to %s", len(s.Points), first.day.Format(longDay), last.day.Format(longDay))
	if n := s.courses(); n > 1 {
		fmt.Fprintf(&b, ", in %d courses of therapy", n)
	}
	b.WriteString(". ")
	if base := s.baseline(); base != nil {
		fmt.Fprintf(&b, "Baseline %s on %s. ", said(*base), base.day.Format(longDay))
	}
	low := slices.MinFunc(s.Points, func(a, b Point) int { return a.Score.Cmp(b.Score) })
	high := slices.MaxFunc(s.Points, func(a, b Point) int { return a.Score.Cmp(b.Score) })
	fmt.Fprintf(&b, "Highest %s on %s, lowest %s on %s. ", high.Score, high.day.Format(longDay), low.Score, low.day.Format(longDay))
	fmt.Fprintf(&b, "Latest %s on %s", said(last), last.day.Format(longDay))
	if last.SinceFirst != nil {
		fmt.Fprintf(&b, ": %s the first of the course", moved(*last.SinceFirst))
	}
	said := func(marks []string) {
		for _, m := range marks {
			if w := markNames[m]; w != "" {
				b.WriteString(", " + w)
			}
		}
	}
	said(last.Marks)
	if last.relapsed() {
		fmt.Fprintf(&b, "; %s the score before", moved(*last.SinceLast))
		said(last.MarksLast)
	}
	b.WriteString(".")
	if s.Case != nil {
		side := "on the side of the cut-off where a case is counted"
		if !s.isCase(last.Score) {
			side = "on the side of the cut-off where none is counted"
		}
		fmt.Fprintf(&b, " The cut-off is %s; the latest score is %s.", s.Case, side)
	}
	if when := s.when(func(p Point) bool { return p.marked(string(instrument.ReliableDeterioration)) }); when != "" {
		b.WriteString(" Reliably worse than at first on " + when + ".")
	}
	if when := s.when(Point.relapsed); when != "" {
		b.WriteString(" Reliably worse than the score before on " + when + ".")
	}
	if when := s.when(func(p Point) bool { return p.marked("own-mean-drop") }); when != "" {
		b.WriteString(" A drop below the client's own mean on " + when + ".")
	}
	return b.String()
}

// courses counts the courses of therapy that scores name.
func (s *Series) courses() int {
	named := map[string]bool{}
	for _, p := range s.Points {
		if p.Course != "" {
			named[p.Course] = true
		}
	}
	return len(named)
}

// markNames are what a change amounts to, in words.
var markNames = map[string]string{
	string(instrument.ReliableImprovement):   "reliable improvement",
	string(instrument.ReliableDeterioration): "reliable deterioration",
	string(instrument.NoReliableChange):      "no reliable change",
	"recovery":                               "recovery: a case at first, none now",
	"reliable-recovery":                      "reliable recovery: a case at first, none now",
	"own-mean-drop":                          "a drop below the client's own mean",
}

// when lists the days of scores of which something is true.
func (s *Series) when(is func(Point) bool) string {
	var out []string
	for _, p := range s.Points {
		if is(p) {
			out = append(out, p.day.Format(longDay))
		}
	}
	return strings.Join(out, ", ")
}

func (s *Series) isCase(p instrument.Points) bool {
	if s.Worse == "lower" {
		return p.Cmp(*s.Case) <= 0
	}
	return p.Cmp(*s.Case) >= 0
}

// said is a score with its band.
func said(p Point) string {
	if p.Band == "" {
		return p.Score.String()
	}
	return p.Score.String() + " (" + strings.ToLower(p.Band) + ")"
}

// moved puts a change into words.
func moved(change instrument.Points) string {
	zero := instrument.PointsOf(0)
	switch change.Cmp(zero) {
	case -1:
		return zero.Minus(change).String() + " below"
	case 1:
		return change.String() + " above"
	}
	return "the same as"
}

// story tells all of it; it is the text alternative of the picture, too.
func (t *Trajectory) story() string { return t.told(t.Series) }

func (t *Trajectory) told(series []Series) string {
	var parts []string
	for _, s := range series {
		parts = append(parts, s.Story)
	}
	if len(parts) == 0 {
		parts = append(parts, "There are no scores.")
	}
	if len(t.Ahead) > 0 {
		var ds []string
		for _, a := range t.Ahead {
			ds = append(ds, a.title+" on "+a.day.Format(longDay))
		}
		parts = append(parts, "Dated after "+t.asOf.Format(longDay)+", and not counted before then: "+strings.Join(ds, ", ")+".")
	}
	if len(t.Phases) > 0 {
		var ps []string
		for _, p := range t.Phases {
			w := p.name() + " from " + p.from.Format(longDay)
			if !p.to.IsZero() {
				w += " to " + p.to.Format(longDay)
			}
			ps = append(ps, w)
		}
		parts = append(parts, "Phases: "+strings.Join(ps, "; ")+".")
	}
	for _, a := range t.Adjustments {
		w := "The plan was adjusted on " + a.day.Format(longDay)
		if a.Reason != "" {
			w += ": " + strings.TrimRight(strings.TrimSpace(a.Reason), ".")
		}
		parts = append(parts, w+".")
	}
	if n := len(t.NoShows); n > 0 {
		var ds []string
		for _, d := range t.NoShows {
			if day, err := time.Parse(time.DateOnly, d); err == nil {
				ds = append(ds, day.Format(longDay))
			}
		}
		parts = append(parts, "Did not come on "+strings.Join(ds, ", ")+".")
	}
	return strings.Join(parts, " ")
}
