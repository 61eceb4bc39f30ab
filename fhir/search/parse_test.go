package search_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
)

// query parses the query part of a URL.
func query(t testing.TB, s string) url.Values {
	t.Helper()
	vs, err := url.ParseQuery(s)
	if err != nil {
		t.Fatal(err)
	}
	return vs
}

func day(y, m, d int) (low, high int64) {
	at := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return at.UnixMicro(), at.AddDate(0, 0, 1).UnixMicro() - 1
}

func TestAParameterBecomesAClause(t *testing.T) {
	low, high := day(2026, 3, 1)
	token := func(param string, any ...fhir.Operand) fhir.Clause {
		return fhir.Clause{Param: param, Kind: fhir.Token, Any: any}
	}
	ref := func(param string, any ...fhir.Operand) fhir.Clause {
		return fhir.Clause{Param: param, Kind: fhir.Reference, Any: any}
	}
	patient := fhir.Operand{Ref: fhir.Key{Type: "Patient", ID: "1"}}
	for in, want := range map[string][]fhir.Clause{
		"Observation?code=a":                                        {token("code", fhir.Operand{Code: "a"})},
		"Observation?code=s|a":                                      {token("code", fhir.Operand{System: "s", HasSystem: true, Code: "a"})},
		"Observation?code=|a":                                       {token("code", fhir.Operand{HasSystem: true, Code: "a"})},
		"Observation?code=s|":                                       {token("code", fhir.Operand{System: "s", HasSystem: true})},
		"Observation?code=a,s|b":                                    {token("code", fhir.Operand{Code: "a"}, fhir.Operand{System: "s", HasSystem: true, Code: "b"})},
		"Observation?code=a,a":                                      {token("code", fhir.Operand{Code: "a"})},
		`Observation?code=a\,b\|c\$d\\e\f`:                          {token("code", fhir.Operand{Code: `a,b|c$d\e\f`})},
		"Observation?code=a&code=b":                                 {token("code", fhir.Operand{Code: "a"}), token("code", fhir.Operand{Code: "b"})},
		"Observation?code:not=a":                                    {{Param: "code", Kind: fhir.Token, Modifier: fhir.Not, Any: []fhir.Operand{{Code: "a"}}}},
		"Observation?code:missing=true":                             {{Param: "code", Kind: fhir.Token, Modifier: fhir.IsMissing, Any: []fhir.Operand{{Code: "true"}}}},
		"Patient?name:exact=a,b":                                    {{Param: "name", Kind: fhir.String, Modifier: fhir.Exact, Any: []fhir.Operand{{Text: "a"}, {Text: "b"}}}},
		"Patient?name:contains=a":                                   {{Param: "name", Kind: fhir.String, Modifier: fhir.Contains, Any: []fhir.Operand{{Text: "a"}}}},
		"Observation?patient=1":                                     {ref("patient", patient)},
		"Observation?subject=1":                                     {ref("subject", fhir.Operand{Ref: fhir.Key{ID: "1"}})},
		"Observation?subject=Patient/1":                             {ref("subject", patient)},
		"Observation?subject:Patient=1":                             {ref("subject", patient)},
		"Observation?subject:Patient=Patient/1":                     {ref("subject", patient)},
		"Observation?subject=" + base + "/Patient/1":                {ref("subject", patient)},
		"Observation?subject=https://o.example/f/P/1":               {ref("subject", fhir.Operand{URL: "https://o.example/f/P/1"})},
		"Observation?subject=urn:uuid:7":                            {ref("subject", fhir.Operand{URL: "urn:uuid:7"})},
		`QuestionnaireResponse?questionnaire=http://q.example/a\|1`: {ref("questionnaire", fhir.Operand{URL: "http://q.example/a|1"})},
		"QuestionnaireResponse?questionnaire=http://q.example/a|1":  {ref("questionnaire", fhir.Operand{URL: "http://q.example/a|1"})},
		"Questionnaire?url=http://q.example/a":                      {{Param: "url", Kind: fhir.URI, Any: []fhir.Operand{{URL: "http://q.example/a"}}}},
		"Observation?date=2026-03-01":                               {{Param: "date", Kind: fhir.Date, Any: []fhir.Operand{{Low: low, High: high}}}},
		"Observation?date=eq2026-03-01":                             {{Param: "date", Kind: fhir.Date, Any: []fhir.Operand{{Low: low, High: high}}}},
		"Observation?date=ge2026-03-01&date=lt2026-03-01": {
			{Param: "date", Kind: fhir.Date, Any: []fhir.Operand{{Prefix: fhir.Ge, Low: low, High: high}}},
			{Param: "date", Kind: fhir.Date, Any: []fhir.Operand{{Prefix: fhir.Lt, Low: low, High: high}}},
		},
		"Observation?_id=a,b":                   {{Param: "_id", Any: []fhir.Operand{{Code: "a"}, {Code: "b"}}}},
		"Observation?_lastUpdated=sa2026-03-01": {{Param: "_lastUpdated", Any: []fhir.Operand{{Prefix: fhir.Sa, Low: low, High: high}}}},
		"Observation?_tag=s|a":                  {token("_tag", fhir.Operand{System: "s", HasSystem: true, Code: "a"})},
		"Observation?subject:Patient.identifier=s|1": {{Param: "subject", Kind: fhir.Reference, Chain: &fhir.Chain{Type: "Patient",
			Where: token("identifier", fhir.Operand{System: "s", HasSystem: true, Code: "1"})}}},
		"Observation?patient.active:not=true": {{Param: "patient", Kind: fhir.Reference, Chain: &fhir.Chain{Type: "Patient",
			Where: fhir.Clause{Param: "active", Kind: fhir.Token, Modifier: fhir.Not, Any: []fhir.Operand{{Code: "true"}}}}}},
		"Observation?subject.birthdate=2026-03-01": {{Param: "subject", Kind: fhir.Reference, Chain: &fhir.Chain{Type: "Patient",
			Where: fhir.Clause{Param: "birthdate", Kind: fhir.Date, Any: []fhir.Operand{{Low: low, High: high}}}}}},
		"Patient?_has:Observation:patient:code=s|a": {{Has: &fhir.Has{Type: "Observation", Param: "patient",
			Where: token("code", fhir.Operand{System: "s", HasSystem: true, Code: "a"})}}},
	} {
		t.Run(in, func(t *testing.T) {
			typ, q, _ := strings.Cut(in, "?")
			req, err := engine(t).Parse(typ, query(t, q), false)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, req.Query.Where); d != "" {
				t.Error(d)
			}
			again, err := fhir.ParseQuery(req.Query.Canonical())
			if d := cmp.Diff(req.Query, again); d != "" || err != nil {
				t.Error("changed on the way through JSON", err, d)
			}
		})
	}
}

