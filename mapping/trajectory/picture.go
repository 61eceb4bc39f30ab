package trajectory

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The measures of the picture, in CSS pixels.
const (
	pictureWidth  = 800
	pictureHeight = 420
	plotLeft      = 46
	plotRight     = 684
	margin        = 16

	titleSize = 16
	bodySize  = 12
	smallSize = 11

	ink, pale, faint = "#111", "#777", "#ddd"
)

const shortDay = "2 Jan 2006"

// SVG draws one instrument, and the alliance below it where it was asked: the
// instrument with the most scores, where slug is "".
func (t *Trajectory) SVG(slug string) []byte { return t.picture(slug).svg() }

func (t *Trajectory) picture(slug string) *picture {
	p := &picture{width: pictureWidth, height: pictureHeight}
	p.rect(box{0, 0, p.width, p.height}, "#fff")
	main, alliance := t.chosen(slug)
	var shown []*Series
	var told []Series
	for _, s := range []*Series{main, alliance} {
		if s != nil {
			shown = append(shown, s)
			told = append(told, *s)
		}
	}
	for _, s := range t.Series { // what others answered has no room in the picture
		if slices.ContainsFunc(shown, func(o *Series) bool { return o.Instrument == s.Instrument && o.Informant != s.Informant }) {
			told = append(told, s)
		}
	}
	p.desc = t.told(told)
	if main == nil {
		p.title = "Scores over time: there are none"
		p.put(text("There are no scores to draw.", p.width/2, p.height/2, bodySize, 0.5, false))
		return p
	}
	p.title = main.name() + " over time"
	p.put(text(fitted(p.title, titleSize, true, p.width-2*margin), margin, 26, titleSize, 0, true))
	p.put(text(fitted(main.summary(), bodySize, false, p.width-2*margin), margin, 44, bodySize, 0, false))

	d := drawing{picture: p, t: t, span: t.spanOf(shown)}
	d.left, d.right = plotLeft, plotRight
	entries := d.entries(main, alliance)
	rows := wrapped(entries)
	legendTop := p.height - 10 - legendRow*float64(rows-1)
	axis := legendTop - 22 // base line of the dates
	bottom := axis - 16
	if d.eventful() {
		bottom -= eventRow
	}
	area := box{plotLeft, 82, plotRight, bottom}
	if len(d.phases()) == 0 {
		area.top = 62
	}
	var below box
	if alliance != nil {
		below = box{plotLeft, bottom - 54, plotRight, bottom}
		area.bottom = below.top - 24
	}
	d.strip(box{plotLeft, 58, plotRight, 76})
	d.panel(main, area)
	if alliance != nil {
		d.panel(alliance, below)
		p.put(text(fitted(fmt.Sprintf("%s, %s to %s, %s is better", alliance.name(), alliance.Low, alliance.High, alliance.better()), smallSize, true, plotRight-plotLeft), plotLeft, below.top-7, smallSize, 0, true))
	}
	d.grid(area, below, bottom)
	d.dates(bottom, axis)
	d.series(main, area, circle)
	if alliance != nil {
		d.series(alliance, below, square)
	}
	d.legend(entries, legendTop)
	d.values(main, area)
	if alliance != nil {
		d.values(alliance, below)
	}
	return p
}

// chosen picks the series of the picture.
func (t *Trajectory) chosen(slug string) (main, alliance *Series) {
	for i := range t.Series {
		s := &t.Series[i]
		switch {
		case s.OwnMean && s.Instrument != slug:
			if alliance == nil {
				alliance = s
			}
		case main == nil && (slug == "" || s.Instrument == slug):
			main = s
		}
	}
	if main == nil && slug == "" {
		return alliance, nil
	}
	return main, alliance
}

// summary is the story in one line.
func (s *Series) summary() string {
	last := s.Points[len(s.Points)-1]
	if len(s.Points) == 1 {
		return fmt.Sprintf("One score: %s on %s.", said(last), last.day.Format(shortDay))
	}
	out := fmt.Sprintf("%d scores from %s to %s.", len(s.Points), s.Points[0].day.Format(shortDay), last.day.Format(shortDay))
	if base := s.baseline(); base != nil && base.Observation != last.Observation {
		out += fmt.Sprintf(" Baseline %s, latest %s", said(*base), said(last))
		return out + last.briefly() + "."
	}
	return out + " Latest " + said(last) + "."
}

// briefly is the one mark that says most: that things turned for the worse above all.
func (p Point) briefly() string {
	if p.relapsed() {
		return ": reliably worse than the last"
	}
	for _, m := range []string{"reliable-recovery", "reliable-deterioration", "reliable-improvement", "no-reliable-change", "own-mean-drop"} {
		if p.marked(m) {
			return ": " + strings.ReplaceAll(m, "-", " ")
		}
	}
	return ""
}

func (s *Series) better() string {
	if s.Worse == "lower" {
		return "higher"
	}
	return "lower"
}

// drawing is a picture in the making.
type drawing struct {
	*picture
	span
	t     *Trajectory
	solid []box // markers, which no text may cover
	lines []box // pieces of lines, which no text should cover
}

// strip names the phases above the plot.
func (d *drawing) strip(b box) {
	for i, p := range d.phases() {
		area := box{max(d.x(p.from), b.left), b.top, min(d.x(p.to), b.right), b.bottom}
		if area.right-area.left < 1 {
			continue
		}
		fill := "#fff"
		if i%2 == 1 {
			fill = "#eee"
		}
		d.rect(area, fill, "stroke", pale, "stroke-width", "0.75")
		for _, name := range []string{p.name(), p.short()} {
			l := text(name, (area.left+area.right)/2, b.bottom-5, smallSize, 0.5, false)
			if l.left > area.left+2 && l.right < area.right-2 && d.put(l) {
				break
			}
		}
	}
}

