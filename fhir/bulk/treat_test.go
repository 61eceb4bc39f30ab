package bulk_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/bulk"
	"rapport/fhir/rest"
)

// masking replaces ids by hashes and keeps nothing else; it counts what it is shown.
type masking struct {
	refuse   error
	surveyed []string
	fail     string // the id of a resource that it cannot transform
}

func (m *masking) mask(k fhir.Key) string {
	h := sha256.Sum256([]byte("project|" + k.String()))
	return hex.EncodeToString(h[:8])
}

func (m *masking) Survey(_ context.Context, all func(...string) iter.Seq2[fhir.Resource, error]) error {
	m.surveyed = nil
	for r, err := range all() {
		if err != nil {
			return err
		}
		m.surveyed = append(m.surveyed, r.Key.String())
	}
	n := 0
	for r, err := range all("Patient") {
		if err != nil || r.Type != "Patient" {
			return errors.Join(err, fmt.Errorf("%s", r.Type))
		}
		n++
	}
	if n == 0 {
		return &fhir.Error{Code: fhir.BusinessRule, Detail: "The release is refused: nobody is in it."}
	}
	return m.refuse
}

func (m *masking) Transform(_ context.Context, r fhir.Resource) (fhir.Resource, bool, error) {
	if r.ID == m.fail {
		return r, false, errors.New("it cannot be read")
	}
	if r.Type == "Consent" {
		return fhir.Resource{}, false, nil
	}
	out, err := fhir.NewObject().Set("resourceType", r.Type).Set("id", m.mask(r.Key)).Resource()
	return out, true, err
}