func TestADateMeansAllThatItsPrecisionLeavesOpen(t *testing.T) {
	for in, want := range map[string][2]string{
		"2026":                          {"2026-01-01T00:00:00Z", "2026-12-31T23:59:59.999999Z"},
		"2024-02":                       {"2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999999Z"},
		"2026-03-01":                    {"2026-03-01T00:00:00Z", "2026-03-01T23:59:59.999999Z"},
		"2026-03-01T10:30":              {"2026-03-01T10:30:00Z", "2026-03-01T10:30:59.999999Z"},
		"2026-03-01T10:30:05Z":          {"2026-03-01T10:30:05Z", "2026-03-01T10:30:05.999999Z"},
		"2026-03-01T10:30:05.1Z":        {"2026-03-01T10:30:05.1Z", "2026-03-01T10:30:05.199999Z"},
		"2026-03-01T10:30:05.000001Z":   {"2026-03-01T10:30:05.000001Z", "2026-03-01T10:30:05.000001Z"},
		"2026-03-01T01:30:00%2B10:00":   {"2026-02-28T15:30:00Z", "2026-02-28T15:30:00.999999Z"},
		"ge2026-03-01T23:30:00.5-01:00": {"2026-03-02T00:30:00.5Z", "2026-03-02T00:30:00.599999Z"},
	} {
		t.Run(in, func(t *testing.T) {
			req, err := engine(t).Parse("Observation", query(t, "date="+in), false)
			if err != nil {
				t.Fatal(err)
			}
			o := req.Query.Where[0].Any[0]
			got := [2]string{time.UnixMicro(o.Low).UTC().Format(time.RFC3339Nano), time.UnixMicro(o.High).UTC().Format(time.RFC3339Nano)}
			if got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

func TestWhatShapesTheAnswerIsRead(t *testing.T) {
	for in, want := range map[string]fhir.Query{
		"Patient?":                                     {Count: 20},
		"Patient?_count=5&_total=accurate":             {Count: 5, Total: true},
		"Patient?_count=5000&_total=none":              {Count: 1000},
		"Patient?_count=0":                             {Count: 0, Total: true},
		"Patient?_sort=-birthdate,family,_lastUpdated": {Count: 20, Sort: []fhir.Order{{Param: "birthdate", Kind: fhir.Date, Desc: true}, {Param: "family", Kind: fhir.String}, {Param: "_lastUpdated"}}},
		"Observation?_include=Observation:subject:Patient&_include=Observation:patient&_include=Observation:subject": {Count: 20, Include: []fhir.Include{
			{Source: "Observation", Param: "subject", Target: "Patient"}, {Source: "Observation", Param: "patient", Target: "Patient"}, {Source: "Observation", Param: "subject"}}},
		"Patient?_revinclude=Observation:patient&_revinclude=Observation:patient:Patient": {Count: 20, RevInclude: []fhir.Include{{Source: "Observation", Param: "patient"}}},
	} {
		t.Run(in, func(t *testing.T) {
			typ, q, _ := strings.Cut(in, "?")
			want.Type = typ
			req, err := engine(t).Parse(typ, query(t, q), false)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, req.Query); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatCannotBeServedIsRefusedByName(t *testing.T) {
	many := func(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s, n), s[len(s)-1:]) }
	for in, want := range map[string]struct {
		code fhir.Code
		says string
	}{
		"Patient?famly=SECRET":                                                  {fhir.NotSupported, "did you mean family?"},
		"Patient?_cuont=SECRET":                                                 {fhir.NotSupported, "did you mean _count?"},
		"Patient?SECRET%20NAME=1":                                               {fhir.NotSupported, "The parameter given is not served"},
		"Patient?phonetic=SECRET":                                               {fhir.NotSupported, "phonetic is not served for Patient"},
		"Patient?name:phonetic=SECRET":                                          {fhir.NotSupported, "name:phonetic: this modifier is not served"},
		"Patient?_id:not=SECRET":                                                {fhir.NotSupported, "modifier"},
		"Patient?name=":                                                         {fhir.Invalid, "name has no value"},
		"Patient?name=SECRET,":                                                  {fhir.Invalid, "empty value"},
		"Patient?name=---":                                                      {fhir.Invalid, "no letter or digit"},
		"Patient?name:missing=SECRET":                                           {fhir.Invalid, "true or false"},
		"Patient?identifier=SECRET|a|b":                                         {fhir.Invalid, "more than one |"},
		"Patient?identifier=|":                                                  {fhir.Invalid, "neither system nor code"},
		"Patient?birthdate=SECRET":                                              {fhir.Invalid, "no date"},
		"Patient?birthdate=31.12.1980":                                          {fhir.Invalid, "no date"},
		"Patient?birthdate=1980-02-30":                                          {fhir.Invalid, "no date"},
		"Patient?birthdate=ap1980":                                              {fhir.Invalid, "prefix"},
		"Patient?birthdate=1980-01-01T":                                         {fhir.Invalid, "no date"},
		"Patient?_lastUpdated=2020-01-01T00:00:00 1":                            {fhir.Invalid, "%2B"},
		"Patient?organization=SECRET/SECRET":                                    {fhir.Invalid, "no reference"},
		"Observation?subject:Practitioner=1":                                    {fhir.Invalid, "never names"},
		"Observation?subject:Patient=Group/SECRET":                              {fhir.Invalid, "does not agree"},
		"Observation?subject.identifier=SECRET":                                 {fhir.Invalid, "Group, Location or Patient; say which, e.g. subject:Group.identifier"},
		"Observation?subject.nonsense=SECRET":                                   {fhir.NotSupported, "none of the types"},
		"Observation?patient.famly=SECRET":                                      {fhir.NotSupported, "did you mean family?"},
		"Observation?code.name=SECRET":                                          {fhir.Invalid, "only a reference"},
		"Observation?subject:Device.type=SECRET":                                {fhir.NotSupported, "no type that is served"},
		"Observation?patient.organization.name=x":                               {fhir.NotSupported, "one reference far"},
		"Patient?_has:Observation:patient=SECRET":                               {fhir.Invalid, "_has is written"},
		"Patient?_has:Observation:encounter:code=1":                             {fhir.Invalid, "never names a Patient"},
		"Patient?_has:Media:patient:code=SECRET":                                {fhir.NotSupported, "not served"},
		"Patient?_has:Observation:patient:_has:Provenance:target:recorded=2020": {fhir.NotSupported, "one level"},
		"Patient?_has:Observation:patient:encounter.status=SECRET":              {fhir.NotSupported, "one reference far"},
		"QuestionnaireResponse?questionnaire.status=SECRET":                     {fhir.NotSupported, "canonical"},
		"QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire":    {fhir.NotSupported, "canonical"},
		"Questionnaire?_has:QuestionnaireResponse:questionnaire:status=SECRET":  {fhir.NotSupported, "canonical"},
		"Patient?_count=SECRET":                                                 {fhir.Invalid, "whole number"},
		"Patient?_count=-1":                                                     {fhir.Invalid, "whole number"},
		"Patient?_count=1&_count=2":                                             {fhir.Invalid, "once"},
		"Patient?_total=SECRET":                                                 {fhir.Invalid, "none, estimate or accurate"},
		"Patient?_sort=SECRET":                                                  {fhir.NotSupported, "_sort"},
		"Patient?_sort=family,-family":                                          {fhir.Invalid, "twice"},
		"Patient?_sort=family,name,given,gender,email":                          {fhir.TooCostly, "up to 4"},
		"Patient?_include=*":                                                    {fhir.NotSupported, "everything"},
		"Patient?_include=Patient:*":                                            {fhir.NotSupported, "everything"},
		"Patient?_include:iterate=Patient:organization":                         {fhir.NotSupported, "includes of what was included"},
		"Patient?_include=Observation:subject":                                  {fhir.Invalid, "write Patient:parameter"},
		"Patient?_include=Patient:name":                                         {fhir.Invalid, "no reference"},
		"Patient?_include=Patient:organization:Patient":                         {fhir.Invalid, "never names"},
		"Patient?_include=Patient":                                              {fhir.Invalid, "write Type:parameter"},
		"Patient?_revinclude=Observation:encounter":                             {fhir.Invalid, "never names a Patient"},
		"Patient?_revinclude=Observation:subject:Group":                         {fhir.Invalid, "type searched"},
		"Patient?_revinclude=Media:subject":                                     {fhir.NotSupported, "not served"},
		"Patient?" + many(65, "name=a&"):                                        {fhir.TooCostly, "up to 64 parameters"},
		"Patient?_id=" + many(501, "a,"):                                        {fhir.TooCostly, "up to 500 values"},
		"Patient?name=" + strings.Repeat("SECRET", 1000):                        {fhir.TooLong, "characters"},
		"Patient?_summary=true":                                                 {fhir.NotSupported, "_summary"},
		"AuditEvent?date=2020":                                                  {fhir.NotSupported, "type is not served"},
	} {
		name := in
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) {
			typ, q, _ := strings.Cut(in, "?")
			_, err := engine(t).Parse(typ, query(t, q), false)
			if !fhir.Is(err, want.code) || !strings.Contains(err.Error(), want.says) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("tells what was asked for: %v", err)
			}
		})
	}
}

func TestLenientHandlingLeavesOutWhatIsNotServedAndSaysSo(t *testing.T) {
	req, err := engine(t).Parse("Patient", query(t, "famly=x&name:phonetic=y&_include=*&family=z"), true)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"_include", "famly", "name:phonetic"}, req.Ignored); d != "" {
		t.Error(d)
	}
	if len(req.Query.Where) != 1 || req.Self() != "family=z" {
		t.Errorf("understood %q, %d clauses", req.Self(), len(req.Query.Where))
	}
	if _, err := engine(t).Parse("Patient", query(t, "birthdate=x"), true); !fhir.Is(err, fhir.Invalid) {
		t.Errorf("a value that cannot be read was ignored: %v", err)
	}
}

