package web

import (
	"context"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/mapping/practice"
)

// underWay keeps, in a referral or an exercise that is posted again, what its receiver or
// the client has said of it meanwhile; see [exchange.UnderWay] and [mapping.Mapper.Told].
func (j *job) underWay(ctx context.Context, tx fhir.Tx, res fhir.Resource) (fhir.Resource, []issue, error) {
	exercise, told := j.record.(*practice.Exercise)
	_, referral := j.record.(*practice.Referral)
	if !(referral || told) || res.Type != "Task" && res.Type != "ServiceRequest" {
		return res, nil, nil
	}
	stored, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: res.Type, ID: res.ID}).Read(ctx, res.Key)
	if absent(err) {
		return res, nil, nil
	}
	if err != nil {
		return res, nil, err
	}
	var merged fhir.Resource
	var left string
	if told {
		merged, left, err = j.mapper.Told(exercise, stored, res)
	} else {
		merged, left, err = exchange.UnderWay(stored, res)
	}
	if err != nil || left == "" || res.Type != "Task" {
		return merged, nil, err
	}
	w := issue{Severity: "warning", Code: fhir.BusinessRule.Issue(), Expression: []string{"/status"}}
	w.Details.Text = "the " + j.record.Kind() + " is " + left + " by now; its status was left as it is"
	return merged, []issue{w}, nil
}
