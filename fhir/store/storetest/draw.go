package storetest

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/fhir/store"
)

// epoch is when random worlds begin; what happens in them happens on whole hours after.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const day = int64(24 * time.Hour / time.Microsecond)

// scene is one random world's own keys: a store that holds many of them keeps them
// apart by a tag.
type scene struct {
	tag      string
	patients []fhir.Key
	episodes []fhir.Key
	others   []fhir.Key
	actors   []fhir.Key
}

func newScene(n int64) scene {
	c := scene{tag: fmt.Sprintf("world%d", n)}
	id := func(typ, name string) fhir.Key { return key(typ, fmt.Sprintf("w%d-%s", n, name)) }
	c.patients = []fhir.Key{id("Patient", "p0"), id("Patient", "p1"), id("Patient", "p2")}
	c.episodes = []fhir.Key{id("EpisodeOfCare", "e0"), id("EpisodeOfCare", "e1")}
	for i := range 5 {
		c.others = append(c.others, id("Observation", fmt.Sprint("o", i)))
	}
	c.others = append(c.others, id("Goal", "g0"), id("Goal", "g1"), id("Questionnaire", "q0"))
	c.actors = []fhir.Key{id("Practitioner", "x"), id("Practitioner", "y"), id("Organization", "z"), c.patients[0], c.episodes[0]}
	return c
}

func (c scene) all() []fhir.Key { return slices.Concat(c.patients, c.episodes, c.others) }

func some[T any](t *rapid.T, label string, from []T, most int) []T {
	n := rapid.IntRange(0, min(most, len(from))).Draw(t, label)
	return rapid.Permutation(from).Draw(t, label)[:n]
}

func one[T any](t *rapid.T, label string, from ...T) T { return rapid.SampledFrom(from).Draw(t, label) }

func moment(t *rapid.T, label string) time.Time {
	return epoch.Add(time.Duration(rapid.IntRange(1, 4).Draw(t, label)) * time.Hour)
}

func momentOrNone(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, label+"?") {
		return time.Time{}
	}
	return moment(t, label)
}

var (
	classNames   = []fhir.Class{"c0", "c1", "c2"}
	profileNames = []fhir.Profile{"", "p1", "p2"}
	codes        = []string{"a", "b", "B"}
	systems      = []string{"", "urn:s1", "urn:s2"}
	words        = []string{"Anna", "anna", "Ännchen", "Van den Berg", "vanden", "Łucja", "50%", "a_b", "O'Neil"}
	starts       = []string{"an", "Ann", "van", "van d", "nn", "den", "5", "50%", "a_", "o'", "o neil", "Anna", "zz", "%", " "}
)

