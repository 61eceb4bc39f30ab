package sqlstore

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"rapport/fhir"
)

// cursor is a place behind a row: what it sorted by, and its number.
type cursor struct {
	Keys []value `json:"k,omitempty"`
	Rid  int64   `json:"r"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil { // numbers and texts
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string, keys int) (c cursor, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || len(c.Keys) != keys {
		return c, &fhir.Error{Code: fhir.Invalid, Detail: "The page cannot be continued. Begin again with the first page.", Err: err}
	}
	return c, nil
}

// sortKey is the expression that a row of res with alias of sorts by: the least of its
// values, the greatest where the order descends, NULL if it has none.
func (b *builder) sortKey(of string, o fhir.Order) (string, error) {
	switch o.Param {
	case "_id":
		return of + ".id", nil
	case "_lastUpdated":
		return of + ".updated", nil
	}
	column := map[fhir.ParamKind]string{fhir.Token: "code", fhir.Date: "low", fhir.String: "folded", fhir.URI: "url",
		fhir.Number: "num", fhir.Quantity: "num", fhir.Reference: "url"}[o.Kind]
	if column == "" {
		return "", unserved("Sorting by this parameter is not served.")
	}
	p, err := b.term(o.Param)
	if err != nil {
		return "", err
	}
	pick := "min"
	if o.Desc {
		pick = "max"
	}
	x := b.alias("x")
	from, expr := indexTable[o.Kind]+" "+x, x+"."+column
	if o.Kind == fhir.Reference {
		k := b.alias("k")
		from += " LEFT JOIN res " + k + " ON " + k + ".tenant = " + x + ".tenant AND " + k + ".rid = " + x + ".target"
		expr = "COALESCE(" + k + ".id, " + expr + ")"
	}
	return "(SELECT " + pick + "(" + expr + ") FROM " + from + " WHERE " + x + ".tenant = " + ofTenant + " AND " + x + ".rid = " + of + ".rid AND " + x + ".param = " + b.arg(p) + ")", nil
}

// orderBy lists sort keys; without a value comes last, first where it descends.
func orderBy(keys []string, os []fhir.Order, rid string) string {
	var parts []string
	for i, k := range keys {
		if os[i].Desc {
			parts = append(parts, k+" DESC"+nulls(os[i], " NULLS FIRST"))
		} else {
			parts = append(parts, k+nulls(os[i], " NULLS LAST"))
		}
	}
	if backwards(os) {
		rid += " DESC"
	}
	return strings.Join(append(parts, rid), ", ")
}

// backwards: equals come in the direction of the last key, so that an index gives both.
func backwards(os []fhir.Order) bool { return len(os) > 0 && os[len(os)-1].Desc }

// nulls leaves out where NULL comes for keys that are never NULL, so that an index
// gives their order.
func nulls(o fhir.Order, where string) string {
	if o.Param == "_id" || o.Param == "_lastUpdated" {
		return ""
	}
	return where
}

// behind is the condition that a row comes after a cursor.
func (b *builder) behind(keys []string, os []fhir.Order, rid string, c cursor) string {
	var parts []string
	equal := ""
	for i, k := range keys {
		v := c.Keys[i]
		var after, same string
		switch {
		case v.Kind == 0 && os[i].Desc:
			after, same = k+" IS NOT NULL", k+" IS NULL"
		case v.Kind == 0:
			after, same = no, k+" IS NULL"
		case os[i].Desc:
			a := b.arg(v.arg())
			after, same = k+" < "+a, k+" = "+a
		default:
			a := b.arg(v.arg())
			after, same = "("+k+" > "+a+" OR "+k+" IS NULL)", k+" = "+a
			if nulls(os[i], "x") == "" {
				after = k + " > " + a
			}
		}
		if after != no {
			parts = append(parts, equal+after)
		}
		equal += same + " AND "
	}
	follows := " > "
	if backwards(os) {
		follows = " < "
	}
	parts = append(parts, equal+rid+follows+b.arg(c.Rid))
	for i := range parts {
		parts[i] = "(" + parts[i] + ")"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// finish numbers the arguments that a statement uses from 1 and leaves out the others.
func (b *builder) finish(q string) (string, []any) {
	var out strings.Builder
	var args []any
	place := make([]int, len(b.args)+1)
	for {
		i := strings.IndexByte(q, '$')
		if i < 0 {
			out.WriteString(q)
			return out.String(), args
		}
		out.WriteString(q[:i+1])
		q = q[i+1:]
		if q[0] == '$' {
			out.WriteByte('$')
			q = q[1:]
		}
		n, w := 0, 0
		for w < len(q) && q[w] >= '0' && q[w] <= '9' {
			n = n*10 + int(q[w]-'0')
			w++
		}
		if place[n] == 0 {
			args = append(args, b.args[n-1])
			place[n] = len(args)
		}
		out.WriteString(itoa(place[n]))
		q = q[w:]
	}
}
