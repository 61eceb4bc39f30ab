package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
)

// probe looks at the partner for a resource of which it is not known whether it
// arrived. The zero Key: it is not there. An error of code [fhir.BusinessRule]: it
// cannot be decided.
//
// A partner may list the parameter identifier and ignore it, or not keep identifiers
// that it does not know. So a match is believed only if it bears ours, and where none
// does, what lies there of the patient is compared.
func (d *delivery) probe(ctx context.Context, r fhir.Resource) (fhir.Key, error) {
	t := d.known.Types[r.Type]
	system := d.p.base + "/" + r.Type
	asked := false
	if t.by("identifier") {
		rs, whole, err := d.Channel.Look(ctx, d.to, r.Type, identified(token(system, r.ID)))
		if err != nil {
			return fhir.Key{}, err
		}
		rs = slices.DeleteFunc(rs, func(x fhir.Resource) bool { return !bears(x, system, r.ID) })
		if len(rs) > 0 {
			return only(rs, whole, r.Type)
		}
		asked = whole
	}
	params, ok := d.around(t, r)
	if !ok {
		if asked { // the one thing that can be asked was, and answered
			return fhir.Key{}, nil
		}
		return fhir.Key{}, undecided(r.Type)
	}
	rs, whole, err := d.Channel.Look(ctx, d.to, r.Type, params)
	if err != nil {
		return fhir.Key{}, err
	}
	if i := slices.IndexFunc(rs, func(x fhir.Resource) bool { return bears(x, system, r.ID) }); i >= 0 {
		return rs[i].Key, nil
	}
	alike, comparable := resembles[r.Type]
	if !comparable {
		if whole && len(rs) == 0 {
			return fhir.Key{}, nil
		}
		return fhir.Key{}, undecided(r.Type)
	}
	taken, err := d.taken(ctx, r)
	if err != nil {
		return fhir.Key{}, err
	}
	sent := d.Posted[r.Key.String()].Sum
	rs = slices.DeleteFunc(rs, func(x fhir.Resource) bool {
		same := alike(x.Root(), r.Root()) || sent != "" && contentSum(x.Root()) == sent
		return slices.Contains(taken, x.Key.String()) || bears(x, system, "") || !same
	})
	if len(rs) == 0 && !whole {
		return fhir.Key{}, undecided(r.Type)
	}
	return only(rs, true, r.Type)
}

// only returns the key of the one resource found.
func only(rs []fhir.Resource, whole bool, typ string) (fhir.Key, error) {
	switch {
	case len(rs) == 0:
		return fhir.Key{}, nil
	case len(rs) == 1 && whole:
		return rs[0].Key, nil
	}
	return fhir.Key{}, undecided(typ)
}

// taken lists what is known to be another resource of ours, be it of another referral of
// the client: the notes of two that are sent on one day may look alike.
func (d *delivery) taken(ctx context.Context, r fhir.Resource) (out []string, err error) {
	parcels := []parcel{d.parcel}
	for ours := range d.Posted {
		k, _ := fhir.ParseKey(ours)
		if k.Type != "Patient" {
			continue
		}
		all, err := d.sharesOf(ctx, k)
		if err != nil {
			return nil, err
		}
		for _, task := range all[d.to.Name].Noted {
			other := &delivery{Courier: d.Courier}
			if err := other.load(ctx, task); err != nil {
				return nil, err
			}
			parcels = append(parcels, other.parcel)
		}
	}
	for _, p := range parcels {
		for ours, s := range p.Posted {
			if s.State == there && ours != r.Key.String() && strings.HasPrefix(s.Remote, r.Type+"/") {
				out = append(out, s.Remote)
			}
		}
	}
	return out, nil
}

