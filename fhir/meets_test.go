package fhir_test

import (
	"math"
	"testing"
	"time"

	"rapport/fhir"
)

func TestAnOperandFindsWhatItsKindSays(t *testing.T) {
	token := func(system, code string) fhir.Index { return fhir.Index{Kind: fhir.Token, System: system, Code: code} }
	ref := func(typ, id string) fhir.Index {
		return fhir.Index{Kind: fhir.Reference, Ref: fhir.Key{Type: typ, ID: id}}
	}
	url := func(u string) fhir.Index { return fhir.Index{Kind: fhir.Reference, URL: u} }
	text := func(s string) fhir.Index { return fhir.Index{Kind: fhir.String, Text: s} }
	for name, c := range map[string]struct {
		o     fhir.Operand
		m     fhir.Modifier
		meets []fhir.Index
		not   []fhir.Index
	}{
		"a code alone is found in any system": {
			o:     fhir.Operand{Code: "a"},
			meets: []fhir.Index{token("", "a"), token("s", "a")}, not: []fhir.Index{token("s", "A"), token("a", "b")},
		},
		"a code of a system is found in it alone": {
			o:     fhir.Operand{HasSystem: true, System: "s", Code: "a"},
			meets: []fhir.Index{token("s", "a")}, not: []fhir.Index{token("", "a"), token("t", "a"), token("s", "b")},
		},
		"a code without system is found without one": {
			o:     fhir.Operand{HasSystem: true, Code: "a"},
			meets: []fhir.Index{token("", "a")}, not: []fhir.Index{token("s", "a"), token("", "b"), token("", "")},
		},
		"a system finds each of its codes": {
			o:     fhir.Operand{HasSystem: true, System: "s"},
			meets: []fhir.Index{token("s", "a"), token("s", "")}, not: []fhir.Index{token("", "a"), token("t", "a")},
		},
		"an operand without code and system finds nothing": {
			o: fhir.Operand{HasSystem: true}, not: []fhir.Index{token("s", "a"), token("", "a")},
		},
		"a key is found as it is": {
			o:     fhir.Operand{Ref: fhir.Key{Type: "Patient", ID: "1"}},
			meets: []fhir.Index{ref("Patient", "1")}, not: []fhir.Index{ref("Group", "1"), ref("Patient", "2"), url("Patient/1")},
		},
		"an id is found under any type": {
			o:     fhir.Operand{Ref: fhir.Key{ID: "1"}},
			meets: []fhir.Index{ref("Patient", "1"), ref("Group", "1")}, not: []fhir.Index{ref("Patient", "2"), url("1")},
		},
		"a reference operand that names nothing finds nothing": {
			o: fhir.Operand{}, not: []fhir.Index{url("http://x"), ref("Patient", "1")},
		},
		"a canonical without version finds every version": {
			o:     fhir.Operand{URL: "http://q/phq"},
			meets: []fhir.Index{url("http://q/phq"), url("http://q/phq|2")}, not: []fhir.Index{url("http://q/phq2"), url("http://q")},
		},
		"a canonical with version finds that one": {
			o:     fhir.Operand{URL: "http://q/phq|2"},
			meets: []fhir.Index{url("http://q/phq|2")}, not: []fhir.Index{url("http://q/phq"), url("http://q/phq|21")},
		},
		"a string is found at the beginning without case and accents": {
			o:     fhir.Operand{Text: "mül"},
			meets: []fhir.Index{text("Müller"), text("MULDER")}, not: []fhir.Index{text("Schmüller"), text("")},
		},
		"a string is found anywhere with contains": {
			o: fhir.Operand{Text: "ull"}, m: fhir.Contains,
			meets: []fhir.Index{text("Müller")}, not: []fhir.Index{text("Miller")},
		},
		"a string is found to the letter with exact": {
			o: fhir.Operand{Text: "Müller"}, m: fhir.Exact,
			meets: []fhir.Index{text("Müller")}, not: []fhir.Index{text("müller"), text("Müllers")},
		},
		"a string of punctuation finds nothing": {
			o: fhir.Operand{Text: "-"}, not: []fhir.Index{text("-"), text("a")},
		},
		"a URI is found as it is": {
			o:     fhir.Operand{URL: "http://x"},
			meets: []fhir.Index{{Kind: fhir.URI, Code: "http://x"}}, not: []fhir.Index{{Kind: fhir.URI, Code: "http://x/"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, x := range c.meets {
				if !c.o.Meets(c.m, x) {
					t.Errorf("does not find %+v", x)
				}
			}
			for _, x := range c.not {
				if c.o.Meets(c.m, x) {
					t.Errorf("finds %+v", x)
				}
			}
		})
	}
}

func TestDatesCompareAsPeriods(t *testing.T) {
	// The value is 100 to 199. Each period of a resource lies otherwise to it.
	periods := []struct {
		name      string
		low, high int64
		holds     string // the prefixes that hold, in the order of the list below
	}{
		{"before", 10, 20, "ne lt le eb"},
		{"ends in it", 10, 150, "ne lt ge le"},
		{"within", 120, 130, "eq ge le"},
		{"the same", 100, 199, "eq ge le"},
		{"around", 10, 300, "ne gt lt ge le"},
		{"begins in it", 150, 300, "ne gt ge le"},
		{"after", 200, 300, "ne gt ge sa"},
		{"has no end", 150, math.MaxInt64, "ne gt ge le"},
		{"has no beginning", math.MinInt64, 50, "ne lt le eb"},
	}
	for _, p := range periods {
		got := ""
		for _, prefix := range []fhir.Prefix{"eq", fhir.Ne, fhir.Gt, fhir.Lt, fhir.Ge, fhir.Le, fhir.Sa, fhir.Eb} {
			o := fhir.Operand{Prefix: prefix, Low: 100, High: 199}
			x := fhir.Index{Kind: fhir.Date, Low: p.low, High: p.high}
			if o.Meets(fhir.NoModifier, x) {
				got += " " + string(prefix)
			}
			if prefix == "eq" {
				if o.Prefix = fhir.Eq; o.Meets(fhir.NoModifier, x) != (got != "") {
					t.Errorf("%s: eq and no prefix differ", p.name)
				}
			}
		}
		if got != " "+p.holds {
			t.Errorf("%s: holds%s, want %s", p.name, got, p.holds)
		}
	}
}

func TestAClauseLooksAtAllEntriesOfItsParameter(t *testing.T) {
	h := fhir.Head{Key: fhir.Key{Type: "Observation", ID: "o1"}, Updated: time.UnixMicro(150)}
	ix := []fhir.Index{
		{Param: "code", Kind: fhir.Token, System: "s", Code: "a"},
		{Param: "code", Kind: fhir.Token, System: "s", Code: "b"},
		{Param: "status", Kind: fhir.Token, Code: "c"},
	}
	clause := func(param string, m fhir.Modifier, codes ...string) fhir.Clause {
		c := fhir.Clause{Param: param, Kind: fhir.Token, Modifier: m}
		for _, code := range codes {
			c.Any = append(c.Any, fhir.Operand{Code: code})
		}
		return c
	}
	for name, c := range map[string]struct {
		clause fhir.Clause
		want   bool
	}{
		"one operand of several is enough":              {clause("code", "", "x", "b"), true},
		"another parameter's entries do not count":      {clause("code", "", "c"), false},
		"not holds when no entry is one of the values":  {clause("code", fhir.Not, "x", "c"), true},
		"not fails when any entry is one of the values": {clause("code", fhir.Not, "x", "b"), false},
		"not holds where the parameter is missing":      {clause("method", fhir.Not, "x"), true},
		"missing holds where there is nothing":          {clause("method", fhir.IsMissing, "true"), true},
		"missing fails where there is something":        {clause("code", fhir.IsMissing, "true"), false},
		"not missing holds where there is something":    {clause("code", fhir.IsMissing, "false"), true},
		"no operand is never met":                       {clause("code", ""), false},
		"a chain is never met": {fhir.Clause{Param: "subject", Kind: fhir.Reference,
			Chain: &fhir.Chain{Type: "Patient", Where: clause("active", "", "true")}}, false},
		"a _has is never met": {fhir.Clause{Has: &fhir.Has{Type: "Task", Param: "focus", Where: clause("status", "", "x")}}, false},
		"_id asks the key":    {fhir.Clause{Param: "_id", Any: []fhir.Operand{{Code: "o2"}, {Code: "o1"}}}, true},
		"_lastUpdated asks the version's time": {fhir.Clause{Param: "_lastUpdated",
			Any: []fhir.Operand{{Prefix: fhir.Gt, Low: 140, High: 149}}}, true},
		"_lastUpdated can be too early": {fhir.Clause{Param: "_lastUpdated",
			Any: []fhir.Operand{{Prefix: fhir.Gt, Low: 150, High: 159}}}, false},
		"an unknown special parameter is never met": {fhir.Clause{Param: "_text", Any: []fhir.Operand{{Code: "o1"}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.clause.Meets(h, ix); got != c.want {
				t.Errorf("met: %v", got)
			}
		})
	}
}
