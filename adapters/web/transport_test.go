package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/fhir/rest"
)

func TestABodyWithoutEndIsCutOffAndSaidSo(t *testing.T) {
	f := serve(t, Config{Limits: Limits{Body: 1 << 20}})
	endless := io.MultiReader(strings.NewReader(`{"resourceType":"Patient","x":"`), zeros{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/fhir/Patient", io.LimitReader(endless, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer mira")
	req.Header.Set("Content-Type", "application/fhir+json")
	began := time.Now()
	if got := f.code(f.do(req), http.StatusRequestEntityTooLarge); got != "too-long" {
		t.Errorf("code %q", got)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %v: the body was read on", d)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestABodyAtTheLimitIsTakenAndOneByteMoreIsNot(t *testing.T) {
	f := serve(t, Config{Limits: Limits{Body: 64}})
	for n, want := range map[int]int{64: http.StatusBadRequest, 65: http.StatusRequestEntityTooLarge} {
		f.outcome(f.send(http.MethodPost, "/fhir/Patient", strings.Repeat("{", n)), want)
	}
}

func TestABodyThatIsNoPlainJSONIsRefusedBeforeItIsLookedAt(t *testing.T) {
	f := serve(t, Config{})
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = io.CopyN(z, zeros{}, 10<<20)
	_ = z.Close()
	for name, c := range map[string]struct {
		body   string
		header []string
	}{
		"gzip":          {bomb.String(), []string{"Content-Encoding", "gzip"}},
		"double coding": {bomb.String(), []string{"Content-Encoding", "gzip, identity"}},
		"a form":        {"resourceType=Patient", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"a token in it": {"access_token=mira", []string{"Content-Type", "application/x-www-form-urlencoded", "Authorization"}},
		"xml":           {"<Patient/>", []string{"Content-Type", "application/fhir+xml"}},
		"plain text":    {"{}", []string{"Content-Type", "text/plain"}},
		"latin 1":       {"{}", []string{"Content-Type", "application/json; charset=iso-8859-1"}},
		"no media type": {"{}", []string{"Content-Type", "json;;"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := http.StatusUnsupportedMediaType
			if slices.Contains(c.header, "Authorization") {
				want = http.StatusUnauthorized
			}
			f.T = t
			f.outcome(f.send(http.MethodPost, "/fhir/Patient", c.body, c.header...), want)
		})
	}
}

func TestJSONThatIsNoneIsSaidToBe(t *testing.T) {
	f := serve(t, Config{})
	for name, body := range map[string]string{
		"cut off":          `{"resourceType":"Patient"`,
		"twice the member": `{"resourceType":"Patient","id":"1","id":"2"}`,
		"two documents":    `{"resourceType":"Patient"}{}`,
		"bad UTF-8":        "{\"resourceType\":\"Patient\",\"language\":\"\xff\"}",
		"deep":             `{"resourceType":"Patient","x":` + strings.Repeat("[", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			f.T = t
			if got := f.code(f.send(http.MethodPost, "/fhir/Patient", body), http.StatusBadRequest); got != "structure" {
				t.Errorf("code %q", got)
			}
		})
	}
}

func TestWhatIsAskedForInAnotherFormatIsNotAcceptable(t *testing.T) {
	f := serve(t, Config{})
	for accept, want := range map[string]int{
		"":                               http.StatusNotFound, // there is no such Patient
		"application/fhir+json":          http.StatusNotFound,
		"text/html, */*;q=0.8":           http.StatusNotFound,
		"APPLICATION/JSON":               http.StatusNotFound,
		"application/fhir+xml":           http.StatusNotAcceptable,
		"application/json;q=0":           http.StatusNotAcceptable,
		"application/json; q=0.000, a/b": http.StatusNotAcceptable,
	} {
		f.outcome(f.send(http.MethodGet, "/fhir/Patient/1", "", "Accept", accept), want)
	}
	f.outcome(f.send(http.MethodGet, "/fhir/Patient/1?_format=json", "", "Accept", "application/fhir+xml"), http.StatusNotFound)
}

func TestNoTokenNoAnswer(t *testing.T) {
	f := serve(t, Config{Practice: &Practice{}})
	jwt := "eyJhbGciOiJFUzI1NiJ9." + strings.Repeat("x", 60) + ".sig"
	for name, c := range map[string]struct {
		path      string
		header    []string
		status    int
		challenge string
	}{
		"none":                   {"/fhir/Patient/1", []string{"Authorization"}, http.StatusUnauthorized, "Bearer"},
		"none for a record":      {"/practice/process-notes/1", []string{"Authorization"}, http.StatusUnauthorized, "Bearer"},
		"a password":             {"/fhir/Patient/1", []string{"Authorization", "Basic bWlyYTptaXJh"}, http.StatusUnauthorized, "Bearer"},
		"an empty one":           {"/fhir/Patient/1", []string{"Authorization", "Bearer "}, http.StatusUnauthorized, "Bearer"},
		"a forged one":           {"/fhir/Patient/1", []string{"Authorization", "Bearer forged"}, http.StatusUnauthorized, `Bearer error="invalid_token"`},
		"two spaces (T13)":       {"/fhir/Patient/1", []string{"Authorization", "Bearer  mira"}, http.StatusUnauthorized, `Bearer error="invalid_token"`},
		"not ASCII (T13)":        {"/fhir/Patient/1", []string{"Authorization", "Bearer mirä"}, http.StatusUnauthorized, `Bearer error="invalid_token"`},
		"in a cookie (T12)":      {"/fhir/Patient/1", []string{"Authorization", "", "Cookie", "access_token=mira"}, http.StatusUnauthorized, "Bearer"},
		"in the query (T12)":     {"/fhir/Patient/1?access_token=mira", nil, http.StatusBadRequest, ""},
		"in a parameter (T12)":   {"/fhir/Patient?name=" + jwt, nil, http.StatusBadRequest, ""},
		"in the path (T12)":      {"/fhir/Patient/" + jwt, nil, http.StatusBadRequest, ""},
		"keys cannot be had":     {"/fhir/Patient/1", []string{"Authorization", "Bearer keys-are-away"}, http.StatusServiceUnavailable, ""},
		"scheme in another case": {"/fhir/Patient/1", []string{"Authorization", "bEARER mira"}, http.StatusNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f.T = t
			before := f.refused.count()
			r := f.send(http.MethodGet, c.path, "", c.header...)
			f.outcome(r, c.status)
			if got := r.Header.Get("WWW-Authenticate"); got != c.challenge {
				t.Errorf("challenge %q, want %q", got, c.challenge)
			}
			counted := f.refused.count() - before
			if want := c.status == http.StatusUnauthorized || c.status == http.StatusBadRequest; (counted == 1) != want {
				t.Errorf("counted %d times", counted)
			}
			if strings.Contains(f.log.String()+string(r.body), "eyJ") {
				t.Error("the token is repeated")
			}
		})
	}
}

func TestA58TwoAuthorizationHeadersAreRefusedAndMethodOverridesIgnored(t *testing.T) {
	f := serve(t, Config{})
	raw := f.raw("GET /fhir/Patient/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer mira\r\nAuthorization: Bearer mira\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(raw, "HTTP/1.1 400 ") {
		t.Errorf("two headers: %q", raw)
	}
	// The gate of this test fails when it is asked to write.
	for _, h := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		f.outcome(f.send(http.MethodGet, "/fhir/Patient/1?_pretty=true", "", h, "DELETE"), http.StatusNotFound)
	}
	f.outcome(f.send(http.MethodGet, "/fhir/Patient/1?_method=DELETE", ""), http.StatusBadRequest)
}

