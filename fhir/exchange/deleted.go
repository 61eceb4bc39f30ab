package exchange

import (
	"context"
	"strings"

	"rapport/fhir"
)

// What is deleted here after a partner got it stands there as an error: the last version
// with the status that says so, under the number of the tombstone. To whatever is
// compared and sent it is a version like another, and so is one that is there again.

const (
	mistake   = "entered-in-error"
	certainty = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
)

// mistaken reports whether a resource says of itself that it is an error.
func mistaken(n fhir.Node) bool {
	return n.Get("status").Text() == mistake || n.Get("lifecycleStatus").Text() == mistake || n.Get("verificationStatus").HasCoding(certainty, mistake)
}

// standing is the newest version of a resource as partners get it.
type standing struct {
	fhir.Resource      // the zero Resource: there is none, or not for the caller
	gone          bool // it was deleted
}

// became says in a note what happened to it.
func (s standing) became() string {
	if s.gone {
		return "was deleted here"
	}
	return "has changed"
}

// untold is an error where it was deleted, and its type has no status that says so.
func (s standing) untold() error {
	if !s.gone || mistaken(s.Root()) {
		return nil
	}
	return fhir.Errorf(fhir.BusinessRule, "", "a %s that the partner has of us was deleted here, and none can say of itself that it is an error; tell them, then drop the work", s.Type)
}

func latest(ctx context.Context, in fhir.Reader, k fhir.Key) (now standing, err error) {
	now.Resource, err = in.Read(ctx, k)
	if !fhir.Is(err, fhir.Deleted) {
		now.Resource, err = readable(now.Resource, err)
		return now, err
	}
	past, err := in.History(ctx, fhir.Scope(k), fhir.Span{Count: 1})
	if err != nil || len(past.Entries) == 0 {
		return standing{}, err
	}
	now.gone = true
	now.Resource, err = versionOf(ctx, in, k, past.Entries[0].Version)
	return now, err
}

// versionOf reads one version as partners get it.
func versionOf(ctx context.Context, in fhir.Reader, k fhir.Key, version int64) (fhir.Resource, error) {
	r, err := readable(in.ReadVersion(ctx, k, version))
	if err != nil || !r.IsZero() {
		return r, err
	}
	last, err := readable(in.ReadVersion(ctx, k, version-1)) // no tombstone follows another
	if err != nil || last.IsZero() {
		return last, err
	}
	return inError(last, version)
}

// inError is a resource as an error, in a version of its own. It stays as it was where
// its type cannot say so.
//
// Source: https://hl7.org/fhir/R4/condition.html, invariant con-5: no clinicalStatus then
func inError(r fhir.Resource, version int64) (fhir.Resource, error) {
	says := map[string]any{"status": mistake}
	switch r.Type {
	case "Goal":
		says = map[string]any{"lifecycleStatus": mistake}
	case "Condition":
		says = map[string]any{"verificationStatus": fhir.Concept(certainty, mistake, "Entered in Error"), "clinicalStatus": nil}
	case "Patient", "RelatedPerson":
		says = nil
	}
	o := fhir.NewObject()
	for name, v := range r.Root().Members() {
		if _, told := says[strings.TrimPrefix(name, "_")]; !told { // an extension tells of the status that was
			o.Set(name, v)
		}
	}
	for name, v := range says {
		o.Set(name, v)
	}
	r, err := o.Resource()
	if err != nil {
		return r, err
	}
	return r.Stamp(r.ID, version, r.Updated)
}
