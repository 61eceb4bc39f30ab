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

// holds is the condition that clause c holds for the row of res with alias of: for each
// row its index rows are looked up.
func (b *builder) holds(of, typ string, c fhir.Clause) (string, error) {
	switch {
	case c.Chain != nil, c.Has != nil:
		rids, err := b.numbers(typ, c)
		if err != nil || rids == "" {
			return no, err
		}
		return b.r.words().within(of+".rid", rids), nil
	case c.Kind == fhir.Special:
		return b.special(of, c)
	}
	table, m, err := served(c)
	if err != nil {
		return "", err
	}
	param, err := b.term(c.Param)
	if err != nil {
		return "", err
	}
	x := b.alias("x")
	rows := "SELECT 1 FROM " + table + " " + x + " WHERE " + x + ".tenant = " + ofTenant + " AND " + x + ".rid = " + of + ".rid AND " + x + ".param = " + b.arg(param)
	exists := b.r.words().exists
	if c.Modifier == fhir.IsMissing {
		missing, present := false, false
		for _, o := range c.Any {
			missing, present = missing || o.Code == "true", present || o.Code == "false"
		}
		switch {
		case missing && present:
			return yes, nil
		case missing:
			return "NOT " + exists(rows), nil
		case present:
			return exists(rows), nil
		}
		return no, nil
	}
	met, err := b.meets(x, c.Kind, m, c.Any)
	if err != nil {
		return "", err
	}
	if c.Modifier == fhir.Not {
		return "NOT " + exists(rows+" AND "+met), nil
	}
	return exists(rows + " AND " + met), nil
}

// numbers is a query for the numbers of the resources of a type for which c holds, some
// perhaps twice; "" if there can be none.
func (b *builder) numbers(typ string, c fhir.Clause) (string, error) {
	switch {
	case c.Chain != nil:
		return b.chain(typ, c)
	case c.Has != nil:
		return b.has(c.Has)
	case c.Kind == fhir.Special:
		k := b.alias("k")
		cond, err := b.special(k, c)
		return "SELECT " + k + ".rid FROM res " + k + " WHERE " + k + ".tenant = " + ofTenant + " AND " + cond, err
	}
	table, m, err := served(c)
	if err != nil {
		return "", err
	}
	ns, err := b.termsOf(typ, c.Param)
	if err != nil {
		return "", err
	}
	x := b.alias("x")
	met, err := b.meets(x, c.Kind, m, c.Any)
	if err != nil {
		return "", err
	}
	if c.Kind == fhir.Reference && leads(c) {
		met += " AND " + x + ".url = ''" // what has an URL besides is another row
	}
	return "SELECT " + x + ".rid FROM " + table + " " + x + " WHERE " + x + ".tenant = " + ofTenant + " AND " + x + ".type = " + b.arg(ns[0]) +
		" AND " + x + ".param = " + b.arg(ns[1]) + " AND " + met, nil
}

// served returns the index table of a condition and how its texts are compared, or
// refuses what is not served.
func served(c fhir.Clause) (table string, m fhir.Modifier, err error) {
	table, ok := indexTable[c.Kind]
	switch {
	case !ok:
		return "", m, unserved("This kind of search parameter is not served.")
	case c.Modifier == fhir.Exact || c.Modifier == fhir.Contains:
		if c.Kind != fhir.String {
			return "", m, unserved("This modifier is served for texts only.")
		}
		return table, c.Modifier, nil
	case c.Modifier == fhir.NoModifier, c.Modifier == fhir.IsMissing, c.Modifier == fhir.Not:
		return table, fhir.NoModifier, nil
	}
	return "", m, unserved("This modifier is not served.")
}

func unserved(detail string) error { return &fhir.Error{Code: fhir.NotSupported, Detail: detail} }

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

// chain finds what refers by c.Param to a visible resource for which the rest holds.
func (b *builder) chain(typ string, c fhir.Clause) (string, error) {
	t := b.alias("r")
	from, rest, err := b.visible(t, c.Chain.Type, c.Chain.Where)
	if err != nil || rest == no {
		return "", err
	}
	ns, err := b.termsOf(typ, c.Param)
	if err != nil {
		return "", err
	}
	f := b.alias("f")
	return b.refers("rid", f, from, f+".type = "+b.arg(ns[0])+" AND "+f+".param = "+b.arg(ns[1])+" AND "+f+".target = "+t+".rid", rest), nil
}

