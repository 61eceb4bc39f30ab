package rest

import (
	"context"
	"net/http"

	"rapport/fhir"
)

// batch serves each entry as a request of its own; one that fails does not
// touch the others.
//
// Source: https://hl7.org/fhir/R4/http.html#brules
func (rt *Router) batch(ctx context.Context, r *Request, b fhir.Resource) (Response, error) {
	if r.Header.Get("Idempotency-Key") != "" {
		return Response{}, &fhir.Error{Code: fhir.NotSupported, Detail: "A batch is many requests and takes no Idempotency-Key; send a transaction, or each request by itself."}
	}
	w := newBundle("batch-response", rt)
	i := 0
	for n := range b.Root().Get("entry").Elements() {
		e, err := tell(n, i, r)
		switch {
		case err != nil:
			w.answer(rt.fail(ctx, err))
		case e.req.Path == "" && e.req.Method == http.MethodPost:
			w.answer(Failure(e.name(fhir.Errorf(fhir.Invalid, "request.url", "A Bundle cannot hold a Bundle to run."))))
		default:
			w.answer(rt.Serve(ctx, e.req))
		}
		i++
	}
	return Response{Status: http.StatusOK, Header: http.Header{}, Body: w.done()}, nil
}
