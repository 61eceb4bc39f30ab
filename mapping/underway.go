package mapping

import (
	"context"
	"slices"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/mapping/practice"
)

// UnderWay keeps, in a resource of a record that is written again, what others have said
// of it meanwhile: in a referral its receiver ([exchange.UnderWay]), in an exercise the
// client. The practice system that wrote the record need not know of it. left is the
// status of a Task that was left as it is, "" where the record's stands. What a record of
// another kind gives is returned as it came, and so is what is not there yet.
func (m *Mapper) UnderWay(ctx context.Context, tx fhir.Tx, rec practice.Record, res fhir.Resource) (merged fhir.Resource, left string, err error) {
	exercise, told := rec.(*practice.Exercise)
	_, referral := rec.(*practice.Referral)
	if !told && !referral || res.Type != "Task" && res.Type != "ServiceRequest" {
		return res, "", nil
	}
	stored, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: res.Type, ID: res.ID}).Read(ctx, res.Key)
	switch {
	case fhir.Is(err, fhir.NotFound), fhir.Is(err, fhir.Deleted):
		return res, "", nil
	case err != nil:
		return res, "", err
	case told:
		return m.told(exercise, stored, res)
	}
	merged, left, err = exchange.UnderWay(stored, res)
	if res.Type != "Task" {
		left = ""
	}
	return merged, left, err
}

// told puts what was said of an exercise meanwhile, by the client as a rule, into its
// Task that the practice system writes again. That system seldom knows: its «requested»
// takes nothing back from an exercise that is done, and a report stays that the client
// gave by itself. What the record says takes effect where it goes further (done, taken
// back, an error), and where it takes back the report that it gave itself.
//
// stored and task are the Task as it is and as the record gives it. left is the status
// that was left as it is, "" where the record's stands.
func (m *Mapper) told(rec *practice.Exercise, stored, task fhir.Resource) (merged fhir.Resource, left string, err error) {
	own := m.idOf(rec.Kind(), "QuestionnaireResponse", m.systemOf(rec.System), rec.BusinessKey, "report")
	reported := false // by the record
	var theirs []fhir.Node
	for o := range stored.Root().Get("output").Elements() {
		if k, ok := o.Get("valueReference").Ref(); ok && k == own {
			reported = true
			continue
		}
		theirs = append(theirs, o)
	}
	was := stored.Root().Get("status").Text()
	ends := rec.Status == "cancelled" || rec.Status == "entered-in-error"
	takenBack := reported && rec.Report == nil && len(theirs) == 0
	stays := steps[was] > steps[rec.Status] && !ends && !takenBack
	if stays {
		left = was
	}
	o := fhir.NewObject()
	for name, v := range task.Root().Members() {
		switch {
		case name == "output", stays && (name == "status" || name == "statusReason"):
		default:
			o.Set(name, v)
		}
	}
	for _, name := range []string{"businessStatus", "executionPeriod", "lastModified"} {
		o.Set(name, stored.Root().Get(name))
	}
	if stays {
		o.Set("status", was)
	}
	if stays || was == rec.Status && rec.Because == "" {
		o.Set("statusReason", stored.Root().Get("statusReason"))
	}
	outputs := slices.Collect(task.Root().Get("output").Elements())
	if outputs = append(outputs, theirs...); len(outputs) > 0 {
		o.Set("output", outputs)
	}
	merged, err = o.Resource()
	return merged, left, err
}

// steps says how far an exercise has come by its status. One that was cancelled can be
// asked for again.
var steps = map[string]int{
	"accepted": 1, "in-progress": 2, "on-hold": 2,
	"completed": 3, "failed": 3, "rejected": 3,
}
