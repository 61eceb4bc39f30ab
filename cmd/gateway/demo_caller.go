package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/policy/token"
)

// demoTTL is how long the tokens last that the shown commands use.
const demoTTL = 12 * time.Hour

// caller speaks to a gateway over HTTP with a token.
type caller struct {
	base, token string
	file        string // what curl -K reads
}

// answer is what came back.
type answer struct {
	status int
	etag   string
	header http.Header
	body   []byte
}

func (c *caller) do(ctx context.Context, method, path string, body []byte, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("ETag"), resp.Header, b}, err
}

// get reads a resource or a Bundle.
func (c *caller) get(ctx context.Context, path string) (fhir.Resource, error) {
	a, err := c.do(ctx, http.MethodGet, fhirPath+"/"+path, nil)
	if err != nil {
		return fhir.Resource{}, err
	}
	if a.status != http.StatusOK {
		return fhir.Resource{}, fmt.Errorf("GET %s answered %d: %s", path, a.status, a.body)
	}
	return fhir.Parse(a.body)
}

// find searches and returns the matches.
func (c *caller) find(ctx context.Context, query string) (out []fhir.Resource, err error) {
	b, err := c.get(ctx, query)
	if err != nil {
		return nil, err
	}
	for e := range b.Root().Get("entry").Elements() {
		if e.At("search", "mode").Text() != "match" {
			continue
		}
		r, err := fhir.ResourceOf(e.Get("resource"))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// one searches for what must be there once.
func (c *caller) one(ctx context.Context, query string) (fhir.Resource, error) {
	rs, err := c.find(ctx, query)
	if err == nil && len(rs) != 1 {
		err = fmt.Errorf("%s found %d, not one", query, len(rs))
	}
	if err != nil {
		return fhir.Resource{}, err
	}
	return rs[0], nil
}

// post sends a record of the practice and reads what came of it into v.
func (c *caller) post(ctx context.Context, path string, record, v any) error {
	b, err := json.Marshal(record)
	if err != nil {
		return err
	}
	a, err := c.do(ctx, http.MethodPost, path, b)
	if err != nil {
		return err
	}
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		return fmt.Errorf("POST %s answered %d: %s", path, a.status, a.body)
	}
	return json.Unmarshal(a.body, v)
}

// put updates a resource at the version that was read.
func (c *caller) put(ctx context.Context, r fhir.Resource, body []byte) error {
	a, err := c.do(ctx, http.MethodPut, fhirPath+"/"+r.Key.String(), body, "If-Match", fmt.Sprintf(`W/"%d"`, r.Version))
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("PUT %s answered %d: %s", r.Key, a.status, a.body)
	}
	return nil
}

// curl is the command that repeats a GET of a resource or a search.
func (c *caller) curl(path string) string { return c.curlOf(fhirPath + "/" + path) }

// curlOf is the command that repeats a GET.
func (c *caller) curlOf(path string) string {
	return fmt.Sprintf("curl -s -K %s '%s'", c.file, c.base+path)
}

// signIn gets a token as a backend does: an assertion signed with its own key.
func signIn(ctx context.Context, base, endpoint, client, scope string, key *token.SigningKey) (*caller, error) {
	assertion, err := token.Assertion(key, client, endpoint, ids(), time.Now())
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var t struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the token endpoint answered %d", resp.StatusCode)
	}
	return &caller{base: base, token: t.Token}, nil
}

// eventually asks again until it holds, for so long.
func eventually(ctx context.Context, d time.Duration, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it had not come after %v", d)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
