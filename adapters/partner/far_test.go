package partner

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// far is a partner: its FHIR base and its issuer on one server.
type far struct {
	*httptest.Server
	t      *testing.T
	now    atomic.Int64 // seconds since the world began
	mu     sync.Mutex
	seen   []string // "METHOD path"
	tokens int
	good   string // the token that is accepted; "": the newest
	forms  []url.Values
	fhir   http.HandlerFunc // behind the check of the token
	issue  http.HandlerFunc // in place of the issuer's answer
	smart  http.HandlerFunc // in place of the configuration
	life   int
}

func newFar(t *testing.T) *far {
	f := &far{t: t, life: 300}
	f.fhir = func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"resourceType":"Bundle","type":"transaction-response"}`)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *far) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+r.URL.Path)
	issue, smart, behind := f.issue, f.smart, f.fhir
	f.mu.Unlock()
	switch r.URL.Path {
	case "/fhir/.well-known/smart-configuration":
		if smart != nil {
			smart(w, r)
			return
		}
		fmt.Fprintf(w, `{"token_endpoint":%q}`, f.URL+"/token")
	case "/token":
		_ = r.ParseForm()
		f.mu.Lock()
		f.forms = append(f.forms, r.PostForm)
		f.tokens++
		n, life := f.tokens, f.life
		f.mu.Unlock()
		if issue != nil {
			issue(w, r)
			return
		}
		fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, n, life)
	default:
		f.mu.Lock()
		good := f.good
		if good == "" {
			good = fmt.Sprintf("token-%d", f.tokens)
		}
		f.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+good {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind(w, r)
	}
}

func (f *far) clock() time.Time { return time.Unix(1_800_000_000+f.now.Load(), 0) }

// count returns how often a path was asked for.
func (f *far) count(what string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.seen {
		if s == what {
			n++
		}
	}
	return n
}

func (f *far) config() Config {
	return Config{Name: "far", Base: f.URL + "/fhir", Organization: Identifier{"urn:reg", "H1"}, Client: "us", Key: "key.jwk"}
}

// channel joins us to the partner; change alters the configuration.
func (f *far) channel(change ...func(*Config)) (*Channel, exchange.Partner) {
	f.t.Helper()
	c := f.config()
	for _, do := range change {
		do(&c)
	}
	ch, err := New([]Config{c}, func(c Config) (Assert, error) {
		return func(client, audience string) (string, error) {
			return c.Key + " signs " + client + " for " + audience, nil
		}, nil
	}, f.clock)
	if err != nil {
		f.t.Fatal(err)
	}
	return ch, c.Partner()
}

func (f *far) answers(status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fhir = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func resource(t *testing.T, json string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const pack = `{"resourceType":"Bundle","type":"transaction"}`
