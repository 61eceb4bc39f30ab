package opa

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"rapport/policy"
)

var update = flag.Bool("update", false, "write decisions.txt anew; then read the difference")

// kinds stand for all classes: a type of each group, with what makes a difference.
var kinds = []struct {
	name string
	policy.Question
}{
	{"Patient", policy.Question{Type: "Patient", Group: "contact", Confidentiality: "N"}},
	{"Appointment-with-reason", policy.Question{Type: "Appointment", Group: "contact", Confidentiality: "R", Marks: "reason"}},
	{"Schedule", policy.Question{Type: "Schedule", Group: "contact", Confidentiality: "N"}},
	{"Questionnaire", policy.Question{Type: "Questionnaire", Group: "setting", Confidentiality: "U"}},
	{"Organization", policy.Question{Type: "Organization", Group: "setting", Confidentiality: "U"}},
	{"EpisodeOfCare", policy.Question{Type: "EpisodeOfCare", Group: "frame", Confidentiality: "N"}},
	{"Consent", policy.Question{Type: "Consent", Group: "frame", Confidentiality: "N"}},
	{"ServiceRequest", policy.Question{Type: "ServiceRequest", Group: "frame", Confidentiality: "N"}},
	{"ServiceRequest-with-reason", policy.Question{Type: "ServiceRequest", Group: "frame", Confidentiality: "R", Marks: "reason"}},
	{"Task", policy.Question{Type: "Task", Group: "frame", Confidentiality: "N"}},
	{"Observation", policy.Question{Type: "Observation", Group: "clinical", Confidentiality: "R", Labels: "PSY"}},
	{"Observation-score", policy.Question{Type: "Observation", Group: "clinical", Confidentiality: "R", Labels: "PSY", Marks: "score"}},
	{"Observation-withheld", policy.Question{Type: "Observation", Group: "clinical", Confidentiality: "R", Labels: "NOPAT,PSY"}},
	{"Condition", policy.Question{Type: "Condition", Group: "clinical", Confidentiality: "R", Labels: "PSY"}},
	{"Condition-Part2", policy.Question{Type: "Condition", Group: "clinical", Confidentiality: "R", Labels: "42CFRPart2,PSY,SUD"}},
	{"Condition-unknown-label", policy.Question{Type: "Condition", Group: "clinical", Confidentiality: "R", Labels: "OTHER,PSY"}},
	{"QuestionnaireResponse", policy.Question{Type: "QuestionnaireResponse", Group: "clinical", Confidentiality: "R", Labels: "PSY"}},
	{"QuestionnaireResponse-self", policy.Question{Type: "QuestionnaireResponse", Group: "clinical", Confidentiality: "R", Labels: "PSY", Marks: "self"}},
	{"QuestionnaireResponse-other", policy.Question{Type: "QuestionnaireResponse", Group: "clinical", Confidentiality: "R", Labels: "PSY", Marks: "other"}},
	{"DocumentReference-labelled-note", policy.Question{Type: "DocumentReference", Group: "clinical", Confidentiality: "V", Labels: "PSY,PSYTHPN"}},
	{"AuditEvent", policy.Question{Type: "AuditEvent", Group: "record", Confidentiality: "R"}},
	{"AuditEvent-disclosure", policy.Question{Type: "AuditEvent", Group: "record", Confidentiality: "R", Marks: "disclosure"}},
	{"Provenance", policy.Question{Type: "Provenance", Group: "record", Confidentiality: "R"}},
	{"process-note", policy.Question{Type: "DocumentReference", Group: "note", Confidentiality: "V", Labels: "PSYTHPN"}},
}

// rows asks every role × tie × verb × kind × consent and gives each row that
// allows anything, with the questions that were allowed.
func rows(t testing.TB, r *rules, visit func(row string, allowed []policy.Question)) {
	ctx := context.Background()
	for _, role := range roles {
		for _, tie := range ties {
			for _, verb := range verbs {
				var cells []string
				var allowed []policy.Question
				for _, k := range kinds {
					var in []string
					for _, consent := range consents {
						q := k.Question
						q.Role, q.Tie, q.Verb, q.Consent, q.Purpose = role, tie, verb, consent, "TREAT"
						if verb == policy.ToStudy { // for anything else nothing is allowed; see invariants.txt
							q.Purpose = "HRESCH"
						}
						got, err := r.Judge(ctx, q)
						if err != nil {
							t.Fatalf("%+v: %v", q, err)
						}
						if got.Allow {
							allowed = append(allowed, q)
							s := string(consent)
							if len(got.ChangeOnly) > 0 {
								s += " in part"
							}
							in = append(in, s)
						}
					}
					switch all := strings.Join(in, "/"); all {
					case "":
					case "none/permit/deny":
						cells = append(cells, k.name)
					case "none/permit/deny/barred":
						cells = append(cells, k.name+"*")
					default:
						cells = append(cells, k.name+"["+all+"]")
					}
				}
				if len(cells) > 0 {
					visit(fmt.Sprintf("%s %s %s: %s", role, tie, verb, strings.Join(cells, " ")), allowed)
				}
			}
		}
	}
}

