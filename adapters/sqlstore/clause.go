package sqlstore

import (
	"strconv"
	"strings"

	"rapport/fhir"
)

func itoa(n int) string { return strconv.Itoa(n) }

var indexTable = map[fhir.ParamKind]string{
	fhir.Token: "ix_token", fhir.Reference: "ix_ref", fhir.Date: "ix_date", fhir.String: "ix_string",
	fhir.URI: "ix_uri", fhir.Number: "ix_number", fhir.Quantity: "ix_number",
}

// maxAlternatives bounds the values of one date or text condition: they cannot be a
// set, and SQLite's expressions have a depth.
const maxAlternatives = 400

// form is how a condition on index rows is written.
type form int

const (
	byRow   form = iota // look up the rows of each resource
	byValue             // look up the resources of each value
)

// holds is the condition that clause c holds for the row of res with alias of.
func (b *builder) holds(of, typ string, c fhir.Clause, f form) (string, error) {
	switch {
	case c.Chain != nil:
		return b.chain(of, typ, c)
	case c.Has != nil:
		return b.has(of, c.Has)
	case c.Kind == fhir.Special:
		return b.special(of, c)
	}
	table, ok := indexTable[c.Kind]
	if !ok {
		return "", unserved("This kind of search parameter is not served.")
	}
	x := b.alias("x")
	rows, err := b.rowsOf(x, of, typ, c.Param, table, f)
	if err != nil {
		return "", err
	}
	exists := b.r.words().exists
	negative := func(cond string) string { return "NOT " + exists(rows(byRow)+cond) }
	switch c.Modifier {
	case fhir.IsMissing:
		missing, present := false, false
		for _, o := range c.Any {
			missing, present = missing || o.Code == "true", present || o.Code == "false"
		}
		switch {
		case missing && present:
			return yes, nil
		case missing:
			return negative(""), nil
		case present:
			return exists(rows(byRow)), nil
		}
		return no, nil
	case fhir.Not:
		met, err := b.meets(x, c.Kind, fhir.NoModifier, c.Any)
		if err != nil {
			return "", err
		}
		return negative(" AND " + met), nil
	case fhir.NoModifier:
	case fhir.Exact, fhir.Contains:
		if c.Kind != fhir.String {
			return "", unserved("This modifier is served for texts only.")
		}
	default:
		return "", unserved("This modifier is not served.")
	}
	met, err := b.meets(x, c.Kind, c.Modifier, c.Any)
	if err != nil {
		return "", err
	}
	if f == byValue {
		return b.r.words().within(of+".rid", rows(byValue)+" AND "+met), nil
	}
	return exists(rows(byRow) + " AND " + met), nil
}

func unserved(detail string) error { return &fhir.Error{Code: fhir.NotSupported, Detail: detail} }

// rowsOf returns the beginning of a query over the index rows of a parameter, in
// either form.
func (b *builder) rowsOf(x, of, typ, param, table string, f form) (func(form) string, error) {
	p, err := b.term(param)
	if err != nil {
		return nil, err
	}
	of1 := b.arg(p)
	of2 := ""
	if f == byValue {
		t, err := b.term(typ)
		if err != nil {
			return nil, err
		}
		of2 = b.arg(t)
	}
	return func(f form) string {
		if f == byValue {
			return "SELECT " + x + ".rid FROM " + table + " " + x + " WHERE " + x + ".tenant = " + ofTenant + " AND " + x + ".type = " + of2 + " AND " + x + ".param = " + of1
		}
		return "SELECT 1 FROM " + table + " " + x + " WHERE " + x + ".tenant = " + ofTenant + " AND " + x + ".rid = " + of + ".rid AND " + x + ".param = " + of1
	}, nil
}

// special answers _id and _lastUpdated from the row itself.
func (b *builder) special(of string, c fhir.Clause) (string, error) {
	if c.Modifier != fhir.NoModifier {
		return "", unserved("This parameter has no modifiers.")
	}
	switch c.Param {
	case "_id":
		var ids texts
		for _, o := range c.Any {
			ids = append(ids, b.r.words().clean(o.Code))
		}
		return b.inTexts(of+".id", ids), nil
	case "_lastUpdated":
		return b.either(c.Any, func(o fhir.Operand) (string, error) {
			return b.during(of+".updated", of+".updated", o)
		})
	}
	return "", unserved("This parameter is not served.")
}

