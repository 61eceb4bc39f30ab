package monitoring

import (
	"time"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// FollowUp is the code system of the Tasks made here; its file is among mapping's
// tables.
const FollowUp = instrument.Canonical + "/CodeSystem/follow-up"

const (
	overdueCode = "questionnaire-overdue"
	overdueText = "A questionnaire that the plan asks for is overdue"
)

// statuses of a Task that somebody still has before them.
var open = []string{"draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold"}

// taskKey names the Task of one due day.
func taskKey(client fhir.Key, slug, due string) fhir.Key {
	return instrument.Derived("Task", client, "overdue "+slug+" "+due)
}

// task makes the Task of an overdue item.
func task(it Item, now time.Time) (fhir.Resource, error) {
	var labels []fhir.Node
	for l := range it.plan.Root().At("meta", "security").Elements() {
		labels = append(labels, l)
	}
	o := fhir.NewResource(taskKey(it.client, it.Instrument, it.Due)).
		Set("meta", fhir.NewObject().Set("security", labels)).
		Set("basedOn", []fhir.Key{it.plan.Key}).
		Set("status", "requested").
		Set("intent", "plan").
		Set("priority", "routine").
		Set("code", fhir.Concept(FollowUp, overdueCode, overdueText).Set("text", overdueText)).
		Set("focus", it.plan.Key).
		Set("for", it.client).
		Set("authoredOn", now).
		Set("lastModified", now).
		Set("owner", it.owner)
	if it.Last != nil {
		k, _ := fhir.ParseKey(it.Last.Reference)
		o.Set("reasonReference", k)
	}
	return o.Set("restriction", fhir.NewObject().Set("period", fhir.NewObject().Set("start", it.Due))).Resource()
}

// closed puts a Task to rest: completed when a response came, else cancelled.
func closed(t fhir.Resource, came bool, now time.Time) (fhir.Resource, error) {
	status, why := "cancelled", "The plan no longer asks for it."
	if came {
		status, why = "completed", "The response came."
	}
	reason := fhir.NewObject().Set("text", why)
	o := fhir.NewObject()
	for name, v := range t.Root().Members() {
		switch name {
		case "status":
			o.Set("status", status).Set("statusReason", reason)
		case "lastModified":
			o.Set("lastModified", now)
		case "statusReason":
		default:
			o.Set(name, v)
		}
	}
	return o.Resource()
}