const golden = "decisions.txt"

func TestWhoMayWhatIsAsDecided(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Who may what: role tie verb: kinds of resources [states of consent]; unsaid: all but barred, *: barred too.\n")
	rows(t, embeddedRules(t), func(row string, _ []policy.Question) { b.WriteString(row + "\n") })
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("decisions.txt:%d\n decided: %s\n rules:   %s", i+1, line, at(got, i))
		}
	}
}

func at(ss []string, i int) string {
	if i < len(ss) {
		return ss[i]
	}
	return ""
}

// What is decided must show when any one file says nothing. Rules only ever
// allow, and floors that say nothing do not hold: so it shows in what was allowed.
func TestAFileReducedToItsPackageLineChangesADecision(t *testing.T) {
	ctx := context.Background()
	var allowed []policy.Question
	rows(t, embeddedRules(t), func(_ string, qs []policy.Question) { allowed = append(allowed, qs...) })
	for name, f := range files(t) {
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := files(t)
			dropTests(m)
			set(m, name, packageLine(t, string(f.Data)))
			s, err := parse(m)
			if err != nil {
				t.Fatal(err)
			}
			r, err := prepare(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(allowed, func(q policy.Question) bool {
				got, err := r.Judge(ctx, q)
				return err != nil || !got.Allow
			}) {
				t.Error("every decision is the same without it")
			}
		})
	}
}

func packageLine(t *testing.T, text string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "package ") {
			return line + "\n"
		}
	}
	t.Fatal("no package line")
	return ""
}

// Each condition must be needed by a test that stands beside its rule.
func TestARuleWithoutOneOfItsConditionsFailsItsTests(t *testing.T) {
	ctx := context.Background()
	mutants := 0
	for name := range files(t) {
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		s, err := parse(files(t))
		if err != nil {
			t.Fatal(err)
		}
		for i, rule := range s.rules[name].Rules {
			for j, e := range rule.Body {
				if _, declares := e.Terms.(*ast.SomeDecl); declares || len(rule.Body) < 2 {
					continue
				}
				spoiled, err := parse(alone(t, name))
				if err != nil {
					t.Fatal(err)
				}
				r := spoiled.rules[name].Rules[i]
				dropped := r.Body[j].Location
				r.Body = append(r.Body[:j:j], r.Body[j+1:]...)
				for k, e := range r.Body {
					e.Index = k
				}
				mutants++
				if try(ctx, spoiled) == nil {
					t.Errorf("%s:%d can be left out and no test says so", name, dropped.Row)
				}
			}
		}
	}
	if mutants < 50 {
		t.Fatalf("only %d conditions were found", mutants)
	}
}

// alone returns a rule file with its tests; what joins the rules, with all.
func alone(t *testing.T, name string) fstest.MapFS {
	m := files(t)
	if name == "gateway.rego" {
		return m
	}
	test := strings.TrimSuffix(name, ".rego") + "_test.rego"
	return fstest.MapFS{name: m[name], test: m[test], "sample_test.rego": m["sample_test.rego"]}
}

func TestEveryLineOfTheRulesIsTested(t *testing.T) {
	ctx := context.Background()
	s, err := parse(Embedded())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*ast.Module{}
	for n, m := range s.rules {
		all[n] = m
	}
	for n, m := range s.tests {
		all[n] = m
	}
	for n := range s.rules {
		if _, ok := s.tests[strings.TrimSuffix(n, ".rego")+"_test.rego"]; !ok {
			t.Errorf("%s has no test beside it", n)
		}
	}
	cov := cover.New()
	store := inmem.New()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Abort(ctx, txn)
	results, err := tester.NewRunner().SetCompiler(ast.NewCompiler().WithCapabilities(capabilities())).SetStore(store).SetModules(all).SetCoverageQueryTracer(cov).RunTests(ctx, txn)
	if err != nil {
		t.Fatal(err)
	}
	for r := range results {
		if !r.Pass() {
			t.Errorf("%s.%s fails", r.Package, r.Name)
		}
	}
	report := cov.Report(s.rules)
	for name, f := range report.Files {
		for _, missed := range f.NotCovered {
			t.Errorf("%s:%d is not tested", name, missed.Start.Row)
		}
	}
	if report.Coverage < 100 {
		t.Errorf("coverage %.1f %%", report.Coverage)
	}
}
