package web

import (
	"context"

	"rapport/fhir"
)

// underWay keeps what others have said meanwhile of a record that is posted again, and
// says so; see [mapping.Mapper.UnderWay].
func (j *job) underWay(ctx context.Context, tx fhir.Tx, res fhir.Resource) (fhir.Resource, []issue, error) {
	merged, left, err := j.mapper.UnderWay(ctx, tx, j.record, res)
	if err != nil || left == "" {
		return merged, nil, err
	}
	w := issue{Severity: "warning", Code: fhir.BusinessRule.Issue(), Expression: []string{"/status"}}
	w.Details.Text = "the " + j.record.Kind() + " is " + left + " by now; its status was left as it is"
	return merged, []issue{w}, nil
}
