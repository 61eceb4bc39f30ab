package trajectory

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// course is a client's course of therapy as a test tells it.
type course struct {
	slug        string
	start       string
	every       int // days
	scores      []int64
	alliance    []int64
	phases      []string // "acute 2026-01-05 2026-03-01"
	adjustments []string
	noShows     []string
	now         string
}

var loaded = sync.OnceValues(instrument.Load)

func library(t testing.TB) *instrument.Library {
	t.Helper()
	l, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func day(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

// trajectory builds what Read would have read.
func (c course) trajectory(t testing.TB) *Trajectory {
	t.Helper()
	l := library(t)
	out := &Trajectory{Client: "Patient/1", AsOf: c.now, asOf: day(c.now), NoShows: c.noShows}
	add := func(slug string, scores []int64, every int) {
		in := l.BySlug(slug)
		s := seriesOf(in)
		drops := 0
		for i, v := range scores {
			p := Point{Observation: fmt.Sprintf("Observation/%s-%d", slug, i), Score: instrument.PointsOf(v), day: day(c.start).AddDate(0, 0, i*every)}
			p.Date = p.day.Format(time.DateOnly)
			for _, b := range in.Total().Bands {
				if p.Score.Cmp(b.Low) >= 0 && p.Score.Cmp(b.High) <= 0 {
					p.Band = b.Label
				}
			}
			if i > 0 {
				sh := in.Shift(in.Total(), s.Points[0].Score, p.Score)
				p.SinceFirst = &sh.Points
				p.base.Type, p.base.ID = "Observation", fmt.Sprintf("%s-0", slug)
				if sh.Class != instrument.Unclassified {
					p.Marks = append(p.Marks, string(sh.Class))
				}
				if sh.ReliableRecovery {
					p.Marks = append(p.Marks, "reliable-recovery")
				}
				if i > 1 {
					sh := in.Shift(in.Total(), s.Points[i-1].Score, p.Score)
					if p.SinceLast = &sh.Points; sh.Class != instrument.Unclassified {
						p.MarksLast = []string{string(sh.Class)}
					}
				}
				if s.OwnMean && v+8 <= scores[i-1] && drops == 0 {
					p.Marks = append(p.Marks, "own-mean-drop")
					drops++
				}
			}
			s.Points = append(s.Points, p)
		}
		s.finish()
		s.Story = s.story()
		out.Series = append(out.Series, *s)
	}
	if len(c.scores) > 0 {
		add(c.slug, c.scores, c.every)
	}
	if len(c.alliance) > 0 {
		add("alliance", c.alliance, 7)
	}
	for _, p := range c.phases {
		var name, from, to string
		_, _ = fmt.Sscan(p, &name, &from, &to)
		ph := Phase{Plan: "CarePlan/" + name, Phase: name, Status: "completed", Start: from, End: to, from: day(from)}
		if to != "" {
			ph.to = day(to)
		} else {
			ph.Status = "active"
		}
		out.Phases = append(out.Phases, ph)
	}
	for _, a := range c.adjustments {
		out.Adjustments = append(out.Adjustments, Adjustment{Plan: "CarePlan/p", Date: a, Reason: "Slower than hoped; weekly again.", day: day(a)})
	}
	out.Story = out.story()
	return out
}

// courses that differ in what makes a picture hard.
var courses = map[string]course{
	"recovers": {slug: "phq-9", start: "2026-01-12", every: 14, scores: []int64{18, 17, 15, 16, 12, 10, 8, 7, 6, 5}, alliance: []int64{30, 31, 29, 33, 34, 34, 24, 30, 33, 35, 36, 36, 37, 38},
		phases: []string{"assessment 2026-01-05 2026-01-26", "acute 2026-01-26 2026-04-06", "consolidation 2026-04-06 2026-05-18", "closing 2026-05-18"}, adjustments: []string{"2026-03-02"}, noShows: []string{"2026-02-16", "2026-03-09"}, now: "2026-05-25"},
	"relapses":       {slug: "phq-9", start: "2026-01-12", every: 14, scores: []int64{20, 18, 12, 6, 17, 16, 10, 7, 13, 23, 22}, phases: []string{"acute 2026-01-12"}, now: "2026-06-02"},
	"deteriorates":   {slug: "gad-7", start: "2025-09-01", every: 21, scores: []int64{9, 10, 12, 13, 15, 17, 16, 18}, phases: []string{"acute 2025-09-01"}, now: "2026-02-03"},
	"without bands":  {slug: "k10p", start: "2026-01-12", every: 30, scores: []int64{38, 31, 25, 22}, alliance: []int64{36, 36, 35, 35}, phases: []string{"assessment 2026-01-12 2026-01-20", "acute 2026-01-20 2026-01-26", "consolidation 2026-01-26 2026-05-01"}, noShows: []string{"2026-02-01"}, now: "2026-05-01"},
	"one score":      {slug: "phq-9", start: "2026-02-02", every: 7, scores: []int64{11}, now: "2026-02-03"},
	"two years":      {slug: "phq-9", start: "2024-01-08", every: 7, scores: waves(104), alliance: waves(104), phases: []string{"acute 2024-01-08 2024-07-01", "consolidation 2024-07-01 2025-06-01", "follow-up 2025-06-01"}, adjustments: []string{"2024-03-04", "2024-09-02", "2025-01-13"}, noShows: []string{"2024-02-05", "2024-05-06", "2024-08-05", "2025-02-03"}, now: "2026-01-10"},
	"alliance alone": {alliance: []int64{30, 31, 33, 20, 34}, slug: "", start: "2026-01-12", now: "2026-02-20"},
	"flat":           {slug: "phq-9", start: "2026-01-12", every: 7, scores: []int64{27, 27, 27, 0, 0, 27}, now: "2026-02-20"},
	"nothing":        {now: "2026-02-20"},
}

func waves(n int) (out []int64) {
	for i := range n {
		out = append(out, int64(20-i/8+(i*7)%5))
	}
	return out
}

var update = flag.Bool("update", false, "write what is drawn into testdata; look at the pictures before you keep them")

func TestThePicturesAreAsTheyWereLookedAt(t *testing.T) {
	for name, c := range courses {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".svg")
			got := c.trajectory(t).SVG("")
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// drawn is a picture read back from its file.
type drawn struct {
	title, desc string
	texts       []label
	marks       int
}

// elements and attributes that a picture may have: none that runs, loads or refers.
var (
	elements   = []string{"svg", "title", "desc", "rect", "line", "path", "circle", "text"}
	attributes = strings.Fields("xmlns width height viewBox role aria-labelledby font-family fill id x y x1 y1 x2 y2 cx cy r d stroke stroke-width stroke-dasharray stroke-linejoin font-size font-weight")
)

type reporter interface{ Fatalf(string, ...any) }

func read(t reporter, svg []byte) (out drawn) {
	var at xml.StartElement
	for dec := xml.NewDecoder(bytes.NewReader(svg)); ; {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			at = tok.Copy()
			if !slices.Contains(elements, tok.Name.Local) {
				t.Fatalf("<%s> is drawn", tok.Name.Local)
			}
			for _, a := range tok.Attr {
				if !slices.Contains(attributes, a.Name.Local) || strings.Contains(a.Value, "url(") {
					t.Fatalf("<%s %s=%q>", tok.Name.Local, a.Name.Local, a.Value)
				}
				if strings.HasPrefix(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Fatalf("<%s %s=%q>", tok.Name.Local, a.Name.Local, a.Value)
				}
			}
			out.marks++
		case xml.EndElement:
			at = xml.StartElement{}
		case xml.CharData:
			switch s := string(tok); at.Name.Local {
			case "title":
				out.title += s
			case "desc":
				out.desc += s
			case "text":
				v := map[string]string{}
				for _, a := range at.Attr {
					v[a.Name.Local] = a.Value
				}
				f := func(name string) float64 { n, _ := strconv.ParseFloat(v[name], 64); return n }
				out.texts = append(out.texts, text(s, f("x"), f("y"), f("font-size"), 0, v["font-weight"] == "bold"))
			}
		}
	}
}

// legible fails where text leaves the picture or stands on other text.
func legible(t reporter, d drawn) {
	const hair = 0.02 // the file is rounded to hundredths
	for i, a := range d.texts {
		if a.left < 0 || a.right > pictureWidth || a.top < 0 || a.bottom > pictureHeight || a.size < smallSize {
			t.Fatalf("%q leaves the picture or is too small: %+v", a.text, a.box)
		}
		for _, b := range d.texts[i+1:] {
			b.left, b.right, b.top, b.bottom = b.left+hair, b.right-hair, b.top+hair, b.bottom-hair
			if a.meets(b.box) {
				t.Fatalf("%q stands on %q", a.text, b.text)
			}
		}
	}
}

func (d drawn) says(s string) bool {
	return slices.ContainsFunc(d.texts, func(l label) bool { return l.text == s })
}

func TestAPictureSaysWhatMatters(t *testing.T) {
	for name, want := range map[string][]string{
		"recovers":       {"18", "5", "24", "38", "Assessment", "Acute", "Consolidation", "Minimal", "Moderately severe", "cut-off 10", "reliably better: 12 or less", "reliable improvement", "plan adjusted", "did not come", "drop below own mean", "alliance check"},
		"relapses":       {"20", "6", "17", "13", "23", "reliably worse than the last", "reliable improvement", "11 scores from 12 Jan 2026 to 1 Jun 2026. Baseline 20 (severe), latest 22 (severe): no reliable change."},
		"deteriorates":   {"9", "18", "reliable deterioration", "Severe", "Sep 2025", "Jan 2026"},
		"without bands":  {"38", "22", "Very high", "Assess."},
		"one score":      {"11", "One score: 11 (moderate) on 2 Feb 2026.", "2 Feb 2026"},
		"two years":      {"20", "9", "Jan 2024", "Jan 2025", "Jan 2026"},
		"alliance alone": {"Alliance check over time", "20", "34", "drop below own mean"},
		"nothing":        {"There are no scores to draw."},
	} {
		c := courses[name].trajectory(t)
		d := read(t, c.SVG(""))
		legible(t, d)
		for _, w := range want {
			if !d.says(w) {
				t.Errorf("%s: %q is nowhere", name, w)
			}
		}
		if d.desc != c.Story || d.title == "" {
			t.Errorf("%s: the text alternative is %q, the story %q", name, d.desc, c.Story)
		}
	}
}

func TestTwoCoursesOfTherapyAreTwoLinesAndTheLaterHasItsBaseline(t *testing.T) {
	c := courses["recovers"]
	c.alliance = nil
	tr := c.trajectory(t)
	s := &tr.Series[0]
	second := fhir.Key{Type: "Observation", ID: "phq-9-6"}
	for i := range s.Points[6:] {
		p := &s.Points[6+i]
		if p.base, p.Marks = second, nil; i == 0 {
			p.base, p.SinceFirst = fhir.Key{}, nil
		}
	}
	s.finish()
	if s.Baseline != second.String() {
		t.Errorf("the baseline is %s", s.Baseline)
	}
	if n := strings.Count(string(tr.SVG("")), `stroke-width="1.75" stroke-linejoin`); n != 2+4 { // four more are the cross of an adjustment, there and in the legend
		t.Errorf("%d lines", n)
	}
	// What the baseline was is not seen: then there is none.
	s.Points = slices.Delete(s.Points, 6, 7)
	s.Points = slices.Delete(s.Points, 0, 6)
	s.finish()
	if s.Baseline != "" || s.baseline() != nil {
		t.Errorf("the baseline is %s", s.Baseline)
	}
	legible(t, read(t, tr.SVG("")))
}

func TestWhatIsToldDoesNotBreakThePicture(t *testing.T) {
	c := courses["recovers"].trajectory(t)
	c.Series[0].Title = `</text><script>alert("1")</script> & "` + "\x00\u2028"
	c.Adjustments[0].Reason = "<b onload='x'>]]> & more"
	c.Series[0].Story, c.Story = c.Series[0].story(), c.story()
	d := read(t, c.SVG(""))
	legible(t, d)
	if !strings.Contains(d.desc, "<b onload='x'>]]> & more") {
		t.Errorf("%s", d.desc)
	}
}

func TestNoTextStandsOnAnotherWhateverTheCourse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := course{
			slug:  rapid.SampledFrom([]string{"phq-9", "gad-7", "k10p", "k5", "phq-2", "sdq-yr101"}).Draw(rt, "slug"),
			start: "2026-01-12", every: rapid.IntRange(1, 60).Draw(rt, "every"), now: "2026-06-01",
		}
		total := library(t).BySlug(c.slug).Total()
		c.scores = rapid.SliceOfN(rapid.Int64Range(int64(number(total.Low)), int64(number(total.High))), 0, 60).Draw(rt, "scores")
		c.alliance = rapid.SliceOfN(rapid.Int64Range(0, 40), 0, 40).Draw(rt, "alliance")
		days := func(name string, most int) (out []string) {
			for range rapid.IntRange(0, most).Draw(rt, name) {
				out = append(out, day(c.start).AddDate(0, 0, rapid.IntRange(-20, 400).Draw(rt, name)).Format(time.DateOnly))
			}
			slices.Sort(out)
			return out
		}
		c.adjustments, c.noShows = days("adjustments", 6), days("no-shows", 20)
		for i, from := range days("phases", 5) {
			p := slices.Sorted(maps.Keys(phaseNames))[i] + " " + from
			if rapid.Bool().Draw(rt, "ended") {
				p += " " + day(from).AddDate(0, 0, rapid.IntRange(0, 90).Draw(rt, "long")).Format(time.DateOnly)
			}
			c.phases = append(c.phases, p)
		}
		tr := c.trajectory(t)
		d := read(rt, tr.SVG(""))
		legible(rt, d)
		if len(c.scores)+len(c.alliance) == 0 {
			return
		}
		main, alliance := tr.chosen("")
		w := drawing{picture: &picture{}, t: tr, span: tr.spanOf([]*Series{main})}
		if alliance != nil {
			w.span = tr.spanOf([]*Series{main, alliance})
		}
		for _, e := range w.entries(main, alliance) {
			if !d.says(e.says) {
				rt.Fatalf("the legend lacks %q", e.says)
			}
		}
		for _, b := range main.Bands {
			if !slices.ContainsFunc(d.texts, func(l label) bool { return l.text == b.Label || strings.HasSuffix(l.text, "…") && l.left > plotRight }) {
				rt.Fatalf("the band %s is not named", b.Label)
			}
		}
	})
}
