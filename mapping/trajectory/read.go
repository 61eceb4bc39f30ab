package trajectory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// Trajectory is what is known of one client over time, to one caller.
type Trajectory struct {
	Client      string       `json:"client"` // Patient/id
	AsOf        string       `json:"asOf"`   // day
	Story       string       `json:"story"`  // the whole in words
	Series      []Series     `json:"series"` // those with the most scores first, other informants after them, alliance last
	Phases      []Phase      `json:"phases"`
	Adjustments []Adjustment `json:"adjustments"`
	NoShows     []string     `json:"noShows"` // days
	Ahead       []Ahead      `json:"ahead,omitempty"`

	asOf time.Time
}

// Ahead is a score that is dated after the day of the trajectory. It is none of the
// series before its day: a mistyped year would be the latest for ever.
type Ahead struct {
	Instrument  string `json:"instrument"` // slug
	Observation string `json:"observation"`
	Date        string `json:"date"`

	title string
	day   time.Time
}

// Series is the scores of one instrument by one informant.
type Series struct {
	Instrument string             `json:"instrument"`          // slug
	Informant  string             `json:"informant,omitempty"` // who answered, where that is not whom the questionnaire is for: see [instrument.Instrument.Informant]
	Title      string             `json:"title"`
	Story      string             `json:"story"`
	Low        instrument.Points  `json:"low"`
	High       instrument.Points  `json:"high"`
	Worse      string             `json:"worse"` // "higher" or "lower": which way is bad
	Bands      []Band             `json:"bands"`
	Banding    string             `json:"banding,omitempty"`  // source of the bands
	Case       *instrument.Points `json:"case,omitempty"`     // the cut-off: at or beyond it, a case
	Reliable   *instrument.Points `json:"reliable,omitempty"` // this many points are reliable change
	Change     string             `json:"change,omitempty"`   // source of both
	OwnMean    bool               `json:"ownMean,omitempty"`  // scores are set against the client's own mean: alliance
	Baseline   string             `json:"baseline,omitempty"` // Observation/id: the first score of the latest course of therapy
	Points     []Point            `json:"points"`             // in the order of time
}

// Band is a named part of a scale's range.
type Band struct {
	Label string            `json:"label"`
	Low   instrument.Points `json:"low"`
	High  instrument.Points `json:"high"`
}

// Point is one score, with what is stored of it.
type Point struct {
	Observation string             `json:"observation"`
	Response    string             `json:"response,omitempty"`
	Course      string             `json:"course,omitempty"` // EpisodeOfCare/id, where it is said
	Date        string             `json:"date"`             // as it was said
	Score       instrument.Points  `json:"score"`
	Band        string             `json:"band,omitempty"`
	SinceFirst  *instrument.Points `json:"sinceFirst,omitempty"`
	SinceLast   *instrument.Points `json:"sinceLast,omitempty"`
	OwnMean     *instrument.Points `json:"sinceOwnMean,omitempty"`
	Marks       []string           `json:"marks,omitempty"` // codes of score-change, since the first; an own-mean-drop
	MarksLast   []string           `json:"marksSinceLast,omitempty"`

	day  time.Time
	at   time.Time // the moment, where one was said; else when the day begins, in UTC
	base fhir.Key  // that SinceFirst is measured from
	line string    // Observation/id with which its course begins
}

// Ask says what is to be told.
type Ask struct {
	Instrument string // slug; "": all
	Now        time.Time
	Zone       *time.Location // of the practice's calendar; nil: UTC
}

// maxScores bounds one answer; a score a week for forty years are fewer.
const maxScores = 2_000

