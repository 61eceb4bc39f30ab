package instrument

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"rapport/fhir"
)

// shelf is a Reader over what was put on it: the questions that are asked here
// and no others.
type shelf struct {
	now    map[fhir.Key]fhir.Resource
	was    map[fhir.Key]fhir.Resource // the version before
	gone   map[fhir.Key]bool          // what was deleted
	hidden map[fhir.Key]bool          // that this caller sees nothing of
	closed map[string]bool            // types whose search is forbidden
	reads  int
}

func newShelf(rs ...fhir.Resource) *shelf {
	s := &shelf{now: map[fhir.Key]fhir.Resource{}, was: map[fhir.Key]fhir.Resource{}, gone: map[fhir.Key]bool{}, hidden: map[fhir.Key]bool{}, closed: map[string]bool{}}
	s.put(rs...)
	return s
}

// put keeps resources; a tombstone takes one away.
func (s *shelf) put(rs ...fhir.Resource) {
	for _, r := range rs {
		delete(s.was, r.Key)
		if old, ok := s.now[r.Key]; ok {
			s.was[r.Key] = old
		}
		if s.gone[r.Key] = r.IsZero(); r.IsZero() {
			delete(s.now, r.Key)
			continue
		}
		s.now[r.Key] = r
	}
}

func (s *shelf) Read(_ context.Context, k fhir.Key) (fhir.Resource, error) {
	s.reads++
	if r, ok := s.now[k]; ok && !s.hidden[k] {
		return r, nil
	}
	if s.gone[k] {
		return fhir.Resource{}, &fhir.Error{Code: fhir.Deleted, Detail: "It was deleted."}
	}
	return fhir.Resource{}, fhir.Missing(k)
}

// ReadVersion knows the version before the last, and no more.
func (s *shelf) ReadVersion(_ context.Context, k fhir.Key, _ int64) (fhir.Resource, error) {
	if r, ok := s.was[k]; ok {
		return r, nil
	}
	return fhir.Resource{}, fhir.Missing(k)
}

func (s *shelf) History(context.Context, fhir.Scope, fhir.Span) (fhir.Set, error) {
	return fhir.Set{}, fhir.Errorf(fhir.NotSupported, "", "no history on a shelf")
}

func (s *shelf) Search(_ context.Context, q fhir.Query) (fhir.Set, error) {
	if s.closed[q.Type] {
		return fhir.Set{}, fhir.Errorf(fhir.Forbidden, "", "not allowed")
	}
	var hits []fhir.Resource
	for _, r := range s.now {
		if r.Type == q.Type && !s.hidden[r.Key] && !slices.ContainsFunc(q.Where, func(c fhir.Clause) bool { return !meets(r, c) }) {
			hits = append(hits, r)
		}
	}
	slices.SortFunc(hits, func(a, b fhir.Resource) int {
		x, _ := momentOf(a.Root().Get("effectiveDateTime").Text())
		y, _ := momentOf(b.Root().Get("effectiveDateTime").Text())
		if len(q.Sort) > 0 && q.Sort[0].Desc {
			x, y = y, x
		}
		return cmp.Compare(x, y)
	})
	var set fhir.Set
	for _, r := range hits[:min(len(hits), q.Count)] {
		set.Entries = append(set.Entries, fhir.Entry{Head: fhir.Head{Key: r.Key}, Resource: r})
	}
	return set, nil
}

func meets(r fhir.Resource, c fhir.Clause) bool {
	root := r.Root()
	return slices.ContainsFunc(c.Any, func(o fhir.Operand) bool {
		switch c.Param {
		case "patient":
			for _, name := range []string{"subject", "patient"} {
				if k, ok := root.Get(name).Ref(); ok && k == o.Ref {
					return true
				}
			}
			return false
		case "encounter":
			k, ok := root.Get("encounter").Ref()
			return ok && k == o.Ref
		case "code":
			return root.Get("code").HasCoding(o.System, o.Code)
		case "status":
			return root.Get("status").Text() == o.Code
		case "date":
			at, ok := momentOf(root.Get("effectiveDateTime").Text())
			switch o.Prefix {
			case fhir.Lt:
				return ok && at < o.Low
			case fhir.Ge:
				return ok && at >= o.Low
			}
		}
		panic("a shelf is not asked for " + c.Param)
	})
}

var _ fhir.Reader = (*shelf)(nil)

var (
	patient    = fhir.Key{Type: "Patient", ID: "c1"}
	therapist1 = fhir.Key{Type: "Practitioner", ID: "t1"}
)

// response makes a PHQ-9 response; nine answers as digits, "." for none.
func response(t testing.TB, in *Instrument, digits string, o Occasion) fhir.Resource {
	t.Helper()
	a := Answers{}
	for i, d := range digits {
		if d != '.' {
			a[in.Items[i].Link] = string(d)
		}
	}
	if o.ID == "" {
		o.ID = "r1"
	}
	if o.Subject.IsZero() {
		o.Subject = patient
	}
	switch o.Authored {
	case "":
		o.Authored = "2026-03-02T10:00:00+01:00"
	case "-": // none is said
		o.Authored = ""
	}
	r, err := in.Response(a, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
