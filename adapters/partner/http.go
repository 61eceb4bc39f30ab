package partner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"rapport/fhir"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 16 << 20

// client makes an HTTP client that follows nothing and waits for nobody long.
func client() *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 25 * time.Second,
			MaxIdleConnsPerHost:   4,
			IdleConnTimeout:       60 * time.Second,
			ForceAttemptHTTP2:     true,
		},
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// do sends one FHIR request with a token; a token that is refused is renewed once.
func (p *peer) do(ctx context.Context, method, path string, body []byte, h http.Header) (fhir.Resource, error) {
	if !p.breaker.TryAcquirePermit() {
		return fhir.Resource{}, &fhir.Error{Code: fhir.Transient, Detail: "the partner has not answered lately; waiting before the next try"}
	}
	b, err := p.authorised(ctx, method, path, body, h)
	if fhir.Is(err, fhir.Transient) {
		p.breaker.RecordFailure()
	} else {
		p.breaker.RecordSuccess()
	}
	if err != nil {
		return fhir.Resource{}, err
	}
	r, err := fhir.Parse(b)
	if err != nil {
		return fhir.Resource{}, &fhir.Error{Code: fhir.Transient, Detail: "the partner's answer is no FHIR resource", Err: err}
	}
	return r, nil
}

func (p *peer) authorised(ctx context.Context, method, path string, body []byte, h http.Header) ([]byte, error) {
	for again := false; ; again = true {
		token, err := p.access(ctx, again)
		if err != nil {
			return nil, err
		}
		hh := h.Clone()
		if hh == nil {
			hh = http.Header{}
		}
		hh.Set("Authorization", "Bearer "+token)
		hh.Set("Accept", "application/fhir+json")
		if body != nil {
			hh.Set("Content-Type", "application/fhir+json")
		}
		b, err := p.raw(ctx, method, p.Base+path, body, hh)
		if again || !fhir.Is(err, fhir.Login) {
			return b, err
		}
	}
}

// raw sends one request. Its errors say what class of failure it was, in our words.
func (p *peer) raw(ctx context.Context, method, url string, body []byte, h http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: "the partner's address is not usable", Err: err}
	}
	req.Header = h
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Transient, Detail: "the partner cannot be reached", Err: plain(err)}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Transient, Detail: "the partner's answer broke off", Err: plain(err)}
	}
	if len(b) > maxAnswer {
		return nil, &fhir.Error{Code: fhir.TooLong, Detail: "the partner's answer is larger than what is taken"}
	}
	if resp.StatusCode/100 == 2 {
		return b, nil
	}
	return nil, refusal(resp.StatusCode)
}

// plain drops the URL that net/http puts into its errors: it may hold identifiers.
func plain(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return errors.New("timeout")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return errors.New("transport error")
}

// refusal says what a status means for whoever wants to try again. What the
// partner wrote beside it is not repeated: it may quote what was sent.
func refusal(status int) error {
	e := &fhir.Error{Code: fhir.Invalid, Detail: "the partner refused with status " + http.StatusText(status)}
	switch status {
	case http.StatusUnauthorized:
		e.Code = fhir.Login
	case http.StatusForbidden:
		e.Code = fhir.Forbidden
	case http.StatusNotFound, http.StatusGone:
		e.Code = fhir.NotFound
	case http.StatusConflict:
		e.Code = fhir.Conflict
	case http.StatusPreconditionFailed:
		e.Code = fhir.Stale
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.Code = fhir.Transient
	}
	return e
}
