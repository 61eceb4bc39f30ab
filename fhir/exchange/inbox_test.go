package exchange_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/fhir/fixture"
)

// byMessage joins two sides of which the clinic sends messages.
func byMessage(t testing.TB, p *parts) (*world, *wire) {
	t.Helper()
	w, ch := joined(t, p)
	withOperations(w)
	w.clinic.courier.Partners[0].Delivery = exchange.Message
	return w, ch
}

// told is what a side has of the clinic's, with the clinic's keys in place of its own.
func (s *side) told(w *world) map[string]string {
	got := held(w, s)
	var ids []string
	for k, r := range got {
		ids = append(ids, `"`+r.Key.String()+`"`, `"`+k+`"`)
	}
	rename := strings.NewReplacer(ids...)
	out := map[string]string{}
	for k, r := range got {
		o := fhir.NewObject()
		for name, v := range r.Root().Members() {
			switch name {
			case "id":
			case "meta":
				o.Set(name, fhir.NewObject().Set("security", v.Get("security")))
			default:
				o.Set(name, v)
			}
		}
		out[k] = rename.Replace(string(o.JSON()))
	}
	return out
}

func TestAMessageAndATransactionEndEqual(t *testing.T) {
	p := newParts(t)
	ends := map[exchange.Way]map[string]string{}
	for _, way := range []exchange.Way{exchange.Transaction, exchange.Message} {
		w, _ := joined(t, p)
		withOperations(w)
		w.clinic.courier.Partners[0].Delivery = way
		task := w.clinic.referral("1", "draft")
		for _, r := range record {
			w.clinic.put(r)
		}
		w.clinic.step(task, "requested", "")
		w.settle()
		if dead := w.clinic.works(true); len(dead) > 0 {
			t.Fatalf("%s: given up: %+v", way, dead)
		}
		ends[way] = w.hospital.told(w)
		// The way back is the same for both.
		if a := w.hospital.step(w.copyOf(task)[0].Key, "accepted", ""); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		w.settle()
		if got := w.clinic.get(task.String()).Root().Get("status").Text(); got != "accepted" {
			t.Errorf("%s: the clinic's Task is %s", way, got)
		}
	}
	a, b := ends[exchange.Transaction], ends[exchange.Message]
	if len(a) < 8 || !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
		t.Fatalf("%q\n%q", slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
	}
	at := regexp.MustCompile(`"(lastModified|authoredOn)":"[^"]*"`)
	for k := range a {
		if at.ReplaceAllString(a[k], "") != at.ReplaceAllString(b[k], "") {
			t.Errorf("%s differs:\n%s\n%s", k, a[k], b[k])
		}
	}
}

func TestAMessageThatIsLostOrRepeatedArrivesOnce(t *testing.T) {
	p := newParts(t)
	rapid.Check(t, func(r *rapid.T) {
		w, ch := byMessage(t, p)
		faults := rapid.SliceOfN(rapid.SampledFrom([]fault{none, lostOnTheWay, lostOnTheWayBack, twice}), 0, 6).Draw(r, "faults")
		ch.fault = func(bool) (f fault) {
			if len(faults) > 0 {
				f, faults = faults[0], faults[1:]
			}
			return f
		}
		task := w.clinic.referral("1", "requested")
		w.settle()
		if n := len(w.copyOf(task)); n != 1 || len(w.clinic.works(true)) > 0 {
			r.Fatalf("%d Tasks; given up: %+v", n, w.clinic.works(true))
		}
		for typ, want := range map[string]int{"Patient": 1, "ServiceRequest": 1, "Goal": 1, "DocumentReference": 1, "Organization": 2} {
			if n := len(w.hospital.find(typ, "", "")); n != want {
				r.Fatalf("%d of %s", n, typ)
			}
		}
	})
}

// letter is a message of somebody else's.
func letter(header string, entries ...string) string {
	all := []string{`{"fullUrl":"urn:uuid:7b1a5e5c-5a3f-4e38-9a53-000000000001","resource":{"resourceType":"MessageHeader","id":"m1",` + header + `}}`}
	return `{"resourceType":"Bundle","type":"message","entry":[` + strings.Join(append(all, entries...), ",") + `]}`
}

const (
	event  = `"eventCoding":{"system":"http://terminology.hl7.org/CodeSystem/v2-0003","code":"I12"}`
	source = `"source":{"endpoint":"http://clinic.example/fhir"}`
)

