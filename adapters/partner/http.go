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
	"strconv"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/fhir/exchange"
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

// answer is what came back of a request that succeeded.
type answer struct {
	body   []byte
	header http.Header
}

// do sends one FHIR request with a token and reads a resource; a token that is refused
// is renewed once. Where an answer may be empty it returns the zero Resource.
func (p *peer) do(ctx context.Context, method, path string, body []byte, h http.Header) (fhir.Resource, error) {
	a, err := p.ask(ctx, method, path, body, h)
	if err != nil {
		return fhir.Resource{}, err
	}
	if len(a.body) == 0 && method == http.MethodPut {
		return fhir.Resource{}, nil
	}
	return a.resource()
}

func (a answer) resource() (fhir.Resource, error) {
	r, err := fhir.Parse(a.body)
	if err != nil {
		return fhir.Resource{}, &fhir.Error{Code: fhir.Transient, Detail: "the partner's answer is no FHIR resource", Err: err}
	}
	return r, nil
}

// ask sends one request, unless the partner is not to be met now.
func (p *peer) ask(ctx context.Context, method, path string, body []byte, h http.Header) (answer, error) {
	if p.waits() {
		return answer{}, &fhir.Error{Code: fhir.Throttled, Detail: "the partner asked to wait", Err: exchange.ErrUnsent}
	}
	if !p.breaker.TryAcquirePermit() {
		return answer{}, &fhir.Error{Code: fhir.Transient, Detail: "the partner has not answered lately; waiting before the next try", Err: exchange.ErrUnsent}
	}
	a, err := p.authorised(ctx, method, path, body, h)
	if fhir.Is(err, fhir.Transient) {
		p.breaker.RecordFailure()
	} else {
		p.breaker.RecordSuccess()
	}
	return a, err
}

func (p *peer) authorised(ctx context.Context, method, path string, body []byte, h http.Header) (answer, error) {
	if path == metadata { // what a server declares is for everybody
		return p.raw(ctx, method, p.Base+path, nil, http.Header{"Accept": {"application/fhir+json"}})
	}
	stale := ""
	for {
		token, err := p.access(ctx, stale)
		if err != nil {
			return answer{}, unsent(err)
		}
		hh := h.Clone()
		if hh == nil {
			hh = http.Header{}
		}
		hh.Set("Authorization", "Bearer "+token)
		hh.Set("Accept", "application/fhir+json")
		if body != nil && hh.Get("Content-Type") == "" {
			hh.Set("Content-Type", "application/fhir+json")
			hh.Set("Prefer", "return=representation")
		}
		a, err := p.raw(ctx, method, p.Base+path, body, hh)
		if stale != "" || !fhir.Is(err, fhir.Login) {
			return a, err
		}
		stale = token
	}
}

// unsent marks an error as one before the request itself.
func unsent(err error) error {
	e := *fhir.IssuesOf(err)[0]
	e.Err = errors.Join(exchange.ErrUnsent, e.Err)
	return &e
}

// longestWait bounds what Retry-After may ask for: a wrong one must not stop a
// partner's referrals for days.
const longestWait = time.Hour

// waits reports whether the partner asked not to be met yet.
func (p *peer) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock().Before(p.notBefore)
}

// heed notes a Retry-After, in seconds or as a date.
//
// Source: RFC 9110 section 10.2.3
func (p *peer) heed(retryAfter string) {
	now := p.clock()
	until, err := http.ParseTime(retryAfter)
	if s, e := strconv.Atoi(strings.TrimSpace(retryAfter)); e == nil && s >= 0 {
		until, err = now.Add(min(time.Duration(s), longestWait/time.Second)*time.Second), nil
	}
	if err != nil {
		return
	}
	if until.Sub(now) > longestWait {
		until = now.Add(longestWait)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.notBefore) {
		p.notBefore = until
	}
}

// raw sends one request. Its errors say what class of failure it was, in our words.
func (p *peer) raw(ctx context.Context, method, url string, body []byte, h http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, &fhir.Error{Code: fhir.Invalid, Detail: "the partner's address is not usable", Err: err}
	}
	req.Header = h
	resp, err := p.http.Do(req)
	if err != nil {
		cause := plain(err)
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
			cause = errors.Join(exchange.ErrUnsent, cause)
		}
		return answer{}, &fhir.Error{Code: fhir.Transient, Detail: "the partner cannot be reached", Err: cause}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, &fhir.Error{Code: fhir.Transient, Detail: "the partner's answer broke off", Err: plain(err)}
	}
	if len(b) > maxAnswer {
		return answer{}, &fhir.Error{Code: fhir.TooLong, Detail: "the partner's answer is larger than what is taken"}
	}
	if resp.StatusCode/100 == 2 {
		return answer{b, resp.Header}, nil
	}
	if s := resp.StatusCode; (s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable) && strings.HasPrefix(url, p.Base) {
		p.heed(resp.Header.Get("Retry-After"))
	}
	return answer{}, refusal(resp.StatusCode, b)
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
