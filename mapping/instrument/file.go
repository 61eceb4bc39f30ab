package instrument

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxFile bounds an instrument's file in bytes.
const maxFile = 256 << 10

// Fault is what is wrong with an instrument's file, and where.
type Fault struct {
	File string
	Line int
	Why  string
}

func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Why) }

// decode reads YAML strictly into v: an unknown or repeated key is a Fault.
func decode(file string, src []byte, v any) error {
	if len(src) > maxFile {
		return &Fault{file, 1, fmt.Sprintf("the file is larger than %d bytes", maxFile)}
	}
	err := yaml.UnmarshalWithOptions(src, v, yaml.Strict())
	if err == nil {
		return nil
	}
	f := &Fault{File: file, Line: 1, Why: err.Error()}
	var ye yaml.Error
	if errors.As(err, &ye) {
		f.Why = ye.GetMessage()
		if t := ye.GetToken(); t != nil && t.Position != nil {
			f.Line = t.Position.Line
		}
	}
	f.Why, _, _ = strings.Cut(f.Why, "\n")
	return f
}

// read loads one instrument and checks that it makes sense.
func read(files fs.FS, slug string) (*Instrument, error) {
	file := path.Join(slug, "instrument.yaml")
	src, err := fs.ReadFile(files, file)
	if err != nil {
		return nil, err
	}
	in := &Instrument{Slug: slug}
	if err := decode(file, src, in); err != nil {
		return nil, err
	}
	c := &checker{file: file, src: src, in: in}
	c.check()
	if len(c.faults) > 0 {
		slices.SortStableFunc(c.faults, func(a, b *Fault) int { return cmp.Compare(a.Line, b.Line) })
		errs := make([]error, len(c.faults))
		for i, f := range c.faults {
			errs[i] = f
		}
		return nil, errors.Join(errs...)
	}
	return in, nil
}

// checker finds what a strict decoder cannot, and compiles what scoring needs.
type checker struct {
	file   string
	src    []byte
	in     *Instrument
	faults []*Fault
}

// at reports a fault at a YAML path, or at the nearest part of it that is there.
func (c *checker) at(where, format string, args ...any) {
	line := 1
	for p := where; p != "$" && p != ""; p = p[:max(strings.LastIndexAny(p, ".["), 0)] {
		if yp, err := yaml.PathString(p); err == nil {
			if n, err := yp.ReadNode(bytes.NewReader(c.src)); err == nil && n.GetToken() != nil {
				line = n.GetToken().Position.Line
				break
			}
		}
	}
	c.faults = append(c.faults, &Fault{c.file, line, fmt.Sprintf(format, args...)})
}

func (c *checker) need(where, value string) {
	if strings.TrimSpace(value) == "" {
		c.at(where, "%s is missing", strings.TrimPrefix(where, "$."))
	}
}

func (c *checker) check() {
	in := c.in
	for where, v := range map[string]string{
		"$.title": in.Title, "$.name": in.Name, "$.version": in.Version, "$.url": in.URL, "$.date": in.Date,
		"$.informant": in.Subject, "$.licence.note": in.Licence.Note, "$.licence.source": in.Licence.Source,
	} {
		c.need(where, v)
	}
	if in.Text && in.Lang == "" {
		c.at("$.text", "texts ship, so language must be given")
	}
	if in.Panel.Code == "" {
		in.Panel = Code{System: Instruments, Code: in.Slug, Display: in.Title}
	}
	defaultSystem(&in.Panel)
	c.answers()
	c.items()
	c.scales()
	c.change()
	c.ownMean()
	c.risks()
}

func defaultSystem(k *Code) {
	if k.System == "" {
		k.System = loinc
	}
}

func (c *checker) answers() {
	for name, a := range c.in.Answers {
		where := "$.answers." + name
		a.name = name
		if a.System == "" {
			a.System = answerSystem + name
		}
		a.byCode = map[string]*Option{}
		first := true
		for i, o := range a.Options {
			at := fmt.Sprintf("%s.options[%d]", where, i)
			c.need(at+".code", o.Code)
			if c.in.Text != (o.Display != "") {
				c.at(at, "option %s: display must stand exactly where texts ship", o.Code)
			}
			if o.Value == "" {
				o.Value = o.Code
				if o.Score != nil {
					o.Value = o.Score.String()
				}
			}
			for _, k := range []string{o.Code, o.Value} {
				if other := a.byCode[k]; other != nil && other != o {
					c.at(at, "%q stands for two options", k)
				}
				a.byCode[k] = o
			}
			if o.Score == nil {
				continue
			}
			if first || o.Score.Cmp(a.low) < 0 {
				a.low = *o.Score
			}
			if first || o.Score.Cmp(a.high) > 0 {
				a.high = *o.Score
			}
			first = false
		}
		if first {
			c.at(where, "no option has a score")
		}
	}
}

