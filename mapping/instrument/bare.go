package instrument

import (
	"context"
	"slices"

	"rapport/fhir"
)

// Told is what a score comes to beside earlier ones.
type Told struct {
	First, Last *ChangeFacts  // nil: there is none before
	OwnMean     *OwnMeanFacts // nil: no rule
}

// TellBare works out what the bare scores among those of one client come to beside the
// others: nothing of it is stored, since an Observation stays as its source said it. r
// reads the encounters and courses of therapy that scores name.
//
// Errors are those of r.
func (in *Instrument) TellBare(ctx context.Context, r fhir.Reader, scores []fhir.Resource) (map[fhir.Key]Told, error) {
	j := (*Library)(nil).derivation(r)
	var t timeline
	for _, o := range scores {
		p, ok, err := j.placed(ctx, in, o)
		if err != nil {
			return nil, err
		}
		if ok {
			t = append(t, p)
		}
	}
	slices.SortFunc(t, point.compare)
	out := map[fhir.Key]Told{}
	for _, p := range in.compareBare(t) {
		if c := p.compared; c != nil {
			out[p.key] = Told{in.changeFacts(c.first), in.changeFacts(c.last), in.ownMeanFacts(c.own)}
		}
	}
	return out, nil
}

// Codes lists what a change amounts to: codes of [ChangeCodes].
func (f *ChangeFacts) Codes() []string {
	return Shift{Class: f.Class, Recovery: f.Recovery, ReliableRecovery: f.ReliableRecovery}.codes()
}
