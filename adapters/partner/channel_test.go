package partner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

func TestARefusalSaysWhatToDoNextAndRepeatsNoContent(t *testing.T) {
	outcome := `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"business-rule","diagnostics":"Eva Roth has F32.2"},{"code":"Eva Roth"}]}`
	for status, want := range map[int]fhir.Code{
		400: fhir.Invalid, 403: fhir.Forbidden, 404: fhir.NotFound, 405: fhir.Invalid, 408: fhir.Transient, 409: fhir.Conflict, 410: fhir.NotFound,
		412: fhir.Stale, 413: fhir.Invalid, 422: fhir.Invalid, 425: fhir.Transient, 429: fhir.Throttled, 500: fhir.Transient, 501: fhir.Invalid,
		502: fhir.Transient, 503: fhir.Transient, 504: fhir.Transient,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			f := newFar(t)
			ch, to := f.channel()
			f.answers(status, outcome)
			_, err := ch.Put(t.Context(), to, resource(t, `{"resourceType":"Task","id":"1"}`), 3)
			if !fhir.Is(err, want) || !strings.Contains(err.Error(), fmt.Sprintf("%d (business-rule)", status)) || strings.Contains(err.Error(), "Roth") {
				t.Error(err)
			}
		})
	}
}

func TestAnUpdateIsOfTheVersionThatWasRead(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	var got http.Header
	f.fhir = func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		fmt.Fprint(w, `{"resourceType":"Task","id":"1","meta":{"versionId":"4"}}`)
	}
	r, err := ch.Put(t.Context(), to, resource(t, `{"resourceType":"Task","id":"1"}`), 3)
	if err != nil || r.Version != 4 {
		t.Errorf("%v, %v", r, err)
	}
	for name, want := range map[string]string{"If-Match": `W/"3"`, "Content-Type": "application/fhir+json", "Accept": "application/fhir+json", "Prefer": "return=representation"} {
		if got.Get(name) != want {
			t.Errorf("%s: %q", name, got.Get(name))
		}
	}
	if f.count("PUT /fhir/Task/1") != 1 {
		t.Error(f.seen)
	}
	f.answers(http.StatusOK, "")
	if _, err := ch.Put(t.Context(), to, resource(t, `{"resourceType":"Task","id":"1"}`), 4); err != nil {
		t.Errorf("an answer without a body: %v", err)
	}
}

func TestASearchReturnsItsMatchesAlone(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	f.fhir = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("identifier") != "urn:x|1" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
		fmt.Fprint(w, `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Task","id":"1"}},`+
			`{"resource":{"resourceType":"Task","id":"2"},"search":{"mode":"match"}},{"resource":{"resourceType":"OperationOutcome"},"search":{"mode":"outcome"}}]}`)
	}
	rs, err := ch.Search(t.Context(), to, "Task", url.Values{"identifier": {"urn:x|1"}})
	if err != nil || len(rs) != 2 || rs[1].ID != "2" {
		t.Errorf("%v %v", rs, err)
	}
	for _, body := range []string{`{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","id":"1"}}]}`, `{"resourceType":"Patient","id":"1"}`} {
		f.answers(http.StatusOK, body)
		if _, err := ch.Search(t.Context(), to, "Task", nil); !fhir.Is(err, fhir.Invalid) {
			t.Errorf("%s: %v", body, err)
		}
	}
	f.answers(http.StatusOK, `{"resourceType":"OperationOutcome"}`)
	if _, err := ch.Transact(t.Context(), to, resource(t, pack)); !fhir.Is(err, fhir.Invalid) {
		t.Errorf("a transaction that was answered with an outcome: %v", err)
	}
	f.answers(http.StatusOK, `<html>`)
	if _, err := ch.Transact(t.Context(), to, resource(t, pack)); !fhir.Is(err, fhir.Transient) {
		t.Errorf("a transaction that was answered by something on the way: %v", err)
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	var wrote atomic.Int64
	f.fhir = func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 200 {
			n, err := w.Write(chunk)
			if wrote.Add(int64(n)); err != nil {
				return
			}
		}
	}
	if _, err := ch.Transact(t.Context(), to, resource(t, pack)); !fhir.Is(err, fhir.TooLong) {
		t.Error(err)
	}
	if wrote.Load() > maxAnswer*3 {
		t.Errorf("%d bytes were taken", wrote.Load())
	}
}

