package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/policy"
)

// office is a practice whose records are kept in memory.
type office struct {
	*front
	*memory
	*desk
	mapper *mapping.Mapper
}

func newOffice(t *testing.T, seen ...*witnessed) *office {
	t.Helper()
	library, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.New(mapping.Config{IDKey: [32]byte{1}, System: "urn:practice:test", Instruments: library})
	if err != nil {
		t.Fatal(err)
	}
	factor, err := policy.NewFactor(spec.R4(), spec.Capability(), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{memory: newMemory(t), desk: newDesk(t), mapper: m}
	smart, err := o.SMART()
	if err != nil {
		t.Fatal(err)
	}
	o.front = serve(t, Config{Gates: o.memory, SMART: func() []byte { return smart }, Mounts: map[string]http.Handler{"/auth/": o.Handler()}, Practice: &Practice{
		Mapper: func(string) (*mapping.Mapper, error) { return m, nil },
		Follow: func(string) ([]fhir.Follow, error) {
			return []fhir.Follow{fhir.Deriving(instrument.NewDeriver(library))}, nil
		},
		Validate: validate.New(spec.R4()), Library: library, Clock: noon,
		About: func(r fhir.Resource) []fhir.Key { return factor.FactsOf(r).Patients },
	}}, seen...)
	return o
}

// records that the others rest on.
var ground = []struct{ kinds, body string }{
	{"organisations", `{"key":"home","name":"Lindenhof"}`},
	{"organisations", `{"key":"hospital","name":"Seespital"}`},
	{"practitioners", `{"key":"t1","name":{"family":"Lindqvist"}}`},
	{"clients", `{"key":"c1","name":{"family":"Ott","given":["Ida"]},"birthDate":"1980-02-03","gender":"female"}`},
	{"episodes", `{"key":"e1","client":"c1","organisation":"home","therapist":"t1","status":"active","start":"2026-01-05"}`},
	{"sessions", `{"key":"s1","client":"c1","episode":"e1","practitioners":[{"practitioner":"t1","primary":true}],"status":"finished","start":"2026-01-12T10:00:00+01:00","end":"2026-01-12T10:50:00+01:00","modality":"in-person"}`},
}

func (o *office) settle() *office {
	o.Helper()
	for _, r := range ground {
		if got := o.post(r.kinds, r.body); got.Outcome != "created" {
			o.Fatalf("%s: %+v", r.kinds, got)
		}
	}
	return o
}

// told is what is answered about a record.
type told struct {
	Outcome   string
	Resources []struct{ Reference, VersionID, Outcome string }
	Issues    []struct {
		Severity, Code string
		Expression     []string
	}
	Feedback *struct {
		Instrument, Response, Observation string
		Scores                            []struct {
			Scale string
			Score json.Number
			High  json.Number
			Band  *struct{ Code, Label string }
		}
		SinceFirst, SinceLast *struct {
			Observation, Date string
			Score, Change     json.Number
		}
		Risks []struct{ Risk, Display, Flag, Task string }
	}
}

func (o *office) post(kinds, body string) (out told) {
	o.Helper()
	r := o.send(http.MethodPost, "/practice/"+kinds, body)
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusCreated {
		o.Fatalf("%s: %d %s", kinds, r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, &out); err != nil {
		o.Fatal(err)
	}
	if want := http.StatusOK; (out.Outcome == "created") != (r.StatusCode != want) {
		o.Errorf("%s: %s with status %d", kinds, out.Outcome, r.StatusCode)
	}
	location := ""
	if out.Outcome == "created" {
		location = "/fhir/" + out.Resources[0].Reference
	}
	if got := r.Header.Get("Location"); got != location {
		o.Errorf("%s: Location %q, want %q", kinds, got, location)
	}
	for _, res := range out.Resources {
		k, _ := fhir.ParseKey(res.Reference)
		if vs := o.versions[k]; res.VersionID != fmt.Sprint(len(vs)) {
			o.Errorf("%s is told to be at %s and is at %d", res.Reference, res.VersionID, len(vs))
		}
		if gone := o.get(k).IsZero(); gone != (res.Outcome == "removed") {
			o.Errorf("%s is told to be %s", res.Reference, res.Outcome)
		}
	}
	return out
}

// types lists the types that an answer names, with what became of each.
func (t told) types() (out []string) {
	for _, r := range t.Resources {
		k, _ := fhir.ParseKey(r.Reference)
		out = append(out, k.Type+" "+r.Outcome)
	}
	return out
}

const session = `{"key":"s2","client":"c1","episode":"e1","practitioners":[{"practitioner":"t1"}],"status":"finished","start":"2026-02-02T10:00:00+01:00","modality":"video","techniques":["cognitive","exposure"]}`

func phq9(key, authored, answers string) string {
	var items []string
	for i, c := range answers {
		items = append(items, fmt.Sprintf(`"%d":%c`, i+1, c))
	}
	return fmt.Sprintf(`{"key":%q,"instrument":"phq-9","client":"c1","episode":"e1","session":"s1","authored":%q,"answeredBy":"client","therapist":"t1","answers":{%s}}`,
		key, authored, strings.Join(items, ","))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
