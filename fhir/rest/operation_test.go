package rest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/rest"
)

func TestAnOperationOfAnotherPackageIsServedByItsPatternAndMethodAlone(t *testing.T) {
	p := newPlace(t, engineOf(t))
	c := p.Router.Config
	c.Operations = []rest.Operation{{
		Paths: []string{"$export", "Group/{}/$export"}, Methods: []string{"GET"}, Parameters: []string{"_type"},
		Definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
		Serve: func(_ context.Context, _ *rest.Request, ids []string) (rest.Response, error) {
			return rest.Response{Status: http.StatusAccepted, Stream: func(w io.Writer) error {
				_, err := io.WriteString(w, "for "+strings.Join(ids, ","))
				return err
			}}, nil
		},
	}}
	p.Router = rest.New(c)
	for line, want := range map[string]int{
		"GET $export": http.StatusAccepted, "GET Group/g1/$export?_type=Goal": http.StatusAccepted, "HEAD $export": http.StatusAccepted,
		"GET $export?_since=2026": http.StatusBadRequest, "POST $export": http.StatusBadRequest,
		"GET Group/$export": http.StatusBadRequest, "GET Group/bad_id/$export": http.StatusNotFound,
	} {
		r := p.ask(t, line, nil, "")
		if r.Status != want {
			t.Errorf("%s: %d, want %d", line, r.Status, want)
		}
		if strings.HasPrefix(line, "HEAD") && r.Stream != nil {
			t.Error("HEAD has content")
		}
	}
	var b bytes.Buffer
	if err := p.ask(t, "GET Group/g1/$export", nil, "").Stream(&b); err != nil || b.String() != "for g1" {
		t.Errorf("%q %v", &b, err)
	}
	if md := p.ask(t, "GET metadata", nil, "").Body; bytes.Count(md, []byte(`"name":"export"`)) != 2 {
		t.Error("the CapabilityStatement does not name it on the system and on Group")
	}
}

func TestAnEntryOfABatchIsNotAnsweredByWhatABundleCannotHold(t *testing.T) {
	p := newPlace(t, engineOf(t))
	c := p.Router.Config
	started := 0
	answering := func(path string, async bool, resp rest.Response) rest.Operation {
		return rest.Operation{Paths: []string{path}, Methods: []string{"GET"}, Async: async,
			Serve: func(context.Context, *rest.Request, []string) (rest.Response, error) {
				if async {
					started++
				}
				return resp, nil
			}}
	}
	c.Operations = []rest.Operation{
		answering("$export", true, rest.Response{Status: http.StatusAccepted, Header: http.Header{"Content-Location": {"x"}}}),
		answering("$page", false, rest.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Body: []byte("<!DOCTYPE html>")}),
		answering("$file", false, rest.Response{Status: http.StatusOK, Header: http.Header{}, Stream: func(io.Writer) error { return nil }}),
		answering("$fhir", false, rest.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/fhir+json; charset=utf-8"}}, Body: []byte(`{"resourceType":"Basic"}`)}),
		answering("$plain", false, rest.Response{Status: http.StatusOK, Header: http.Header{}, Body: []byte(`{"resourceType":"Basic"}`)}),
	}
	p.Router = rest.New(c)
	r := p.ask(t, "POST", http.Header{"Prefer": {"respond-async"}}, `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"$export"}},{"request":{"method":"GET","url":"$page"}},{"request":{"method":"GET","url":"$file"}},
		{"request":{"method":"GET","url":"$fhir"}},{"request":{"method":"GET","url":"$plain"}}]}`)
	b, err := fhir.Parse(r.Body)
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("%d, %v: %s", r.Status, err, r.Body)
	}
	for i, want := range []string{"400", "400", "400", "200", "200"} {
		e := b.Root().Get("entry").Index(i)
		if got := e.At("response", "status").Text(); got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
		at := e.At("response", "outcome", "issue").Index(0).Get("expression").Index(0).Text()
		if want == "400" && at != fmt.Sprintf("Bundle.entry[%d].request.url", i) {
			t.Errorf("entry %d: the issue is at %q", i, at)
		}
	}
	if started != 0 {
		t.Error("a job was started")
	}
}