// chain: of refers by c.Param to a visible resource of the type, for which the rest holds.
func (b *builder) chain(of, typ string, c fhir.Clause) (string, error) {
	f, t := b.alias("f"), b.alias("r")
	rest, err := b.visible(t, c.Chain.Type, c.Chain.Where)
	if err != nil || rest == no {
		return rest, err
	}
	number, err := b.terms2(typ, c.Param, c.Chain.Type)
	if err != nil {
		return "", err
	}
	return b.r.words().within(of+".rid", "SELECT "+f+".rid FROM ix_ref "+f+" JOIN res "+t+" ON "+t+".tenant = "+f+".tenant AND "+t+".rid = "+f+".target WHERE "+
		f+".tenant = "+ofTenant+" AND "+f+".type = "+b.arg(number[0])+" AND "+f+".param = "+b.arg(number[1])+" AND "+
		t+".type = "+b.arg(number[2])+" AND "+rest), nil
}

// has: a visible resource of the type, for which the rest holds, refers to of.
func (b *builder) has(of string, h *fhir.Has) (string, error) {
	f, t := b.alias("f"), b.alias("r")
	rest, err := b.visible(t, h.Type, h.Where)
	if err != nil || rest == no {
		return rest, err
	}
	number, err := b.terms2(h.Type, h.Param)
	if err != nil {
		return "", err
	}
	return b.r.words().within(of+".rid", "SELECT "+f+".target FROM ix_ref "+f+" JOIN res "+t+" ON "+t+".tenant = "+f+".tenant AND "+t+".rid = "+f+".rid WHERE "+
		f+".tenant = "+ofTenant+" AND "+f+".type = "+b.arg(number[0])+" AND "+f+".param = "+b.arg(number[1])+" AND "+rest), nil
}

// visible is the condition that the row of res with alias t is there, is admitted,
// and that c holds for it.
func (b *builder) visible(t, typ string, c fhir.Clause) (string, error) {
	seen, err := b.admitted(t, typ)
	if err != nil || seen == no {
		return no, err
	}
	held, err := b.holds(t, typ, c, byValue)
	if err != nil {
		return "", err
	}
	return t + ".state = 1 AND " + seen + " AND " + held, nil
}