// Read gathers a client's trajectory from what r shows.
//
// Errors: [fhir.Forbidden] for a caller that may not search Observations, whoever is
// asked for; [fhir.NotFound], the same, for a client that is not there or not
// visible; [fhir.NotSupported] for an instrument that is not in the library;
// [fhir.TooCostly] for more than 2,000 scores; and those of r.
func Read(ctx context.Context, r fhir.Reader, l *instrument.Library, client fhir.Key, a Ask) (*Trajectory, error) {
	if a.Zone == nil {
		a.Zone = time.UTC
	}
	if a.Instrument != "" && l.BySlug(a.Instrument) == nil {
		return nil, &fhir.Error{Code: fhir.NotSupported, Detail: "instrument is none of those that are known here; it is named as in a record, \"phq-9\"."}
	}
	t := &Trajectory{Client: client.String(), asOf: dayIn(a.Now, a.Zone), Phases: []Phase{}, Adjustments: []Adjustment{}, NoShows: []string{}, Series: []Series{}}
	t.AsOf = t.asOf.Format(time.DateOnly)
	g := gatherer{Reader: r, library: l, zone: a.Zone, series: map[of]*Series{}, all: map[instrument.Code][]fhir.Resource{}}
	// Scores first: who may not ask for any is told so before anything is looked up.
	if err := g.scores(ctx, client, t); err != nil {
		return nil, err
	}
	if _, err := r.Read(ctx, client); err != nil {
		if fhir.Is(err, fhir.Deleted) {
			return nil, fhir.Missing(client)
		}
		return nil, err
	}
	if err := g.plans(ctx, client, t); err != nil {
		return nil, err
	}
	if err := g.noShows(ctx, client, t); err != nil {
		return nil, err
	}
	t.Ahead = slices.DeleteFunc(t.Ahead, func(x Ahead) bool { return a.Instrument != "" && x.Instrument != a.Instrument })
	for _, s := range g.series {
		if a.Instrument == "" || s.Instrument == a.Instrument || s.OwnMean {
			s.finish()
			t.Series = append(t.Series, *s)
		}
	}
	slices.SortFunc(t.Series, func(a, b Series) int {
		return cmp.Or(cmp.Compare(yes(a.OwnMean), yes(b.OwnMean)), cmp.Compare(yes(a.Informant != ""), yes(b.Informant != "")),
			cmp.Compare(len(b.Points), len(a.Points)), strings.Compare(a.Instrument, b.Instrument), strings.Compare(a.Informant, b.Informant))
	})
	for i := range t.Series {
		t.Series[i].Story = t.Series[i].story()
	}
	t.Story = t.story()
	return t, nil
}

func yes(b bool) int {
	if b {
		return 1
	}
	return 0
}

// gatherer reads for one caller.
type gatherer struct {
	fhir.Reader
	library *instrument.Library
	zone    *time.Location
	series  map[of]*Series
	all     map[instrument.Code][]fhir.Resource // scores by their code
}

// of is what a series is of.
type of struct {
	*instrument.Instrument
	informant string
}

func about(patient fhir.Key) fhir.Clause {
	return fhir.Clause{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patient}}}
}

func coded(param string, codes ...string) fhir.Clause {
	c := fhir.Clause{Param: param, Kind: fhir.Token}
	for _, k := range codes {
		c.Any = append(c.Any, fhir.Operand{Code: k})
	}
	return c
}

func (g *gatherer) scores(ctx context.Context, client fhir.Key, t *Trajectory) error {
	n := 0
	q := fhir.Query{
		Type:  "Observation",
		Where: []fhir.Clause{about(client), coded("category", "survey"), coded("status", "final", "amended", "corrected")},
		Sort:  []fhir.Order{{Param: "date", Kind: fhir.Date}},
	}
	for o, err := range fhir.Matches(ctx, g, q) {
		if err != nil {
			return err
		}
		in, err := g.instrumentOf(ctx, o)
		if err != nil {
			return err
		}
		if in == nil {
			continue
		}
		p, ok := g.point(o, in)
		if !ok {
			continue
		}
		if n++; n > maxScores {
			return &fhir.Error{Code: fhir.TooCostly, Detail: "There are too many scores for one answer; search the Observations by date."}
		}
		if p.day.After(t.asOf) {
			t.Ahead = append(t.Ahead, Ahead{in.Slug, p.Observation, p.Date, in.Title, p.day})
			continue
		}
		k := of{in, in.Informant(o)}
		s := g.series[k]
		if s == nil {
			s = seriesOf(in)
			if k.informant != in.Subject {
				s.Informant = k.informant
			}
			g.series[k] = s
		}
		s.Points = append(s.Points, p)
		code := in.Total().Code
		g.all[code] = append(g.all[code], o)
	}
	for k, s := range g.series {
		if err := g.bare(ctx, k.Instrument, s.Points); err != nil {
			return err
		}
	}
	return nil
}

