package web

import (
	"context"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/mapping/practice"
)

// underWay keeps, in a referral that is posted again, what its receiver has said of it
// meanwhile; see [exchange.UnderWay].
func (j *job) underWay(ctx context.Context, tx fhir.Tx, res fhir.Resource) (fhir.Resource, []issue, error) {
	if _, referral := j.record.(*practice.Referral); !referral || res.Type != "Task" && res.Type != "ServiceRequest" {
		return res, nil, nil
	}
	stored, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: res.Type, ID: res.ID}).Read(ctx, res.Key)
	if absent(err) {
		return res, nil, nil
	}
	if err != nil {
		return res, nil, err
	}
	merged, left, err := exchange.UnderWay(stored, res)
	if err != nil || left == "" || res.Type != "Task" {
		return merged, nil, err
	}
	w := issue{Severity: "warning", Code: fhir.BusinessRule.Issue(), Expression: []string{"/status"}}
	w.Details.Text = "the referral is " + left + " by now; its status was left as it is"
	return merged, []issue{w}, nil
}
