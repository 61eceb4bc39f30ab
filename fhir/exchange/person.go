package exchange

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"rapport/fhir"
)

// patient finds a client among a partner's patients: by an identifier that both know,
// else by name and day of birth, and only where exactly one matches and nothing that
// both state differs. The zero Key: there is none. An error of code
// [fhir.BusinessRule]: a person must say who it is.
//
// A wrong patient is worse than none: whatever is not certain is parked.
func (d *delivery) patient(ctx context.Context, r fhir.Resource) (fhir.Key, error) {
	t := d.known.Types["Patient"]
	n := r.Root()
	asked := false
	if t.by("identifier") {
		var tokens []string
		for id := range n.Get("identifier").Elements() {
			if s, v := id.Get("system").Text(), id.Get("value").Text(); s != "" && v != "" && s != d.p.base+"/Patient" {
				tokens = append(tokens, token(s, v))
			}
		}
		for _, tok := range append(tokens, token(d.p.base+"/Patient", r.ID)) {
			rs, whole, err := d.Channel.Look(ctx, d.to, "Patient", identified(tok))
			if err != nil {
				return fhir.Key{}, err
			}
			// One that ignores the parameter would answer with everybody.
			rs = slices.DeleteFunc(rs, func(x fhir.Resource) bool { return !carries(x, n, d.p.base, r.ID) })
			if len(rs) > 0 {
				return certain(rs, whole, n)
			}
			asked = asked || whole
		}
	}
	family, given, born := n.At("name", "family").Text(), n.At("name", "given").Index(0).Text(), n.Get("birthDate").Text()
	q := url.Values{"birthdate": {born}}
	switch {
	case family == "" || len(born) != len("2006-01-02") || !t.by("birthdate"):
		if asked {
			return fhir.Key{}, nil
		}
		return fhir.Key{}, nobody()
	case t.by("family"):
		q.Set("family", escape(family))
		if given != "" && t.by("given") {
			q.Set("given", escape(given))
		}
	case t.by("name"):
		q.Set("name", escape(family))
	default:
		return fhir.Key{}, nobody()
	}
	rs, whole, err := d.Channel.Look(ctx, d.to, "Patient", q)
	if err != nil {
		return fhir.Key{}, err
	}
	rs = slices.DeleteFunc(rs, func(x fhir.Resource) bool {
		return !named(x.Root(), family, given) || x.Root().Get("birthDate").Text() != born
	})
	if len(rs) == 0 && whole {
		return fhir.Key{}, nil
	}
	return certain(rs, whole, n)
}

func nobody() error {
	return &fhir.Error{Code: fhir.BusinessRule, Detail: "the client cannot be looked for among the partner's patients; have the client registered there under an identifier that both know, then retry"}
}

// certain returns the one patient found, if nothing that both state differs.
func certain(rs []fhir.Resource, whole bool, ours fhir.Node) (fhir.Key, error) {
	if len(rs) != 1 || !whole {
		return fhir.Key{}, &fhir.Error{Code: fhir.BusinessRule, Detail: "several of the partner's patients may be the client; have the client registered there under an identifier that both know, then retry"}
	}
	theirs := rs[0].Root()
	for _, name := range []string{"birthDate", "gender"} {
		a, b := theirs.Get(name).Text(), ours.Get(name).Text()
		if a != "" && b != "" && a != b && !(name == "gender" && (a == "unknown" || b == "unknown")) {
			return fhir.Key{}, &fhir.Error{Code: fhir.BusinessRule, Detail: "the partner's patient differs from the client in day of birth or gender; a person must say whether it is the same, then retry"}
		}
	}
	return rs[0].Key, nil
}

// carries reports whether a patient bears an identifier of the client's.
func carries(theirs fhir.Resource, ours fhir.Node, base, id string) bool {
	if bears(theirs, base+"/Patient", id) {
		return true
	}
	for i := range ours.Get("identifier").Elements() {
		if s, v := i.Get("system").Text(), i.Get("value").Text(); s != "" && v != "" && bears(theirs, s, v) {
			return true
		}
	}
	return false
}

// named reports whether a patient bears a name, upper and lower case aside.
func named(n fhir.Node, family, given string) bool {
	for name := range n.Get("name").Elements() {
		if !strings.EqualFold(name.Get("family").Text(), family) {
			continue
		}
		first := name.Get("given").Index(0).Text()
		if given == "" || first == "" || strings.EqualFold(first, given) {
			return true
		}
	}
	return false
}

// escape writes a value that is searched for as it stands.
//
// Source: https://hl7.org/fhir/R4/search.html#escaping
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace(s)
}
