package partner_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/fixture"
)

// peer is somebody else's server as its CapabilityStatement describes it: it accepts
// what the statement declares and nothing else, and keeps what it accepted.
type peer struct {
	*httptest.Server
	t         *testing.T
	statement fhir.Resource
	mu        sync.Mutex
	kept      []fhir.Resource
	requests  []string // "METHOD path status"
	tokens    int
	good      int // the oldest token that is still accepted
	faults    []fault
	// forgetful: identifiers that it does not know are dropped, as some do.
	forgetful bool
	// deaf: it lists identifier as a search parameter and answers with everything, as some do.
	deaf bool
	// refuses answers a create with a status; 0: it is accepted.
	refuses  func(typ string, body fhir.Resource) int
	messages []fhir.Resource
}

// fault is what goes wrong with one write.
type fault string

const (
	fine          fault = ""
	lostBefore    fault = "lost before it was stored"
	lostAfter     fault = "stored, and the answer lost"
	brokenAfter   fault = "stored, and answered with 500"
	unavailable   fault = "503"
	throttled     fault = "429, to wait 10 minutes"
	forgottenSign fault = "401, the token is good no more"
)

// recorded is a statement that others recorded; it skips the test where it is absent.
func recorded(t *testing.T, name string) fhir.Resource {
	t.Helper()
	b, err := os.ReadFile(fixture.Path(t, "fixtures/peers/"+name+"-capabilitystatement.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := fhir.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// declares makes a statement of one line a type: "Patient: create search-type identifier".
// Words that name no interaction are search parameters.
func declares(t *testing.T, rest string, types ...string) fhir.Resource {
	t.Helper()
	var rs []*fhir.Object
	for _, l := range types {
		typ, words, _ := strings.Cut(l, ":")
		var is, ps []*fhir.Object
		for w := range strings.FieldsSeq(words) {
			switch w {
			case "create", "update", "read", "search-type":
				is = append(is, fhir.NewObject().Set("code", w))
			default:
				ps = append(ps, fhir.NewObject().Set("name", w).Set("type", "string"))
			}
		}
		rs = append(rs, fhir.NewObject().Set("type", typ).Set("interaction", is).Set("searchParam", ps))
	}
	o := fhir.NewObject().Set("mode", "server").Set("resource", rs)
	if rest != "" {
		var more map[string]json.RawMessage
		if err := json.Unmarshal([]byte(rest), &more); err != nil {
			t.Fatal(err)
		}
		for name, v := range more {
			o.Set(name, v)
		}
	}
	r, err := fhir.NewResource(fhir.Key{Type: "CapabilityStatement"}).Set("status", "active").Set("rest", []*fhir.Object{o}).Resource()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newPeer(t *testing.T, statement fhir.Resource) *peer {
	p := &peer{t: t, statement: statement}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *peer) base() string { return p.URL + "/fhir" }

// has registers a resource.
func (p *peer) has(body string) {
	p.t.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		p.t.Fatal(err)
	}
	p.kept = append(p.kept, r)
}

// of lists what it keeps of a type.
func (p *peer) of(typ string) (out []fhir.Resource) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.kept {
		if r.Type == typ {
			out = append(out, r)
		}
	}
	return out
}

// counts says how many it keeps of each type.
func (p *peer) counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]int{}
	for _, r := range p.kept {
		out[r.Type]++
	}
	return out
}