// record draws what is kept with a resource.
func (c scene) record(t *rapid.T, k fhir.Key) store.Record {
	rec := store.Record{
		Facts: fhir.Facts{Class: one(t, "class", classNames...), Patients: some(t, "about", c.patients, 2)},
		Index: []fhir.Index{{Param: "_tag", Kind: fhir.Token, System: "urn:world", Code: c.tag}},
	}
	if k.Type == "Patient" {
		rec.Patients = []fhir.Key{k}
	}
	for _, a := range some(t, "parties", c.actors, 2) {
		rec.Parties = append(rec.Parties, fhir.Named{Role: one(t, "role", fhir.Author, fhir.Owner), Actor: a})
	}
	rec.When = momentOrNone(t, "when")
	for range rapid.IntRange(0, 2).Draw(t, "codes") {
		rec.Index = append(rec.Index, fhir.Index{Param: "code", Kind: fhir.Token, System: one(t, "system", systems...), Code: one(t, "code", codes...)})
	}
	for _, to := range some(t, "refers", c.all(), 2) {
		rec.Index = append(rec.Index, fhir.Index{Param: one(t, "by", "subject", "focus"), Kind: fhir.Reference, Ref: to})
	}
	if rapid.Bool().Draw(t, "canonical") {
		rec.Index = append(rec.Index, fhir.Index{Param: "focus", Kind: fhir.Reference, URL: one(t, "url", "http://q/1", "http://q/1|2", "http://q/2", "http://q/1x")})
		rec.Index = append(rec.Index, fhir.Index{Param: "url", Kind: fhir.URI, Code: one(t, "uri", "http://q/1", "http://q/2", "urn:x|y")})
	}
	for _, w := range some(t, "names", words, 2) {
		rec.Index = append(rec.Index, fhir.Index{Param: "name", Kind: fhir.String, Text: w})
	}
	for range rapid.IntRange(0, 2).Draw(t, "dates") {
		low, high := c.period(t)
		rec.Index = append(rec.Index, fhir.Index{Param: "date", Kind: fhir.Date, Low: low, High: high})
	}
	for range rapid.IntRange(0, 2).Draw(t, "instants") {
		at := fhir.Micros(moment(t, "instant"))
		rec.Index = append(rec.Index, fhir.Index{Param: "issued", Kind: fhir.Date, Low: at, High: at})
	}
	for range max(0, rapid.IntRange(-2, 2).Draw(t, "relations")) {
		rel := fhir.Relation{Actor: one(t, "actor", c.actors...), Patient: one(t, "patient", c.patients...), Ended: momentOrNone(t, "ended")}
		if rapid.Bool().Draw(t, "in episode") {
			rel.Episode = one(t, "episode", c.episodes...)
		}
		rec.Relations = append(rec.Relations, rel)
	}
	if k.Type == "EpisodeOfCare" {
		rec.Relations = append(rec.Relations, fhir.Relation{Actor: k, Patient: one(t, "patient", c.patients...), Ended: momentOrNone(t, "episode ended")})
	}
	for _, rel := range rec.Relations {
		if !slices.Contains(rec.Patients, rel.Patient) {
			rec.Patients = append(rec.Patients, rel.Patient)
		}
	}
	slices.SortFunc(rec.Patients, fhir.Key.Compare)
	return rec
}

// period draws one to three days, sometimes without an end.
func (c scene) period(t *rapid.T) (low, high int64) {
	from := rapid.Int64Range(0, 4).Draw(t, "from")
	low = fhir.Micros(epoch) + from*day
	if rapid.IntRange(0, 9).Draw(t, "open") == 0 {
		return low, 1<<63 - 1
	}
	return low, low + rapid.Int64Range(1, 3).Draw(t, "days")*day - 1
}

func (c scene) sight(t *rapid.T) fhir.Sight {
	if rapid.IntRange(0, 9).Draw(t, "omniscient") == 0 {
		return all
	}
	extents := map[string]fhir.Extent{}
	for _, typ := range []string{"Patient", "EpisodeOfCare", "Observation", "Goal", "Questionnaire"} {
		switch rapid.IntRange(0, 5).Draw(t, typ) {
		case 0:
		case 1:
			extents[typ] = fhir.All()
		default:
			var rules []fhir.Rule
			for range rapid.IntRange(0, 3).Draw(t, "rules") {
				rules = append(rules, fhir.Rule{
					Reach:    one(t, "reach", fhir.NoReach, fhir.Loose, fhir.Anyone, fhir.Related, fhir.Related, fhir.Own, fhir.Party),
					Actors:   some(t, "actors", c.actors, 3),
					Classes:  some(t, "classes", classNames, 3),
					Profiles: some(t, "profiles", profileNames, 3),
				})
			}
			extents[typ] = fhir.Some(rules...)
		}
	}
	return fhir.SightOf(moment(t, "at"), moment(t, "since"), extents)
}

// query draws a search within the scene's tag.
func (c scene) query(t *rapid.T) fhir.Query {
	q := fhir.Query{
		Type:  one(t, "type", "Observation", "Observation", "Patient", "EpisodeOfCare", "Goal", "Questionnaire"),
		Where: []fhir.Clause{{Param: "_tag", Kind: fhir.Token, Any: []fhir.Operand{{System: "urn:world", HasSystem: true, Code: c.tag}}}},
		Count: rapid.IntRange(1, 12).Draw(t, "count"), Total: true,
	}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		q.Where = append(q.Where, c.clause(t, 1))
	}
	for range rapid.IntRange(0, 1).Draw(t, "includes") {
		q.Include = append(q.Include, fhir.Include{Source: q.Type, Param: one(t, "include", "subject", "focus"), Target: one(t, "target", "", "Patient", "Observation")})
	}
	for range rapid.IntRange(0, 1).Draw(t, "revincludes") {
		q.RevInclude = append(q.RevInclude, fhir.Include{Source: one(t, "source", "Observation", "Goal", "EpisodeOfCare"), Param: one(t, "revinclude", "subject", "focus"), Target: one(t, "target", "", q.Type)})
	}
	orders := []fhir.Order{{Param: "issued", Kind: fhir.Date}, {Param: "code", Kind: fhir.Token}, {Param: "_id"}, {Param: "_lastUpdated"}}
	for _, o := range some(t, "sorts", orders, 2) {
		o.Desc = rapid.Bool().Draw(t, "desc")
		q.Sort = append(q.Sort, o)
	}
	return q
}

