package intake

import (
	"context"
	"slices"

	"rapport/fhir"
)

// maxTargets is how many resources one Provenance names. A larger run makes
// several, since one of a million targets would be rewritten with each batch.
const maxTargets = 1000

// provenance says who made the resources of a run and from what. It is written in
// the transaction of what it speaks of, and grows with each batch: so a run that
// is cut off leaves nothing whose origin is not recorded, and a run that changed
// nothing leaves none at all.
type provenance struct {
	id      string
	targets []fhir.Key
	written []fhir.Key
}

// pending is the provenance as it will be if the transaction commits.
type pending struct {
	provenance
	fresh []fhir.Key
}

func (p *provenance) begin() *pending {
	return &pending{provenance: provenance{id: p.id, targets: slices.Clone(p.targets), written: slices.Clone(p.written)}}
}

func (p *provenance) commit(done *pending) { *p = done.provenance }

func (p *pending) target(k fhir.Key) { p.fresh = append(p.fresh, k) }

// put writes what the fresh targets make necessary.
func (p *pending) put(ctx context.Context, tx fhir.Tx, r *run) error {
	for len(p.fresh) > 0 {
		if p.id == "" || len(p.targets) >= maxTargets {
			p.id, p.targets = r.NewID(), nil
			p.written = append(p.written, fhir.Key{Type: "Provenance", ID: p.id})
		}
		n := min(len(p.fresh), maxTargets-len(p.targets))
		p.targets, p.fresh = append(p.targets, p.fresh[:n]...), p.fresh[n:]
		res, err := p.resource(r)
		if err != nil {
			return err
		}
		if _, err := tx.As(fhir.Act{Interaction: fhir.Update, Type: res.Type, ID: res.ID}).Put(ctx, res, fhir.Condition{}); err != nil {
			return err
		}
	}
	return nil
}

// resource builds the Provenance: the tool and its mapping assembled the targets
// from a file, which is named by its hash alone, since a file's name may name a
// client. The hash is written as RFC 6920 has it for people (nih).
func (p *pending) resource(r *run) (fhir.Resource, error) {
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
	return fhir.NewResource(fhir.Key{Type: "Provenance", ID: p.id}).
		Set("target", p.targets).
		Set("recorded", r.Clock()).
		Set("agent", agents).
		Set("entity", []*fhir.Object{fhir.NewObject().
			Set("role", "source").
			Set("what", fhir.NewObject().Set("identifier", file).Set("display", "the file that was imported"))}).
		Resource()
}
