package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"rapport/fhir"
)

// Operation is an operation whose work lies in another package: bulk export, messages.
// The composition root hands the list to [Config.Operations].
//
// Source: https://hl7.org/fhir/R4/operations.html
type Operation struct {
	// Paths below the base, "{}" standing for an id: "$export", "Patient/$export",
	// "Group/{}/$export". A path that is no operation's of FHIR ("$export-status/{}")
	// serves what an operation answers with.
	Paths   []string
	Methods []string // "GET", "POST", "DELETE"
	// Definition is the canonical URL of the OperationDefinition; "": not listed in the
	// CapabilityStatement, as the paths that follow up on an operation are not.
	Definition string
	// Parameters lists what the query may hold; anything else is refused. nil: nothing.
	Parameters []string
	// Async says that it starts a job and answers where to ask for its state. An entry of
	// a batch does not start it.
	Async bool
	// Serve answers. It decides nothing by itself: r.Gate does. ids are what stood in
	// the place of "{}".
	Serve func(ctx context.Context, r *Request, ids []string) (Response, error)
}

// operation returns the operation that a request names; false if its path is none's.
func (rt *Router) operation(r *Request) (op Operation, ids []string, ok bool) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, op := range rt.Operations {
		for _, p := range op.Paths {
			if ids, here := fits(p, r.Path); here && slices.Contains(op.Methods, method) {
				return op, ids, true
			}
		}
	}
	return Operation{}, nil, false
}

// fits reads the ids out of a path by its pattern.
func fits(pattern, path string) (ids []string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	for i, w := range want {
		switch {
		case w == "{}" && fhir.ValidID(have[i]):
			ids = append(ids, have[i])
		case w != have[i]:
			return nil, false
		}
	}
	return ids, true
}

func (rt *Router) operate(ctx context.Context, r *Request, op Operation, ids []string) (Response, error) {
	for name := range r.Query {
		if name != "_format" && name != "_pretty" && !slices.Contains(op.Parameters, name) {
			return Response{}, fhir.Errorf(fhir.NotSupported, "", "The parameter %s is not served here; leave it out.", printable(name))
		}
	}
	return op.Serve(ctx, r, ids)
}

// operations lists what the CapabilityStatement says of a type's operations; "" asks
// for those of the whole system.
func (rt *Router) operations(typ string) (out []*fhir.Object) {
	for _, op := range rt.Operations {
		if op.Definition == "" {
			continue
		}
		if i := slices.IndexFunc(op.Paths, func(p string) bool {
			t, _, typed := strings.Cut(p, "/")
			return typ == "" && !typed || typed && t == typ
		}); i >= 0 {
			name := op.Paths[i][strings.LastIndex(op.Paths[i], "$")+1:]
			out = append(out, fhir.NewObject().Set("name", name).Set("definition", op.Definition))
		}
	}
	return out
}