// asked counts requests by their beginning.
func (p *peer) asked(prefix string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func (p *peer) does(typ, interaction string) bool {
	for r := range p.statement.Root().At("rest", "resource").Elements() {
		if r.Get("type").Text() == typ {
			for i := range r.Get("interaction").Elements() {
				if i.Get("code").Text() == interaction {
					return true
				}
			}
		}
	}
	return false
}

func (p *peer) lists(typ, param string) bool {
	for r := range p.statement.Root().At("rest", "resource").Elements() {
		if r.Get("type").Text() == typ {
			for s := range r.Get("searchParam").Elements() {
				if s.Get("name").Text() == param {
					return true
				}
			}
		}
	}
	return false
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	status, answer, header := p.answer(r, body)
	p.requests = append(p.requests, fmt.Sprintf("%s %s %d", r.Method, strings.TrimPrefix(r.URL.Path, "/fhir"), status))
	if status == 0 { // the line goes dead
		panic(http.ErrAbortHandler)
	}
	for k, v := range header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(status)
	fmt.Fprint(w, answer)
}

func (p *peer) answer(r *http.Request, body []byte) (status int, answer string, header map[string]string) {
	path := strings.TrimPrefix(r.URL.Path, "/fhir/")
	switch {
	case r.URL.Path == "/fhir/.well-known/smart-configuration":
		return 200, fmt.Sprintf(`{"token_endpoint":%q}`, p.URL+"/token"), nil
	case r.URL.Path == "/token":
		p.tokens++
		return 200, fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, p.tokens), nil
	case path == "metadata":
		return 200, string(p.statement.Body()), nil
	case !p.knows(r.Header.Get("Authorization")):
		return 401, "", nil
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/_search"):
		return p.search(strings.TrimSuffix(path, "/_search"), string(body))
	case r.Method == http.MethodPost:
		return p.write(path, body)
	case r.Method == http.MethodGet && !strings.Contains(path, "/"):
		return p.search(path, r.URL.RawQuery)
	case r.Method == http.MethodPut:
		return p.update(path, r.Header.Get("If-Match"), body)
	}
	return 405, "", nil
}

func (p *peer) knows(authorization string) bool {
	var n int
	_, err := fmt.Sscanf(authorization, "Bearer t%d", &n)
	return err == nil && n >= p.good && n <= p.tokens
}

// update takes the version that is the current one alone.
func (p *peer) update(path, ifMatch string, body []byte) (int, string, map[string]string) {
	k, ok := fhir.ParseKey(path)
	i := slices.IndexFunc(p.kept, func(r fhir.Resource) bool { return r.Key == k })
	r, err := fhir.Parse(body)
	switch {
	case !ok || err != nil || r.Key != k:
		return 400, "", nil
	case !p.does(k.Type, "update"):
		return 405, "", nil
	case i < 0:
		return 404, "", nil
	case ifMatch != fmt.Sprintf(`W/"%d"`, p.kept[i].Version):
		return 409, "", nil
	}
	if p.kept[i], err = r.Stamp(k.ID, r.Version+1, time.Unix(1_800_000_000, 0)); err != nil {
		return 500, "", nil
	}
	return 200, "", nil
}

// write stores, or does what goes wrong instead.
func (p *peer) write(typ string, body []byte) (int, string, map[string]string) {
	f := fine
	if len(p.faults) > 0 {
		f, p.faults = p.faults[0], p.faults[1:]
	}
	switch f {
	case lostBefore:
		return 0, "", nil
	case unavailable:
		return 503, "", nil
	case throttled:
		return 429, "", map[string]string{"Retry-After": "600"}
	case forgottenSign:
		p.good = p.tokens + 1
		return 401, "", nil
	}
	status, answer, header := p.store(typ, body)
	switch f {
	case lostAfter:
		return 0, "", nil
	case brokenAfter:
		return 500, "", nil
	}
	return status, answer, header
}

func (p *peer) store(typ string, body []byte) (int, string, map[string]string) {
	r, err := fhir.Parse(body)
	if err != nil {
		return 400, "", nil
	}
	if typ == "$process-message" && strings.Contains(string(p.statement.Body()), "process-message") {
		p.messages = append(p.messages, r)
		return 200, "", nil
	}
	if r.Type == "Bundle" {
		return p.transact(r)
	}
	if r.Type != typ || !p.does(typ, "create") {
		return 405, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-supported"}]}`, nil
	}
	if strings.Contains(string(body), "modifierExtension") {
		return 422, "", nil
	}
	if p.refuses != nil {
		if s := p.refuses(typ, r); s != 0 {
			return s, "", nil
		}
	}
	o := fhir.NewResource(fhir.Key{Type: typ, ID: fmt.Sprintf("%s-%d", strings.ToLower(typ[:3]), len(p.kept))})
	for name, v := range r.Root().Members() {
		if name != "resourceType" && name != "id" && (name != "identifier" || !p.forgetful) {
			o.Set(name, v)
		}
	}
	made, err := o.Resource()
	if err == nil {
		made, err = made.Stamp(made.ID, 1, time.Unix(1_800_000_000, 0))
	}
	if err != nil {
		return 500, "", nil
	}
	p.kept = append(p.kept, made)
	return 201, "", map[string]string{"Location": p.base() + "/" + made.Key.String() + "/_history/1"}
}