func TestAPartnerThatHangsIsLeft(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f.fhir = func(http.ResponseWriter, *http.Request) { <-release }
	ch.peers["far"].http.Timeout = 100 * time.Millisecond
	_, err := ch.Transact(t.Context(), to, resource(t, pack))
	if !fhir.Is(err, fhir.Transient) || !strings.Contains(err.Error(), "timeout") || strings.Contains(err.Error(), "127.0.0.1") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ch.Transact(ctx, to, resource(t, pack)); !fhir.Is(err, fhir.Transient) || !errors.Is(ctx.Err(), context.Canceled) {
		t.Error(err)
	}
}

func TestAfterFiveFailuresNothingIsSentUntilOneTryWorks(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	ch.peers["far"].breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(5).WithSuccessThreshold(1).WithDelay(time.Second).Build()
	f.answers(http.StatusServiceUnavailable, "")
	send := func() error {
		_, err := ch.Transact(t.Context(), to, resource(t, pack))
		return err
	}
	for range 10 {
		if err := send(); !fhir.Is(err, fhir.Transient) {
			t.Fatal(err)
		}
	}
	if n := f.count("POST /fhir"); n != 5 {
		t.Errorf("%d requests of 10 were sent", n)
	}
	time.Sleep(1100 * time.Millisecond)
	if send(); f.count("POST /fhir") != 6 {
		t.Errorf("%d requests after the pause", f.count("POST /fhir"))
	}
	if send(); f.count("POST /fhir") != 6 {
		t.Error("a failed try opened the door")
	}
	time.Sleep(1100 * time.Millisecond)
	f.answers(http.StatusOK, `{"resourceType":"Bundle","type":"transaction-response"}`)
	for range 3 {
		if err := send(); err != nil {
			t.Error(err)
		}
	}
	// A refusal is an answer: the partner is there.
	f.answers(http.StatusForbidden, "")
	for range 10 {
		if err := send(); !fhir.Is(err, fhir.Forbidden) {
			t.Fatal(err)
		}
	}
}

func TestOnePartnerThatIsDownDoesNotStopAnother(t *testing.T) {
	down, up := newFar(t), newFar(t)
	down.answers(http.StatusBadGateway, "")
	a, b := down.config(), up.config()
	b.Name = "up"
	ch, err := New([]Config{a, b}, func(Config) (Assert, error) { return func(string, string) (string, error) { return "x", nil }, nil }, up.clock)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if _, err := ch.Transact(t.Context(), a.Partner(), resource(t, pack)); !fhir.Is(err, fhir.Transient) {
			t.Fatal(err)
		}
	}
	if _, err := ch.Transact(t.Context(), b.Partner(), resource(t, pack)); err != nil {
		t.Error(err)
	}
	if _, err := ch.Transact(t.Context(), exchange.Partner{Name: "nobody"}, resource(t, pack)); !fhir.Is(err, fhir.Invalid) {
		t.Error(err)
	}
}

