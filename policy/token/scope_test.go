package token

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rapport/policy"
)

func TestScopesGrantWhatTheySayAndNothingElse(t *testing.T) {
	for scope, want := range map[string]string{ // "": grants nothing
		"patient/Observation.rs": "patient/Observation.rs", "user/*.cruds": "user/*.cruds", "system/Task.u": "system/Task.u",
		"user/Observation.cs": "user/Observation.cs", "user/*.c": "user/*.c",
		// Version 1.
		"patient/Observation.read": "patient/Observation.rs", "user/*.write": "user/*.cud", "system/*.*": "system/*.cruds",
		// Granular.
		"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|survey": "patient/Observation.rs?category=http%3A%2F%2Fterminology.hl7.org%2FCodeSystem%2Fobservation-category%7Csurvey",
		"user/Observation.rs?category=survey&code=44261-6":                                                  "user/Observation.rs?category=survey&code=44261-6",
		"user/Observation.rs?code=a%2Cb":                                                                    "user/Observation.rs?code=a%2Cb",
		"user/Observation.rs?_tag=x":                                                                        "user/Observation.rs?_tag=x",
		// Not about resources.
		"openid": "", "fhirUser": "", "launch/patient": "", "offline_access": "", "": "", "patient": "", "/": "",
		// Cases that other servers learnt to refuse the hard way.
		"user/Observaton.rs": "", "user/observation.rs": "", "user/OBSERVATION.rs": "", "User/Observation.rs": "", "users/Observation.rs": "",
		"patient/Observation.read-only": "", "patient/Observation.rsXYZ": "", "patient/Observation.rs?active": "", "patient/Observation.rss": "",
		"patient/Observation.sr": "", "patient/Observation.dus": "", "patient/Observation.": "", "patient/Observation": "", "patient/.rs": "",
		"patient/Observation.Read": "", "patient/Observation.RS": "", "patient/Observation.readwrite": "", "patient/Observation.read.write": "",
		"patient/Observation.rs.": "", "patient/Observation.rs/": "", "patient/Observation/1.rs": "", "patient/*/*.rs": "", "patient/**.rs": "",
		"patient/Observation.rs?": "", "patient/Observation.rs?category=": "", "patient/Observation.rs?=x": "", "patient/Observation.rs?category=a=b": "",
		"patient/Observation.rs?category=a?code=b": "", "patient/Observation.rs?category=a&": "", "patient/Observation.rs?&category=a": "",
		"patient/Observation.rs?category:not=a": "", "patient/Observation.rs?subject:Patient.name=a": "", "patient/Observation.rs?subject.name=a": "",
		"patient/Observation.rs?_has:Provenance:target:agent=a": "", "patient/Observation.rs?_has=a": "", "patient/Observation.rs?_include=Observation:subject": "",
		"patient/Observation.rs?_INCLUDE=Observation:subject": "", "patient/Observation.rs?_revinclude=a": "", "patient/Observation.rs?_filter=a": "",
		"patient/Observation.rs?_count=1": "", "patient/Observation.rs?_sort=code": "", "patient/Observation.rs?unknown=a": "", "patient/Observation.rs?Category=a": "",
		"patient/Observation.rs?category%3Anot=a": "", "patient/Observation.rs?category=%zz": "", "patient/Observation.rs?category=%20": "", "patient/Observation.rs?category=+": "",
		"patient/*.rs?category=a": "", "patient/Task.rs?category=a": "", "patient/Observation.read?category=a?": "",
	} {
		got, err := ParseScope(scope, knownTypes)
		text := ""
		if err == nil {
			text = FormatScope(got)
		} else if !cmp.Equal(got, policy.Scope{}) {
			t.Errorf("%q is refused and yet returns %+v", scope, got)
		}
		if text != want {
			t.Errorf("%q grants %q, want %q", scope, text, want)
		}
	}
	if _, err := ParseScope("user/Observation.rs?code="+strings.Repeat("x", 600), knownTypes); err == nil {
		t.Error("a scope of 600 bytes is read")
	}
	sc, err := ParseScope("user/Observation.rs?code=http%3A%2F%2Floinc.org%7C44261-6", knownTypes)
	if err != nil || !cmp.Equal(sc.Where, []policy.Param{{Name: "code", Value: "http://loinc.org|44261-6"}}) {
		t.Errorf("where = %+v, %v", sc.Where, err)
	}
}

func TestWhatDoesNotParseDoesNotSpoilTheRest(t *testing.T) {
	g := newGateway(t, newIDP(t, jwk("es256")), func(i *Issuer) { i.ScopeClaims = []string{"scope", "scp"} })
	for _, c := range []struct {
		scope, scp any
		want       string
	}{
		{"openid user/Observaton.rs user/Task.rs launch/patient", nil, "user/Task.rs"},
		{"user/Task.rs", "user/Observation.read", "user/Task.rs user/Observation.rs"}, // split over claims
		{nil, []string{"user/Task.rs", "user/Observation.r"}, "user/Task.rs user/Observation.r"},
		{"", nil, ""}, {nil, nil, ""}, {"profile email", nil, ""},
		{"system/*.cruds", nil, ""},                      // the client may not
		{"patient/*.rs user/Task.r", nil, "user/Task.r"}, // no patient in context
		{"user/*.rs user/Task.r user/Task.u", nil, "user/*.rs user/Task.u"},
	} {
		p := verify(t, g, token("es256", g.therapist(map[string]any{"scope": c.scope, "scp": c.scp})))
		if got := formatAll(p.Scopes); got != c.want {
			t.Errorf("%v %v: %q, want %q", c.scope, c.scp, got, c.want)
		}
	}
	p := verify(t, g, token("es256", g.therapist(map[string]any{"roles": "patient", "fhirUser": "Patient/ada", "patient": "ada", "scope": "patient/*.rs user/Task.r"})))
	if got := formatAll(p.Scopes); got != "patient/*.rs user/Task.r" || p.Patient.ID != "c1" || p.User != p.Patient {
		t.Errorf("a patient with a launch context: %q %v", got, p.Patient)
	}
}