// transact creates all that a transaction holds, or nothing. It heeds no condition.
func (p *peer) transact(b fhir.Resource) (int, string, map[string]string) {
	if !strings.Contains(string(p.statement.Body()), `"transaction"`) {
		return 405, "", nil
	}
	before := slices.Clone(p.kept)
	homes := []string{}
	body := string(b.Body())
	for i, e := range slices.Collect(b.Root().Get("entry").Elements()) {
		typ := e.At("request", "url").Text()
		homes = append(homes, fmt.Sprintf("%s/%s-%d", typ, strings.ToLower(typ[:3]), len(before)+i))
		body = strings.ReplaceAll(body, `"reference":"`+e.Get("fullUrl").Text()+`"`, `"reference":"`+homes[i]+`"`)
	}
	b, err := fhir.Parse([]byte(body))
	if err != nil {
		return 400, "", nil
	}
	var es []*fhir.Object
	for e := range b.Root().Get("entry").Elements() {
		status, _, header := p.store(e.At("request", "url").Text(), e.Get("resource").Raw())
		if status != 201 {
			p.kept = before
			return status, "", nil
		}
		es = append(es, fhir.NewObject().Set("response", fhir.NewObject().Set("status", "201").Set("location", header["Location"])))
	}
	return 200, string(fhir.NewResource(fhir.Key{Type: "Bundle"}).Set("type", "transaction-response").Set("entry", es).JSON()), nil
}

func (p *peer) search(typ, form string) (int, string, map[string]string) {
	q, err := url.ParseQuery(form)
	if err != nil || !p.does(typ, "search-type") {
		return 405, "", nil
	}
	var found []fhir.Resource
	for name := range q {
		if !p.lists(typ, name) {
			return 400, "", nil
		}
	}
	if p.deaf {
		q.Del("identifier")
	}
	for _, r := range p.kept {
		if r.Type == typ && meets(r.Root(), q) {
			found = append(found, r)
		}
	}
	var es []*fhir.Object
	for _, r := range found {
		es = append(es, fhir.NewObject().Set("resource", r.Root()))
	}
	return 200, string(fhir.NewResource(fhir.Key{Type: "Bundle"}).Set("type", "searchset").Set("entry", es).JSON()), nil
}

// meets reports whether a resource meets a search.
func meets(n fhir.Node, q url.Values) bool {
	for name, vs := range q {
		for _, v := range vs {
			ok := true
			switch name {
			case "_id":
				ok = n.Get("id").Text() == v
			case "patient":
				ok = n.At("subject", "reference").Text() == "Patient/"+v
			case "identifier":
				ok = slices.ContainsFunc(slices.Collect(n.Get("identifier").Elements()), func(i fhir.Node) bool {
					return slices.Contains(strings.Split(v, ","), i.Get("system").Text()+"|"+i.Get("value").Text())
				})
			case "code":
				system, code, _ := strings.Cut(v, "|")
				ok = n.Get("code").HasCoding(system, code)
			case "date":
				day := (n.Get("effectiveDateTime").Text() + n.Get("date").Text())[:10]
				ok = strings.HasPrefix(v, "ge") && day >= v[2:] || strings.HasPrefix(v, "le") && day <= v[2:]
			case "family":
				ok = strings.HasPrefix(strings.ToLower(n.At("name", "family").Text()), strings.ToLower(v))
			case "given":
				ok = strings.HasPrefix(strings.ToLower(n.At("name", "given").Index(0).Text()), strings.ToLower(v))
			case "birthdate":
				ok = n.Get("birthDate").Text() == v
			}
			if !ok {
				return false
			}
		}
	}
	return true
}
