package fhir

import (
	"context"
	"iter"
)

// Unseen reports whether an error says that something is not there, was deleted, or is
// not for the caller: to whoever goes on without it, the same.
func Unseen(err error) bool { return Is(err, NotFound) || Is(err, Deleted) || Is(err, Forbidden) }

// Look reads what may be missing: the zero Resource stands for what is [Unseen], and for
// the zero Key.
func Look(ctx context.Context, in Reader, k Key) (Resource, error) {
	if k.IsZero() {
		return Resource{}, nil
	}
	r, err := in.Read(ctx, k)
	if Unseen(err) {
		return Resource{}, nil
	}
	return r, err
}

// Matches yields what a query finds, page by page of Count (0: 100), without what is
// included beside it. An error is the last that it yields: [Forbidden] where the caller
// may not search such resources.
func Matches(ctx context.Context, in Reader, q Query) iter.Seq2[Resource, error] {
	if q.Count == 0 {
		q.Count = 100
	}
	return func(yield func(Resource, error) bool) {
		q := q
		for {
			set, err := in.Search(ctx, q)
			if err != nil {
				yield(Resource{}, err)
				return
			}
			for _, e := range set.Entries {
				if e.Mode == Match && !yield(e.Resource, nil) {
					return
				}
			}
			if q.After = set.Next; set.Next == "" {
				return
			}
		}
	}
}

// VisibleMatches are [Matches], none where the caller may not search such resources.
func VisibleMatches(ctx context.Context, in Reader, q Query) iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) {
		for r, err := range Matches(ctx, in, q) {
			if Is(err, Forbidden) || !yield(r, err) {
				return
			}
		}
	}
}
