package rest

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rapport/fhir"
)

// read: GET [base]/[type]/[id]
//
// Source: https://hl7.org/fhir/R4/http.html#read and #cread
func (rt *Router) read(r *Request, k fhir.Key) (*plan, error) {
	shown, err := shapeOfOne(r, k.Type)
	if err != nil {
		return nil, err
	}
	return &plan{
		act: fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID},
		look: func(ctx context.Context, in fhir.Reader) (Response, error) {
			res, err := in.Read(ctx, k)
			if err != nil {
				return Response{}, err
			}
			if unchanged(r.Header, res) {
				return Response{Status: http.StatusNotModified, Header: versionHeader(res)}, nil
			}
			return Response{Status: http.StatusOK, Header: versionHeader(res), Body: shown.of(res)}, nil
		},
	}, nil
}

// shapeOfOne is the shape of an answer that holds one resource, which takes no other
// parameters.
func shapeOfOne(r *Request, typ string) (shape, error) {
	s, rest, err := shapeOf(r.Query, typ)
	if err != nil {
		return s, err
	}
	if s.summary == "count" {
		return s, &fhir.Error{Code: fhir.Invalid, Detail: "_summary=count counts what a search finds; here it is true, text, data or false."}
	}
	return s, plain(rest)
}

// unchanged answers If-None-Match, else If-Modified-Since.
func unchanged(h http.Header, res fhir.Resource) bool {
	if tags := h.Get("If-None-Match"); tags != "" {
		for tag := range strings.SplitSeq(tags, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag(res.Version), "W/") {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(h.Get("If-Modified-Since"))
	return err == nil && !res.Updated.Truncate(time.Second).After(since)
}

func etag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

func versionHeader(res fhir.Resource) http.Header {
	h := http.Header{}
	h.Set("ETag", etag(res.Version))
	h.Set("Last-Modified", res.Updated.UTC().Format(http.TimeFormat))
	return h
}
