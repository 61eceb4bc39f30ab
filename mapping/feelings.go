package mapping

import (
	"context"
	"encoding/json"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// Follow lists what must come of writes by what is defined here, beside what package
// instrument derives: the Provenance of a plan's adjustments, the Observations of a
// notebook's ratings.
func (m *Mapper) Follow() []fhir.Follow {
	return []fhir.Follow{Adjustments, fhir.Deriving(feelings{m.codes})}
}

// feelings derives an Observation for each feeling that a notebook entry rates. They
// are derived since a client may write the entry and no Observation, and so that an
// entry that was written as FHIR gives them too. Words stay in the entry.
//
// An entry in error has Observations in error; what an amended one no longer rates is
// taken back, as all of it is with the entry.
type feelings struct{ codes *tables }

// Derive implements [fhir.Deriver].
func (f feelings) Derive(ctx context.Context, in fhir.Reader, r fhir.Resource) (out []fhir.Resource, err error) {
	if r.Type != "QuestionnaireResponse" || r.ID == "" {
		return nil, nil
	}
	form := notebook(f.codes)
	rated := map[string]string{}
	if !r.IsZero() {
		if !form.answers(r.Root()) {
			return nil, nil
		}
		rated = form.answersIn(r.Root())
	}
	for _, q := range form.items {
		if q.system != "feeling" {
			continue
		}
		k := instrument.Derived("Observation", r.Key, "feeling "+q.link)
		if _, ok := rated[q.link]; !ok {
			if r.Version == 1 {
				continue
			}
			there, err := fhir.Look(ctx, in, k)
			if err != nil {
				return nil, err
			}
			if !there.IsZero() {
				out = append(out, fhir.Tombstone(k, 0))
			}
			continue
		}
		n := countIn(rated, q.link)
		if n == nil || *n < 0 || *n > q.max {
			return nil, fhir.Errorf(fhir.Value, "QuestionnaireResponse.item", "a feeling is rated with a whole number from 0 to %d", q.max)
		}
		o, err := observation(k, r, q, *n)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// observation is that of one rating; who, when and how private is as the entry says.
func observation(k fhir.Key, r fhir.Resource, q question, rating int) (fhir.Resource, error) {
	entry := r.Root()
	status := scoreStatus[entry.Get("status").Text()]
	if status == "" {
		status = "unknown"
	}
	copied := func(n fhir.Node) json.RawMessage {
		if !n.Exists() {
			return nil
		}
		return json.RawMessage(n.Raw())
	}
	meta := fhir.NewObject()
	if labels := copied(entry.At("meta", "security")); labels != nil {
		meta.Set("security", labels)
	}
	var x extensions
	x.reference(episodeURL, episodeIn(entry).Stored)
	o := fhir.NewResource(k).
		Set("meta", meta).
		Set("extension", x.objects()).
		Set("status", status).
		Set("category", []*fhir.Object{fhir.Concept(observationCategory, "survey", "")}).
		Set("code", fhir.Concept(systemURL(q.system), q.link, q.text))
	for _, e := range [][2]string{{"subject", "subject"}, {"encounter", "encounter"}, {"effectiveDateTime", "authored"}} {
		if n := copied(entry.Get(e[1])); n != nil {
			o.Set(e[0], n)
		}
	}
	if by := copied(entry.Get("source")); by != nil {
		o.Set("performer", []json.RawMessage{by})
	}
	return o.Set("valueQuantity", score(rating)).Set("derivedFrom", []fhir.Key{r.Key}).Resource()
}
