package exchange_test

import (
	"context"
	"net/http"
	"net/url"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/fhir/rest"
)

// The rest of the wire: what goes beside transactions.

func (w *wire) Look(_ context.Context, to exchange.Partner, typ string, params url.Values) ([]fhir.Resource, bool, error) {
	a, err := w.send(to, false, http.MethodGet, typ, params, nil)
	if err != nil {
		return nil, false, err
	}
	rs, err := matches(a)
	return rs, true, err
}

func (w *wire) Message(_ context.Context, to exchange.Partner, b fhir.Resource) (fhir.Resource, error) {
	return w.resource(w.send(to, true, http.MethodPost, "$process-message", nil, b.Body()))
}

func (w *wire) Create(_ context.Context, to exchange.Partner, r fhir.Resource, unless string) (fhir.Key, error) {
	var h []string
	if unless != "" {
		h = []string{"If-None-Exist", unless}
	}
	made, err := w.resource(w.send(to, true, http.MethodPost, r.Type, nil, r.Body(), h...))
	return made.Key, err
}

func (w *wire) Capabilities(_ context.Context, of exchange.Partner) (fhir.Resource, error) {
	return w.resource(w.send(of, false, http.MethodGet, "metadata", nil, nil))
}

// run serves a request that an operation makes for its caller.
func (s *side) run(ctx context.Context, r *rest.Request) rest.Response { return s.router.Serve(ctx, r) }