// phases are those of the strip, one after another: a later one ends the one before.
func (d *drawing) phases() (out []Phase) {
	for i, p := range d.t.Phases {
		if p.to.IsZero() || p.to.After(d.span.to) {
			p.to = d.span.to
		}
		for _, next := range d.t.Phases[i+1:] {
			if next.from.Before(p.to) {
				p.to = next.from
			}
		}
		if p.to.After(p.from) && p.from.Before(d.span.to) && p.to.After(d.span.from) {
			out = append(out, p)
		}
	}
	return out
}

func (p Phase) short() string {
	switch p.Phase {
	case "assessment":
		return "Assess."
	case "consolidation":
		return "Consol."
	}
	return p.name()
}

// panel draws the field of a series: bands, its own thresholds, the axis.
func (d *drawing) panel(s *Series, b box) {
	sc := s.scaleIn(b)
	for i, band := range s.Bands {
		top := sc.y(number(s.High))
		if i+1 < len(s.Bands) {
			top = sc.y(number(s.Bands[i+1].Low))
		}
		shade := 255 - 8*i
		if s.Worse == "lower" {
			shade = 255 - 8*(len(s.Bands)-1-i)
		}
		field := box{b.left, top, b.right, sc.y(number(band.Low))}
		d.rect(field, fmt.Sprintf("#%02[1]x%02[1]x%02[1]x", shade))
		d.put(text(fitted(band.Label, smallSize, false, d.picture.width-b.right-8), b.right+6, (field.top+field.bottom)/2+4, smallSize, 0, false))
	}
	var named []float64
	for _, v := range s.steps() {
		if slices.ContainsFunc(named, func(y float64) bool { return math.Abs(y-sc.y(v)) < 16 }) {
			continue
		}
		named = append(named, sc.y(v))
		l := text(strconv.FormatFloat(v, 'f', -1, 64), b.left-7, sc.y(v)+4, smallSize, 1, false)
		if d.put(l) {
			d.line(b.left-4, sc.y(v), b.left, sc.y(v), ink, 0.75, "")
		}
	}
	for _, th := range s.thresholds() {
		y := sc.y(th.at)
		d.line(b.left, y, b.right, y, ink, 1, th.dash)
		d.lines = append(d.lines, box{b.left, y - 1, b.right, y + 1})
	}
}

func (s *Series) scaleIn(b box) scale { return scale{number(s.Low), number(s.High), b.top, b.bottom} }

// threshold is a score that means something.
type threshold struct {
	at         float64
	dash, says string
}

func (s *Series) thresholds() (out []threshold) {
	if s.Case != nil {
		out = append(out, threshold{number(*s.Case), "8 4", "cut-off " + s.Case.String()})
	}
	base := s.baseline()
	if base == nil || s.Reliable == nil || len(s.Points) < 2 {
		return out
	}
	at := base.Score.Minus(*s.Reliable)
	way := " or less"
	if s.Worse == "lower" {
		at, way = base.Score.Plus(*s.Reliable), " or more"
	}
	if at.Cmp(s.Low) >= 0 && at.Cmp(s.High) <= 0 {
		out = append(out, threshold{number(at), "2 3", "reliably better: " + at.String() + way})
	}
	return out
}

// grid draws what goes through all panels: beginnings of phases, adjustments, and
// the frames above them.
func (d *drawing) grid(main, below box, bottom float64) {
	panels := []box{main}
	if below.right > 0 {
		panels = append(panels, below)
	}
	for _, b := range panels {
		for _, p := range d.phases() {
			if x := d.x(p.from); x > b.left && x < b.right {
				d.line(x, b.top, x, b.bottom, pale, 0.75, "")
				d.lines = append(d.lines, box{x - 1, b.top, x + 1, b.bottom})
			}
		}
		for _, a := range d.t.Adjustments {
			if d.holds(a.day) {
				x := d.x(a.day)
				d.line(x, b.top, x, b.bottom, pale, 1, "1 3")
				d.lines = append(d.lines, box{x - 1, b.top, x + 1, b.bottom})
			}
		}
		d.rect(b, "none", "stroke", pale, "stroke-width", "0.75")
	}
	// What fell on one day stands side by side.
	y, taken := bottom+eventRow/2+2, []float64{}
	event := func(sh shape, day time.Time) {
		x := d.x(day)
		for slices.ContainsFunc(taken, func(o float64) bool { return math.Abs(o-x) < 9 }) {
			x++
		}
		taken = append(taken, x)
		d.mark(sh, x, y, 3.5, "")
	}
	for _, a := range d.t.Adjustments {
		if d.holds(a.day) {
			event(plus, a.day)
		}
	}
	for _, day := range d.noShows() {
		event(cross, day)
	}
}

const eventRow = 16

// eventful reports whether the row of events is needed.
func (d *drawing) eventful() bool {
	return slices.ContainsFunc(d.t.Adjustments, func(a Adjustment) bool { return d.holds(a.day) }) || len(d.noShows()) > 0
}

func (d *drawing) noShows() (out []time.Time) {
	for _, s := range d.t.NoShows {
		if day, err := time.Parse(time.DateOnly, s); err == nil && d.holds(day) {
			out = append(out, day)
		}
	}
	return out
}

// dates writes the axis of time.
func (d *drawing) dates(bottom, base float64) {
	if d.eventful() {
		bottom += eventRow
		d.line(d.left, bottom+3, d.right, bottom+3, pale, 0.75, "")
	}
	for _, t := range d.ticks(66) {
		x := d.x(t.day)
		if d.put(text(t.text, x, base, smallSize, 0.5, false)) {
			d.line(x, bottom+3, x, bottom+7, ink, 0.75, "")
		}
	}
}
