package web

import (
	"context"
	"slices"

	"rapport/fhir"
)

// stays refuses to make a resource of one client into one of another: what else is
// stored of the first would then refer to the second. The gate does not say what was
// there before, so that it is read; of what is not the caller's to read, the gate judges.
func (j *job) stays(ctx context.Context, tx fhir.Tx, res fhir.Resource) error {
	whose := j.About(res)
	if len(whose) == 0 || slices.Contains(whose, res.Key) { // nobody's, or the client itself
		return nil
	}
	was, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: res.Type, ID: res.ID}).Read(ctx, res.Key)
	switch {
	case fhir.Unseen(err):
		return nil
	case err != nil:
		return err
	case moved(j.About(was), whose):
		return j.keyInUse(whose)
	}
	return nil
}

// moved reports whether nobody whom something was about is among those whom it is about
// now; what was about nobody moves to everybody.
func moved(before, after []fhir.Key) bool {
	return len(before) > 0 && !slices.ContainsFunc(before, func(p fhir.Key) bool { return slices.Contains(after, p) })
}

// keyInUse is said of a record for some clients whose key stands for something else. It is
// the same whether that is for the caller to see or not.
func (j *job) keyInUse(whose []fhir.Key) error {
	at := []string{"/client"}
	if len(whose) > 0 {
		at = j.places(references(j.record), whose[0], nil, at[0])
	}
	return &fhir.Error{Code: fhir.BusinessRule, At: at, Detail: "This key cannot be used for this client. Post this under a key of its own; if what stands under the key is yours, mark that entered-in-error."}
}