// bare fills in what is stored with no score that a source states without answers.
func (g *gatherer) bare(ctx context.Context, in *instrument.Instrument, points []Point) error {
	silent := func(p Point) bool { return p.Response == "" && p.SinceFirst == nil }
	if !slices.ContainsFunc(points, silent) {
		return nil
	}
	told, err := in.TellBare(ctx, g.Reader, g.all[in.Total().Code])
	if err != nil {
		return err
	}
	for i := range points {
		p := &points[i]
		k, _ := fhir.ParseKey(p.Observation)
		if x, ok := told[k]; ok && silent(*p) {
			p.tell(x)
		}
	}
	return nil
}

func (p *Point) tell(x instrument.Told) {
	if x.First != nil {
		p.SinceFirst, p.Marks = &x.First.Change, x.First.Codes()
		p.base, _ = fhir.ParseKey(x.First.Observation)
	}
	if x.Last != nil && x.Last.Observation != x.First.Observation {
		p.SinceLast, p.MarksLast = &x.Last.Change, x.Last.Codes()
	}
	if x.OwnMean != nil && x.OwnMean.Mean != nil {
		if p.OwnMean = x.OwnMean.Change; x.OwnMean.Drop {
			p.Marks = append(p.Marks, "own-mean-drop")
		}
	}
}

func seriesOf(in *instrument.Instrument) *Series {
	total := in.Total()
	s := &Series{Instrument: in.Slug, Title: in.Title, Low: total.Low, High: total.High, Worse: total.Worse, Bands: []Band{}, OwnMean: in.OwnMean != nil}
	for _, b := range total.Bands {
		s.Bands = append(s.Bands, Band{b.Label, b.Low, b.High})
		s.Banding = total.Banding
	}
	if ch := in.Change; ch != nil && in.Scale(ch.Scale) == total {
		s.Case, s.Reliable, s.Change = &ch.Case, &ch.Reliable, strings.TrimSpace(ch.Source)
	}
	return s
}

// instrumentOf finds the instrument whose total an Observation is, nil for none. Where
// several share a code (the versions of one for parents, teachers and the young), what
// it derives from knows.
func (g *gatherer) instrumentOf(ctx context.Context, o fhir.Resource) (*instrument.Instrument, error) {
	var found []*instrument.Instrument
	for _, in := range g.library.All() {
		if c := in.Total().Code; o.Root().Get("code").HasCoding(c.System, c.Code) {
			found = append(found, in)
		}
	}
	if len(found) < 2 {
		if len(found) == 0 {
			return nil, nil
		}
		return found[0], nil
	}
	if stated := instrument.Stated(o); stated != "" {
		return g.named(stated), nil
	}
	for d := range o.Root().Get("derivedFrom").Elements() {
		k, ok := d.Ref()
		if !ok || k.Type != "QuestionnaireResponse" {
			continue
		}
		qr, err := fhir.Look(ctx, g, k)
		if err != nil || qr.IsZero() {
			return nil, err
		}
		return g.named(qr.Root().Get("questionnaire").Text()), nil
	}
	return nil, nil
}

func (g *gatherer) named(canonical string) *instrument.Instrument {
	url, _, _ := strings.Cut(canonical, "|")
	return g.library.ByURL(url)
}

