package web

import (
	"context"
	"slices"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/mapping/practice"
)

// progress are the elements of a referral's Task that whoever was asked fills in.
//
// Source: https://hl7.org/fhir/R4/task.html; fhir/exchange writes the same.
var progress = []string{"businessStatus", "executionPeriod", "output", "lastModified"}

// underWay keeps, in the Task of a referral that is posted again, what the
// receiver has said of it meanwhile. The practice's own record seldom knows: its
// «requested» takes nothing back from a Task that is accepted, while a step that is
// the sender's to make (cancelled, entered-in-error) is one.
func (j *job) underWay(ctx context.Context, tx fhir.Tx, res fhir.Resource) (fhir.Resource, []issue, error) {
	if _, referral := j.record.(*practice.Referral); !referral || res.Type != "Task" {
		return res, nil, nil
	}
	stored, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: res.Type, ID: res.ID}).Read(ctx, res.Key)
	if absent(err) {
		return res, nil, nil
	}
	if err != nil {
		return res, nil, err
	}
	from, to := stored.Root().Get("status").Text(), res.Root().Get("status").Text()
	keep := slices.Clone(progress)
	var said []issue
	if from == to || exchange.Check(from, to, exchange.Sender) != nil {
		keep = append(keep, "status", "statusReason")
		if from != to {
			w := issue{Severity: "warning", Code: fhir.BusinessRule.Issue(), Expression: []string{"/status"}}
			w.Details.Text = "the referral is " + from + " by now; its status was left as it is"
			said = append(said, w)
		}
	}
	merged, err := with(res, stored, keep)
	return merged, said, err
}

// with takes the named elements from another version, there or not.
func with(r, other fhir.Resource, names []string) (fhir.Resource, error) {
	o := fhir.NewObject()
	for name, v := range r.Root().Members() {
		if !slices.Contains(names, name) {
			o.Set(name, v)
		}
	}
	for name, v := range other.Root().Members() {
		if slices.Contains(names, name) {
			o.Set(name, v)
		}
	}
	return o.Resource()
}
