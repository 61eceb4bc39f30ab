package search

import (
	"rapport/fhir"
	"rapport/fhir/path"
)

// longest is how many bytes of a value are indexed and may be asked for.
const longest = 1024

// Index returns what r is found by: an entry for each value of each parameter that
// is served for its type, without repeats, ordered by parameter. _id and
// _lastUpdated are not among them: the store answers them from the row. A type that
// is not served has none. An error is an *fhir.Error of code [fhir.TooCostly] or
// [fhir.Invalid] and names the parameter.
func (e *Engine) Index(r fhir.Resource) ([]fhir.Index, error) {
	ps := e.types[r.Type]
	if len(ps) == 0 {
		return nil, nil
	}
	root, ok := e.model.Resource(r.Root())
	if !ok {
		return nil, nil
	}
	list, _ := e.lists.Get().(*path.Collection)
	if list == nil {
		list = new(path.Collection)
	}
	defer func() {
		clear((*list)[:cap(*list)]) // a pooled list keeps no document
		e.lists.Put(list)
	}()
	w := entries{engine: e, out: make([]fhir.Index, 0, 16)}
	for _, p := range ps {
		w.begin(p)
		for i := range p.alternatives {
			a := &p.alternatives[i]
			c, err := a.expr.Append((*list)[:0], e.env, root)
			if err != nil {
				code := fhir.Invalid
				if fhir.Is(err, fhir.TooCostly) {
					code = fhir.TooCostly
				}
				return nil, &fhir.Error{Code: code, Detail: "The search parameter " + p.Code + " of " + r.Type + " cannot be worked out from this content.", At: []string{r.Type}, Err: err}
			}
			*list = c
			for _, it := range c {
				w.add(it, a)
			}
		}
	}
	return w.out, nil
}

// entries gathers the entries of one resource.
type entries struct {
	engine *Engine
	out    []fhir.Index
	param  *param
	from   int                     // where the current parameter's entries begin
	seen   map[fhir.Index]struct{} // of the current parameter, once there are many
}

func (w *entries) begin(p *param) { w.param, w.from, w.seen = p, len(w.out), nil }

// few is up to how many entries looking at each is quicker than a map.
const few = 16

// put adds an entry of the current parameter unless it is there.
func (w *entries) put(x fhir.Index) {
	x.Param, x.Kind = w.param.Code, w.param.Kind
	mine := w.out[w.from:]
	if len(mine) < few {
		for i := range mine {
			if mine[i] == x {
				return
			}
		}
		w.out = append(w.out, x)
		return
	}
	if w.seen == nil {
		w.seen = make(map[fhir.Index]struct{}, 4*few)
		for _, y := range mine {
			w.seen[y] = struct{}{}
		}
	}
	if _, ok := w.seen[x]; !ok {
		w.seen[x] = struct{}{}
		w.out = append(w.out, x)
	}
}

// add makes the entries of one value.
func (w *entries) add(it path.Item, a *alternative) {
	switch w.param.Kind {
	case fhir.Token:
		w.token(it, a)
	case fhir.Reference:
		w.reference(it)
	case fhir.Date:
		w.date(it)
	case fhir.String:
		w.text(it)
	case fhir.URI:
		if s, ok := it.Text(); ok && s != "" && len(s) <= longest {
			w.put(fhir.Index{Code: s})
		}
	}
}
