package policy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rapport/fhir"
)

// hiddenFrom lists what may be added to the practice without a caller's getting to
// know: records of Zed, whom Jon treats, and for those who see all clients, clinical
// records of anybody.
func hiddenFrom(name string) (out []string) {
	zed := client("zed", "jon", "elsewhere")
	mixed := []string{
		// About two people: whoever may see one of them alone sees nothing.
		`{"resourceType":"Appointment","id":"zed-with-anna","status":"booked","participant":[{"actor":{"reference":"Patient/zed"},"status":"accepted"},{"actor":{"reference":"Patient/anna"},"status":"accepted"}],"start":"2026-03-06T09:00:00Z"}`,
		`{"resourceType":"Observation","id":"zed-in-annas-session","status":"final",` + survey + `,"subject":{"reference":"Patient/zed"},"focus":[{"reference":"Patient/anna"}],"encounter":{"reference":"Encounter/anna-session"},` + fmt.Sprintf(code, "44261-6") + `,"effectiveDateTime":"2026-01-15"}`,
		`{"resourceType":"Goal","id":"zed-goal-2","subject":{"reference":"Patient/zed"},"lifecycleStatus":"active","identifier":[{"system":"urn:goal","value":"shared"}]}`,
	}
	clinical := []string{
		`{"resourceType":"Observation","id":"anna-hidden","status":"final",` + survey + `,"subject":{"reference":"Patient/anna"},` + fmt.Sprintf(code, "44261-6") + `}`,
		`{"resourceType":"Goal","id":"bert-hidden","subject":{"reference":"Patient/bert"},"lifecycleStatus":"active","identifier":[{"system":"urn:goal","value":"shared"}]}`,
		`{"resourceType":"Condition","id":"anna-hidden","subject":{"reference":"Patient/anna"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"F11.2"}]}}`,
		`{"resourceType":"ServiceRequest","id":"bert-hidden","status":"active","intent":"order","subject":{"reference":"Patient/bert"},"reasonCode":[{"text":"why"}]}`,
	}
	switch name {
	case "admin":
		return clinical[:3]
	case "intake":
		return clinical
	}
	return slices.Concat(zed, mixed, []string{consent("zed", "consent", "OPTIN", "")})
}

// searches asks whatever may give something away.
var searches = []string{
	"Patient", "Patient?identifier=urn:mrn|mrn-zed", "Patient?identifier=mrn-zed", "Patient?family=Family-zed", "Patient?family:contains=family", "Patient?_id=zed,anna",
	"Patient?_has:Observation:patient:code=44261-6", "Patient?_has:Goal:patient:identifier=shared", "Patient?_sort=-family", "Patient?_sort=-_lastUpdated",
	"Patient?_revinclude=Observation:subject&_revinclude=Appointment:actor&_revinclude=Goal:subject",
	"Observation", "Observation?subject=Patient/zed", "Observation?code=44261-6&_sort=date", "Observation?_sort=-date,code", "Observation?subject:Patient.family=Family-zed",
	"Observation?subject:Patient.identifier=mrn-zed", "Observation?encounter=Encounter/anna-session", "Observation?focus=Patient/anna", "Observation?code:not=44261-6",
	"Observation?_include=Observation:subject&_include=Observation:focus&_include=Observation:encounter", "Observation?date=ge2026-01-01", "Observation?date:missing=true",
	"Goal", "Goal?identifier=urn:goal|shared", "Goal?subject:Patient.family=Family-bert", "Condition?code=F11.2", "Condition?patient=Patient/anna",
	"Encounter?_revinclude=Observation:encounter", "Encounter?_has:Observation:encounter:code=44261-6", "Appointment?actor=Patient/anna", "Appointment?patient=Patient/zed",
	"EpisodeOfCare?care-manager=Practitioner/jon", "EpisodeOfCare?_include=EpisodeOfCare:patient", "ServiceRequest", "ServiceRequest?subject=Patient/bert", "Task?_include=Task:subject&_include=Task:focus",
	"Organization?_has:Patient:organization:family=Family-zed", "Organization?_revinclude=Patient:organization", "Practitioner?_has:EpisodeOfCare:care-manager:patient=Patient/zed",
	"Practitioner?_revinclude=EpisodeOfCare:care-manager", "Consent?patient=Patient/zed", "Consent",
}

var errTakenBack = errors.New("taken back")

