package path

import (
	"errors"
	"strings"
	"testing"

	"rapport/fhir"
)

const client = `{"resourceType":"Patient","id":"p","active":true,"birthDate":"1980-02",
"name":[{"use":"official","family":"A","given":["B","C"]},{"use":"nickname","given":["D"]}],
"identifier":[{"system":"urn:x","value":"1"}],"contact":[{"name":{"family":"E"}}]}`

func codeOf(err error) fhir.Code {
	var e *fhir.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return none
}

// none is what codeOf gives where there is no error with a code.
const none fhir.Code = 255

func TestAParseErrorNamesLineAndColumn(t *testing.T) {
	for _, c := range []struct{ name, src, at string }{
		{"an operand is missing", "1 +", "1:4:"},
		{"a bracket stays open", "name.where(use = 'x'", "1:21:"},
		{"a quote stays open", "name =\n 'abc", "2:2:"},
		{"a comment stays open", "name /* x", "1:6:"},
		{"a function is unknown", "name.\n  given.frobnicate()", "2:9:"},
		{"there are too many arguments", "name.count(1)", "1:6:"},
		{"a day does not exist", "birthDate = @2021-02-30", "1:13:"},
		{"characters count, not bytes", "'äöü' = ?", "1:9:"},
		{"a regular expression is none", "'a'.matches('(')", "1:13:"},
		{"a name is empty", "name.``", "1:6:"},
		{"nothing is there", "", "1:1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(c.src)
			var e *fhir.Error
			if !errors.As(err, &e) || e.Code != fhir.Invalid || !strings.HasPrefix(e.Detail, "FHIRPath "+c.at) {
				t.Errorf("Compile = %v, want one at %s", err, c.at)
			}
		})
	}
}

func TestAnExpressionIsLimitedInLengthAndNesting(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      fhir.Code
	}{
		{"as long as allowed", "1" + strings.Repeat(" ", maxSource-1), none},
		{"longer", "1" + strings.Repeat(" ", maxSource), fhir.TooLong},
		{"as deep as allowed", strings.Repeat("(", maxNesting-1) + "1" + strings.Repeat(")", maxNesting-1), none},
		{"deeper", strings.Repeat("(", maxNesting) + "1" + strings.Repeat(")", maxNesting), fhir.Invalid},
		{"signs nest too", strings.Repeat("-", maxNesting+1) + "1", fhir.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Compile(c.src); codeOf(err) != c.want {
				t.Errorf("Compile = %v, want code %v", err, c.want)
			}
		})
	}
}

func TestAnEvaluationIsBounded(t *testing.T) {
	many := make(Collection, 50_000)
	for i := range many {
		many[i] = Value(int64(i))
	}
	long := Collection{Value(strings.Repeat("x", maxText))}
	root := parsed(t, client)
	for _, c := range []struct {
		name, src string
		steps     int
		want      fhir.Code
	}{
		{"steps suffice", "Patient.name.given", 1000, none},
		{"steps do not suffice", "Patient.name.given", 2, fhir.TooCostly},
		{"a repetition without end", "name.repeatAll($this)", 0, fhir.TooCostly},
		{"every item with every other", "%many.isDistinct()", 0, fhir.TooCostly},
		{"a large variable read for each item", "%many.where(%many.count() > 5)", 0, fhir.TooCostly},
		{"items as many as allowed", "%many.combine(%many).count()", 0, none},
		{"more items", "%many.combine(%many).combine(1)", 0, fhir.TooCostly},
		{"text as long as allowed", "(%long & '').length()", 0, none},
		{"longer text", "%long & 'x'", 0, fhir.TooCostly},
		{"text that replacing makes longer", "%long.replace('x', 'yy')", 0, fhir.TooCostly},
		{"text that joining makes longer", "%many.select(%long).join()", 0, fhir.TooCostly},
		{"powers are dear", "%many.select(2.5.power(0.37))", 0, fhir.TooCostly},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := &Env{Steps: c.steps, Vars: map[string]Collection{"many": many, "long": long}}
			if _, err := MustCompile(c.src).Eval(env, root); codeOf(err) != c.want {
				t.Errorf("Eval = %v, want code %v", err, c.want)
			}
		})
	}
}

func TestAnExpressionServesManyEvaluationsAtOnce(t *testing.T) {
	x := MustCompile("name.where(use = 'official').given.first() = 'B'")
	root := parsed(t, client)
	done := make(chan bool)
	for range 8 {
		go func() {
			good := true
			for range 200 {
				c, err := x.Eval(nil, root)
				b, ok := c.Bool()
				good = good && err == nil && b && ok
			}
			done <- good
		}()
	}
	for range 8 {
		if !<-done {
			t.Error("an evaluation beside others gave another result")
		}
	}
}

func TestAnItemPrintsWithoutItsContent(t *testing.T) {
	c, err := MustCompile("name.family").Eval(nil, parsed(t, client))
	if err != nil || len(c) != 1 {
		t.Fatal(c, err)
	}
	if s := c[0].String() + c[0].GoString(); strings.Contains(s, `"A"`) || s != "(item)(item)" {
		t.Errorf("an item prints as %q", s)
	}
}

func FuzzEval(f *testing.F) {
	for _, src := range []string{
		"name.where(use = 'official').given.first()", "birthDate + 1 month > @1980-01-31", "1 'mg' ~ 0.001 'g'",
		"descendants().ofType(string).distinct().count()", "'a\\u00e4'.matches('^[a-z]+$') or {}.exists()",
		"iif(active, name.select(given.join(' ') & family), -1.5)", "(1 | 2).aggregate($total + $this, 0)", "`name`[0].$this",
	} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		x, err := Compile(src)
		if err != nil {
			if codeOf(err) == none {
				t.Errorf("Compile gives an error without a code: %v", err)
			}
			return
		}
		if _, err := x.Eval(&Env{Steps: 5000}, parsed(t, client)); err != nil && codeOf(err) == none {
			t.Errorf("Eval gives an error without a code: %v", err)
		}
	})
}

func BenchmarkSearchParameter(b *testing.B) {
	x, env := MustCompile("Patient.name.given | Patient.name.family"), &Env{Each: true}
	benchmark(b, x, env)
}

func BenchmarkInvariant(b *testing.B) {
	benchmark(b, MustCompile("contact.all(name.exists() or telecom.exists() or address.exists() or organization.exists())"), &Env{})
}

func benchmark(b *testing.B, x *Expr, env *Env) {
	root, _ := R4().Resource(parsed(b, client))
	var dst Collection
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = x.Append(dst[:0], env, root); err != nil || len(dst) == 0 {
			b.Fatal(dst, err)
		}
	}
}
