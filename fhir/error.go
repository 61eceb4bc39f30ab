package fhir

import (
	"errors"
	"fmt"
	"strings"
)

// Code says what kind of problem an [Error] is. Programs act upon it, never
// upon the text. fhir/rest turns codes into HTTP in one table.
type Code uint8

// The codes. Each has one OperationOutcome issue type; see [Code.Issue].
const (
	// Exception: our own fault, or one not understood. Nothing is told of it.
	Exception    Code = iota
	Structure         // not well-formed, wrong shape
	Required          // an element is missing
	Value             // an element's value is not allowed
	CodeInvalid       // a code is not in its required value set
	Invariant         // a rule of the specification is broken
	Invalid           // content that cannot be used, other than the above
	NotSupported      // a parameter, operation or type that is not served
	NotAllowed        // an interaction that is not served on what the URL names
	NotFound          // nothing there, or nothing the caller may know of
	Deleted           // was there, and the caller could read its last version
	Stale             // If-Match names another version than the current one
	Conflict          // another write came between; trying again may help
	Duplicate         // the id or key exists already
	Multiple          // criteria that must match one matched several
	Login             // no valid token
	Forbidden         // the interaction is not allowed, whatever the data
	BusinessRule      // a rule of the practice or of a workflow forbids it
	TooLong           // larger than a limit
	TooCostly         // would take more work than is allowed
	Throttled         // too many requests; later
	Transient         // something needed is down; later
	Timeout           // took too long
)

var issues = [...]string{
	Exception: "exception", Structure: "structure", Required: "required", Value: "value", CodeInvalid: "code-invalid",
	Invariant: "invariant", Invalid: "invalid", NotSupported: "not-supported", NotAllowed: "not-supported", NotFound: "not-found", Deleted: "deleted",
	Stale: "conflict", Conflict: "conflict", Duplicate: "duplicate", Multiple: "multiple-matches", Login: "login",
	Forbidden: "forbidden", BusinessRule: "business-rule", TooLong: "too-long", TooCostly: "too-costly",
	Throttled: "throttled", Transient: "transient", Timeout: "timeout",
}

// Issue returns the code of http://hl7.org/fhir/issue-type.
func (c Code) Issue() string { return issues[c] }

// Error is one OperationOutcome issue.
type Error struct {
	Code   Code
	Detail string   // for the caller: what is wrong and what to do next; no PHI, no internals
	At     []string // FHIRPath expressions of the elements meant
	Err    error    // the cause, for the log alone
	Warn   bool     // severity warning instead of error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code.Issue())
	if len(e.At) > 0 {
		b.WriteString(" at " + strings.Join(e.At, ", "))
	}
	b.WriteString(": " + e.Detail)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a formatted Detail. What is formatted reaches the
// caller: no PHI.
func Errorf(c Code, at string, format string, args ...any) *Error {
	e := &Error{Code: c, Detail: fmt.Sprintf(format, args...)}
	if at != "" {
		e.At = []string{at}
	}
	return e
}

// Errors is several issues at once, never empty, the gravest code first wins
// the status.
type Errors []*Error

func (es Errors) Error() string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = e.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap lets errors.Is and errors.As look into each.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// IssuesOf returns the issues in err. An error that is none of ours becomes
// one Exception that tells the caller nothing.
func IssuesOf(err error) []*Error {
	var es Errors
	if errors.As(err, &es) {
		return es
	}
	var e *Error
	if errors.As(err, &e) {
		return []*Error{e}
	}
	return []*Error{{Code: Exception, Detail: "An internal error occurred. Nothing was changed; the request may be tried again.", Err: err}}
}

// CodeOf returns the code of the first issue of err.
func CodeOf(err error) Code { return IssuesOf(err)[0].Code }

// Is reports whether err's first issue has code c; false for nil.
func Is(err error, c Code) bool { return err != nil && CodeOf(err) == c }

// Missing is the one answer for what is not there and for what the caller may
// not know to be there. It must stay free of anything that differs between.
func Missing(k Key) *Error {
	return &Error{Code: NotFound, Detail: "There is no such resource, or it is not visible to you."}
}