var carries = []string{
	`{"fullUrl":"https://other.example/r4/Patient/7","resource":{"resourceType":"Patient","id":"7","name":[{"family":"Moe"}]}}`,
	`{"fullUrl":"https://other.example/r4/ServiceRequest/8","resource":{"resourceType":"ServiceRequest","id":"8","status":"active","intent":"order","subject":{"reference":"Patient/7"},"requester":{"reference":"Practitioner/9"},"supportingInfo":[{"reference":"https://other.example/r4/Bundle/d"},{"reference":"Medication/m"}]}}`,
	`{"fullUrl":"https://other.example/r4/Medication/m","resource":{"resourceType":"Medication","id":"m"}}`,
	`{"fullUrl":"https://other.example/r4/Bundle/d","resource":{"resourceType":"Bundle","id":"d","type":"document","entry":[{"resource":{"resourceType":"Composition","title":"Request"}}]}}`,
	`{"resource":{"resourceType":"Task","id":"t","status":"requested","intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}]},"focus":{"reference":"https://other.example/r4/ServiceRequest/8"},"for":{"reference":"https://other.example/r4/Patient/7"},"requester":{"identifier":{"system":"` + registry + `","value":"clinic"}},"owner":{"reference":"Organization/hospital-here"}}}`,
}

func TestAMessageOfSomebodyElsesIsKeptOnceAndAnswered(t *testing.T) {
	w, _ := joined(t, newParts(t))
	withOperations(w)
	h := w.hospital
	send := func() (rest map[string]int, answer fhir.Node) {
		t.Helper()
		a := h.serve(h.partner, http.MethodPost, "$process-message", nil, []byte(letter(event+","+source, carries...)))
		if a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		b, err := fhir.Parse(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		rest = map[string]int{}
		for _, typ := range []string{"Patient", "ServiceRequest", "DocumentReference", "Task"} {
			rest[typ] = len(h.find(typ, "", ""))
		}
		return rest, b.Root()
	}
	first, answer := send()
	if want := map[string]int{"Patient": 1, "ServiceRequest": 1, "DocumentReference": 1, "Task": 1}; !maps.Equal(first, want) {
		t.Errorf("kept: %v", first)
	}
	header := answer.Get("entry").Index(0).Get("resource")
	if answer.Get("type").Text() != "message" || header.At("response", "identifier").Text() != "m1" || header.At("response", "code").Text() != "ok" ||
		!strings.HasPrefix(header.At("focus", "reference").Text(), h.base+"/Task/") || header.At("destination", "endpoint").Text() != "http://clinic.example/fhir" {
		t.Errorf("%s", answer.Raw())
	}
	if !strings.Contains(string(answer.Raw()), "Resources of the type Medication are not kept here.") {
		t.Error("what is not kept is not named")
	}
	sr := h.find("ServiceRequest", "", "")[0]
	doc := h.find("DocumentReference", "", "")[0]
	if info := sr.Root().Get("supportingInfo"); info.Index(0).Get("reference").Text() != doc.Key.String() || !strings.Contains(string(info.Index(1).Raw()), "masked") ||
		!strings.Contains(string(sr.Root().Get("requester").Raw()), "masked") || sr.Root().At("subject", "reference").Text() != h.find("Patient", "", "")[0].Key.String() {
		t.Errorf("%s", sr.Body())
	}
	second, again := send()
	if !maps.Equal(first, second) {
		t.Errorf("sent again: %v", second)
	}
	if a, b := header.Get("id").Text(), again.Get("entry").Index(0).Get("resource").Get("id").Text(); a != b {
		t.Errorf("answered by %s, then by %s", a, b)
	}
}

func TestWhatIsNoReferralToUsIsRefusedWithAReason(t *testing.T) {
	w, _ := joined(t, newParts(t))
	withOperations(w)
	for _, c := range []struct {
		what, body, query string
		status            int
		says              string
	}{
		{"another resource", `{"resourceType":"Patient"}`, "", 400, "Bundle of type message"},
		{"a transaction", `{"resourceType":"Bundle","type":"transaction"}`, "", 400, "Bundle of type message"},
		{"no header", `{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"Patient"}}]}`, "", 400, "MessageHeader"},
		{"another event", letter(`"eventCoding":{"system":"http://terminology.hl7.org/CodeSystem/v2-0003","code":"A01"},` + source), "", 0, "I12"},
		{"an answer", letter(event + `,"response":{"identifier":"x","code":"ok"},` + source), "", 0, "I12"},
		{"from nowhere", letter(event), "", 0, "source.endpoint"},
		{"to another", letter(event + `,"destination":[{"endpoint":"http://elsewhere.example/fhir"}],` + source), "", 0, "another endpoint"},
		{"later", letter(event + "," + source), "true", 0, "at once"},
		{"no Bundle at all", `{`, "", 400, ""},
		{"in the name of another", letter(event+`,"source":{"endpoint":"http://hospital.example/fhir"}`, strings.ReplaceAll(carries[4], `"requester"`, `"identifier":[{"system":"http://nobody.example/fhir/Task","value":"1"}],"requester"`)), "", 0, ""},
	} {
		q := map[string][]string{}
		if c.query != "" {
			q["async"] = []string{c.query}
		}
		a := w.hospital.serve(w.hospital.partner, http.MethodPost, "$process-message", q, []byte(c.body))
		if a.Status/100 != 4 || c.status != 0 && a.Status != c.status || !strings.Contains(said(a), c.says) {
			t.Errorf("%s: %d %s", c.what, a.Status, a.Body)
		}
	}
	for _, typ := range []string{"Patient", "Task"} {
		if n := len(w.hospital.find(typ, "", "")); n != 0 {
			t.Errorf("%d of %s were kept", n, typ)
		}
	}
}

func TestARefusalNamesTheEntryOfTheMessage(t *testing.T) {
	w, _ := joined(t, newParts(t))
	withOperations(w)
	// The Task comes first in the message, and last into the store.
	body := letter(event+","+source, strings.Replace(carries[4], `"intent":"order"`, `"intent":"wrong"`, 1), carries[0], carries[1])
	a := w.hospital.serve(w.hospital.partner, http.MethodPost, "$process-message", nil, []byte(body))
	if a.Status/100 != 4 || !strings.Contains(said(a), `Bundle.entry[1].resource.intent`) || !strings.Contains(said(a), `"Entry 1: `) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// The examples of BSeR and of R4 are written by others, with types that we do not keep
// and references that lead nowhere.
func TestMessagesOfTheSpecificationsAreSurvived(t *testing.T) {
	fixtures := filepath.Dir(fixture.Path(t, "fixtures/bser-referral"))
	read := func(pattern string) (out []fhir.Resource) {
		files, _ := filepath.Glob(filepath.Join(fixtures, pattern))
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			r, err := fhir.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}
	bser := read("bser-referral/*.json")
	if len(bser) == 0 {
		t.Fatal("there are no messages of BSeR")
	}
	w, _ := joined(t, newParts(t))
	withOperations(w)
	h := w.hospital
	post := func(body string) int {
		a := h.serve(h.partner, http.MethodPost, "$process-message", nil, []byte(body))
		if _, err := fhir.Parse(a.Body); err != nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		return a.Status
	}
	// The document of a referral request as the BSeR message carries it: whole, beside
	// the patient and the request.
	var document, request string
	for _, r := range bser {
		if r.Type == "Bundle" && r.Root().Get("type").Text() == "document" {
			document = string(r.Body())
			for e := range r.Root().Get("entry").Elements() {
				if x, err := fhir.ResourceOf(e.Get("resource")); err == nil && x.Type == "Patient" && request == "" {
					// Its fullUrl and its id differ, as such things do.
					request = fmt.Sprintf(`{"fullUrl":%q,"resource":%s},{"fullUrl":"http://example.org/fhir/ServiceRequest/sr","resource":{"resourceType":"ServiceRequest","id":"sr","status":"active","intent":"order","subject":{"reference":%q},"supportingInfo":[{"reference":"urn:uuid:2be4b4e4-6de1-4cb2-a947-c70fa0fda54c"}]}}`,
						e.Get("fullUrl").Text(), x.Body(), strings.TrimPrefix(e.Get("fullUrl").Text(), "http://example.org/fhir/"))
				}
			}
		}
	}
	body := letter(event+","+source, request, `{"fullUrl":"urn:uuid:2be4b4e4-6de1-4cb2-a947-c70fa0fda54c","resource":`+document+`}`)
	for range 2 {
		if s := post(body); s != http.StatusOK {
			t.Fatalf("the BSeR message: %d", s)
		}
	}
	for typ, want := range map[string]int{"Patient": 1, "ServiceRequest": 1, "DocumentReference": 1} {
		if n := len(h.find(typ, "", "")); n != want {
			t.Errorf("%d of %s", n, typ)
		}
	}
	// All at once, and each alone: whatever it is, the answer is FHIR.
	var all []string
	for _, r := range bser {
		e := fmt.Sprintf(`{"fullUrl":"http://example.org/fhir/%s","resource":%s}`, r.Key, r.Body())
		all = append(all, e)
		if s := post(letter(event+","+source, e)); s >= 500 {
			t.Errorf("%s: %d", r, s)
		}
	}
	if s := post(letter(event+","+source, all...)); s >= 500 {
		t.Errorf("all of them: %d", s)
	}
	for _, r := range read("r4-examples/Bundle-*.json") {
		if r.Root().Get("type").Text() == "message" {
			if s := post(string(r.Body())); s/100 != 4 {
				t.Errorf("%s, which is no referral: %d", r, s)
			}
		}
	}
}
