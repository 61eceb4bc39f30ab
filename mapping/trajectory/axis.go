package trajectory

import (
	"math"
	"time"
)

// span is the days that a picture shows, on so many pixels.
type span struct {
	from, to    time.Time
	left, right float64
}

func (s span) x(d time.Time) float64 {
	return s.left + (s.right-s.left)*d.Sub(s.from).Hours()/s.to.Sub(s.from).Hours()
}

func (s span) holds(d time.Time) bool { return !d.Before(s.from) && !d.After(s.to) }

// spanOf covers all scores, and today while a phase runs; what lies long before the
// first score is cut off.
func (t *Trajectory) spanOf(series []*Series) span {
	var s span
	widen := func(d time.Time) {
		if s.from.IsZero() || d.Before(s.from) {
			s.from = d
		}
		if d.After(s.to) {
			s.to = d
		}
	}
	for _, x := range series {
		for _, p := range x.Points {
			widen(p.day)
		}
	}
	if s.from.IsZero() {
		widen(t.asOf)
	}
	first, last := s.from, s.to
	for _, p := range t.Phases {
		if !p.from.After(t.asOf) && !p.from.Before(first.AddDate(0, -2, 0)) {
			widen(p.from)
		}
		if p.Status == "active" && !p.from.After(t.asOf) && t.asOf.Before(last.AddDate(0, 6, 0)) {
			widen(t.asOf)
		}
	}
	// Room at both ends, so that no mark stands on the frame.
	pad := max(int(s.to.Sub(s.from).Hours()/24/40), 3)
	s.from, s.to = s.from.AddDate(0, 0, -pad), s.to.AddDate(0, 0, pad)
	return s
}

// tick is a day on the axis and what is written there.
type tick struct {
	day  time.Time
	text string
}

// ticks finds regular days with room for their labels.
func (s span) ticks(room float64) []tick {
	most := max(int((s.right-s.left)/room), 2)
	for _, weeks := range []int{1, 2} {
		d := s.from.AddDate(0, 0, (8-int(s.from.Weekday()))%7) // Mondays
		var out []tick
		for ; !d.After(s.to) && len(out) <= most; d = d.AddDate(0, 0, 7*weeks) {
			out = append(out, tick{d, d.Format("2 Jan")})
		}
		if len(out) <= most {
			return yeared(out)
		}
	}
	for _, months := range []int{1, 2, 3, 6, 12, 24, 60, 120} {
		d := time.Date(s.from.Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
		var out []tick
		for ; !d.After(s.to) && len(out) <= most; d = d.AddDate(0, months, 0) {
			if !d.Before(s.from) {
				out = append(out, tick{d, d.Format("Jan")})
			}
		}
		if len(out) <= most {
			return yeared(out)
		}
	}
	return nil
}

// yeared adds the year where it is new.
func yeared(ts []tick) []tick {
	year := 0
	for i := range ts {
		if y := ts[i].day.Year(); y != year {
			ts[i].text += ts[i].day.Format(" 2006")
			year = y
		}
	}
	return ts
}

// scale is a range of scores on so many pixels; the highest score is at the top.
type scale struct{ low, high, top, bottom float64 }

func (s scale) y(v float64) float64 {
	return s.bottom - (s.bottom-s.top)*(v-s.low)/(s.high-s.low)
}

// steps are the scores that the axis names: where bands begin and the ends, or round
// numbers where there are none.
func (s *Series) steps() []float64 {
	out := []float64{number(s.Low), number(s.High)}
	for _, b := range s.Bands {
		out = append(out, number(b.Low))
	}
	if len(s.Bands) == 0 {
		step := math.Pow(10, math.Floor(math.Log10(out[1]-out[0])))
		for (out[1]-out[0])/step < 4 {
			step /= 2
		}
		for v := out[0] + step; v < out[1]; v += step {
			out = append(out, v)
		}
	}
	return out
}
