package fhir_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
)

func TestWhatIsNotOneStrictJSONDocumentIsNoResource(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                    ``,
		"a list":                     `[]`,
		"an open object":             `{"resourceType":"Goal"`,
		"a member twice":             `{"resourceType":"Goal","id":"a","id":"b"}`,
		"a member twice in depth":    `{"resourceType":"Goal","description":{"text":"a","text":"b"}}`,
		"a member twice, escaped":    `{"resourceType":"Goal","id":"a","\u0069d":"b"}`,
		"a second document":          `{"resourceType":"Goal"}{}`,
		"bad UTF-8":                  "{\"resourceType\":\"Goal\",\"x\":\"\xff\"}",
		"a lone surrogate":           `{"resourceType":"Goal","x":"\ud800"}`,
		"a trailing comma":           `{"resourceType":"Goal",}`,
		"a comment":                  `{"resourceType":"Goal"/* */}`,
		"a number with leading zero": `{"resourceType":"Goal","x":01}`,
		"NaN":                        `{"resourceType":"Goal","x":NaN}`,
		"depth without end":          `{"resourceType":"Goal","x":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`,
		"no type":                    `{"id":"a"}`,
		"a type that is no name":     `{"resourceType":"../Goal"}`,
		"an id that is none":         `{"resourceType":"Goal","id":"a/b"}`,
		"an id of dots":              `{"resourceType":"Goal","id":".."}`,
	} {
		if _, err := fhir.Parse([]byte(body)); err == nil {
			t.Errorf("%s is read", name)
		} else if fhir.CodeOf(err) == fhir.Exception {
			t.Errorf("%s: %v tells the sender nothing", name, err)
		}
	}
}

const goal = ` {"resourceType" : "Goal", "id":"17", "_lifecycleStatus":{"extension":[{"url":"urn:x","valueDecimal":1.10}]},
  "lifecycleStatus":"active","meta":{"profile":["urn:p"]}, "description":{"text":"caf\u00e9 \/ 1"},"contained":[{"resourceType":"Patient","id":"p"}],"x":1.00e2 } `

func TestStampingChangesNothingButWhatTheServerOwns(t *testing.T) {
	r, err := fhir.Parse([]byte(goal))
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Stamp("18", 3, time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != "Goal/18@3" || s.Updated.IsZero() {
		t.Errorf("it is %s of %v", s, s.Updated)
	}
	for name, v := range r.Root().Members() {
		if name == "id" || name == "meta" {
			continue
		}
		if got := s.Root().Get(name); !bytes.Equal(got.Raw(), v.Raw()) {
			t.Errorf("%s was %s and is %s", name, v.Raw(), got.Raw())
		}
	}
	if got := s.Root().Get("meta").Get("profile").Raw(); string(got) != `["urn:p"]` {
		t.Errorf("meta.profile is %s", got)
	}
	if !bytes.Equal(r.Body(), []byte(goal)) {
		t.Error("the resource that was stamped has changed")
	}
}

func TestABodyLeavesByBodyAlone(t *testing.T) {
	r, err := fhir.Parse([]byte(goal))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "resource", r, "several", []fhir.Resource{r})
	for how, printed := range map[string]string{
		"%v": fmt.Sprintf("%v", r), "%+v": fmt.Sprintf("%+v", r), "%#v": fmt.Sprintf("%#v", r), "%s": fmt.Sprintf("%s", r), "%q": fmt.Sprintf("%q", r),
		"in a struct": fmt.Sprintf("%+v", struct{ R fhir.Resource }{r}), "slog": log.String(), "an error": fmt.Errorf("of %v", r).Error(),
	} {
		if strings.Contains(printed, "caf") || strings.Contains(printed, "urn:p") {
			t.Errorf("%s prints %s", how, printed)
		}
	}
}

func FuzzParseReadsOrRefusesAndNeverPanics(f *testing.F) {
	f.Add([]byte(goal))
	f.Add([]byte(`{"resourceType":"Goal","x":[[[1]]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := fhir.Parse(bytes.Clone(b))
		if err != nil {
			return
		}
		if !bytes.Equal(r.Body(), b) {
			t.Error("the body is not what came")
		}
		if _, err := r.Stamp("a", 1, time.Unix(0, 0)); err != nil {
			t.Errorf("it cannot be stamped: %v", err)
		}
	})
}
