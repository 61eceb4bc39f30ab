package exchange

import (
	"maps"
	"slices"
	"strings"

	"rapport/fhir"
)

// BusinessStatus is the code system of Task.businessStatus that is understood here.
// A status of another system, or a text, is carried as it is.
//
// Source: http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS (2.0.0-ballot),
// numbered as in IHE 360X.
const BusinessStatus = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"

// The business statuses. They say more of a status, and change none.
const (
	Created           = "2.0"
	Accepted          = "3.0"
	Declined          = "4.0"
	Scheduled         = "5.1.1" // with the Appointment as an output, or executionPeriod.start, where known
	Unattended        = "5.1.2" // the client did not come
	ScheduleCancelled = "5.1.3"
	EventCompleted    = "5.1.4"
	AskedToCancel     = "5.2"
	Ended             = "6.0" // fulfilment cancelled
	Fulfilled         = "7.0"
)

// business says of each business status beside which statuses it may be put, and by
// whom. «Partial» is in-progress with an output.
//
// Source: HL7 BSeR 2.0.0-ballot; HL7 FHIR Clinical Order Workflows 1.0.0-ballot, by
// which the fulfiller tells its progress.
var business = map[string]struct {
	by  Side
	are []string
}{
	Created:           {Sender, []string{"draft", "requested"}},
	Accepted:          {Receiver, []string{"accepted", "in-progress", "on-hold"}},
	Declined:          {Receiver, []string{"rejected"}},
	Scheduled:         {Receiver, []string{"accepted", "in-progress", "on-hold"}},
	Unattended:        {Receiver, []string{"accepted", "in-progress", "on-hold", "failed"}},
	ScheduleCancelled: {Receiver, []string{"accepted", "in-progress", "on-hold", "cancelled", "failed"}},
	EventCompleted:    {Receiver, []string{"in-progress", "on-hold", "completed"}},
	AskedToCancel:     {Either, []string{"requested", "accepted", "in-progress", "on-hold"}},
	Ended:             {Either, []string{"cancelled", "failed"}},
	Fulfilled:         {Receiver, []string{"completed"}},
}

// BusinessOf returns the business status of a Task that is understood here, "" for
// none.
func BusinessOf(task fhir.Node) string {
	for c := range task.Get("businessStatus").Get("coding").Elements() {
		if c.Get("system").Text() == BusinessStatus {
			return c.Get("code").Text()
		}
	}
	return ""
}

// CheckBusiness says whether a business status may be put beside a status of a Task
// by an act of one of the sides. It is asked when the business status changes: one
// that stays behind when the status goes on is old, not wrong.
func CheckBusiness(status, code string, by Side) error {
	b, known := business[code]
	if code == "" || known && b.by&by != 0 && slices.Contains(b.are, status) {
		return nil
	}
	if !known {
		return fhir.Errorf(fhir.BusinessRule, "Task.businessStatus", "The code is none of its system, which has %s.", strings.Join(slices.Sorted(maps.Keys(business)), ", "))
	}
	var legal []string
	for code, b := range business {
		if b.by&by != 0 && slices.Contains(b.are, status) {
			legal = append(legal, code)
		}
	}
	slices.Sort(legal)
	if len(legal) == 0 {
		return fhir.Errorf(fhir.BusinessRule, "Task.businessStatus", "A Task that is %s takes no business status from this side.", status)
	}
	return fhir.Errorf(fhir.BusinessRule, "Task.businessStatus", "A Task that is %s can take the business status %s from this side.", status, strings.Join(legal, ", "))
}
