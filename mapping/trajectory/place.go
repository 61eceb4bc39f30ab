package trajectory

import (
	"math"
	"slices"

	"rapport/mapping/instrument"
)

// shape of a marker.
type shape uint8

const (
	circle shape = iota
	square
	diamond
	up   // triangle, its point up
	down // triangle, its point down
	cross
	plus
	ring
	dashes // a piece of line, in the legend alone
)

// mark draws a marker with its centre at x, y.
func (d *drawing) mark(s shape, x, y, r float64, fill string) {
	switch s {
	case circle:
		d.draw("circle", "cx", num(x), "cy", num(y), "r", num(r), "fill", fill, "stroke", ink, "stroke-width", "1.25")
	case ring:
		d.draw("circle", "cx", num(x), "cy", num(y), "r", num(r), "fill", "none", "stroke", ink, "stroke-width", "1")
	case square:
		d.path(true, fill, ink, 1.25, x-r, y-r, x+r, y-r, x+r, y+r, x-r, y+r)
	case diamond:
		d.path(true, fill, ink, 1.25, x, y-r*1.4, x+r*1.4, y, x, y+r*1.4, x-r*1.4, y)
	case up:
		d.path(true, fill, ink, 1.25, x, y-r*1.3, x+r*1.3, y+r, x-r*1.3, y+r)
	case down:
		d.path(true, fill, ink, 1.25, x, y+r*1.3, x+r*1.3, y-r, x-r*1.3, y-r)
	case plus:
		d.path(false, "none", ink, 1.75, x-r*1.2, y, x+r*1.2, y)
		d.path(false, "none", ink, 1.75, x, y-r*1.2, x, y+r*1.2)
	case cross:
		d.path(false, "none", ink, 1.5, x-r, y-r, x+r, y+r)
		d.path(false, "none", ink, 1.5, x-r, y+r, x+r, y-r)
	}
}

// marker is how a point is drawn.
type marker struct {
	shape  shape
	radius float64
	fill   string
}

// ringed is how wide the ring is around a marker, so that white is seen between.
func (m marker) ringed() float64 { return m.radius*1.4 + 2.6 }

// markerOf: the baseline is a diamond; reliable change is a triangle that points the
// way the score went, open for the better and full for the worse. A ring goes around whatever it is where a
// score is reliably worse than the one before: that may be so of one that is better than
// the first.
func (s *Series) markerOf(p Point, plain shape) marker {
	r := 3.2
	if len(s.Points) > 60 {
		r = 2.2
	}
	better, worse := down, up
	if s.Worse == "lower" {
		better, worse = up, down
	}
	switch {
	case p.Observation == s.Baseline && len(s.Points) > 1 && !s.OwnMean:
		return marker{diamond, 4.2, "#fff"}
	case p.marked(string(instrument.ReliableDeterioration)), p.marked("own-mean-drop"):
		return marker{worse, r + 1.6, ink}
	case p.marked(string(instrument.ReliableImprovement)):
		return marker{better, r + 1.6, "#fff"}
	}
	return marker{plain, r, ink}
}

// series draws the line through the scores of each course of therapy, and the markers.
func (d *drawing) series(s *Series, b box, plain shape) {
	sc := s.scaleIn(b)
	var begun []string
	runs := map[string][]float64{}
	for _, p := range s.Points {
		if runs[p.line] == nil {
			begun = append(begun, p.line)
		}
		runs[p.line] = append(runs[p.line], d.x(p.day), sc.y(number(p.Score)))
	}
	for _, line := range begun {
		if run := runs[line]; len(run) > 2 {
			d.path(false, "none", ink, 1.75, run...)
			d.keepClear(run)
		}
	}
	for _, p := range s.Points {
		m := s.markerOf(p, plain)
		x, y := d.x(p.day), sc.y(number(p.Score))
		d.mark(m.shape, x, y, m.radius, m.fill)
		r := m.radius + 1.5
		if p.relapsed() {
			r = m.ringed() + 0.5
			d.mark(ring, x, y, m.ringed(), "none")
		}
		d.solid = append(d.solid, box{x - r, y - r, x + r, y + r})
	}
}

// keepClear notes small boxes along a line.
func (d *drawing) keepClear(xy []float64) {
	for i := 2; i < len(xy); i += 2 {
		x, y, dx, dy := xy[i-2], xy[i-1], xy[i]-xy[i-2], xy[i+1]-xy[i-1]
		n := math.Max(math.Ceil(math.Hypot(dx, dy)/4), 1)
		for k := 0.0; k <= n; k++ {
			px, py := x+dx*k/n, y+dy*k/n
			d.lines = append(d.lines, box{px - 1.5, py - 1.5, px + 1.5, py + 1.5})
		}
	}
}

// manyPoints is from how many scores on only those are named that matter.
const manyPoints = 24