// point reads a score; one without a number, a date or within no range is none.
func (g *gatherer) point(o fhir.Resource, in *instrument.Instrument) (p Point, ok bool) {
	root := o.Root()
	p = Point{Observation: o.Key.String(), Course: instrument.Course(o).String(), Date: root.Get("effectiveDateTime").Text()}
	v := root.At("valueQuantity", "value")
	for _, name := range []string{"valueInteger", "valueDecimal"} {
		if !v.Exists() {
			v = root.Get(name)
		}
	}
	var err error
	if p.Score, err = instrument.ParsePoints(v.Decimal()); err != nil || p.Score.Cmp(in.Total().Low) < 0 || p.Score.Cmp(in.Total().High) > 0 {
		return p, false
	}
	if p.day, ok = dayOf(p.Date, g.zone); !ok {
		return p, false
	}
	p.at, _, _ = momentOf(p.Date)
	for _, b := range in.Total().Bands {
		if p.Score.Cmp(b.Low) >= 0 && p.Score.Cmp(b.High) <= 0 {
			p.Band = b.Label
		}
	}
	for d := range root.Get("derivedFrom").Elements() {
		switch k, _ := d.Ref(); {
		case k.Type == "QuestionnaireResponse" && p.Response == "":
			p.Response = k.String()
		case k.Type == "Observation" && p.base.IsZero():
			p.base = k
		}
	}
	for c := range root.Get("component").Elements() {
		n, err := instrument.ParsePoints(c.At("valueQuantity", "value").Decimal())
		if err != nil {
			continue
		}
		is := func(code string) bool { return c.Get("code").HasCoding(instrument.ChangeCodes, code) }
		switch {
		case is("since-first"):
			p.SinceFirst = &n
			p.Marks = append(p.Marks, marksIn(c)...)
		case is("since-last"):
			p.SinceLast = &n
			p.MarksLast = append(p.MarksLast, marksIn(c)...)
		case is("since-own-mean"):
			p.OwnMean = &n
			p.Marks = append(p.Marks, marksIn(c)...)
		}
	}
	if p.SinceFirst == nil {
		p.base = fhir.Key{}
	}
	return p, true
}

func marksIn(c fhir.Node) (out []string) {
	for i := range c.Get("interpretation").Elements() {
		for x := range i.Get("coding").Elements() {
			if x.Get("system").Text() == instrument.ChangeCodes {
				out = append(out, x.Get("code").Text())
			}
		}
	}
	return out
}

// finish sorts the points, within a day by the moment as package instrument does it (the
// text of one depends on the zone in which it was told), finds with which score the course of each begins, and the
// baseline of the latest: what the last ones say they are measured from.
func (s *Series) finish() {
	slices.SortStableFunc(s.Points, func(a, b Point) int {
		return cmp.Or(a.day.Compare(b.day), a.at.Compare(b.at), strings.Compare(a.Observation, b.Observation))
	})
	for i := range s.Points {
		p := &s.Points[i]
		first := s.index(p.base.String())
		switch {
		case p.SinceFirst == nil:
			p.line = p.Observation
		case p.base.IsZero() && i > 0:
			p.line = s.Points[i-1].line
		case first >= 0 && first < i:
			p.line = s.Points[first].line
		default:
			p.line = p.base.String() // it is not seen
		}
	}
	s.Baseline = ""
	for _, p := range slices.Backward(s.Points) {
		if s.index(p.line) >= 0 {
			s.Baseline = p.line
			break
		}
	}
}

// index finds a point by its Observation; -1: it is not among those that are seen.
func (s *Series) index(observation string) int {
	return slices.IndexFunc(s.Points, func(p Point) bool { return p.Observation == observation })
}

// baseline is the point that the latest course is measured from, nil for none.
func (s *Series) baseline() *Point {
	if i := s.index(s.Baseline); i >= 0 {
		return &s.Points[i]
	}
	return nil
}

func (p Point) marked(code string) bool { return slices.Contains(p.Marks, code) }

// relapsed reports whether a score is reliably worse than the one before it.
func (p Point) relapsed() bool {
	return slices.Contains(p.MarksLast, string(instrument.ReliableDeterioration))
}

func number(p instrument.Points) float64 {
	f, err := strconv.ParseFloat(p.String(), 64)
	if err != nil {
		return 0 // it was parsed as a decimal
	}
	return f
}

// momentOf returns when a FHIR date or dateTime begins; one without a zone is read as
// UTC, and zoned is false.
func momentOf(s string) (t time.Time, zoned, ok bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, layout == time.RFC3339Nano, true
		}
	}
	return time.Time{}, false, false
}

// dayOf returns the day of a FHIR date or dateTime in a zone, as midnight UTC.
func dayOf(s string, zone *time.Location) (time.Time, bool) {
	t, zoned, ok := momentOf(s)
	if zoned {
		t = dayIn(t, zone)
	}
	return t, ok
}

func dayIn(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
