package rest_test

import (
	"net/http"
	"sync"
	"testing"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/policy"
	"rapport/policy/opa"
)

func engineOf(t testing.TB) *opa.Engine {
	t.Helper()
	rules, err := opa.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestParallelConditionalCreatesMakeOneResource(t *testing.T) {
	p := newPlace(t, engineOf(t))
	const callers = 30
	statuses := make([]int, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			r := p.ask(t, "POST Patient", http.Header{"If-None-Exist": {"identifier=urn:mrn|1"}},
				`{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"1"}]}`)
			statuses[i] = r.Status
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count[http.StatusCreated] != 1 || count[http.StatusOK] != callers-1 {
		t.Errorf("statuses: %v", count)
	}
}

func TestParallelUpdatesOfOneVersionLetOneThrough(t *testing.T) {
	p := newPlace(t, engineOf(t))
	if r := p.ask(t, "PUT Patient/a", nil, `{"resourceType":"Patient","id":"a"}`); r.Status != http.StatusCreated {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	const callers = 20
	statuses := make([]int, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			statuses[i] = p.ask(t, "PUT Patient/a", http.Header{"If-Match": {`W/"1"`}}, `{"resourceType":"Patient","id":"a","active":true}`).Status
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusPreconditionFailed] != callers-1 {
		t.Errorf("statuses: %v", count)
	}
}

func TestParallelUpdatesThatMayOverwriteNothingMakeOneResource(t *testing.T) {
	p := newPlace(t, engineOf(t))
	const callers = 20
	statuses := make([]int, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			statuses[i] = p.ask(t, "PUT Patient/a", http.Header{"If-None-Match": {"*"}}, `{"resourceType":"Patient","id":"a"}`).Status
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count[http.StatusCreated] != 1 || count[http.StatusPreconditionFailed] != callers-1 {
		t.Errorf("statuses: %v", count)
	}
}

func TestADeletionIsToldAgainToThoseWhoMayDelete(t *testing.T) {
	p := newPlace(t, engineOf(t))
	if r := p.ask(t, "PUT Patient/a", nil, `{"resourceType":"Patient","id":"a"}`); r.Status != http.StatusCreated {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	h := http.Header{"Idempotency-Key": {"k"}}
	bundle := `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/a"}}]}`
	for range 2 {
		if r := p.ask(t, "POST", h, bundle); r.Status != http.StatusOK {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	who := p.who
	who.Scopes = []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Search: true}}
	p.gate = p.guard.For(who)
	if r := p.ask(t, "POST", h, bundle); r.Status != http.StatusForbidden {
		t.Errorf("without the scope to delete: %d %s", r.Status, r.Body)
	}
}

func TestAFaultOfOursTellsNothing(t *testing.T) {
	r := rest.Failure(storeFault{})
	n, err := fhir.ParseNode(r.Body)
	if err != nil || r.Status != http.StatusInternalServerError {
		t.Fatal(r.Status, err)
	}
	if got := n.At("issue", "details", "text").Text(); got != "An internal error occurred. Nothing was changed; the request may be tried again." {
		t.Errorf("%q", got)
	}
}

type storeFault struct{}

func (storeFault) Error() string { return "SELECT body FROM version WHERE patient = 'Adler'" }

// Whatever is sent, the answer is one that the caller can act upon: no panic, no
// fault of ours, and JSON.
func FuzzServe(f *testing.F) {
	for _, s := range [][2]string{
		{"POST", `{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:9d1e6a0e-6d9f-4c1e-8a5d-4d6a3f4e7b11","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}]}`},
		{"POST", `{"resourceType":"Bundle","type":"batch","entry":[null,{"request":{"method":"GET","url":"Patient?name=a"}}]}`},
		{"POST Patient", `{"resourceType":"Patient"}`},
		{"PUT Patient/a", `{"resourceType":"Patient","id":"a"}`},
		{"GET Patient?_sort=-name&_id=a", ""},
		{"GET Patient/a/_history/1", ""},
		{"DELETE Patient/a", ""},
	} {
		f.Add(s[0], s[1])
	}
	p := newPlace(f, engineOf(f))
	f.Fuzz(func(t *testing.T, line, body string) {
		for _, c := range line {
			if c < ' ' || c == '%' || c == ';' {
				return // no URL that a server hands on
			}
		}
		r := p.ask(t, line, http.Header{}, body)
		if r.Status >= 500 || r.Status < 200 {
			t.Fatalf("status %d: %s", r.Status, r.Body)
		}
		if len(r.Body) > 0 {
			if _, err := fhir.ParseNode(r.Body); err != nil {
				t.Fatalf("%v: %s", err, r.Body)
			}
		}
	})
}
