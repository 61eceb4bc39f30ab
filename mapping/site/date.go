package site

import (
	"strings"
	"time"
)

// pattern is a date or time format, written DDMMYYYY, YYYY-MM-DD, D/M/YYYY,
// YYYY or hh:mm, as a Go layout.
type pattern struct {
	layout    string
	date, day bool // has a year; has a day
	clock     bool // has an hour
	written   string
}

var tokens = []struct{ written, layout string }{
	{"YYYY", "2006"}, {"MM", "01"}, {"DD", "02"}, {"M", "1"}, {"D", "2"}, {"hh", "15"}, {"mm", "04"}, {"ss", "05"},
}

// readPattern compiles a format; it names what it cannot understand.
func readPattern(n *node, fs *faults) (p pattern, ok bool) {
	p.written = n.text
	seen := map[byte]bool{}
	rest := n.text
next:
	for rest != "" {
		for _, t := range tokens {
			if !strings.HasPrefix(rest, t.written) {
				continue
			}
			if seen[t.written[0]] {
				fs.add(n, "the format names %s twice", t.written)
				return p, false
			}
			seen[t.written[0]] = true
			p.layout, rest = p.layout+t.layout, rest[len(t.written):]
			continue next
		}
		if !strings.ContainsRune("-/.: T", rune(rest[0])) {
			fs.add(n, "a format is made of YYYY, MM, DD, M, D, hh, mm, ss and - / . : T, e.g. DD/MM/YYYY; %q is none of them", rest[:1])
			return p, false
		}
		p.layout, rest = p.layout+rest[:1], rest[1:]
	}
	p.date, p.day, p.clock = seen['Y'], seen['D'], seen['h']
	if seen['D'] && !seen['M'] || seen['M'] && !seen['Y'] || seen['m'] && !seen['h'] || seen['s'] && !seen['m'] || !p.date && !p.clock {
		fs.add(n, "the format leaves out a part that it needs: year before month before day, hour before minute")
		return p, false
	}
	return p, true
}

// parse reads a date that exists: 30 February does not.
func (p pattern) parse(s string) (time.Time, bool) {
	t, err := time.Parse(p.layout, s)
	if err != nil || p.date && (t.Year() < 1) {
		return t, false
	}
	return t, true
}

// iso writes t as precisely as the pattern says: 1994, 1994-05, 1994-05-17, 10:30:00.
func (p pattern) iso(t time.Time) string {
	switch {
	case !p.date:
		return t.Format("15:04:05")
	case p.day:
		return t.Format("2006-01-02")
	case strings.Contains(p.layout, "01"), strings.Contains(p.layout, "1"):
		return t.Format("2006-01")
	}
	return t.Format("2006")
}

// clock joins a date and a time of day in a zone. ok is false where that zone's
// clocks skipped the time, or showed it twice: then what was meant is not known.
func clock(date, tod time.Time, zone *time.Location) (t time.Time, ok bool) {
	y, m, d := date.Date()
	h, mi, s := tod.Clock()
	t = time.Date(y, m, d, h, mi, s, 0, zone)
	if t.Hour() != h || t.Minute() != mi {
		return t, false
	}
	for _, shift := range []time.Duration{-2 * time.Hour, -time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		if o := t.Add(shift); o.Day() == t.Day() && o.Hour() == h && o.Minute() == mi {
			return t, false
		}
	}
	return t, true
}
