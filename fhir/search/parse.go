package search

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"rapport/fhir"
)

// How much one URL may ask, so that no query can be abused.
const (
	maxParams   = 64  // parameters, repeats counted
	maxOperands = 500 // values between commas, of all parameters together
	maxIncludes = 16  // of each kind
	maxOrders   = 4   // in _sort
)

// How many matches a page holds when the caller does not say, and at most.
const (
	pageSize    = 20
	maxPageSize = 1000
)

// Request is a search as it was understood.
type Request struct {
	Query   fhir.Query
	Ignored []string // parameters that were left out, with lenient handling
	kept    [][2]string
}

// Parse reads the parameters of a search on typ. What cannot be served is
// [fhir.NotSupported], or, when lenient, named in Ignored; what cannot be read is
// [fhir.Invalid], what asks too much [fhir.TooCostly] or [fhir.TooLong]. Error
// texts name parameters, never values.
//
// Source: https://hl7.org/fhir/R4/search.html
func (e *Engine) Parse(typ string, vs url.Values, lenient bool) (Request, error) {
	p := parser{engine: e, typ: typ, lenient: lenient}
	if err := p.read(vs); err != nil {
		return Request{}, err
	}
	return Request{Query: p.q, Ignored: p.ignored, kept: p.kept}, nil
}

// Self returns the query part of the self link: what was understood, encoded,
// by name, then in the order given.
func (r Request) Self() string {
	var b strings.Builder
	for _, kv := range r.kept {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(encode(kv[0]))
		b.WriteByte('=')
		b.WriteString(encode(kv[1]))
	}
	return b.String()
}

// plain are the characters that may stand in a query as they are and that search
// uses much.
var plain = strings.NewReplacer("%3A", ":", "%2C", ",", "%2F", "/")

func encode(s string) string { return plain.Replace(url.QueryEscape(s)) }

// parser reads one URL.
type parser struct {
	engine   *Engine
	typ      string
	lenient  bool
	q        fhir.Query
	kept     [][2]string
	ignored  []string
	operands int
	once     map[string]bool // parameters about the result that were read
}

func (p *parser) read(vs url.Values) error {
	if _, ok := p.engine.served.Type(p.typ); !ok {
		return &fhir.Error{Code: fhir.NotSupported, Detail: "This resource type is not served; /metadata lists those that are."}
	}
	p.q = fhir.Query{Type: p.typ, Count: pageSize}
	p.once = map[string]bool{}
	n := 0
	for _, values := range vs {
		n += len(values)
	}
	if n > maxParams {
		return fhir.Errorf(fhir.TooCostly, "", "A search may have up to %d parameters; ask in several searches.", maxParams)
	}
	for _, name := range slices.Sorted(maps.Keys(vs)) {
		for _, value := range vs[name] {
			err := p.one(name, value)
			if p.lenient && fhir.Is(err, fhir.NotSupported) {
				if shown := printable(name); !slices.Contains(p.ignored, shown) {
					p.ignored = append(p.ignored, shown)
				}
				continue
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// one reads one parameter.
func (p *parser) one(name, value string) error {
	if value == "" {
		return fhir.Errorf(fhir.Invalid, "", "The parameter %s has no value; give one or leave it out.", printable(name))
	}
	if read, ok := p.result(name); ok {
		kept, err := read(name, value)
		if err != nil {
			return err
		}
		p.kept = append(p.kept, [2]string{name, kept})
		return nil
	}
	before := p.operands
	c, err := p.clause(p.typ, name, name, value, p.engine.served.Chain, p.engine.served.Has)
	if err != nil {
		p.operands = before
		return err
	}
	p.q.Where = append(p.q.Where, c)
	p.kept = append(p.kept, [2]string{name, value})
	return nil
}

// printable keeps what a caller sent as a name from carrying control characters or
// content into an error: only short names of letters, digits, - _ : . pass.
func printable(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_:.", rune(c)) {
			return "given"
		}
	}
	if len(s) > 60 || s == "" {
		return "given"
	}
	return s
}