func (c scene) clause(t *rapid.T, depth int) fhir.Clause {
	most := 7
	if depth > 0 {
		most = 9
	}
	operands := func(f func() fhir.Operand) (os []fhir.Operand) {
		for range rapid.IntRange(1, 3).Draw(t, "operands") {
			os = append(os, f())
		}
		return os
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0, 1:
		cl := fhir.Clause{Param: "code", Kind: fhir.Token, Modifier: one(t, "mod", fhir.NoModifier, fhir.Not)}
		cl.Any = operands(func() fhir.Operand {
			o := fhir.Operand{Code: one(t, "code", codes...)}
			if o.HasSystem = rapid.Bool().Draw(t, "has system"); o.HasSystem {
				o.System = one(t, "system", systems...)
				if o.System != "" && rapid.Bool().Draw(t, "any code") {
					o.Code = ""
				}
			}
			return o
		})
		return cl
	case 2:
		return fhir.Clause{Param: one(t, "by", "subject", "focus"), Kind: fhir.Reference, Any: operands(func() fhir.Operand {
			if rapid.IntRange(0, 3).Draw(t, "canonical") == 0 {
				return fhir.Operand{URL: one(t, "url", "http://q/1", "http://q/1|2", "http://q/3")}
			}
			k := one(t, "to", c.all()...)
			if rapid.Bool().Draw(t, "id alone") {
				k.Type = ""
			}
			return fhir.Operand{Ref: k}
		})}
	case 3:
		return fhir.Clause{Param: "name", Kind: fhir.String, Modifier: one(t, "mod", fhir.NoModifier, fhir.Exact, fhir.Contains),
			Any: operands(func() fhir.Operand { return fhir.Operand{Text: one(t, "text", starts...)} })}
	case 4:
		return fhir.Clause{Param: "date", Kind: fhir.Date, Any: operands(func() fhir.Operand {
			low, high := c.period(t)
			return fhir.Operand{Prefix: one(t, "prefix", fhir.Eq, fhir.Ne, fhir.Gt, fhir.Lt, fhir.Ge, fhir.Le, fhir.Sa, fhir.Eb), Low: low, High: high}
		})}
	case 5:
		p := one(t, "param", fhir.Clause{Param: "code", Kind: fhir.Token}, fhir.Clause{Param: "name", Kind: fhir.String},
			fhir.Clause{Param: "date", Kind: fhir.Date}, fhir.Clause{Param: "subject", Kind: fhir.Reference})
		p.Modifier, p.Any = fhir.IsMissing, []fhir.Operand{{Code: one(t, "missing", "true", "false")}}
		return p
	case 6:
		return fhir.Clause{Param: "_id", Any: operands(func() fhir.Operand { return fhir.Operand{Code: one(t, "id", c.all()...).ID} })}
	case 7:
		return fhir.Clause{Param: "url", Kind: fhir.URI, Any: operands(func() fhir.Operand {
			return fhir.Operand{URL: one(t, "uri", "http://q/1", "http://q", "urn:x|y", "urn:x")}
		})}
	case 8:
		return fhir.Clause{Param: one(t, "by", "subject", "focus"), Kind: fhir.Reference,
			Chain: &fhir.Chain{Type: one(t, "chain", "Patient", "Observation", "EpisodeOfCare"), Where: c.clause(t, 0)}}
	default:
		return fhir.Clause{Has: &fhir.Has{Type: one(t, "has", "Observation", "Goal", "EpisodeOfCare"),
			Param: one(t, "by", "subject", "focus"), Where: c.clause(t, 0)}}
	}
}
