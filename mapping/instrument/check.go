package instrument

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"rapport/fhir"
)

// Check compares scores that a source states, by scale slug, with the score of
// its items. Left out is what is not stated (99 in the Australian data set). No
// items answered means nothing to compare with: a score may come without them.
//
// Errors, each with its JSON Pointer in a record that states the scores:
// [fhir.BusinessRule] for each scale that differs, or for which the items
// that were answered are too few for the score that is stated; [fhir.Value] for
// a scale that does not exist or a score outside its range. No values are told.
func (in *Instrument) Check(stated map[string]Points, s Score) error {
	return in.check(stated, s, "/scores", func(scale string) string { return "/scores/" + scale })
}

// check tells what is wrong at where all scores are stated, or where one of a scale is.
func (in *Instrument) check(stated map[string]Points, s Score, all string, one func(scale string) string) error {
	var errs fhir.Errors
	for _, slug := range slices.Sorted(maps.Keys(stated)) {
		p, sc := stated[slug], s.Of(slug)
		switch {
		case sc.Scale == nil:
			errs = append(errs, fhir.Errorf(fhir.Value, all, "%s has no scale of that name; its scales are %s", in.Slug, strings.Join(in.scaleSlugs(), ", ")))
		case p.Cmp(sc.Low) < 0 || p.Cmp(sc.High) > 0:
			errs = append(errs, fhir.Errorf(fhir.Value, one(slug), "the stated %s score of %s is outside %s to %s", slug, in.Slug, sc.Low, sc.High))
		case sc.Value == nil && sc.Answered > 0:
			errs = append(errs, fhir.Errorf(fhir.BusinessRule, one(slug), "a %s score of %s is stated, but too few of its items are answered for one (not answered: %s)", slug, in.Slug, strings.Join(sc.Absent, ", ")))
		case sc.Value != nil && sc.Value.Cmp(p) != 0:
			errs = append(errs, fhir.Errorf(fhir.BusinessRule, one(slug), "the stated %s score of %s is not what its items give; correct the one or the other", slug, in.Slug))
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// ParseStated reads a score as a source writes it; absent says that it is not
// stated: an empty text or one of the source's codes for that.
func ParseStated(text string, absent ...string) (p Points, stated bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return p, false, nil
	}
	for _, a := range absent {
		if text == a {
			return p, false, nil
		}
	}
	p, err = ParsePoints(text)
	return p, err == nil, err
}

func parseWhole(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

func (a *Answer) index(o *Option) int {
	for i, x := range a.Options {
		if x == o {
			return i
		}
	}
	return -1
}

func (a *Answer) codes() string {
	cs := make([]string, len(a.Options))
	for i, o := range a.Options {
		cs[i] = o.Code
	}
	return strings.Join(cs, ", ")
}

func (in *Instrument) scaleSlugs() []string {
	out := make([]string, len(in.Scales))
	for i, s := range in.Scales {
		out[i] = s.Slug
	}
	return out
}