// raw speaks without a client in between.
func (f *front) raw(request string) string {
	f.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		f.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		f.Fatal(err)
	}
	b, err := io.ReadAll(bufio.NewReader(c))
	if err != nil {
		f.Fatal(err)
	}
	return string(b)
}

func TestAPathThatCanBeReadInTwoWaysIsReadInNone(t *testing.T) {
	f := serve(t, Config{Practice: &Practice{}})
	for _, path := range []string{
		"/fhir/../metrics", "/fhir/./Patient/1", "/fhir/%2e%2e/metrics", "/fhir/Patient/%2e", "/fhir//Patient/1", "//fhir/Patient/1",
		"/fhir/Patient%2f1", "/fhir/Patient/%31", "/fhir/Patient/1%00", "/fhir/Patient/%252e%252e", "/fhir\\Patient", "/fhir/Patient;v=1/1",
		"/practice/process-notes/%2e%2e", "/practice/process-notes/..%2f..", "/fhir/Patient/1%0d%0aSet-Cookie:%20a=b", "/fhir/Patient/%C3%A9",
	} {
		raw := f.raw("GET " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer mira\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(raw, "HTTP/1.1 400 ") {
			t.Errorf("%s: %.60q", path, raw)
		}
		if strings.Contains(raw, "Set-Cookie") {
			t.Errorf("%s makes a header", path)
		}
	}
	// Plain ones that lead nowhere are not found; nothing is redirected.
	for _, path := range []string{"/", "/fhir/Patient/", "/livez/", "/practice/sessions/", "/nothing", "/practice", "/FHIR/metadata", "/fhir/metadata/"} {
		if r := f.send(http.MethodGet, path, ""); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
}

func TestAQueryThatCannotBeReadIsNotGuessedAt(t *testing.T) {
	f := serve(t, Config{})
	for _, q := range []string{"name=a;birthdate=2000", "name=%zz", "%"} {
		raw := f.raw("GET /fhir/Patient?" + q + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer mira\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(raw, "HTTP/1.1 400 ") {
			t.Errorf("%s: %.60q", q, raw)
		}
	}
}

func TestAMethodThatIsNotTakenIsToldWhichAre(t *testing.T) {
	f := serve(t, Config{Practice: &Practice{}})
	for _, c := range []struct{ method, path, allow string }{
		{http.MethodPost, "/livez", "GET, HEAD"},
		{http.MethodDelete, "/metrics", "GET, HEAD"},
		{http.MethodGet, "/practice/sessions", "POST"},
		{http.MethodPut, "/practice/process-notes/1", "GET, HEAD"},
		{"TRACE", "/fhir/Patient/1", "DELETE, GET, HEAD, PATCH, POST, PUT"},
		{"PROPFIND", "/fhir", "DELETE, GET, HEAD, PATCH, POST, PUT"},
	} {
		r := f.send(c.method, c.path, "")
		f.outcome(r, http.StatusMethodNotAllowed)
		if got := allowed(r); got != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, got, c.allow)
		}
		r = f.send(http.MethodOptions, c.path, "", "Authorization")
		if r.StatusCode != http.StatusNoContent || allowed(r) != c.allow || len(r.body) > 0 {
			t.Errorf("OPTIONS %s: %d %q %s", c.path, r.StatusCode, allowed(r), r.body)
		}
		if r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("OPTIONS %s lets other origins in", c.path)
		}
	}
	f.outcome(f.send(http.MethodOptions, "/nothing", ""), http.StatusNotFound)
}

