package partner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
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

			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        60 * time.Second,
			ForceAttemptHTTP2:      true,
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
	if len(b) == 0 && method == http.MethodPut {
		return fhir.Resource{}, nil
	}
	r, err := fhir.Parse(b)
	if err != nil {
		return fhir.Resource{}, &fhir.Error{Code: fhir.Transient, Detail: "the partner's answer is no FHIR resource", Err: err}
	}
	return r, nil
}

func (p *peer) authorised(ctx context.Context, method, path string, body []byte, h http.Header) ([]byte, error) {
	stale := ""
	for {
		token, err := p.access(ctx, stale)
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
			hh.Set("Prefer", "return=representation")
		}
		b, err := p.raw(ctx, method, p.Base+path, body, hh)
		if stale != "" || !fhir.Is(err, fhir.Login) {
			return b, err
		}
		stale = token
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
	return nil, refusal(resp.StatusCode, b)
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
// partner wrote beside it is not repeated but for its codes: it may quote what was sent.
func refusal(status int, body []byte) error {
	e := &fhir.Error{Code: fhir.Invalid, Detail: fmt.Sprintf("the partner refused with status %d%s", status, codes(body))}
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
	case http.StatusTooManyRequests:
		e.Code = fhir.Throttled
	case http.StatusRequestTimeout, http.StatusTooEarly,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.Code = fhir.Transient
	}
	return e
}

// issueCode is the form of the codes of IssueType and of OAuth errors.
var issueCode = regexp.MustCompile(`^[a-z][a-z_-]{2,39}$`)

// codes returns what kinds of problem an OperationOutcome, or an OAuth error, names.
func codes(body []byte) string {
	n, err := fhir.ParseNode(body)
	if err != nil {
		return ""
	}
	found := []string{n.Get("error").Text()}
	for i := range n.Get("issue").Elements() {
		found = append(found, i.Get("code").Text())
	}
	found = slices.DeleteFunc(found, func(s string) bool { return !issueCode.MatchString(s) })
	if len(found) == 0 {
		return ""
	}
	return " (" + strings.Join(slices.Compact(found[:min(len(found), 5)]), ", ") + ")"
}
