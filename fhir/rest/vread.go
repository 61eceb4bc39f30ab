package rest

import (
	"context"
	"net/http"
	"strconv"

	"rapport/fhir"
)

// vread: GET [base]/[type]/[id]/_history/[vid]
//
// Source: https://hl7.org/fhir/R4/http.html#vread
func (rt *Router) vread(r *Request, k fhir.Key, vid string) (*plan, error) {
	shown, err := shapeOfOne(r, k.Type)
	if err != nil {
		return nil, err
	}
	version, err := strconv.ParseInt(vid, 10, 64)
	if err != nil || version < 1 || strconv.FormatInt(version, 10) != vid {
		return nil, fhir.Missing(k)
	}
	return &plan{
		act: fhir.Act{Interaction: fhir.VRead, Type: k.Type, ID: k.ID},
		look: func(ctx context.Context, in fhir.Reader) (Response, error) {
			res, err := in.ReadVersion(ctx, k, version)
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
