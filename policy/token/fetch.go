package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const maxDocument = 1 << 20 // bytes of a key set or discovery document

var errRedirect = errors.New("the identity provider redirects; configure the address that it redirects to")

// client fetches from one identity provider: in bounded time and size, following
// nothing, and never from addresses that only this machine or its cloud can mean.
func client(loopback bool) *http.Client {
	dial := &net.Dialer{Timeout: 3 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return errors.New("no address")
		}
		return mayDial(ap.Addr().Unmap(), loopback)
	}}
	return &http.Client{
		Timeout:       fetchTimeout - time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		Transport: bounded{&http.Transport{
			DialContext: dial.DialContext, TLSHandshakeTimeout: 3 * time.Second, ResponseHeaderTimeout: 5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 2, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
		}},
	}
}

// mayDial is asked after the name was resolved, so that no name can hide an address.
func mayDial(a netip.Addr, loopback bool) error {
	switch {
	case a.IsLoopback() && loopback:
		return nil
	case a.IsLoopback(), a.IsUnspecified(), a.IsLinkLocalUnicast(), a.IsMulticast():
		return errors.New("the identity provider's name leads to a loopback, link-local or multicast address")
	}
	return nil
}

// bounded makes an answer other than 200, or a large one, an error that holds
// nothing of the body.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 3 {
		resp.Body.Close()
		return nil, errRedirect
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the identity provider answers %d", resp.StatusCode)
	}
	resp.Body = &capped{ReadCloser: resp.Body, left: maxDocument}
	return resp, nil
}

type capped struct {
	io.ReadCloser
	left int
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.left -= n; c.left < 0 {
		return 0, fmt.Errorf("the answer is larger than %d bytes", maxDocument)
	}
	return n, err
}

// fromURL loads a key set from a fixed address.
func fromURL(address string) load {
	c := client(isLoopback(address))
	return func(ctx context.Context) ([]byte, time.Duration, error) { return get(ctx, c, address) }
}

// fromDiscovery asks the issuer where its keys are, and asks again when they cannot
// be had there. The keys must be on the issuer's own host.
func fromDiscovery(issuer string) load {
	c := client(isLoopback(issuer))
	var address string // KeySource runs one load at a time
	return func(ctx context.Context) ([]byte, time.Duration, error) {
		if address == "" {
			p, err := oidc.NewProvider(oidc.ClientContext(ctx, c), issuer)
			if err != nil {
				return nil, 0, fmt.Errorf("discovery: %w", err)
			}
			var doc struct {
				JWKS string `json:"jwks_uri"`
			}
			if err := p.Claims(&doc); err != nil {
				return nil, 0, errors.New("discovery: no jwks_uri")
			}
			if !sameHost(issuer, doc.JWKS) {
				return nil, 0, errors.New("discovery: jwks_uri is on another host than the issuer; if that is right, configure it as jwks")
			}
			address = doc.JWKS
		}
		b, age, err := get(ctx, c, address)
		if err != nil {
			address = ""
		}
		return b, age, err
	}
}

func fromFile(path string) load {
	return func(context.Context) ([]byte, time.Duration, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, 0, err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
		if err == nil && len(b) > maxDocument {
			err = fmt.Errorf("%s is larger than %d bytes", path, maxDocument)
		}
		return b, -1, err
	}
}

func get(ctx context.Context, c *http.Client, address string) ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	resp, err := c.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return b, keep(resp.Header), err
}

// keep reads how long a response may be kept; negative if it does not say.
//
// Source: RFC 9111, 4.2 and 5.2.2
func keep(h http.Header) time.Duration {
	age := time.Duration(-1)
	for part := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "=")
		switch name {
		case "no-cache", "no-store":
			return 0
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				age = time.Duration(n) * time.Second
			} else {
				return 0
			}
		}
	}
	if n, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil && age > 0 {
		age = max(0, age-time.Duration(n)*time.Second)
	}
	return age
}

// checkURL says what is wrong with an address that is trusted, "" if nothing.
func checkURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "is not an absolute URL"
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(s)):
		return "must be https (http only on loopback)"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return "must have no user, query or fragment"
	}
	return ""
}

func isLoopback(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(u.Hostname())
	return err == nil && a.Unmap().IsLoopback()
}

func sameHost(a, b string) bool {
	x, err := url.Parse(a)
	y, err2 := url.Parse(b)
	return err == nil && err2 == nil && checkURL(b) == "" && x.Scheme == y.Scheme && strings.EqualFold(x.Host, y.Host)
}