func TestTheSelfLinkSaysTheSameSearch(t *testing.T) {
	e := engine(t)
	in := `code=s|a\,b,c&_count=9999&date=ge2026&subject:Patient=1&_sort=-date&_has:Provenance:target:agent=Practitioner/7`
	req, err := e.Parse("Observation", query(t, in), false)
	if err != nil {
		t.Fatal(err)
	}
	want := `_count=1000&_has:Provenance:target:agent=Practitioner/7&_sort=-date&code=s%7Ca%5C,b,c&date=ge2026&subject:Patient=1`
	if req.Self() != want {
		t.Errorf("%s", req.Self())
	}
	again, err := e.Parse("Observation", query(t, req.Self()), false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(req.Query, again.Query); d != "" {
		t.Error(d)
	}
}

func TestAScopeIsNarrowedByPlainParametersAlone(t *testing.T) {
	e := engine(t)
	cs, err := e.Narrow("Observation", query(t, "category=http://c|survey"))
	if err != nil || len(cs) != 1 {
		t.Fatal(cs, err)
	}
	in := func(category string) bool {
		r := resource(t, fmt.Sprintf(`{"resourceType":"Observation","category":[{"coding":[{"system":"http://c","code":%q}]}]}`, category))
		ix, err := e.Index(r)
		if err != nil {
			t.Fatal(err)
		}
		return e.Match(cs, r, ix)
	}
	if !in("survey") || in("laboratory") {
		t.Error("the scope does not tell resources apart")
	}
	for _, q := range []string{"patient.family=x", "_has:Provenance:target:agent=x", "_count=1", "nonsense=1"} {
		if _, err := e.Narrow("Observation", query(t, q)); err == nil {
			t.Errorf("%s narrows a scope", q)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"name=a", `code=s|a\,b,c`, "date=ge2026-03-01T10:00:00%2B02:00", "subject:Patient.identifier=s|1", "_has:Observation:patient:code=a",
		"_sort=-date&_count=3&_total=accurate", "_include=Observation:subject:Patient", "_id=a,b&_lastUpdated=2020", "code:not=x&code:missing=true"} {
		f.Add(s, false)
	}
	e := engine(f)
	f.Fuzz(func(t *testing.T, s string, lenient bool) {
		vs, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		req, err := e.Parse("Observation", vs, lenient)
		if err != nil {
			if fhir.CodeOf(err) == fhir.Exception {
				t.Fatal(err)
			}
			return
		}
		again, err := e.Parse("Observation", query(t, req.Self()), false)
		if err != nil {
			t.Fatalf("the self link is refused: %v", err)
		}
		if d := cmp.Diff(req.Query, again.Query); d != "" {
			t.Error(d)
		}
	})
}