// has finds what a visible resource, for which the rest holds, refers to.
func (b *builder) has(h *fhir.Has) (string, error) {
	t := b.alias("r")
	from, rest, err := b.visible(t, h.Type, h.Where)
	if err != nil || rest == no {
		return "", err
	}
	ns, err := b.termsOf(h.Type, h.Param)
	if err != nil {
		return "", err
	}
	f := b.alias("f")
	return b.refers("target", f, from, f+".type = "+b.arg(ns[0])+" AND "+f+".param = "+b.arg(ns[1])+" AND "+f+".rid = "+t+".rid", rest), nil
}

// refers joins references to the resources at their other end.
func (b *builder) refers(column, f, from, on, where string) string {
	on = f + ".tenant = " + ofTenant + " AND " + on
	join := " CROSS JOIN ix_ref " + f + " ON " + on // SQLite keeps the order of a cross join
	if b.r.words().lateral {
		join = " JOIN LATERAL (SELECT " + f + "." + column + " FROM ix_ref " + f + " WHERE " + on + " OFFSET 0) " + f + " ON true"
	}
	return "SELECT " + f + "." + column + " AS rid FROM " + from + join + " WHERE " + where
}

// visible is where the rows of res with alias t come from and the condition that they
// are of a type, there and admitted, and that c holds for them.
func (b *builder) visible(t, typ string, cs ...fhir.Clause) (from, where string, err error) {
	seen, err := b.admitted(t, typ, !strongly(cs))
	if err != nil || seen == no {
		return "", no, err
	}
	from, where, _, err = b.led(t, typ, cs)
	if where == no {
		return "", no, err
	}
	return from, where + " AND " + seen, err
}

// led begins a search with the condition that is likely to hold for the fewest. rid is
// the expression in whose order rows come most cheaply.
func (b *builder) led(t, typ string, cs []fhir.Clause) (from, where, rid string, err error) {
	n, err := b.term(typ)
	if err != nil {
		return "", "", "", err
	}
	conds := []string{t + ".tenant = " + ofTenant, t + ".type = " + b.arg(n), t + ".state = 1"}
	from, rid = "res "+t, t+".rid"
	lead, best := leader(cs)
	if best > strong {
		rids, err := b.caseload(typ)
		if err != nil {
			return "", "", "", err
		}
		if rids != "" {
			var cond string
			from, cond, rid = b.lead(t, rids, false)
			conds, lead = append(conds, cond), -1
		}
	}
	for i, c := range cs {
		cond := yes
		if i != lead {
			cond, err = b.holds(t, typ, c)
		} else if rids, failed := b.numbers(typ, c); failed != nil || rids == "" {
			cond, err = no, failed
		} else {
			from, cond, rid = b.lead(t, rids, leads(c))
		}
		if err != nil || cond == no {
			return "", no, rid, err
		}
		if cond != yes {
			conds = append(conds, cond)
		}
	}
	return from, strings.Join(conds, " AND "), rid, nil
}

// lead takes the rows of res from a query for their numbers. once: none comes twice.
func (b *builder) lead(t, rids string, once bool) (from, cond, rid string) {
	d := b.alias("d")
	switch {
	case b.r.words().lateral:
		distinct := "DISTINCT "
		if once {
			distinct = ""
		}
		return "(SELECT " + distinct + "q.rid FROM (" + rids + ") q ORDER BY 1 OFFSET 0) " + d + " JOIN LATERAL (SELECT " + t + ".* FROM res " + t +
			" WHERE " + t + ".tenant = " + ofTenant + " AND " + t + ".rid = " + d + ".rid OFFSET 0) " + t + " ON true", yes, d + ".rid"
	case once: // SQLite makes one loop of it, in the order of the numbers
		return "(" + rids + ") " + d + " CROSS JOIN res " + t + " ON " + t + ".rid = " + d + ".rid", yes, d + ".rid"
	}
	return "res " + t, b.r.words().within(t+".rid", rids), t + ".rid"
}

func (b *builder) termsOf(ts ...string) ([]int64, error) {
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