func (b *builder) terms2(ts ...string) ([]int64, error) {
	out := make([]int64, len(ts))
	for i, t := range ts {
		var err error
		if out[i], err = b.term(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// either is the condition that one of the operands holds.
func (b *builder) either(os []fhir.Operand, each func(fhir.Operand) (string, error)) (string, error) {
	if len(os) > maxAlternatives {
		return "", &fhir.Error{Code: fhir.TooCostly, Detail: "A search parameter has too many values. Ask for at most " + itoa(maxAlternatives) + " at once."}
	}
	var parts []string
	for _, o := range os {
		p, err := each(o)
		if err != nil {
			return "", err
		}
		if p != no {
			parts = append(parts, p)
		}
	}
	switch len(parts) {
	case 0:
		return no, nil
	case 1:
		return parts[0], nil
	}
	return "(" + strings.Join(parts, " OR ") + ")", nil
}

// meets is the condition that an index row with alias x meets one of the operands:
// fhir.Operand.Meets in SQL.
func (b *builder) meets(x string, kind fhir.ParamKind, m fhir.Modifier, os []fhir.Operand) (string, error) {
	switch kind {
	case fhir.Token:
		return b.tokens(x, os)
	case fhir.Reference:
		return b.references(x, os)
	case fhir.URI:
		var urls texts
		for _, o := range os {
			urls = append(urls, b.r.words().clean(o.URL))
		}
		return b.inTexts(x+".url", urls), nil
	case fhir.Date:
		return b.either(os, func(o fhir.Operand) (string, error) { return b.during(x+".low", x+".high", o) })
	case fhir.String:
		return b.either(os, func(o fhir.Operand) (string, error) { return b.text(x, m, o), nil })
	}
	return "", unserved("Search by numbers and quantities is not served.")
}

func (b *builder) tokens(x string, os []fhir.Operand) (string, error) {
	var codes, pairCodes texts
	var pairSystems, systems numbers
	for _, o := range os {
		code := b.r.words().clean(o.Code)
		if !o.HasSystem {
			codes = append(codes, code)
			continue
		}
		n, err := b.term(o.System)
		if err != nil {
			return "", err
		}
		if o.Code == "" && o.System != "" {
			systems = append(systems, n)
		} else {
			pairCodes, pairSystems = append(pairCodes, code), append(pairSystems, n)
		}
	}
	var parts []string
	if len(codes) > 0 {
		parts = append(parts, b.inTexts(x+".code", codes))
	}
	if len(systems) > 0 {
		parts = append(parts, b.in(x+".system", systems))
	}
	switch len(pairCodes) {
	case 0:
	case 1:
		parts = append(parts, "("+x+".code = "+b.arg(pairCodes[0])+" AND "+x+".system = "+b.arg(pairSystems[0])+")")
	default:
		b.args = append(b.args, pairCodes, pairSystems)
		parts = append(parts, "("+x+".code, "+x+".system) IN "+b.r.words().tokens(len(b.args)-1, len(b.args)))
	}
	return or(parts), nil
}

func or(parts []string) string {
	switch len(parts) {
	case 0:
		return no
	case 1:
		return parts[0]
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (b *builder) references(x string, os []fhir.Operand) (string, error) {
	var ks []fhir.Key
	var ids, urls texts
	var open []fhir.Operand // URLs without a version, which find every version
	for _, o := range os {
		switch {
		case o.URL != "":
			urls = append(urls, b.r.words().clean(o.URL))
			if !strings.Contains(o.URL, "|") {
				open = append(open, o)
			}
		case o.Ref.Type != "":
			ks = append(ks, o.Ref)
		case o.Ref.ID != "":
			ids = append(ids, b.r.words().clean(o.Ref.ID))
		}
	}
	var parts []string
	if len(ks) > 0 {
		rids, err := b.r.rids(b.ctx, ks...)
		if err != nil {
			return "", err
		}
		set := make(numbers, 0, len(ks))
		for _, n := range rids {
			set = append(set, n)
		}
		parts = append(parts, b.in(x+".target", set))
	}
	if len(ids) > 0 {
		k := b.alias("k")
		parts = append(parts, b.r.words().within(x+".target", "SELECT "+k+".rid FROM res "+k+" WHERE "+k+".tenant = "+ofTenant+" AND "+b.inTexts(k+".id", ids)))
	}
	if len(urls) > 0 {
		parts = append(parts, b.inTexts(x+".url", urls))
		versions, err := b.either(open, func(o fhir.Operand) (string, error) {
			// "}" is the character behind "|".
			u := b.r.words().clean(o.URL)
			return "(" + x + ".url >= " + b.arg(u+"|") + " AND " + x + ".url < " + b.arg(u+"}") + ")", nil
		})
		if err != nil {
			return "", err
		}
		if versions != no {
			parts = append(parts, versions)
		}
	}
	return or(parts), nil
}

// during compares a period with that of an operand: fhir.Prefix in SQL.
func (b *builder) during(low, high string, o fhir.Operand) (string, error) {
	switch o.Prefix {
	case fhir.Eq, "eq":
		return "(" + low + " >= " + b.arg(o.Low) + " AND " + high + " <= " + b.arg(o.High) + ")", nil
	case fhir.Ne:
		return "(" + low + " < " + b.arg(o.Low) + " OR " + high + " > " + b.arg(o.High) + ")", nil
	case fhir.Gt:
		return high + " > " + b.arg(o.High), nil
	case fhir.Lt:
		return low + " < " + b.arg(o.Low), nil
	case fhir.Ge:
		return high + " >= " + b.arg(o.Low), nil
	case fhir.Le:
		return low + " <= " + b.arg(o.High), nil
	case fhir.Sa:
		return low + " > " + b.arg(o.High), nil
	case fhir.Eb:
		return high + " < " + b.arg(o.Low), nil
	}
	return "", unserved("This prefix is not served.")
}

// beyond is the last character there is: a text and what begins with it end before it.
const beyond = "\U0010FFFF"

func (b *builder) text(x string, m fhir.Modifier, o fhir.Operand) string {
	folded := b.r.words().clean(fhir.Fold(o.Text))
	switch {
	case m == fhir.Exact:
		return "(" + x + ".folded = " + b.arg(folded) + " AND " + x + ".text = " + b.arg(b.r.words().clean(o.Text)) + ")"
	case folded == "":
		return no
	case m == fhir.Contains:
		return b.r.words().position(x+".folded", b.arg(folded)) + " > 0"
	}
	return "(" + x + ".folded >= " + b.arg(folded) + " AND " + x + ".folded < " + b.arg(folded+beyond) + ")"
}