// transcript is everything that a caller gets, by asking and by writing.
func (p *practice) transcript(ctx context.Context, name string, keys []string, qs []string) (out []string) {
	g := p.gate(name)
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, key := range keys {
		r, err := read(ctx, g, k(key))
		say("read %s: %s %s", key, r, told(err))
		for _, v := range []int64{1, 2} {
			r, err = vread(ctx, g, k(key), v)
			say("vread %s: %s %s", key, r, told(err))
		}
		h, err := history(ctx, g, k(key))
		past, _ := keysIn(h)
		say("history %s: %q %s", key, past, told(err))
		say("delete %s: %s", key, p.attempt(ctx, g, fhir.Delete, key, func(tx fhir.Tx) (fhir.Written, error) { return tx.Delete(ctx, k(key), fhir.Condition{}) }))
		say("delete the first %s: %s", key, p.attempt(ctx, g, fhir.Delete, key, func(tx fhir.Tx) (fhir.Written, error) { return tx.Delete(ctx, k(key), fhir.Condition{IfMatch: 1}) }))
	}
	for _, key := range []string{"Goal/zed-goal-2", "Goal/bert-hidden", "Goal/of-nobody"} {
		body := `{"resourceType":"Goal","id":"` + k(key).ID + `","lifecycleStatus":"active","subject":{"reference":"Patient/%s"}}`
		for _, about := range []string{"anna", "zed", "nobody"} {
			r := resource(p.t, fmt.Sprintf(body, about))
			say("update %s for %s: %s", key, about, p.attempt(ctx, g, fhir.Update, key, func(tx fhir.Tx) (fhir.Written, error) { return tx.Put(ctx, r, fhir.Condition{}) }))
			say("update the first %s for %s: %s", key, about, p.attempt(ctx, g, fhir.Update, key, func(tx fhir.Tx) (fhir.Written, error) { return tx.Put(ctx, r, fhir.Condition{IfMatch: 1}) }))
		}
	}
	for _, about := range []string{"anna", "zed", "nobody"} {
		r := resource(p.t, fmt.Sprintf(`{"resourceType":"Goal","id":"new","lifecycleStatus":"active","subject":{"reference":"Patient/%s"},"identifier":[{"system":"urn:goal","value":"shared"}]}`, about))
		q := p.query("Goal?identifier=urn:goal|shared")
		say("create unless it exists, for %s: %s", about, p.attempt(ctx, g, fhir.Create, "Goal/new", func(tx fhir.Tx) (fhir.Written, error) {
			return tx.Put(ctx, r, fhir.Condition{IfNoneExist: &q})
		}))
	}
	for _, s := range qs {
		for _, count := range []int{1, 3, 100} {
			say("%s by %d: %s", s, count, p.pages(ctx, g, s, count))
		}
	}
	return out
}

// attempt writes and takes it back.
func (p *practice) attempt(ctx context.Context, g fhir.Gate, i fhir.Interaction, key string, f func(fhir.Tx) (fhir.Written, error)) string {
	var w fhir.Written
	err := g.Update(ctx, fhir.Act{Interaction: i, Type: k(key).Type, ID: k(key).ID}, func(tx fhir.Tx) (err error) {
		if w, err = f(tx); err != nil {
			return err
		}
		return errTakenBack
	})
	if errors.Is(err, errTakenBack) {
		return fmt.Sprint(w.Key, " ", w.Version, " effect ", w.Effect)
	}
	return told(err)
}

// pages follows a search to its end.
func (p *practice) pages(ctx context.Context, g fhir.Gate, s string, count int) string {
	q := p.query(s)
	q.Count, q.Total = count, true
	var b strings.Builder
	for range 60 {
		set, err := find(ctx, g, q)
		if err != nil {
			return b.String() + told(err)
		}
		ms, is := keysIn(set)
		total := "none"
		if set.Total != nil {
			total = fmt.Sprint(*set.Total)
		}
		fmt.Fprintf(&b, "%q with %q of %s; ", ms, is, total)
		if set.Next == "" {
			return b.String()
		}
		q = fhir.Query{Type: q.Type, After: set.Next}
	}
	return b.String() + "without end"
}

func TestWhatACallerMayNotSeeChangesNothing(t *testing.T) {
	overStores(t, func(t *testing.T, open func(testing.TB) *practice) {
		callers := []string{"mira", "anna", "ehr", "hospital", "admin", "intake", "researcher", "auditor"}
		if strings.HasSuffix(t.Name(), "/memory") { // the same rules: enough to tell whose fault it is
			callers = []string{"mira", "hospital"}
		}
		for _, name := range callers {
			t.Run(name, func(t *testing.T) { t.Parallel(); nothingChanges(t, name, open) })
		}
	})
}

func nothingChanges(t *testing.T, name string, open func(testing.TB) *practice) {
	hidden := hiddenFrom(name)
	keys := append(idsOf(hidden), "Goal/never", "Patient/anna", "Observation/anna-score", "Task/anna-task")
	without := open(t)
	without.load(world()...)
	want := map[string][]string{}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, len(hidden)).Draw(rt, "how many")
		added := rapid.Permutation(hidden).Draw(rt, "hidden")[:n]
		qs := rapid.Permutation(searches).Draw(rt, "searches")[:4]
		ks := rapid.Permutation(keys).Draw(rt, "keys")[:3]
		with := open(t)
		with.load(world()...)
		with.load(added...)
		if rapid.Bool().Draw(rt, "a second version") {
			with.load(added[0])
		}
		if rapid.Bool().Draw(rt, "one removed") {
			with.remove(idsOf(added)[n-1])
		}
		id := strings.Join(append(slices.Clone(ks), qs...), " ")
		if want[id] == nil {
			want[id] = without.transcript(rt.Context(), name, ks, qs)
		}
		got := with.transcript(rt.Context(), name, ks, qs)
		for i := range got {
			if got[i] != want[id][i] {
				rt.Fatalf("hidden: %q\n with: %s\nwithout: %s", idsOf(added), got[i], want[id][i])
			}
		}
	})
}
