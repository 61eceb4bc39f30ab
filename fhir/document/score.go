package document

import (
	"cmp"
	"slices"
	"strings"

	"rapport/fhir"
)

// earlier bounds how many earlier scores of an instrument are told.
const earlier = 4

// assessments puts scores side by side: an instrument a line, the latest with its
// band, the earlier ones behind it.
func (r *Referral) assessments() Section {
	s := Section{Slug: "assessments", Title: "Assessments", Code: "10190-7", Display: "Mental status Narrative", None: "No score stands in what the receiver may see."}
	var names []string
	by := map[string][]fhir.Resource{}
	for _, o := range r.of("Observation") {
		if !slices.ContainsFunc(slices.Collect(o.Root().Get("category").Elements()), isSurvey) {
			continue
		}
		name := instrument(o)
		if by[name] == nil {
			names = append(names, name)
		}
		by[name] = append(by[name], o)
		r.used[o.Key] = true
	}
	slices.Sort(names)
	t := &Table{Head: []string{"Instrument", "Latest", "Means", "On", "Before"}}
	for _, name := range names {
		os := by[name]
		slices.SortStableFunc(os, func(a, b fhir.Resource) int { return cmp.Compare(taken(b), taken(a)) })
		for _, o := range os {
			s.enter(o.Key)
		}
		latest := os[0].Root()
		var before []string
		for _, o := range os[1:min(len(os), earlier+1)] {
			before = append(before, score(o.Root())+" ("+short(taken(o))+")")
		}
		t.Rows = append(t.Rows, []string{name, score(latest), join("; ", means(latest), strings.Join(changes(latest), "; ")), short(taken(os[0])), strings.Join(before, ", ")})
	}
	if len(t.Rows) > 0 {
		s.Table = t
	}
	return s
}

func isSurvey(c fhir.Node) bool {
	return c.HasCoding("http://terminology.hl7.org/CodeSystem/observation-category", "survey")
}

// instrument names what was measured: two of the same name are compared only if
// they bear the same code.
func instrument(o fhir.Resource) string { return concept(o.Root().Get("code")) }

func taken(o fhir.Resource) string {
	n := o.Root()
	return cmp.Or(n.Get("effectiveDateTime").Text(), n.At("effectivePeriod", "start").Text(), n.Get("issued").Text())
}

// score says a value, or why there is none.
func score(n fhir.Node) string {
	if v := value(n, "value"); v != "" {
		return v
	}
	return cmp.Or(concept(n.Get("dataAbsentReason")), "not stated")
}

// means says how the source reads the value: its band.
func means(n fhir.Node) string {
	var out []string
	for c := range n.Get("interpretation").Elements() {
		out = append(out, concept(c))
	}
	return join(", ", out...)
}

// changes says the components: subscales, and the change that the source states.
func changes(n fhir.Node) (out []string) {
	for c := range n.Get("component").Elements() {
		v := score(c)
		if k := c.At("code", "coding", "code").Text(); (k == "since-first" || k == "since-last") && v != "0" && !strings.HasPrefix(v, "-") {
			v = "+" + v // of a change the direction matters
		}
		if m := means(c); m != "" {
			v += " (" + m + ")"
		}
		out = append(out, concept(c.Get("code"))+" "+v)
	}
	return out
}