func allowed(r reply) string {
	parts := strings.Split(r.Header.Get("Allow"), ", ")
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func TestEveryAnswerCarriesTheHeadersThatKeepItToItsReader(t *testing.T) {
	f := serve(t, Config{Practice: &Practice{}, SMART: someSMART})
	for _, c := range []struct {
		path, cache string
		status      int
	}{
		{"/livez", "private, no-store", 200},
		{"/readyz", "private, no-store", 200},
		{"/metrics", "private, no-store", 200},
		{"/fhir/Patient/1", "private, no-store", 404},
		{"/practice/sessions", "private, no-store", 405},
		{"/nothing", "private, no-store", 404},
		{"/fhir/Flag/1", "private, no-store", 500},
		{"/fhir/metadata", "public, max-age=60", 200},
		{"/fhir/.well-known/smart-configuration", "public, max-age=60", 200},
	} {
		r := f.send(http.MethodGet, c.path, "", "Origin", "https://elsewhere.example")
		if r.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.path, r.StatusCode, r.body)
		}
		for name, want := range map[string]string{
			"Cache-Control": c.cache, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
		} {
			if got := r.Header.Values(name); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %s is %q, want %q", c.path, name, got, want)
			}
		}
		if open := c.cache != "private, no-store"; open != (r.Header.Get("Access-Control-Allow-Origin") == "*") {
			t.Errorf("%s: Access-Control-Allow-Origin %q", c.path, r.Header.Get("Access-Control-Allow-Origin"))
		}
		if r.Header.Get("Server") != "" || r.Header.Get("X-Powered-By") != "" {
			t.Errorf("%s names its software", c.path)
		}
	}
}

func TestWhatNeedsNoTokenIsOpenAndHEADIsGETWithoutBody(t *testing.T) {
	f := serve(t, Config{SMART: someSMART})
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/fhir/metadata", "/fhir/.well-known/smart-configuration"} {
		get, head := f.send(http.MethodGet, path, "", "Authorization"), f.send(http.MethodHead, path, "", "Authorization")
		if get.StatusCode != http.StatusOK || len(get.body) == 0 {
			t.Errorf("GET %s: %d %s", path, get.StatusCode, get.body)
		}
		if head.StatusCode != http.StatusOK || len(head.body) > 0 || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d, %d bytes, %q", path, head.StatusCode, len(head.body), head.Header.Get("Content-Type"))
		}
	}
	if f.send(http.MethodPost, "/fhir/metadata", "{}", "Authorization").StatusCode != http.StatusUnauthorized {
		t.Error("POST /fhir/metadata is open")
	}
	r := f.send(http.MethodHead, "/fhir/Patient/1", "")
	if r.StatusCode != http.StatusNotFound || len(r.body) > 0 {
		t.Errorf("HEAD of a resource: %d %s", r.StatusCode, r.body)
	}
}

