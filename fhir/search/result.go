package search

import (
	"slices"
	"strconv"
	"strings"

	"rapport/fhir"
)

// result returns the reader of a parameter that shapes the answer; false if name is
// none that is served. The reader returns the value as it was understood.
func (p *parser) result(name string) (read func(name, value string) (string, error), ok bool) {
	base, modifier, _ := strings.Cut(name, ":")
	if !slices.Contains(p.engine.served.Results, base) {
		return nil, false
	}
	switch base {
	case "_count":
		read = p.count
	case "_sort":
		read = p.sort
	case "_total":
		read = p.total
	case "_include", "_revinclude":
		read = p.include
	default:
		return nil, false
	}
	if modifier != "" {
		return func(string, string) (string, error) {
			if modifier == "iterate" || modifier == "recurse" {
				return "", fhir.Errorf(fhir.NotSupported, "", "%s: includes of what was included are not served.", printable(name))
			}
			return "", fhir.Errorf(fhir.NotSupported, "", "%s: %s takes no modifier.", printable(name), base)
		}, true
	}
	return read, true
}

// single refuses a second value of a parameter that takes one.
func (p *parser) single(name string) error {
	if p.once[name] {
		return fhir.Errorf(fhir.Invalid, "", "%s may be given once.", name)
	}
	p.once[name] = true
	return nil
}

// count: 0 asks for the number of matches alone.
func (p *parser) count(name, value string) (string, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return "", fhir.Errorf(fhir.Invalid, "", "_count must be a whole number from 0.")
	}
	p.q.Count = min(n, maxPageSize)
	if n == 0 {
		p.q.Total = true
	}
	return strconv.Itoa(p.q.Count), p.single(name)
}

// total: an estimate is as exact as the accurate total.
func (p *parser) total(name, value string) (string, error) {
	switch value {
	case "none":
	case "estimate", "accurate":
		p.q.Total = true
	default:
		return "", fhir.Errorf(fhir.Invalid, "", "_total is none, estimate or accurate.")
	}
	return value, p.single(name)
}

// sort: parameters between commas, each with a minus for descending order.
func (p *parser) sort(name, value string) (string, error) {
	if err := p.single(name); err != nil {
		return "", err
	}
	pieces := strings.Split(value, ",")
	if len(pieces) > maxOrders {
		return "", fhir.Errorf(fhir.TooCostly, "", "_sort takes up to %d parameters.", maxOrders)
	}
	var orders []fhir.Order
	for _, s := range pieces {
		code, desc := strings.CutPrefix(s, "-")
		sp, ok := p.engine.param(p.typ, code)
		if !ok {
			return "", p.unknown(p.typ, "_sort", code)
		}
		if slices.ContainsFunc(orders, func(o fhir.Order) bool { return o.Param == sp.Code }) {
			return "", fhir.Errorf(fhir.Invalid, "", "_sort names %s twice.", sp.Code)
		}
		orders = append(orders, fhir.Order{Param: sp.Code, Kind: sp.Kind, Desc: desc})
	}
	p.q.Sort = orders
	return value, nil
}

// include: Type:parameter or Type:parameter:Target.
//
// Source: https://hl7.org/fhir/R4/search.html#include
func (p *parser) include(name, value string) (string, error) {
	bad := func(code fhir.Code, format string, args ...any) error {
		return fhir.Errorf(code, "", name+": "+format, args...)
	}
	if strings.Contains(value, "*") {
		return "", bad(fhir.NotSupported, "everything (*) is not included; name each reference as Type:parameter.")
	}
	parts := strings.Split(value, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return "", bad(fhir.Invalid, "write Type:parameter or Type:parameter:Target.")
	}
	in := fhir.Include{Source: parts[0], Param: parts[1]}
	if len(parts) == 3 {
		in.Target = parts[2]
	}
	if name == "_include" && in.Source != p.typ {
		return "", bad(fhir.Invalid, "what is included is what a %s refers to; write %s:parameter.", p.typ, p.typ)
	}
	if _, ok := p.engine.served.Type(in.Source); !ok {
		return "", bad(fhir.NotSupported, "the type that is to refer is not served; /metadata lists those that are.")
	}
	sp, ok := p.engine.param(in.Source, in.Param)
	switch {
	case !ok:
		return "", p.unknown(in.Source, name, in.Param)
	case sp.Kind != fhir.Reference:
		return "", bad(fhir.Invalid, "%s of %s is no reference.", sp.Code, in.Source)
	case !sp.literal():
		return "", bad(fhir.NotSupported, "%s of %s holds canonical URLs, which are not followed; search by the URL.", sp.Code, in.Source)
	case name == "_revinclude" && !sp.names(p.typ):
		return "", bad(fhir.Invalid, "%s of %s never names a %s.", sp.Code, in.Source, p.typ)
	case name == "_revinclude" && in.Target != "" && in.Target != p.typ:
		return "", bad(fhir.Invalid, "the target is the type searched, %s.", p.typ)
	case in.Target != "" && !p.engine.isType(in.Target):
		return "", bad(fhir.Invalid, "the target is no resource type.")
	case in.Target != "" && !sp.names(in.Target):
		return "", bad(fhir.Invalid, "%s of %s never names a %s.", sp.Code, in.Source, in.Target)
	}
	list := &p.q.Include
	switch {
	case name == "_revinclude":
		in.Target = ""
		list = &p.q.RevInclude
	case in.Target == "" && len(sp.targets) == 1:
		in.Target = sp.targets[0]
	}
	if len(*list) == maxIncludes {
		return "", fhir.Errorf(fhir.TooCostly, "", "%s may be given up to %d times.", name, maxIncludes)
	}
	if !slices.Contains(*list, in) {
		*list = append(*list, in)
	}
	return value, nil
}