func (c *checker) items() {
	in := c.in
	in.byLink = map[string]int{}
	for i, it := range in.Items {
		where := fmt.Sprintf("$.items[%d]", i)
		c.need(where+".link", it.Link)
		if it.Code.Code == "" {
			it.Code = Code{System: ItemCodes, Code: in.Slug + "-" + it.Link}
		}
		defaultSystem(&it.Code)
		if in.Text != (it.Text != "") {
			c.at(where, "item %s: text must stand exactly where texts ship", it.Link)
		}
		for _, k := range slices.Concat([]string{it.Link, it.Code.Code}, it.Also) {
			if _, taken := in.byLink[k]; taken {
				c.at(where, "%q names two items", k)
			}
			in.byLink[k] = i
		}
		switch {
		case it.Answers == "" && (it.Min == nil || it.Max == nil || *it.Min > *it.Max):
			c.at(where, "item %s has neither answers nor min and max", it.Link)
		case it.Answers != "":
			if it.list = in.Answers[it.Answers]; it.list == nil {
				c.at(where+".answers", "there are no answers called %q", it.Answers)
			} else if it.Min != nil || it.Max != nil {
				c.at(where, "item %s has answers, so min and max mean nothing", it.Link)
			}
		}
	}
	for i, it := range in.Items {
		if it.Unless != nil {
			c.unless(fmt.Sprintf("$.items[%d].unless", i), it.Unless)
		}
	}
	if len(in.Items) == 0 {
		c.at("$.items", "there are no items")
	}
}

func (c *checker) unless(where string, u *Unless) {
	it := c.in.Item(u.Item)
	if it == nil {
		c.at(where, "there is no item %q", u.Item)
	} else if it.list == nil || it.list.byCode[u.Is] == nil || it.list.byCode[u.Is].Code != u.Is {
		c.at(where, "item %s has no option with code %q", u.Item, u.Is)
	}
}

func (c *checker) scales() {
	in := c.in
	in.scales, in.scores = map[string]*Scale{}, map[string]*Scale{}
	for i, s := range in.Scales {
		where := fmt.Sprintf("$.scales[%d]", i)
		c.need(where+".slug", s.Slug)
		c.need(where+".source", s.Source)
		if s.Code.Code == "" {
			c.at(where+".code", "code is missing")
		}
		defaultSystem(&s.Code)
		if in.scales[s.Slug] != nil {
			c.at(where, "scale %q stands twice", s.Slug)
		}
		in.scales[s.Slug] = s
		for _, k := range append([]string{s.Slug}, s.Also...) {
			if _, taken := in.byLink[k]; taken || in.scores[k] != nil {
				c.at(where, "%q names two things", k)
			}
			in.scores[k] = s
		}
		c.scale(where, s)
		c.bands(where, s)
	}
	if len(in.Scales) == 0 {
		c.at("$.scales", "there are no scales")
	}
	for i, s := range in.Scales {
		for _, slug := range s.Of {
			part := in.scales[slug]
			if part == nil || len(part.Of) > 0 {
				c.at(fmt.Sprintf("$.scales[%d].of", i), "there is no scale of items called %q", slug)
				continue
			}
			s.of = append(s.of, part)
		}
	}
}

func (c *checker) scale(where string, s *Scale) {
	if (len(s.Items) == 0) == (len(s.Of) == 0) {
		c.at(where, "scale %s needs either items or of", s.Slug)
	}
	if s.Mean && len(s.Items) == 0 {
		c.at(where+".mean", "scale %s: a mean is one of items", s.Slug)
	}
	if s.Low.Cmp(s.High) >= 0 {
		c.at(where, "scale %s: low must be below high", s.Slug)
	}
	if s.Worse != "higher" && s.Worse != "lower" {
		c.at(where, "scale %s: worse is higher or lower", s.Slug)
	}
	for _, l := range s.Reverse {
		if !slices.Contains(s.Items, l) {
			c.at(where+".reverse", "item %s is not one of the scale's", l)
		}
	}
	if s.Zero != nil {
		c.unless(where+".zero", s.Zero)
	}
	if m := s.Missing; m != nil {
		if m.Least < 1 || m.Least >= len(s.Items) {
			c.at(where+".missing", "least is the number of answers that are enough, below that of items")
		}
		c.need(where+".missing.source", m.Source)
	}
	var low, high Points
	for _, l := range s.Items {
		i, ok := c.in.byLink[l]
		if !ok || c.in.Items[i].list == nil {
			c.at(where+".items", "there is no item %q with answers", l)
			continue
		}
		it, rev := c.in.Items[i], slices.Contains(s.Reverse, l)
		w, lo, hi := c.weigh(where, s, it, rev)
		s.items, s.reverse, s.weights = append(s.items, i), append(s.reverse, rev), append(s.weights, w)
		low, high = low.Plus(lo), high.Plus(hi)
	}
	if s.Zero != nil {
		low = Points{}
	}
	if s.Mean && len(s.items) > 0 {
		if s.Missing != nil || s.Zero != nil {
			c.at(where+".mean", "scale %s: a mean has no rule for missing items", s.Slug)
		}
		low, high = low.over(len(s.items)), high.over(len(s.items))
	}
	if len(s.Items) > 0 && len(c.faults) == 0 && (low.Cmp(s.Low) != 0 || high.Cmp(s.High) != 0) {
		c.at(where, "scale %s: its items give %s to %s, not %s to %s", s.Slug, low, high, s.Low, s.High)
	}
}

