package rest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

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