func formatAll(ss []policy.Scope) string {
	var out []string
	for _, s := range ss {
		out = append(out, FormatScope(s))
	}
	return strings.Join(out, " ")
}

func TestACeilingCutsWhatATokenSays(t *testing.T) { // A57
	for _, c := range []struct{ token, ceiling, want string }{
		{"system/*.cruds", "system/Observation.rs", "system/Observation.rs"},
		{"system/Observation.rs", "system/*.cruds", "system/Observation.rs"},
		{"system/Observation.cruds", "system/Observation.rs system/Patient.rs", "system/Observation.rs"},
		{"system/Patient.rs", "system/Observation.rs", ""},
		{"user/*.rs", "system/*.rs", ""}, {"patient/*.rs", "user/*.rs", ""}, {"system/Observation.c", "system/Observation.rs", ""},
		{"system/Observation.rs?category=survey", "system/Observation.rs?code=1", "system/Observation.rs?category=survey&code=1"},
		{"system/Observation.rs", "system/Observation.rs?category=survey", "system/Observation.rs?category=survey"},
		{"system/*.rs", "system/Observation.r system/Observation.s", "system/Observation.r system/Observation.s"},
		{"system/Observation.rs?category=survey system/Observation.rs", "system/*.rs", "system/Observation.rs"},
	} {
		a, err := ParseCeiling(c.token, knownTypes)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ParseCeiling(c.ceiling, knownTypes)
		if err != nil {
			t.Fatal(err)
		}
		if got := formatAll(Intersect(a, b)); got != c.want {
			t.Errorf("%s under %s: %q, want %q", c.token, c.ceiling, got, c.want)
		}
	}
	for _, bad := range []string{"", "  ", "openid", "user/Observaton.rs", "user/*.rs system/x"} {
		if _, err := ParseCeiling(bad, knownTypes); err == nil {
			t.Errorf("%q is a ceiling", bad)
		}
	}
}

var anyScope = rapid.Custom(func(t *rapid.T) policy.Scope {
	s := policy.Scope{Context: rapid.SampledFrom([]string{"patient", "user"}).Draw(t, "context"), Type: rapid.SampledFrom([]string{"*", "Observation", "Task"}).Draw(t, "type")}
	for i := range letters {
		*right(&s, i) = rapid.Bool().Draw(t, "right")
	}
	if s.Type == "Observation" {
		for _, n := range []string{"category", "code"} {
			if rapid.Bool().Draw(t, "narrowed") {
				s.Where = append(s.Where, policy.Param{Name: n, Value: rapid.SampledFrom([]string{"1", "2", "a&b", "x|y z%"}).Draw(t, "value")})
			}
		}
	}
	return s
}).Filter(func(s policy.Scope) bool { return s.Create || s.Read || s.Update || s.Delete || s.Search })

// allowed says by the plain meaning of scopes whether an act on a resource with these
// parameters is.
func allowed(ss []policy.Scope, context, typ string, r int, has map[string]string) bool {
	for _, s := range ss {
		ok := s.Context == context && (s.Type == "*" || s.Type == typ) && *right(&s, r)
		for _, p := range s.Where {
			ok = ok && has[p.Name] == p.Value
		}
		if ok {
			return true
		}
	}
	return false
}

func TestAnIntersectionAllowsExactlyWhatBothDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(anyScope, 0, 5).Draw(t, "a"), rapid.SliceOfN(anyScope, 0, 5).Draw(t, "b")
		both := Intersect(a, b)
		for _, context := range []string{"patient", "user", "system"} {
			for _, typ := range []string{"Observation", "Task", "Patient"} {
				for r := range letters {
					for _, has := range []map[string]string{{}, {"category": "1"}, {"category": "1", "code": "2"}, {"category": "2", "code": "1"}, {"code": "a&b"}} {
						want := allowed(a, context, typ, r, has) && allowed(b, context, typ, r, has)
						if allowed(both, context, typ, r, has) != want {
							t.Fatalf("%s/%s %c %v: want %v", context, typ, letters[r], has, want)
						}
					}
				}
			}
		}
	})
}

func TestAFormattedScopeReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScope.Draw(t, "scope")
		back, err := ParseScope(FormatScope(s), knownTypes)
		if err != nil || !cmp.Equal(back, s) {
			t.Fatalf("%s: %+v %v", FormatScope(s), back, err)
		}
	})
}

func FuzzParseScope(f *testing.F) {
	for _, s := range []string{"patient/Observation.rs?category=a|b&code=1", "user/*.*", "system/Task.write", "launch/patient"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sc, err := ParseScope(s, knownTypes)
		if err != nil {
			return
		}
		back, err := ParseScope(FormatScope(sc), knownTypes)
		if err != nil || !cmp.Equal(back, sc) {
			t.Errorf("%q → %q → %v", s, FormatScope(sc), err)
		}
		if !strings.HasPrefix(s, sc.Context+"/"+sc.Type+".") {
			t.Errorf("%q grants on %s/%s", s, sc.Context, sc.Type)
		}
	})
}