func TestAMistakeInTheConfigurationNamesItsField(t *testing.T) {
	good := Config{Name: "far", Base: "https://far.example/fhir", Organization: Identifier{"urn:reg", "H1"}, Client: "us", Key: "key.jwk"}
	for _, c := range []struct {
		change func(*Config)
		field  string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Base = "http://localhost:8081/fhir" }, ""},
		{func(c *Config) { c.Token = "https://login.example/token" }, ""},
		{func(c *Config) { c.Name = "" }, "name"},
		{func(c *Config) { c.Base = "http://far.example/fhir" }, "base"},
		{func(c *Config) { c.Base = "https://far.example/fhir/" }, "base"},
		{func(c *Config) { c.Base = "https://u:p@far.example/fhir" }, "base"},
		{func(c *Config) { c.Base = "far.example" }, "base"},
		{func(c *Config) { c.Organization.Value = "" }, "organization"},
		{func(c *Config) { c.Key = "" }, "client and key"},
		{func(c *Config) { c.Delivery = "creates" }, ""},
		{func(c *Config) { c.Delivery = "pigeon" }, "delivery"},
		{func(c *Config) { c.Token = "http://login.example/token" }, "token"},
	} {
		got := good
		c.change(&got)
		err := got.Validate()
		if (err == nil) != (c.field == "") || err != nil && !strings.HasPrefix(err.Error(), c.field+":") {
			t.Errorf("%v, want %q", err, c.field)
		}
	}
	sign := func(c Config) (Assert, error) {
		if c.Name == "keyless" {
			return nil, errors.New("no such file")
		}
		return nil, nil
	}
	if _, err := New([]Config{good, good}, sign, time.Now); err == nil || !strings.Contains(err.Error(), "partners[1].name") {
		t.Error(err)
	}
	good.Name = "keyless"
	if _, err := New([]Config{good}, sign, time.Now); err == nil || !strings.Contains(err.Error(), "partners[0].key") {
		t.Error(err)
	}
}

func TestWhatIsSentIsThePackageToTheLetter(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	body := `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Observation","valueQuantity":{"value":1.00}}}]}`
	f.fhir = func(w http.ResponseWriter, r *http.Request) {
		var raw json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&raw); err != nil || string(raw) != body {
			t.Errorf("%s, %v", raw, err)
		}
		fmt.Fprint(w, `{"resourceType":"Bundle","type":"transaction-response"}`)
	}
	if _, err := ch.Transact(t.Context(), to, resource(t, body)); err != nil {
		t.Error(err)
	}
}

func TestOnlyWhatCannotHaveArrivedIsSaidToBeUnsent(t *testing.T) {
	patient := `{"resourceType":"Patient"}`
	for _, c := range []struct {
		what   string
		make   func(*far)
		unsent bool
	}{
		{"nobody listens", func(f *far) { f.Close() }, true},
		{"no token is given", func(f *far) {
			f.issue = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }
		}, true},
		{"it was told to wait", func(f *far) {
			f.fhir = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		}, true},
		{"it answers with 500", func(f *far) { f.answers(http.StatusInternalServerError, "") }, false},
		{"the line breaks", func(f *far) { f.fhir = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) } }, false},
		{"it does not say where", func(f *far) { f.answers(http.StatusCreated, "") }, false},
	} {
		f := newFar(t)
		ch, to := f.channel()
		c.make(f)
		_, err := ch.Create(t.Context(), to, resource(t, patient), "")
		if fhir.Is(err, fhir.Throttled) { // the refusal itself; the next one is not sent
			_, err = ch.Create(t.Context(), to, resource(t, patient), "")
		}
		if err == nil || errors.Is(err, exchange.ErrUnsent) != c.unsent {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestWhatIdentifiesAPersonIsAskedForInNoURL(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	f.fhir = func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.URL.Path != "/fhir/Patient/_search" || r.PostFormValue("family") != "Roth" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		fmt.Fprint(w, `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"http://x"}],"entry":[{"resource":{"resourceType":"Patient","id":"1"}},{"resource":{"resourceType":"OperationOutcome"}}]}`)
	}
	rs, whole, err := ch.Look(t.Context(), to, "Patient", url.Values{"family": {"Roth"}})
	if err != nil || len(rs) != 1 || whole {
		t.Errorf("%v, all of them %v, %v", rs, whole, err)
	}
}

func TestRetryAfterIsReadInEitherFormAndBounded(t *testing.T) {
	f := newFar(t)
	for value, want := range map[string]time.Duration{
		"120": 2 * time.Minute, "999999": time.Hour, f.clock().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
		f.clock().Add(99 * time.Hour).UTC().Format(http.TimeFormat): time.Hour, "soon": 0, "-5": 0, "": 0,
	} {
		p := &peer{clock: f.clock}
		p.heed(value)
		if got := p.notBefore.Sub(f.clock()); want > 0 && got != want || want == 0 && p.waits() {
			t.Errorf("%q: %v", value, got)
		}
	}
}
