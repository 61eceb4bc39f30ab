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

// waits reports whether nobody has taken a Task up yet and its therapist is another
// one now.
func waits(t fhir.Resource, it Item) bool {
	owner, _ := t.Root().Get("owner").Ref()
	return t.Root().Get("status").Text() == "requested" && !it.owner.IsZero() && owner != it.owner
}

// reassigned hands a Task to the therapist of now.
func reassigned(t fhir.Resource, it Item, now time.Time) (fhir.Resource, error) {
	return changed(t, fhir.NewObject().Set("lastModified", now).Set("owner", it.owner))
}

// What a pass says when it puts a Task to rest.
const (
	asksNoMore = "The plan no longer asks for it."
	hasCome    = "The response came."
)

// closed puts a Task to rest: completed when a response came, else cancelled.
func closed(t fhir.Resource, came bool, now time.Time) (fhir.Resource, error) {
	status, why := "cancelled", asksNoMore
	if came {
		status, why = "completed", hasCome
	}
	return changed(t, fhir.NewObject().Set("status", status).Set("statusReason", fhir.NewObject().Set("text", why)).Set("lastModified", now))
}

// rests reports whether a pass put a Task to rest, and no person.
func rests(t fhir.Resource) bool {
	why := t.Root().At("statusReason", "text").Text()
	switch t.Root().Get("status").Text() {
	case "completed":
		return why == hasCome
	case "cancelled":
		return why == asksNoMore
	}
	return false
}

// again raises a Task that a pass has put to rest.
func again(t fhir.Resource, it Item, now time.Time) (fhir.Resource, error) {
	o := fhir.NewObject()
	for name, v := range t.Root().Members() {
		if name != "statusReason" {
			o.Set(name, v)
		}
	}
	t, err := o.Resource()
	if err != nil {
		return fhir.Resource{}, err
	}
	return changed(t, fhir.NewObject().Set("status", "requested").Set("lastModified", now).Set("owner", it.owner))
}

// changed sets elements of a Task and leaves the others as they are.
func changed(t fhir.Resource, with *fhir.Object) (fhir.Resource, error) {
	n, err := fhir.ParseNode(with.JSON())
	if err != nil {
		return fhir.Resource{}, err
	}
	o := fhir.NewObject()
	for name, v := range t.Root().Members() {
		if !n.Get(name).Exists() {
			o.Set(name, v)
		}
	}
	for name, v := range n.Members() {
		o.Set(name, v)
	}
	return o.Resource()
}
