package intake

import (
	"context"

	"rapport/fhir"
)

// origin says who made the resources of one transaction and from what. It is written
// with what it speaks of, and never changed: so a run that is cut off leaves nothing
// whose origin is not recorded, and one that changed nothing leaves none at all.
type origin struct {
	targets []fhir.Key
	key     fhir.Key // zero: nothing to say
}

func (o *origin) target(k fhir.Key) { o.targets = append(o.targets, k) }

// put writes it, if anything was changed.
func (o *origin) put(ctx context.Context, tx fhir.Tx, r *run) error {
	if len(o.targets) == 0 {
		return nil
	}
	o.key = fhir.Key{Type: "Provenance", ID: r.NewID()}
	res, err := o.resource(r)
	if err != nil {
		return err
	}
	_, err = tx.As(fhir.Act{Interaction: fhir.Create, Type: res.Type, ID: res.ID}).Put(ctx, res, fhir.Condition{MustCreate: true})
	return err
}

// resource builds the Provenance: the tool and its mapping assembled the targets
// from a file, which is named by its hash alone, since a file's name may name a
// client. The hash is written as RFC 6920 has it for people (nih).
func (o *origin) resource(r *run) (fhir.Resource, error) {
	role := func(code, display string) *fhir.Object {
		return fhir.Concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type", code, display)
	}
	agents := []*fhir.Object{fhir.NewObject().
		Set("type", role("assembler", "Assembler")).
		Set("who", fhir.NewObject().Set("display", "Rapport import by site mapping "+r.Site.Version))}
	if !r.Agent.IsZero() {
		agents = append(agents, fhir.NewObject().Set("type", role("performer", "Performer")).Set("who", r.Agent))
	}
	file := fhir.NewObject().Set("system", "urn:ietf:rfc:3986").Set("value", "nih:sha-256;"+r.sum.Digest)
	return fhir.NewResource(o.key).
		Set("target", o.targets).
		Set("recorded", r.Clock()).
		Set("agent", agents).
		Set("entity", []*fhir.Object{fhir.NewObject().
			Set("role", "source").
			Set("what", fhir.NewObject().Set("identifier", file).Set("display", "the file that was imported"))}).
		Resource()
}
