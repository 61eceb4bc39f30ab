package search

import (
	"slices"
	"strings"

	"rapport/fhir"
)

// clause reads one condition on typ. full is the parameter's name as the caller
// wrote it, name what is left of it at this depth; chains and has say how many
// levels may follow.
func (p *parser) clause(typ, full, name, value string, chains, has int) (fhir.Clause, error) {
	if rest, ok := strings.CutPrefix(name, "_has:"); ok {
		return p.has(typ, full, rest, value, has)
	}
	head, next, chained := strings.Cut(name, ".")
	code, modifier, _ := strings.Cut(head, ":")
	sp, ok := p.engine.param(typ, code)
	if !ok {
		return fhir.Clause{}, p.unknown(typ, full, code)
	}
	c := fhir.Clause{Param: sp.Code, Kind: sp.Kind}
	if chained {
		if sp.Kind != fhir.Reference {
			return c, fhir.Errorf(fhir.Invalid, "", "%s: only a reference can be followed by a dot, and %s of %s is a %s.", printable(full), sp.Code, typ, sp.Type)
		}
		if chains == 0 {
			return c, fhir.Errorf(fhir.NotSupported, "", "%s: chains go one reference far.", printable(full))
		}
		if !sp.literal() {
			return c, fhir.Errorf(fhir.NotSupported, "", "%s: %s of %s holds canonical URLs, which a chain cannot follow; search by the URL.", printable(full), sp.Code, typ)
		}
		target, err := p.target(sp, typ, full, modifier, next)
		if err != nil {
			return c, err
		}
		where, err := p.clause(target, full, next, value, chains-1, 0)
		if err != nil {
			return c, err
		}
		c.Chain = &fhir.Chain{Type: target, Where: where}
		return c, nil
	}
	only := "" // the type that a reference is asked for with :Type
	switch m := fhir.Modifier(modifier); {
	case modifier == "":
	case slices.Contains(p.engine.served.Modifiers(sp.Kind), m):
		c.Modifier = m
	case sp.Kind == fhir.Reference && p.engine.isType(modifier):
		if !sp.names(modifier) {
			return c, fhir.Errorf(fhir.Invalid, "", "%s: %s of %s never names a resource of this type.", printable(full), sp.Code, typ)
		}
		only = modifier
	default:
		return c, fhir.Errorf(fhir.NotSupported, "", "%s: this modifier is not served for %s of %s.", printable(full), sp.Code, typ)
	}
	var err error
	c.Any, err = p.values(sp, c.Modifier, only, full, value)
	return c, err
}

func (e *Engine) isType(name string) bool { _, ok := e.stubs[name]; return ok }

// has reads what follows "_has:": the type that refers, by which parameter, and a
// condition on it.
func (p *parser) has(typ, full, rest, value string, levels int) (fhir.Clause, error) {
	source, rest, ok1 := strings.Cut(rest, ":")
	ref, name, ok2 := strings.Cut(rest, ":")
	switch {
	case !ok1 || !ok2 || name == "":
		return fhir.Clause{}, fhir.Errorf(fhir.Invalid, "", "_has is written _has:Type:reference:parameter=value, e.g. _has:Observation:patient:code=…")
	case levels == 0:
		return fhir.Clause{}, fhir.Errorf(fhir.NotSupported, "", "%s: _has goes one level deep and does not stand behind a chain.", printable(full))
	}
	if _, ok := p.engine.served.Type(source); !ok {
		return fhir.Clause{}, fhir.Errorf(fhir.NotSupported, "", "%s: the type that is to refer is not served; /metadata lists those that are.", printable(full))
	}
	sp, ok := p.engine.param(source, ref)
	if !ok {
		return fhir.Clause{}, p.unknown(source, full, ref)
	}
	if sp.Kind != fhir.Reference || !sp.names(typ) {
		return fhir.Clause{}, fhir.Errorf(fhir.Invalid, "", "%s: %s of %s never names a %s.", printable(full), sp.Code, source, typ)
	}
	if !sp.literal() {
		return fhir.Clause{}, fhir.Errorf(fhir.NotSupported, "", "%s: %s of %s holds canonical URLs, which _has cannot follow.", printable(full), sp.Code, source)
	}
	where, err := p.clause(source, full, name, value, 0, levels-1)
	if err != nil {
		return fhir.Clause{}, err
	}
	return fhir.Clause{Has: &fhir.Has{Type: source, Param: sp.Code, Where: where}}, nil
}

// target chooses the type that a chain goes to: the one named, or the only one
// that is served and has the parameter behind the dot.
func (p *parser) target(sp *param, typ, full, named, next string) (string, error) {
	served := p.engine.served
	if named != "" {
		switch _, ok := served.Type(named); {
		case p.engine.isType(named) && !sp.names(named):
			return "", fhir.Errorf(fhir.Invalid, "", "%s: %s of %s never names a resource of this type.", printable(full), sp.Code, typ)
		case !ok:
			return "", fhir.Errorf(fhir.NotSupported, "", "%s: what stands between colon and dot is no type that is served.", printable(full))
		}
		return named, nil
	}
	code, _, _ := strings.Cut(next, ".")
	code, _, _ = strings.Cut(code, ":")
	var can, have []string
	for _, t := range served.Types {
		if !sp.names(t.Name) {
			continue
		}
		can = append(can, t.Name)
		if _, ok := p.engine.param(t.Name, code); ok {
			have = append(have, t.Name)
		}
	}
	switch {
	case len(have) == 1:
		return have[0], nil
	case len(have) > 1:
		return "", fhir.Errorf(fhir.Invalid, "", "%s: %s of %s may name a %s; say which, e.g. %s:%s.%s.", printable(full), sp.Code, typ, either(have), sp.Code, have[0], code)
	case len(can) == 1:
		return "", p.unknown(can[0], full, code)
	case len(can) == 0:
		return "", fhir.Errorf(fhir.NotSupported, "", "%s: %s of %s names no type that is served.", printable(full), sp.Code, typ)
	}
	return "", fhir.Errorf(fhir.NotSupported, "", "%s: none of the types that %s of %s may name has the parameter behind the dot.", printable(full), sp.Code, typ)
}

// either joins names as «A, B or C».
func either(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// unknown refuses a parameter that is not served for typ.
func (p *parser) unknown(typ, full, code string) error {
	names := p.engine.names(typ)
	if typ == p.typ {
		names = append(names, p.engine.served.Results...)
	}
	what := "The parameter " + printable(code)
	switch {
	case !strings.Contains(full, code): // it stands in a value
		what = printable(full) + ": the parameter in the value"
	case full != code:
		what = printable(full) + ": the parameter " + printable(code)
	}
	if near := suggest(code, names); near != "" && near != code {
		return fhir.Errorf(fhir.NotSupported, "", "%s is not served for %s; did you mean %s?", what, typ, near)
	}
	return fhir.Errorf(fhir.NotSupported, "", "%s is not served for %s; /metadata lists those that are.", what, typ)
}

func (e *Engine) names(typ string) []string {
	var out []string
	for _, p := range e.types[typ] {
		out = append(out, p.Code)
	}
	return out
}
