package rest

import (
	"context"
	"errors"
	"net/http"

	"rapport/fhir"
)

// statuses is the one table from codes to HTTP.
//
// Source: https://hl7.org/fhir/R4/http.html#rejecting-updates and the sections of
// each interaction.
var statuses = [...]int{
	fhir.Exception:    http.StatusInternalServerError,
	fhir.Structure:    http.StatusBadRequest, // not parsed, so not judged
	fhir.Invalid:      http.StatusBadRequest,
	fhir.Required:     http.StatusUnprocessableEntity, // parsed, and against the rules of FHIR
	fhir.Value:        http.StatusUnprocessableEntity,
	fhir.CodeInvalid:  http.StatusUnprocessableEntity,
	fhir.Invariant:    http.StatusUnprocessableEntity,
	fhir.BusinessRule: http.StatusUnprocessableEntity,
	fhir.NotSupported: http.StatusBadRequest,
	fhir.NotAllowed:   http.StatusMethodNotAllowed,
	fhir.NotFound:     http.StatusNotFound,
	fhir.Deleted:      http.StatusGone,
	fhir.Stale:        http.StatusPreconditionFailed,
	fhir.Multiple:     http.StatusPreconditionFailed,
	fhir.Conflict:     http.StatusConflict,
	fhir.Duplicate:    http.StatusConflict,
	fhir.Login:        http.StatusUnauthorized,
	fhir.Forbidden:    http.StatusForbidden,
	fhir.TooLong:      http.StatusRequestEntityTooLarge,
	fhir.TooCostly:    http.StatusBadRequest, // the request must change; waiting does not help
	fhir.Throttled:    http.StatusTooManyRequests,
	fhir.Transient:    http.StatusServiceUnavailable,
	fhir.Timeout:      http.StatusServiceUnavailable,
}

// Status returns the HTTP status of an error.
func Status(err error) int { return statuses[fhir.CodeOf(err)] }

// Outcome returns err as an OperationOutcome. Causes stay inside.
func Outcome(err error) []byte {
	var issues []*fhir.Object
	for _, e := range fhir.IssuesOf(err) {
		severity := "error"
		if e.Warn {
			severity = "warning"
		}
		issues = append(issues, fhir.NewObject().
			Set("severity", severity).
			Set("code", e.Code.Issue()).
			Set("details", fhir.NewObject().Set("text", e.Detail)).
			Set("expression", e.At))
	}
	return fhir.NewObject().Set("resourceType", "OperationOutcome").Set("issue", issues).JSON()
}

// Failure returns err as a response.
func Failure(err error) Response {
	r := Response{Status: Status(err), Header: http.Header{}, Body: Outcome(err)}
	switch fhir.CodeOf(err) {
	case fhir.Throttled, fhir.Transient, fhir.Timeout:
		r.Header.Set("Retry-After", "5")
	}
	return r
}

// InTime returns err, or that time ran out where that is why there is one: what was
// being waited for knows only that it was given up.
func InTime(ctx context.Context, err error) error {
	if err != nil && fhir.CodeOf(err) == fhir.Exception && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return &fhir.Error{Code: fhir.Timeout, Detail: "The request took too long and was given up; nothing was changed. Ask for less, or try again later.", Err: err}
	}
	return err
}

// told is an OperationOutcome about what went well.
func told(detail string) []byte {
	return fhir.NewObject().Set("resourceType", "OperationOutcome").Set("issue", []*fhir.Object{fhir.NewObject().
		Set("severity", "information").Set("code", "informational").Set("details", fhir.NewObject().Set("text", detail))}).JSON()
}