func someSMART() []byte {
	return []byte(`{"token_endpoint":"http://127.0.0.1/auth/token","grant_types_supported":["client_credentials"],"capabilities":["permission-v2"]}`)
}

func TestWithoutSMARTConfigurationThereIsNone(t *testing.T) {
	f := serve(t, Config{})
	r := f.send(http.MethodGet, "/fhir/.well-known/smart-configuration", "")
	f.outcome(r, http.StatusNotFound)
	if r.Header.Get("Cache-Control") != "private, no-store" {
		t.Error("that there is none may be kept")
	}
}

func TestAPanicTellsNothingAndTheNextRequestIsServed(t *testing.T) {
	f := serve(t, Config{})
	r := f.send(http.MethodGet, "/fhir/Flag/1", "")
	if got := f.code(r, http.StatusInternalServerError); got != "exception" {
		t.Errorf("code %q", got)
	}
	for where, s := range map[string]string{"answer": string(r.body), "log": f.log.String()} {
		if strings.Contains(s, "Family-Secret") {
			t.Errorf("the %s tells what was being worked on: %s", where, s)
		}
	}
	if !strings.Contains(f.log.String(), "route=/fhir/Flag") {
		t.Errorf("the log does not say where: %s", f.log)
	}
	f.outcome(f.send(http.MethodGet, "/fhir/Patient/1", ""), http.StatusNotFound)
}

func TestTheServerLimitsSlowAndLargeClients(t *testing.T) {
	s := Server("127.0.0.1:0", http.NotFoundHandler())
	for name, d := range map[string]time.Duration{"read header": s.ReadHeaderTimeout, "read": s.ReadTimeout, "write": s.WriteTimeout, "idle": s.IdleTimeout} {
		if d <= 0 || d > 2*time.Minute {
			t.Errorf("%s timeout is %v", name, d)
		}
	}
	f := serve(t, Config{})
	raw := f.raw("GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.Repeat("a", 100<<10) + "\r\n\r\n")
	if !strings.HasPrefix(raw, "HTTP/1.1 431 ") {
		t.Errorf("a header of 100 KiB: %.60q", raw)
	}
}

func TestMetricsCountByRouteAndNameNobody(t *testing.T) {
	m := NewMetrics()
	m.Counter("store_statements_total", "SQL statements.", "origin")("request")
	f := serve(t, Config{Practice: &Practice{}, Metrics: m})
	for _, path := range []string{"/fhir/Patient/secret-id", "/fhir/Patient?name=secret-name", "/practice/process-notes/secret-note", "/secret-path", "/fhir/secret-type/1"} {
		f.send(http.MethodGet, path, "", "Authorization")
	}
	f.send("SECRET-METHOD", "/fhir/Patient", "")
	got := string(f.send(http.MethodGet, "/metrics", "").body)
	if strings.Contains(strings.ToLower(got), "secret") {
		t.Error("a label holds what a caller sent")
	}
	for _, want := range []string{
		`http_requests_total{method="GET",route="/fhir/Patient",status="401"} 2`,
		`http_requests_total{method="GET",route="/fhir/*path",status="401"} 1`,
		`http_requests_total{method="GET",route="/practice/process-notes/:id",status="401"} 1`,
		`http_requests_total{method="GET",route="none",status="404"} 1`,
		`http_requests_total{method="other",route="none",status="405"} 1`,
		`http_request_seconds_count{route="/fhir/Patient"} 2`,
		`store_statements_total{origin="request"} 1`,
		`process_resident_memory_bytes `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestAMountGetsItsRequestsAsTheyAre(t *testing.T) {
	f := serve(t, Config{Mounts: map[string]http.Handler{"/mounted/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path)
	})}})
	if r := f.send(http.MethodPost, "/mounted/token", "a=b", "Content-Type", "application/x-www-form-urlencoded"); string(r.body) != "POST /mounted/token" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestWhatAnAnswerDependsOnIsSaidBesideWhatAllDependOn(t *testing.T) {
	rec := httptest.NewRecorder()
	g, _ := gin.CreateTestContext(rec)
	g.Header("Vary", "Authorization, Origin")
	g.Header("Cache-Control", "no-store")
	answer(g, rest.Response{Status: http.StatusOK, Body: []byte("{}"), Header: http.Header{"Vary": {"Accept-Encoding"}, "Cache-Control": {"private"}}})
	if got := rec.Header().Values("Vary"); !slices.Equal(got, []string{"Authorization, Origin", "Accept-Encoding"}) {
		t.Errorf("Vary: %q", got)
	}
	if got := rec.Header().Values("Cache-Control"); !slices.Equal(got, []string{"private"}) {
		t.Errorf("Cache-Control: %q", got)
	}
}
