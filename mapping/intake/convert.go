package intake

import (
	"context"
	"fmt"
	"strings"

	"rapport/fhir"
	"rapport/mapping/practice"
	"rapport/mapping/site"
)

// Mapper turns records into FHIR; *mapping.Mapper is one.
type Mapper interface {
	// ToFHIR returns the resources that a record stands for, the record itself first.
	ToFHIR(practice.Record) ([]fhir.Resource, error)
	// Superseded lists what an earlier version of the record may have given and this
	// one, of which these are the resources, does not.
	Superseded(practice.Record, []fhir.Resource) []fhir.Key
	// UnderWay keeps what others have said meanwhile of a record that is written again.
	UnderWay(ctx context.Context, tx fhir.Tx, rec practice.Record, res fhir.Resource) (merged fhir.Resource, left string, err error)
	// Mistaken returns what a record gives that is entered in error where it stands as
	// something else than what these resources are; nil: as them.
	Mistaken(ctx context.Context, tx fhir.Tx, rec practice.Record, now []fhir.Resource) ([]fhir.Resource, error)
	// FromFHIR reads the record that resources stand for, also together with an error.
	FromFHIR([]fhir.Resource) (practice.Record, error)
	// KeyOf returns the resource that stands for a record, ID one of another type.
	KeyOf(practice.SourceKey) fhir.Key
	ID(typ, system, key string, sub ...string) fhir.Key
}

// convert takes a record from the source's words to FHIR: against its kind's
// schema, through the mapper, through the check.
func (r *run) convert(ctx context.Context, rec site.Record) (practice.Record, []fhir.Resource, error) {
	native, err := practice.Decode(rec.Kind, rec.JSON)
	if err != nil {
		return nil, nil, unplaced(err)
	}
	if err := practice.Timely(native, r.Clock()); err != nil {
		return nil, nil, err
	}
	practice.OriginOf(native).System = r.Site.System
	rs, err := r.Mapper.ToFHIR(native)
	if err != nil {
		return nil, nil, err
	}
	if len(rs) == 0 {
		return nil, nil, fmt.Errorf("intake: a record of the kind %s gave no resource", rec.Kind)
	}
	return native, rs, r.check(ctx, rs)
}

func (r *run) check(ctx context.Context, rs []fhir.Resource) error {
	if r.Check == nil {
		return nil
	}
	for _, res := range rs {
		if err := r.Check(ctx, res); err != nil {
			return err
		}
	}
	return nil
}

// unplaced takes line and column out of what is said of a record's JSON: nobody
// but us has seen that JSON, and the row's own line is told.
func unplaced(err error) error {
	var out fhir.Errors
	for _, e := range fhir.IssuesOf(err) {
		c := *e
		if _, rest, ok := strings.Cut(c.Detail, ": "); ok && strings.HasPrefix(c.Detail, "line ") {
			c.Detail = rest
		}
		out = append(out, &c)
	}
	return out
}