// values writes scores beside their markers, those that matter first: baseline,
// latest, what was marked, the extremes. What finds no room is left out.
func (d *drawing) values(s *Series, b box) {
	sc := s.scaleIn(b)
	last := len(s.Points) - 1
	weight := func(i int) int {
		p := s.Points[i]
		switch {
		case i == last, p.Observation == s.Baseline:
			return 0
		case p.marked(string(instrument.ReliableDeterioration)), p.marked("own-mean-drop"), p.relapsed():
			return 1
		}
		return 2
	}
	order := make([]int, len(s.Points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return weight(i) - weight(j) })
	for _, i := range order {
		w := weight(i)
		if w == 2 && (len(s.Points) > manyPoints || s.OwnMean) {
			continue
		}
		p := s.Points[i]
		gap := 7.0
		if p.relapsed() {
			gap = s.markerOf(p, circle).ringed() + 2
		}
		d.value(p.Score.String(), d.x(p.day), sc.y(number(p.Score)), gap, b, w == 0)
	}
}

// value writes a score where it covers no marker, no text and, if that can be had, no
// line; gap is how far from the middle of its own marker.
func (d *drawing) value(s string, x, y, gap float64, within box, bold bool) {
	candidates := []label{
		text(s, x, y-gap-2, smallSize, 0.5, bold), text(s, x, y+gap+9, smallSize, 0.5, bold),
		text(s, x+gap, y-gap+3, smallSize, 0, bold), text(s, x-gap, y-gap+3, smallSize, 1, bold),
		text(s, x+gap, y+gap+5, smallSize, 0, bold), text(s, x-gap, y+gap+5, smallSize, 1, bold),
	}
	for _, avoid := range [][]box{slices.Concat(d.solid, d.lines), d.solid} {
		for _, l := range candidates {
			if l.left < within.left || l.right > within.right || l.top < within.top || l.bottom > within.bottom {
				continue
			}
			if d.put(l, avoid...) {
				return
			}
		}
	}
}

// entry is a line of the legend.
type entry struct {
	shape shape
	fill  string
	dash  string
	says  string
}

// entries explain what the picture has, and nothing that it has not.
func (d *drawing) entries(main, alliance *Series) (out []entry) {
	out = append(out, entry{circle, ink, "", "score"})
	if main.OwnMean {
		out[0].says = "check after a session"
	}
	better, worse := down, up
	if main.Worse == "lower" {
		better, worse = up, down
	}
	has := func(s *Series, mark string) bool {
		return s != nil && slices.ContainsFunc(s.Points, func(p Point) bool { return p.marked(mark) && p.Observation != s.Baseline })
	}
	if main.baseline() != nil && len(main.Points) > 1 && !main.OwnMean {
		out = append(out, entry{diamond, "#fff", "", "baseline"})
	}
	if has(main, string(instrument.ReliableImprovement)) {
		out = append(out, entry{better, "#fff", "", "reliable improvement"})
	}
	if has(main, string(instrument.ReliableDeterioration)) {
		out = append(out, entry{worse, ink, "", "reliable deterioration"})
	}
	if slices.ContainsFunc(main.Points, Point.relapsed) {
		out = append(out, entry{ring, "none", "", "reliably worse than the last"})
	}
	if main.OwnMean && has(main, "own-mean-drop") {
		out = append(out, entry{worse, ink, "", "drop below own mean"})
	}
	for _, th := range main.thresholds() {
		out = append(out, entry{dashes, "", th.dash, th.says})
	}
	if alliance != nil {
		out = append(out, entry{square, ink, "", "alliance check"})
		if has(alliance, "own-mean-drop") {
			out = append(out, entry{down, ink, "", "drop below own mean"})
		}
	}
	if slices.ContainsFunc(d.t.Adjustments, func(a Adjustment) bool { return d.holds(a.day) }) {
		out = append(out, entry{plus, "", "", "plan adjusted"})
	}
	if len(d.noShows()) > 0 {
		out = append(out, entry{cross, "#fff", "", "did not come"})
	}
	return out
}

const (
	legendRow  = 17
	legendMark = 26 // width of the sample
	legendGap  = 14
)

func (e entry) width() float64 { return legendMark + widthOf(e.says, smallSize, false) + legendGap }

// wrapped counts the rows that the legend takes.
func wrapped(es []entry) int {
	rows, x := 1, float64(margin)
	for _, e := range es {
		if x+e.width() > pictureWidth-margin+legendGap && x > margin {
			rows, x = rows+1, margin
		}
		x += e.width()
	}
	return rows
}

func (d *drawing) legend(es []entry, y float64) {
	x := float64(margin)
	for _, e := range es {
		if x+e.width() > pictureWidth-margin+legendGap && x > margin {
			x, y = margin, y+legendRow
		}
		mid := x + legendMark/2 - 3
		switch {
		case e.shape == dashes:
			d.line(x, y-4, x+legendMark-6, y-4, ink, 1, e.dash)
		case e.shape == cross, e.shape == plus:
			d.mark(e.shape, mid, y-4, 3.5, e.fill)
		default:
			if e.shape == circle || e.shape == square {
				d.line(x, y-4, x+legendMark-6, y-4, ink, 1.75, "")
			}
			if e.shape == ring { // as it stands around a score
				m := marker{circle, 2.2, ink}
				d.mark(m.shape, mid, y-4, m.radius, m.fill)
				d.mark(ring, mid, y-4, m.ringed(), e.fill)
				break
			}
			d.mark(e.shape, mid, y-4, 3.8, e.fill)
		}
		d.put(text(e.says, x+legendMark, y, smallSize, 0, false))
		x += e.width()
	}
}
