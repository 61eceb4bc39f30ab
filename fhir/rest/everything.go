package rest

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// maxEverything bounds an answer that is not asked for in pages.
const maxEverything = 10_000

// everything: GET [base]/Patient/[id]/$everything, or POST with Parameters: what the
// caller may see of a patient's compartment, and the people and places that it names. It
// asks the same questions as searches do, so that it cannot show more. With _type, the
// people and places are those of these types that the patient or what is shown names.
//
// Source: https://hl7.org/fhir/R4/patient-operation-everything.html
type everything struct {
	rt      *Router
	patient fhir.Key
	types   []string // to show; nil: all
	steps   []step
	count   int  // a page; 0: all at once
	paged   bool // it goes on behind a page
	from    int  // the step to begin with
	after   string
	asked   string // the parameters of every page's link
}

// step is one search: a type by one of the parameters that put it into the compartment.
type step struct {
	typ, param string
	where      []fhir.Clause
}

func (rt *Router) everything(r *Request, k fhir.Key) (*plan, error) {
	if k.Type != "Patient" {
		return nil, fhir.Errorf(fhir.NotSupported, "", "$everything is served on a Patient: Patient/[id]/$everything.")
	}
	e := &everything{rt: rt, patient: k}
	if err := e.read(r); err != nil {
		return nil, err
	}
	return &plan{
		act:  fhir.Act{Interaction: fhir.Read, Type: "Patient", ID: k.ID, Operation: "$everything"},
		look: e.look,
	}, nil
}

func (e *everything) read(r *Request) error {
	asked := url.Values{}
	limits := url.Values{}
	given, err := parametersOf(r)
	if err != nil {
		return err
	}
	for name, vs := range given {
		if slices.Contains(vs, "") || len(vs) != 1 && name != "_type" {
			return fhir.Errorf(fhir.Invalid, "", "%s may be given once, with a value.", printable(name))
		}
		v := vs[0]
		switch name {
		case "_format", "_pretty":
			continue
		case "_type":
			e.types = strings.Split(strings.Join(vs, ","), ",")
		case "_since":
			limits.Add("_lastUpdated", "ge"+v)
		case "start":
			limits.Add("date", "ge"+v)
		case "end":
			limits.Add("date", "le"+v)
		case "_count":
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				return &fhir.Error{Code: fhir.Invalid, Detail: "_count must be a whole number from 1."}
			}
			e.count = min(n, maxPageSize)
		case "_page":
			at, after, ok := strings.Cut(v, ".")
			n, err := strconv.Atoi(at)
			if !ok || err != nil || n < 0 {
				return fhir.Missing(fhir.Key{})
			}
			e.paged, e.from, e.after = true, n, after
			continue
		default:
			return fhir.Errorf(fhir.NotSupported, "", "The parameter %s is not served on $everything; there are start, end, _since, _type and _count.", printable(name))
		}
		asked[name] = vs
	}
	e.asked = asked.Encode()
	if e.count == 0 && e.paged {
		return fhir.Missing(fhir.Key{})
	}
	return e.plan(limits)
}

// careDates are the parameters that tell when care was given, by name of preference.
// What has none of them is shown whatever start and end say: a Patient, a Consent.
var careDates = []string{"date", "onset-date", "authored", "authored-on", "sent", "started", "start-date", "period", "recorded-date"}

func (e *everything) plan(limits url.Values) error {
	for _, t := range e.types {
		if _, ok := e.rt.Served.Type(t); !ok {
			return &fhir.Error{Code: fhir.Invalid, Detail: "_type names a resource type that is not served; /metadata lists those that are."}
		}
	}
	compartment := maps.Clone(spec.R4().Compartment("Patient"))
	compartment["Task"] = []string{"patient"} // R4 forgot it: what a client is to do, where a referral stands
	for _, typ := range slices.Sorted(maps.Keys(compartment)) {
		served, ok := e.rt.Served.Type(typ)
		if !ok || typ == "Patient" || !e.shows(typ) {
			continue
		}
		where, err := e.limits(served, limits)
		if err != nil {
			return err
		}
		for _, param := range compartment[typ] {
			if p, ok := served.Param(param); ok && p.Kind == fhir.Reference {
				e.steps = append(e.steps, step{typ, param, where})
			}
		}
	}
	return nil
}

func (e *everything) shows(typ string) bool { return e.types == nil || slices.Contains(e.types, typ) }

// limits makes clauses of start, end and _since for one type.
func (e *everything) limits(t *spec.ServedType, limits url.Values) ([]fhir.Clause, error) {
	vs := url.Values{}
	for name, given := range limits {
		if name == "date" {
			i := slices.IndexFunc(careDates, func(code string) bool { p, ok := t.Param(code); return ok && p.Kind == fhir.Date })
			if i < 0 {
				continue
			}
			name = careDates[i]
		}
		vs[name] = given
	}
	if len(vs) == 0 {
		return nil, nil
	}
	req, err := e.rt.Search.Parse(t.Name, vs, false)
	if err != nil {
		return nil, badRequest(err)
	}
	return req.Query.Where, nil
}