func (m *masking) Attach(_ context.Context, all func(...string) iter.Seq2[fhir.Resource, error], create func(name, media string) (io.WriteCloser, error)) error {
	for _, typ := range []string{"Patient", "Goal"} {
		w, err := create(typ+".csv", "text/csv")
		if err != nil {
			return err
		}
		fmt.Fprintln(w, "pid")
		for r, err := range all(typ) {
			if err != nil {
				return err
			}
			fmt.Fprintln(w, r.ID)
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (m *masking) Stamp() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// research is a world whose treatment is m.
func research(t *testing.T, m *masking, change ...func(*bulk.Config)) *world {
	return researchIn(newWorld(t, append([]func(*bulk.Config){small}, change...)...), m)
}

func researchIn(w *world, m *masking) *world {
	w.treat = func(context.Context, bulk.Job) (bulk.Treatment, error) { return m, nil }
	w.load(practice()...)
	return w
}

func TestAResearcherGetsWhatATreatmentLeavesOfThoseWhoAgreed(t *testing.T) {
	onBoth(t, func(t *testing.T, newWorld func(...func(*bulk.Config)) *world) {
		m := &masking{}
		w := researchIn(newWorld(small), m)
		status := w.start("researcher", "GET $export")
		w.work()
		man := w.manifest("researcher", status)
		for _, k := range m.surveyed {
			if strings.Contains(k, "bert") {
				t.Errorf("%s is surveyed", k)
			}
		}
		if !slices.Contains(m.surveyed, "Patient/anna") || !slices.Contains(m.surveyed, "QuestionnaireResponse/cara-response") {
			t.Errorf("surveyed: %q", m.surveyed)
		}
		want := []string{}
		for _, k := range m.surveyed {
			key, _ := fhir.ParseKey(k)
			if key.Type != "Consent" {
				want = append(want, key.Type+"/"+m.mask(key))
			}
		}
		slices.Sort(want)
		if got := w.keys("researcher", man); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		// Nothing of the source stands in the manifest, and no time but the release's own.
		r := w.ask("researcher", "GET "+status, "")
		if man.TransactionTime != "2026-01-01T00:00:00.000000Z" || man.Request != base+"/$export" {
			t.Errorf("%s", r.Body)
		}
		if len(man.Extension.Attachments) != 2 || man.Extension.Attachments[0].Name != "Patient.csv" || man.Extension.Attachments[0].ContentType != "text/csv" {
			t.Fatalf("%s", r.Body)
		}
		csv := w.take("researcher", man.Extension.Attachments[0])
		if rows := strings.Fields(csv); len(rows) != 3 || rows[0] != "pid" {
			t.Errorf("%q", csv)
		}
		w.ordered(w.lines("researcher", man.Output))
		// What was gathered is gone; what was made of it stays, sealed.
		for _, p := range w.files() {
			if strings.HasSuffix(p, ".data") || strings.Contains(p, "/run-") {
				t.Errorf("%s is still there", p)
			}
		}
	})
}

// ordered: lines stand in the order of the pseudonyms, whatever the order in the store.
func (w *world) ordered(lines []string) {
	w.Helper()
	last := fhir.Key{}
	for _, l := range lines {
		r, err := fhir.Parse([]byte(l))
		if err != nil || r.Type == last.Type && r.ID <= last.ID {
			w.Errorf("%s follows %s (%v)", r.Key, last, err)
		}
		last = r.Key
	}
}

func TestAGroupsReleaseDoesNotNameTheGroup(t *testing.T) {
	w := research(t, &masking{})
	status := w.start("researcher", "GET Group/arm/$export?_type=Patient,Goal")
	w.work()
	r := w.ask("researcher", "GET "+status, "")
	m := w.manifest("researcher", status)
	if strings.Contains(string(r.Body), "arm") || m.Request != base+"/$export?_type=Patient%2CGoal" {
		t.Errorf("%s", r.Body)
	}
	if len(m.Error) != 0 { // of types that are read and not shown nobody asked
		t.Errorf("%s", r.Body)
	}
	if got := w.keys("researcher", m); len(got) != 2 { // Anna and her goal; Cara is not in the Group
		t.Errorf("%q", got)
	}
}

// How much was read tells, with the release, how much was withheld, and of a Group's how many
// agreed; so would the numbers of files that are left out.
func TestAReleaseDoesNotTellHowMuchItWasMadeOf(t *testing.T) {
	w := research(t, &masking{})
	status := w.start("researcher", "GET $export")
	told := map[string]bool{}
	w.exports.CrashAt(func(string) error {
		told[w.ask("researcher", "GET "+status, "").Header.Get("X-Progress")] = true
		return nil
	})
	w.work()
	for p := range told {
		if p == "" || strings.ContainsAny(p, "0123456789") && !strings.HasPrefix(p, "reading, at type ") {
			t.Errorf("while it runs it tells %q", p)
		}
	}
	if len(told) < 3 {
		t.Errorf("it tells %v", told)
	}
	m := w.manifest("researcher", status)
	for n, f := range append(m.Output, m.Extension.Attachments...) {
		if !strings.HasSuffix(f.URL, fmt.Sprintf("/%d", n)) {
			t.Errorf("file %d is at %s", n, f.URL)
		}
	}
}

func TestAReleaseThatIsRefusedLeavesNothing(t *testing.T) {
	for name, m := range map[string]*masking{
		"by the survey":    {refuse: &fhir.Error{Code: fhir.BusinessRule, Detail: "The cohort differs by 1 to 10 people from an earlier one."}},
		"by its transform": {fail: "anna-score"},
	} {
		t.Run(name, func(t *testing.T) {
			w := research(t, m)
			status := w.start("researcher", "GET $export")
			for range 10 {
				w.work()
				w.move(time.Minute)
			}
			r := w.ask("researcher", "GET "+status, "")
			if m.refuse != nil && (r.Status != 422 || !strings.Contains(string(r.Body), "1 to 10")) || m.fail != "" && (r.Status != 500 || strings.Contains(string(r.Body), "cannot be read")) {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if left := w.files(); len(left) > 0 {
				t.Errorf("on disk there are %q", left)
			}
		})
	}
}

func TestWithoutATreatmentAResearcherGetsNothing(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	status := w.start("researcher", "GET $export")
	w.work()
	if r := w.ask("researcher", "GET "+status, ""); r.Status != 403 || len(w.files()) > 0 {
		t.Errorf("%d %s, on disk %q", r.Status, r.Body, w.files())
	}
}

// Even a composition root that forgets to say that a researcher's job needs treatment
// hands out nothing.
func TestAResearcherHasNoExportButTheTreatedOne(t *testing.T) {
	w := newWorld(t, func(c *bulk.Config) {
		grant := c.Grant
		c.Grant = func(ctx context.Context, r *rest.Request) (bulk.Grant, error) {
			g, err := grant(ctx, r)
			g.Treated = false
			return g, err
		}
	})
	w.load(practice()...)
	if r := w.ask("researcher", "GET $export", "", async...); r.Status != 403 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestAWithdrawnConsentToResearchStopsTheDownload(t *testing.T) {
	w := research(t, &masking{})
	status := w.start("researcher", "GET $export")
	w.work()
	m := w.manifest("researcher", status)
	w.load(agreed("cara", "research", "deny"))
	refused := 0
	for _, i := range append(m.Output, m.Extension.Attachments...) {
		r := w.ask("researcher", "GET "+i.URL, "")
		switch {
		case r.Status == 410:
			refused++
		case r.Status != 200, slices.Contains([]string{"Patient", "Goal", "Observation", "QuestionnaireResponse", ""}, i.Type):
			t.Errorf("%s%s: %d", i.Type, i.Name, r.Status)
		}
	}
	if refused < 6 {
		t.Errorf("%d files are refused", refused)
	}
}

func TestAKilledReleaseComesToTheSameEnd(t *testing.T) {
	w := research(t, &masking{})
	for n := range 12 {
		name := fmt.Sprintf("client-%02d", n)
		w.load(client(name)...)
		w.load(agreed(name, "research", "permit"))
	}
	whole := w.start("researcher", "GET $export")
	w.work()
	want := w.lines("researcher", w.manifest("researcher", whole).Output)
	w.ordered(want) // more than is sorted in memory at a time
	for every := 3; every < 40; every += 9 {
		status := w.start("researcher", "GET $export")
		deaths := w.killed(status, "researcher", every)
		m := w.manifest("researcher", status)
		if got := w.lines("researcher", m.Output); !slices.Equal(got, want) {
			t.Errorf("killed %d times: %d lines, want %d", deaths, len(got), len(want))
		}
		w.ask("researcher", "DELETE "+status, "")
	}
}

func TestATreatmentNamesItsFilesPlainly(t *testing.T) {
	for _, name := range []string{"../x", "a/b", "", ".hidden", "a b", "a\"b", "Patient.csv"} {
		t.Run(name, func(t *testing.T) {
			w := research(t, nil)
			w.treat = func(context.Context, bulk.Job) (bulk.Treatment, error) { return &naming{name: name}, nil }
			status := w.start("researcher", "GET $export?_type=Patient,Goal")
			for range 8 {
				w.work()
				w.move(time.Minute)
			}
			if r := w.ask("researcher", "GET "+status, ""); r.Status != 500 {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

type naming struct {
	masking
	name string
}

func (n *naming) Attach(ctx context.Context, all func(...string) iter.Seq2[fhir.Resource, error], create func(name, media string) (io.WriteCloser, error)) error {
	if err := n.masking.Attach(ctx, all, create); err != nil {
		return err
	}
	w, err := create(n.name, "text/csv")
	if err != nil {
		return err
	}
	return w.Close()
}