// weigh works out what each option of an item counts in a scale, once.
func (c *checker) weigh(where string, s *Scale, it *Item, reverse bool) (w []Points, low, high Points) {
	first := true
	for _, o := range it.list.Options {
		if o.Score == nil {
			w = append(w, Points{})
			continue
		}
		p := *o.Score
		if reverse {
			p = it.list.low.Plus(it.list.high).Minus(p)
		}
		if s.Recode != nil {
			r, ok := s.Recode[p.String()]
			if !ok {
				c.at(where+".recode", "nothing is said of %s (item %s)", p, it.Link)
			}
			p = r
		}
		if first || p.Cmp(low) < 0 {
			low = p
		}
		if first || p.Cmp(high) > 0 {
			high = p
		}
		first = false
		w = append(w, p)
	}
	return w, low, high
}

// bands checks that the bands cover the range in whole points, each once.
func (c *checker) bands(where string, s *Scale) {
	if len(s.Bands) == 0 {
		return
	}
	c.need(where+".banding", s.Banding)
	next := s.Low
	for i, b := range s.Bands {
		if b.Low.Cmp(next) != 0 || b.High.Cmp(b.Low) < 0 {
			c.at(fmt.Sprintf("%s.bands[%d]", where, i), "band %s must begin at %s and end at or above it", b.Slug, next)
			return
		}
		next = b.High.Plus(PointsOf(1))
	}
	if last := s.Bands[len(s.Bands)-1]; last.High.Cmp(s.High) != 0 {
		c.at(where+".bands", "the bands end at %s, the range at %s", last.High, s.High)
	}
}

func (c *checker) change() {
	ch := c.in.Change
	if ch == nil {
		return
	}
	s := c.in.scales[ch.Scale]
	if s == nil {
		c.at("$.change.scale", "there is no scale called %q", ch.Scale)
		return
	}
	c.need("$.change.source", ch.Source)
	if ch.Reliable.Cmp(PointsOf(0)) <= 0 || ch.Case.Cmp(s.Low) < 0 || ch.Case.Cmp(s.High) > 0 {
		c.at("$.change", "reliable must be above 0 and case within the scale's range")
	}
}

func (c *checker) ownMean() {
	m := c.in.OwnMean
	if m == nil {
		return
	}
	if len(c.in.Scales) == 0 || m.Scale != c.in.Scales[0].Slug {
		c.at("$.ownMean.scale", "only the first scale is compared with its own mean")
	}
	c.need("$.ownMean.display", m.Display)
	c.need("$.ownMean.source", m.Source)
	c.need("$.ownMean.reason", m.Reason)
	if m.Least < 1 || m.Fall.Cmp(PointsOf(0)) <= 0 {
		c.at("$.ownMean", "least must be 1 or more and fall above 0")
	}
}

func (c *checker) risks() {
	for i, r := range c.in.Risks {
		where := fmt.Sprintf("$.risks[%d]", i)
		c.need(where+".slug", r.Slug)
		c.need(where+".display", r.Display)
		c.need(where+".source", r.Source)
		n, ok := c.in.byLink[r.Item]
		if !ok || c.in.Items[n].list == nil {
			c.at(where, "there is no item %q with answers", r.Item)
			continue
		}
		r.item = n
		if l := c.in.Items[n].list; r.AtLeast.Cmp(l.low) <= 0 || r.AtLeast.Cmp(l.high) > 0 {
			c.at(where, "atLeast %s would fire always or never", r.AtLeast)
		}
	}
}
