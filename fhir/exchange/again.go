package exchange

import (
	"slices"

	"rapport/fhir"
)

// progress are the elements of a referral's Task that whoever was asked fills in, but
// for the status and its reason.
//
// Source: https://hl7.org/fhir/R4/task.html (set by the performer)
var progress = []string{"businessStatus", "executionPeriod", "output", "lastModified"}

// UnderWay puts what was said meanwhile into a referral's Task or ServiceRequest that
// its sender's own system writes again. That system seldom knows: its «requested» takes
// nothing back from a Task that is accepted, while a step that is the sender's to make
// (cancelled, entered-in-error) is one. A ServiceRequest that has ended with its Task
// stays so. left is the status that was left as it is, "" where the new one stands.
// Any other resource is returned as it came.
func UnderWay(stored, posted fhir.Resource) (merged fhir.Resource, left string, err error) {
	from, to := stored.Root().Get("status").Text(), posted.Root().Get("status").Text()
	switch {
	case posted.Type == "Task" && isReferral(posted.Root()):
		keep := slices.Clone(progress)
		if from == to || Check(from, to, Sender) != nil {
			keep = append(keep, "status", "statusReason")
			if from != to {
				left = from
			}
		}
		merged, err = with(posted, stored, keep)
		return merged, left, err
	case posted.Type == "ServiceRequest" && (from == "completed" || from == "revoked") && !ended(to):
		merged, err = with(posted, stored, []string{"status"})
		return merged, from, err
	}
	return posted, "", nil
}

// ended reports whether a ServiceRequest is over.
func ended(status string) bool {
	return status == "completed" || status == "revoked" || status == "entered-in-error"
}
