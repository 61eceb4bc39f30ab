package opa

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"rapport/policy"
)

func embeddedRules(t testing.TB) *rules {
	t.Helper()
	e, err := New(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return e.current.Load()
}

// files copies the embedded rules so that a test can spoil them.
func files(t testing.TB) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	names, err := fs.Glob(Embedded(), "*.rego")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := fs.ReadFile(Embedded(), n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = &fstest.MapFile{Data: b}
	}
	return out
}

var caseload = policy.Question{Role: policy.Therapist, Purpose: "TREAT", Verb: policy.ToRead, Type: "Observation", Group: "clinical",
	Confidentiality: "R", Labels: "PSY", Tie: policy.TieRelated, Consent: policy.NoConsent}

func TestTheEmbeddedRulesAreActivated(t *testing.T) {
	r := embeddedRules(t)
	if len(r.Digest()) != 64 {
		t.Fatalf("digest %q", r.Digest())
	}
	got, err := r.Judge(context.Background(), caseload)
	if err != nil || !got.Allow || strings.Join(got.By, ",") != "therapist" {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestWithoutRulesThereAreNone(t *testing.T) {
	if (&Engine{}).Rules() != nil {
		t.Fatal("an engine that loaded nothing has rules")
	}
}

func TestRulesThatDoNotHoldLeaveTheOldOnesInForce(t *testing.T) {
	ctx := context.Background()
	e, err := New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := e.Rules().Digest()
	for name, spoil := range map[string]func(fstest.MapFS){
		"that do not parse":   func(m fstest.MapFS) { set(m, "admin.rego", "package gateway.rule.admin\nallow if {") },
		"that do not compile": func(m fstest.MapFS) { set(m, "admin.rego", "package gateway.rule.admin\nallow if unknown(1)") },
		"that reach the network": func(m fstest.MapFS) {
			set(m, "extra.rego", "package gateway.rule.extra\nallow if http.send({\"method\":\"GET\",\"url\":\"http://x\"}).status_code == 200")
		},
		"that read the clock": func(m fstest.MapFS) { set(m, "extra.rego", "package gateway.rule.extra\nallow if time.now_ns() > 0") },
		"that read the environment": func(m fstest.MapFS) {
			set(m, "extra.rego", "package gateway.rule.extra\nallow if opa.runtime().env.HOME == \"/\"")
		},
		"that are empty":               func(m fstest.MapFS) { clear(m) },
		"without tests":                func(m fstest.MapFS) { dropTests(m) },
		"whose tests fail":             func(m fstest.MapFS) { set(m, "x_test.rego", "package test.x\ntest_x if 1 == 2") },
		"in a package of another name": func(m fstest.MapFS) { set(m, "extra.rego", "package gateway.rule.admin\nallow if input.role == \"x\"") },
		"that say deny":                func(m fstest.MapFS) { set(m, "extra.rego", "package gateway.rule.extra\ndeny if input.role == \"x\"") },
		"that say not": func(m fstest.MapFS) {
			set(m, "extra.rego", "package gateway.rule.extra\nallow if not input.role == \"x\"")
		},
		"that allow by default": func(m fstest.MapFS) { set(m, "extra.rego", "package gateway.rule.extra\ndefault allow := true") },
		"that break an invariant": func(m fstest.MapFS) {
			set(m, "extra.rego", "package gateway.rule.extra\nallow if input.role == \"admin\"")
		},
		"that allow nobody anything": func(m fstest.MapFS) {
			set(m, "therapist.rego", "package gateway.rule.therapist")
			delete(m, "therapist_test.rego")
		},
		"whose floor for notes is gone":  func(m fstest.MapFS) { delete(m, "floor_notes.rego"); delete(m, "floor_notes_test.rego") },
		"whose floor for record is gone": func(m fstest.MapFS) { delete(m, "floor_record.rego"); delete(m, "floor_record_test.rego") },
	} {
		t.Run(name, func(t *testing.T) {
			m := files(t)
			spoil(m)
			if err := e.Load(ctx, m); err == nil {
				t.Error("they were activated")
			}
			if e.Rules().Digest() != before {
				t.Error("the old ones are not in force any more")
			}
		})
	}
}

func TestBetterRulesTakeTheirPlace(t *testing.T) {
	ctx := context.Background()
	e, err := New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := e.Rules()
	m := files(t)
	set(m, "extra.rego", "package gateway.rule.extra\nallow if {\n\tinput.role == \"intake\"\n\tinput.type == \"Flag\"\n\tinput.group == \"frame\"\n}")
	if err := e.Load(ctx, m); err != nil {
		t.Fatal(err)
	}
	if e.Rules().Digest() == before.Digest() {
		t.Fatal("the digest is the same")
	}
	q := caseload
	q.Role, q.Type, q.Group = policy.Intake, "Flag", "frame"
	if got, err := e.Rules().Judge(ctx, q); err != nil || !got.Allow {
		t.Errorf("new rules: %+v, %v", got, err)
	}
	if got, err := before.Judge(ctx, q); err != nil || got.Allow {
		t.Errorf("a request that began under the old rules: %+v, %v", got, err)
	}
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	ctx := context.Background()
	for name, gateway := range map[string]string{
		"undefined":                "package gateway",
		"not a boolean":            "package gateway\ndecision := {\"allow\": \"true\", \"by\": {\"x\": []}}",
		"without reasons":          "package gateway\ndecision := {\"allow\": true, \"by\": {}}",
		"of more than was agreed":  "package gateway\ndecision := {\"allow\": true, \"by\": {\"x\": []}, \"mask\": [\"name\"]}",
		"with a strange condition": "package gateway\ndecision := {\"allow\": true, \"by\": {\"x\": [{\"path\": \"name\"}]}}",
		"in conflict with itself":  "package gateway\ndecision := {\"allow\": true, \"by\": {\"x\": []}} if input.role == \"therapist\"\ndecision := {\"allow\": false, \"by\": {}} if input.verb == \"read\"",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := parse(fstest.MapFS{"gateway.rego": {Data: []byte(gateway)}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := prepare(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := r.Judge(ctx, caseload); err == nil || got.Allow {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestAQuestionOfAnotherShapeIsAnError(t *testing.T) {
	r := embeddedRules(t)
	for name, spoil := range map[string]func(*policy.Question){
		"a role unheard of":    func(q *policy.Question) { q.Role = "ADMIN" },
		"a role in look-alike": func(q *policy.Question) { q.Role = "аdmin" },
		"no role":              func(q *policy.Question) { q.Role = "" },
		"no verb":              func(q *policy.Question) { q.Verb = "" },
		"no type":              func(q *policy.Question) { q.Type = "" },
		"no group":             func(q *policy.Question) { q.Group = "" },
		"no tie":               func(q *policy.Question) { q.Tie = "" },
		"no state of consent":  func(q *policy.Question) { q.Consent = "" },
		"no confidentiality":   func(q *policy.Question) { q.Confidentiality = "" },
	} {
		t.Run(name, func(t *testing.T) {
			q := caseload
			spoil(&q)
			if got, err := r.Judge(context.Background(), q); err == nil || got.Allow {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestACancelledQuestionDenies(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got, err := embeddedRules(t).Judge(ctx, caseload); err == nil || got.Allow {
		t.Errorf("%+v, %v", got, err)
	}
}

func set(m fstest.MapFS, name, text string) { m[name] = &fstest.MapFile{Data: []byte(text)} }

func dropTests(m fstest.MapFS) {
	for n := range m {
		if strings.HasSuffix(n, "_test.rego") {
			delete(m, n)
		}
	}
}

func BenchmarkOneQuestion(b *testing.B) {
	r := embeddedRules(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if got, err := r.Judge(ctx, caseload); err != nil || !got.Allow {
			b.Fatal(got, err)
		}
	}
}

func BenchmarkActivatingTheEmbeddedRules(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
