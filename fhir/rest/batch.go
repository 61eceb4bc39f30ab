package rest

import (
	"context"
	"mime"
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
			w.answer(rt.one(ctx, e))
		}
		i++
	}
	return Response{Status: http.StatusOK, Header: http.Header{}, Body: w.done()}, nil
}

// one serves an entry. A Bundle holds FHIR and has no place for where the answer to an
// asynchronous operation will be.
func (rt *Router) one(ctx context.Context, e *entry) Response {
	if op, _, ok := rt.operation(e.req); ok && op.Async {
		return Failure(e.name(fhir.Errorf(fhir.NotSupported, "request.url", "This operation answers later, and an entry cannot say where. Ask for it outside of a batch.")))
	}
	resp := rt.Serve(ctx, e.req)
	if resp.Stream != nil || !isFHIR(resp.Header) {
		return Failure(e.name(fhir.Errorf(fhir.NotSupported, "request.url", "The answer to this is not FHIR JSON, so that no Bundle can hold it. Ask for it outside of a batch.")))
	}
	return resp
}

// isFHIR reports whether a body under h is FHIR JSON, as it is where h does not say.
func isFHIR(h http.Header) bool {
	t := h.Get("Content-Type")
	if t == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(t)
	return err == nil && t == "application/fhir+json"
}