// around asks for what lies there of the patient, narrowed by what the partner lists.
// A day on each side allows for a zone that is written in another way.
func (d *delivery) around(t takes, r fhir.Resource) (url.Values, bool) {
	var patient fhir.Key
	for k, home := range d.p.home {
		if k.Type == "Patient" {
			patient = home
		}
	}
	q := url.Values{}
	if t.by("_count") {
		q.Set("_count", "100")
	}
	switch {
	case patient.IsZero():
		return nil, false
	case t.by("patient"):
		q.Set("patient", patient.ID)
	case t.by("subject"):
		q.Set("subject", patient.String())
	default:
		return nil, false
	}
	n := r.Root()
	if r.Type == "Observation" && t.by("code") {
		if first := n.Get("code").Get("coding").Index(0); first.Exists() {
			q.Set("code", token(first.Get("system").Text(), first.Get("code").Text()))
		}
	}
	if at, err := time.Parse(time.DateOnly, dayOf(r.Type, n)); err == nil && t.by("date") {
		q["date"] = []string{"ge" + at.AddDate(0, 0, -1).Format(time.DateOnly), "le" + at.AddDate(0, 0, 1).Format(time.DateOnly)}
	}
	return q, true
}

// dayOf returns the day by which a resource of a type is told from others.
func dayOf(typ string, n fhir.Node) string {
	name := map[string]string{"Observation": "effectiveDateTime", "DocumentReference": "date", "ServiceRequest": "authoredOn",
		"QuestionnaireResponse": "authored", "Communication": "sent", "Condition": "recordedDate"}[typ]
	s := n.Get(name).Text()
	return s[:min(len(s), len(time.DateOnly))]
}

// resembles compares what a partner keeps of a resource as it came: by type, what
// tells one from another of the same patient.
var resembles = map[string]func(theirs, ours fhir.Node) bool{
	"Observation": func(a, b fhir.Node) bool {
		return sameConcept(a.Get("code"), b.Get("code")) && sameDay("Observation", a, b) && sameValue(a, b)
	},
	"Condition": func(a, b fhir.Node) bool {
		return sameConcept(a.Get("code"), b.Get("code")) && sameDay("Condition", a, b)
	},
	"QuestionnaireResponse": func(a, b fhir.Node) bool {
		return a.Get("questionnaire").Text() == b.Get("questionnaire").Text() && sameDay("QuestionnaireResponse", a, b)
	},
	"ServiceRequest": func(a, b fhir.Node) bool {
		return sameConcept(a.Get("code"), b.Get("code")) && sameDay("ServiceRequest", a, b)
	},
	"DocumentReference": func(a, b fhir.Node) bool {
		return sameDay("DocumentReference", a, b) && a.Get("description").Text() == b.Get("description").Text() && sameContent(a, b)
	},
}

func sameConcept(a, b fhir.Node) bool {
	for c := range b.Get("coding").Elements() {
		if a.HasCoding(c.Get("system").Text(), c.Get("code").Text()) {
			return true
		}
	}
	return b.Get("text").Exists() && a.Get("text").Text() == b.Get("text").Text()
}

func sameDay(typ string, a, b fhir.Node) bool {
	x, y := dayOf(typ, a), dayOf(typ, b)
	return x == y || x == "" || y == ""
}

func sameValue(a, b fhir.Node) bool {
	return a.At("valueQuantity", "value").Decimal() == b.At("valueQuantity", "value").Decimal() &&
		a.Get("valueInteger").Decimal() == b.Get("valueInteger").Decimal() && a.Get("valueString").Text() == b.Get("valueString").Text()
}

// sameContent compares attachments as far as the partner gives them back: many answer
// with an address in place of the data.
func sameContent(a, b fhir.Node) bool {
	for _, name := range []string{"hash", "data"} {
		x, y := a.At("content", "attachment", name).Text(), b.At("content", "attachment", name).Text()
		if x != "" && y != "" {
			return x == y
		}
	}
	return a.At("content", "attachment", "title").Text() == b.At("content", "attachment", "title").Text()
}

// contentSum is that of what a DocumentReference carries, "" for anything else.
func contentSum(n fhir.Node) string {
	data := n.At("content", "attachment", "data").Text()
	if data == "" {
		return ""
	}
	h := sha256.Sum256([]byte(data))
	return hex.EncodeToString(h[:16])
}

// bears reports whether a resource carries an identifier, any of the system for value "".
func bears(r fhir.Resource, system, value string) bool {
	for id := range r.Root().Get("identifier").Elements() {
		if id.Get("system").Text() == system && (value == "" || id.Get("value").Text() == value) {
			return true
		}
	}
	return false
}

func identified(token string) url.Values { return url.Values{"identifier": {token}} }
