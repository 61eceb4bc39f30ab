package rest

import (
	"net/http"
	"strconv"
	"strings"

	"rapport/fhir"
)

// preconditions reads what a write rests on: If-Match, one weak or strong ETag or *, and
// If-None-Match: *. What is there is what the caller may see of it.
//
// Source: RFC 9110 sections 13.1.1 and 13.1.2, https://hl7.org/fhir/R4/http.html#concurrency
func preconditions(r *Request) (c fhir.Condition, err error) {
	if c.IfNoneMatchAny, err = ifNoneMatch(r); err != nil {
		return c, err
	}
	h := strings.TrimSpace(r.Header.Get("If-Match"))
	switch h {
	case "":
		return c, nil
	case "*":
		c.IfMatchAny = true
		return c, nil
	}
	v, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(h, "W/"), `"`), 10, 64)
	if err != nil || v < 1 {
		return c, &fhir.Error{Code: fhir.Stale, Detail: `If-Match names no version of this resource; send its ETag, e.g. W/"3".`}
	}
	c.IfMatch = v
	return c, nil
}

// ifNoneMatch reports whether a write may overwrite nothing. Where that cannot be heeded,
// it is refused: to ignore it could overwrite what the caller meant to keep.
func ifNoneMatch(r *Request) (bool, error) {
	h := strings.TrimSpace(strings.Join(r.Header.Values("If-None-Match"), ","))
	switch {
	case h == "":
		return false, nil
	case r.Method != http.MethodPut:
		return false, &fhir.Error{Code: fhir.Invalid, Detail: "Of writes, PUT alone takes an If-None-Match; leave it out. A create takes If-None-Exist."}
	case h != "*":
		return false, &fhir.Error{Code: fhir.Invalid, Detail: `A PUT takes no If-None-Match but *, to overwrite nothing; to change a version that you know, send its ETag as If-Match.`}
	}
	return true, nil
}
