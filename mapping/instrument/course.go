package instrument

import (
	"context"
	"math"
	"slices"
	"time"

	"rapport/fhir"
	"rapport/fhir/path"
)

// invited is how long before a course of therapy begins a first score may lie: the
// questionnaire sent with the invitation.
const invited = 14 * 24 * time.Hour

// course is a course of therapy of a client.
type course struct {
	key          fhir.Key // of the EpisodeOfCare
	patient      fhir.Key
	begins, ends int64 // microseconds; math.MinInt64, math.MaxInt64: not said
}

// courseIn reads a course of therapy; false for a tombstone and for what is in error.
func courseIn(r fhir.Resource) (course, bool) {
	root := r.Root()
	if r.IsZero() || root.Get("status").Text() == "entered-in-error" {
		return course{}, false
	}
	c := course{key: r.Key, begins: math.MinInt64, ends: math.MaxInt64}
	c.patient, _ = root.Get("patient").Ref()
	if m, ok := path.ParseMoment(path.DateTime, root.At("period", "start").Text()); ok {
		first, _ := m.Span()
		c.begins = fhir.Micros(first)
	}
	if m, ok := path.ParseMoment(path.DateTime, root.At("period", "end").Text()); ok {
		_, last := m.Span()
		c.ends = fhir.Micros(last)
	}
	return c, true
}

// courses are those of one client.
type courses []course

// at finds the course that something belongs to by its time alone: the one that had begun
// and gone on, else the one that was soon to begin, else the one that ended last before.
// The zero Key: there was none; decided is false where there were several.
func (cs courses) at(at int64) (k fhir.Key, decided bool) {
	latest := int64(math.MinInt64)
	for _, c := range cs {
		if c.ends < at {
			latest = max(latest, c.ends)
		}
	}
	for _, belongs := range []func(course) bool{
		func(c course) bool { return c.begins <= at && at <= c.ends },
		func(c course) bool { return at < c.begins && c.begins-at <= invited.Microseconds() },
		func(c course) bool { return c.ends < at && c.ends == latest },
	} {
		n := 0
		for _, c := range cs {
			if belongs(c) {
				k, n = c.key, n+1
			}
		}
		if n > 0 {
			return k, n == 1
		}
	}
	return fhir.Key{}, true
}

// instead returns the courses with one in another state; false: without it.
func (cs courses) instead(k fhir.Key, c course, there bool) courses {
	out := slices.DeleteFunc(slices.Clone(cs), func(c course) bool { return c.key == k })
	if there {
		out = append(out, c)
	}
	return out
}

// coursesOf reads the courses of therapy of a client, once; seen is false where the
// caller may not search for them.
func (j *derivation) coursesOf(ctx context.Context, patient fhir.Key) (courses, bool, error) {
	if known, ok := j.clients[patient]; ok {
		return known.courses, known.seen, nil
	}
	var cs courses
	q := fhir.Query{Type: "EpisodeOfCare", Where: []fhir.Clause{{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patient}}}}}
	seen := true
	for r, err := range fhir.Matches(ctx, j.in, q) {
		if fhir.Is(err, fhir.Forbidden) {
			seen = false
			break
		}
		if err != nil {
			return nil, false, err
		}
		if c, ok := courseIn(r); ok {
			cs = append(cs, c)
		}
	}
	j.clients[patient] = client{cs, seen}
	return cs, seen, nil
}

// client is what is known of the courses of therapy of one.
type client struct {
	courses
	seen bool
}

// line is what the scores that are compared with each other have in common: course of
// therapy and informant.
type line struct {
	course    fhir.Key // zero: before, or without, any course
	alone     fhir.Key // the score itself, where nobody can say to which of several courses it belongs
	informant string
}

// line is where a score that names no course belongs.
func (cs courses) line(p point) line {
	k, decided := cs.at(p.at)
	if !decided {
		return line{alone: p.key, informant: p.informant}
	}
	return line{course: k, informant: p.informant}
}

// courseOf finds the course of therapy of a response: the one that it names, else that
// of its encounter; the zero Key where neither does or it is not seen.
func courseOf(ctx context.Context, r fhir.Reader, w about) (fhir.Key, error) {
	if !w.episode.IsZero() {
		return w.episode, nil
	}
	return episodeOf(ctx, r, w.encounter)
}

// episodeOf returns the course of therapy of an encounter, the zero Key where there is
// none or it is not visible.
func episodeOf(ctx context.Context, r fhir.Reader, encounter fhir.Key) (fhir.Key, error) {
	enc, err := fhir.Look(ctx, r, encounter)
	if err != nil || enc.IsZero() {
		return fhir.Key{}, err
	}
	k, _ := enc.Root().Get("episodeOfCare").Index(0).Ref()
	return k, nil
}

// bounded tells anew what was placed by the time of a course of therapy that is there,
// begins or ends otherwise than before.
func (j *derivation) bounded(ctx context.Context, r fhir.Resource) error {
	prior, err := j.prior(ctx, r)
	if err != nil {
		return err
	}
	was, stood := courseIn(prior)
	now, stands := courseIn(r)
	if was == now {
		return nil
	}
	patients := []fhir.Key{was.patient, now.patient}
	for _, p := range slices.Compact(patients) {
		if p.IsZero() {
			continue
		}
		cs, seen, err := j.coursesOf(ctx, p)
		if err != nil || !seen {
			return err
		}
		cs = cs.instead(r.Key, now, stands && now.patient == p)
		j.clients[p] = client{cs, true}
		before := cs.instead(r.Key, was, stood && was.patient == p)
		if err := j.moved(ctx, p, func(p point) bool { return p.course.IsZero() && p.line != before.line(p) }); err != nil {
			return err
		}
	}
	return nil
}

// moved tells anew those scores of a client that belong elsewhere now, and what was
// compared with them.
func (j *derivation) moved(ctx context.Context, patient fhir.Key, elsewhere func(point) bool) error {
	lines, err := j.timelines(ctx, patient, j.library.scales()...)
	if err != nil {
		return err
	}
	for _, in := range j.library.scales() {
		t := lines[in]
		i := slices.IndexFunc(t, elsewhere)
		if i < 0 {
			continue
		}
		since := point{at: t[i].at - 1}
		if err := j.retell(ctx, in, t, since.at, &since, true); err != nil {
			return err
		}
	}
	return nil
}

// momentOf returns when something was measured, in microseconds; a date without a zone
// is read as UTC, as the index does. A year or a month is no moment: to order it among
// others would be to guess which came first.
func momentOf(s string) (int64, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return fhir.Micros(t), true
		}
	}
	return 0, false
}