func (e *everything) look(ctx context.Context, in fhir.Reader) (Response, error) {
	patient, err := in.Read(ctx, e.patient)
	if err != nil {
		return Response{}, err
	}
	var found []fhir.Resource
	seen := map[fhir.Key]bool{e.patient: true}
	if !e.paged && e.shows("Patient") {
		found = append(found, patient)
	}
	next := ""
	for i := e.from; i < len(e.steps) && next == ""; i++ {
		after := ""
		if i == e.from {
			after = e.after
		}
		if e.count > 0 && len(found) >= e.count { // the page is full before this search
			next = strconv.Itoa(i) + "."
			break
		}
		if next, err = e.run(ctx, in, i, after, seen, &found); err != nil {
			return Response{}, err
		}
	}
	naming := found
	if !e.paged && !e.shows("Patient") {
		naming = append(slices.Clone(found), patient)
	}
	others, err := e.others(ctx, in, naming, seen)
	if err != nil {
		return Response{}, err
	}
	return e.answer(found, others, next), nil
}

// run runs one search to its end or until the page is full, and returns where the next
// page begins.
func (e *everything) run(ctx context.Context, in fhir.Reader, i int, after string, seen map[fhir.Key]bool, found *[]fhir.Resource) (string, error) {
	s := e.steps[i]
	for {
		q := fhir.Query{Type: s.typ, After: after}
		if after == "" {
			q.Where = append([]fhir.Clause{{Param: s.param, Kind: fhir.Reference, Any: []fhir.Operand{{Ref: e.patient}}}}, s.where...)
			if q.Count = maxPageSize; e.count > 0 {
				q.Count = e.count - len(*found)
			}
		}
		set, err := in.Search(ctx, q)
		if fhir.Is(err, fhir.Forbidden) {
			return "", nil // none of this type is for the caller
		}
		if err != nil {
			return "", err
		}
		for _, h := range set.Entries {
			if !seen[h.Key] && !e.earlier(i, h.Resource) {
				seen[h.Key] = true
				*found = append(*found, h.Resource)
			}
		}
		switch {
		case e.count == 0 && len(*found) > maxEverything:
			return "", fhir.Errorf(fhir.TooCostly, "", "There are more than %d resources; ask in pages with _count, or for less with _type, _since, start and end.", maxEverything)
		case e.count > 0 && len(*found) >= e.count && set.Next != "":
			return strconv.Itoa(i) + "." + set.Next, nil
		case set.Next == "":
			return "", nil
		}
		after = set.Next
	}
}

// earlier reports whether an earlier search of the same type finds the resource too, so
// that no two pages hold it.
func (e *everything) earlier(i int, r fhir.Resource) bool {
	for j := i - 1; j >= 0 && e.steps[j].typ == e.steps[i].typ; j-- {
		c := fhir.Clause{Param: e.steps[j].param, Kind: fhir.Reference, Any: []fhir.Operand{{Ref: e.patient}}}
		ix, err := e.rt.Search.Index(r)
		if err == nil && e.rt.Search.Match([]fhir.Clause{c}, r, ix) {
			return true
		}
	}
	return false
}

// named are the types of which those go along that what was found refers to.
var named = []string{"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Questionnaire"}

func (e *everything) others(ctx context.Context, in fhir.Reader, naming []fhir.Resource, seen map[fhir.Key]bool) (out []fhir.Resource, err error) {
	for _, r := range naming {
		var refs []fhir.Key
		for k := range references(r.Root()) {
			if slices.Contains(named, k.Type) && e.shows(k.Type) && !seen[k] {
				seen[k] = true
				refs = append(refs, k)
			}
		}
		for _, k := range refs {
			o, err := fhir.Look(ctx, in, k)
			if err != nil {
				return nil, err
			}
			if !o.IsZero() {
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// references yields every literal reference below n.
func references(n fhir.Node) func(yield func(fhir.Key) bool) {
	return func(yield func(fhir.Key) bool) { walk(n, yield) }
}

func walk(n fhir.Node, yield func(fhir.Key) bool) bool {
	switch n.Kind() {
	case fhir.Obj:
		if k, ok := n.Ref(); ok && !yield(k) {
			return false
		}
		for m := range n.Fields() {
			if !walk(m, yield) {
				return false
			}
		}
	case fhir.Arr:
		for m := range n.Elements() {
			if !walk(m, yield) {
				return false
			}
		}
	}
	return true
}

func (e *everything) answer(found, others []fhir.Resource, next string) Response {
	w := newBundle("searchset", e.rt)
	if e.count == 0 {
		w.total(len(found))
	}
	self := e.rt.Base + "/" + e.patient.String() + "/$everything"
	if next != "" {
		next = withQuery(self, e.asked, "_page="+url.QueryEscape(next))
	}
	w.links([2]string{"self", withQuery(self, e.asked)}, [2]string{"next", next})
	entry := func(r fhir.Resource, mode string) {
		w.entry(e.rt.Base+"/"+r.Key.String(), r.Body(), fhir.NewObject().Set("search", fhir.NewObject().Set("mode", mode)))
	}
	for _, r := range found {
		entry(r, "match")
	}
	for _, r := range others {
		entry(r, "include")
	}
	return Response{Status: http.StatusOK, Header: http.Header{}, Body: w.done()}
}
