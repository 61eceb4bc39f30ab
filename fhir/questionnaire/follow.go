package questionnaire

import (
	"context"
	"strings"

	"rapport/fhir"
)

// Follow is the [fhir.Follow] that holds each response to its form: one that its
// Questionnaire does not bear out is refused, with the writes of its transaction. known
// says whose responses are judged elsewhere, by the canonical URL of their form.
//
// A response to a form that is not stored here, or that several stored forms claim to
// be, is kept as it came: nobody can say that it is wrong. So is one that is withdrawn.
func (c *Checker) Follow(known func(url string) bool) fhir.Follow {
	return func(ctx context.Context, tx fhir.Tx, w fhir.Written) error {
		if w.Type != "QuestionnaireResponse" || w.Resource.IsZero() || w.Effect != fhir.Created && w.Effect != fhir.Updated {
			return nil
		}
		qr := w.Resource.Root()
		canonical := qr.Get("questionnaire").Text()
		if canonical == "" || known(canonical) || qr.Get("status").Text() == "entered-in-error" {
			return nil
		}
		q, err := stored(ctx, tx, canonical)
		if err != nil || q.IsZero() {
			return err
		}
		var wrong fhir.Errors
		for _, e := range c.Validate(q, w.Resource) {
			if e.Warn {
				continue
			}
			said := *e
			if said.Code == fhir.Invalid { // FHIR could read it; the form does not bear it out
				said.Code = fhir.BusinessRule
			}
			wrong = append(wrong, &said)
		}
		if len(wrong) > 0 {
			return wrong
		}
		return nil
	}
}

// stored finds the form by its canonical URL, and its version where one is named; zero
// if there is none or more than one.
func stored(ctx context.Context, tx fhir.Tx, canonical string) (fhir.Resource, error) {
	url, version, _ := strings.Cut(canonical, "|")
	q := fhir.Query{Type: "Questionnaire", Count: 2, Where: []fhir.Clause{{Param: "url", Kind: fhir.URI, Any: []fhir.Operand{{URL: url}}}}}
	if version != "" {
		q.Where = append(q.Where, fhir.Clause{Param: "version", Kind: fhir.Token, Any: []fhir.Operand{{Code: version}}})
	}
	set, err := tx.As(fhir.Act{Interaction: fhir.SearchType, Type: "Questionnaire", Query: q.Canonical()}).Search(ctx, q)
	switch {
	case fhir.Is(err, fhir.Forbidden):
		return fhir.Resource{}, nil // whoever may see no form is held to none
	case err != nil || len(set.Entries) != 1:
		return fhir.Resource{}, err
	}
	return set.Entries[0].Resource, nil
}
