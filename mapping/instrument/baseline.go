package instrument

import (
	"context"
	"math"
	"time"

	"rapport/fhir"
)

// before is how long before the course of therapy begins a first score may lie:
// the questionnaire sent with the invitation.
const before = 14 * 24 * time.Hour

// course is the course of therapy that a response belongs to.
type course struct {
	key     fhir.Key      // of its EpisodeOfCare; zero: not known
	episode fhir.Resource // zero: not known or not visible
	from    int64         // scores before this microsecond that name no course are not of this one
}

// courseOf finds the course of therapy of a response: the one that it names, else
// that of its encounter.
func courseOf(ctx context.Context, r fhir.Reader, w about) (course, error) {
	k := w.episode
	if k.IsZero() {
		var err error
		if k, err = episodeOf(ctx, r, w.encounter); err != nil {
			return course{}, err
		}
	}
	return courseAt(ctx, r, k)
}

// episodeOf returns the course of therapy of an encounter, the zero Key where there is
// none or it is not visible.
func episodeOf(ctx context.Context, r fhir.Reader, encounter fhir.Key) (fhir.Key, error) {
	enc, err := visible(ctx, r, encounter)
	if err != nil || enc.IsZero() {
		return fhir.Key{}, err
	}
	k, _ := enc.Root().Get("episodeOfCare").Index(0).Ref()
	return k, nil
}

// courseAt reads a course of therapy; the zero Key is one without a beginning.
func courseAt(ctx context.Context, r fhir.Reader, k fhir.Key) (course, error) {
	c := course{key: k, from: math.MinInt64}
	episode, err := visible(ctx, r, k)
	if err != nil || episode.IsZero() {
		return c, err
	}
	c.episode = episode
	if us, ok := earliest(episode.Root().At("period", "start").Text()); ok {
		c.from = us - before.Microseconds()
	}
	return c, nil
}

// visible reads a resource; one that is not there, deleted or not for the caller
// is the zero Resource.
func visible(ctx context.Context, r fhir.Reader, k fhir.Key) (fhir.Resource, error) {
	if k.IsZero() {
		return fhir.Resource{}, nil
	}
	res, err := r.Read(ctx, k)
	if unseen(err) {
		return fhir.Resource{}, nil
	}
	return res, err
}

// unseen reports whether a read found nothing that is the caller's to know of.
func unseen(err error) bool {
	return fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Deleted) || fhir.Is(err, fhir.Forbidden)
}

// momentOf returns when something was measured, in microseconds; a date without a zone
// is read as UTC, as the index does. A year or a month is no moment: to order it among
// others would be to guess which came first.
func momentOf(s string) (int64, bool) {
	return firstOf(s, time.RFC3339Nano, "2006-01-02")
}

// earliest returns the first microsecond that a FHIR dateTime may mean, also one that is
// a year or a month: a bound, not a place in an order.
func earliest(s string) (int64, bool) {
	return firstOf(s, time.RFC3339Nano, "2006-01-02", "2006-01", "2006")
}

func firstOf(s string, layouts ...string) (int64, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return fhir.Micros(t), true
		}
	}
	return 0, false
}

func claims(root fhir.Node, profile string) bool {
	for p := range root.At("meta", "profile").Elements() {
		if p.Text() == profile {
			return true
		}
	}
	return false
}

// remembering is a Reader that reads each resource once. It serves one transaction
// and one goroutine.
type remembering struct {
	fhir.Reader
	seen map[fhir.Key]answer
}

type answer struct {
	fhir.Resource
	err error
}

func remember(r fhir.Reader) remembering { return remembering{r, map[fhir.Key]answer{}} }

// Read implements fhir.Reader.
func (r remembering) Read(ctx context.Context, k fhir.Key) (fhir.Resource, error) {
	if a, ok := r.seen[k]; ok {
		return a.Resource, a.err
	}
	res, err := r.Reader.Read(ctx, k)
	r.seen[k] = answer{res, err}
	return res, err
}
