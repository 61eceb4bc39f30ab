package intake_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/fhir/store/storetest"
	"rapport/mapping/intake"
	"rapport/policy"
)

const examples = "fixtures/pmhc-v4/example-files/PMHC-4-0-"

// upload is one of the published uploads: rows by file, the header first.
type upload map[string][][]string

func uploadOf(t testing.TB, name string) upload {
	t.Helper()
	z, err := zip.OpenReader(fixture.Path(t, examples+name+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	u := upload{}
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if u[filepath.Base(f.Name)], err = csv.NewReader(bytes.NewReader(b)).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// only keeps what describes an upload and the tables that are named, with those of
// their rows that hold a text.
func (u upload) only(rows map[string]string) upload {
	out := upload{"metadata.csv": u["metadata.csv"], "organisations.csv": u["organisations.csv"]}
	for name, holds := range rows {
		out[name] = [][]string{u[name][0]}
		for _, r := range u[name][1:] {
			if slices.Contains(r, holds) {
				out[name] = append(out[name], r)
			}
		}
	}
	return out
}

func (u upload) write(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, rows := range u {
		var b bytes.Buffer
		if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// after imports uploads into a store of its own and returns what is there then.
func after(t testing.TB, paths ...string) (map[fhir.Key]fhir.Resource, *house) {
	t.Helper()
	h := newHouse(t, storetest.NewMemory(time.Now))
	for _, p := range paths {
		if sum := h.take(t, p); !sum.Complete() {
			t.Fatalf("%s", sum)
		}
	}
	return current(t, h.store), h
}

// take imports an upload.
func (h *house) take(t testing.TB, path string) intake.Summary {
	t.Helper()
	c := config(t, h.as(policy.Integration), embedded(t, "pmhc-v4"), path, "PHN999")
	c.NewID = func() string { return rand.Text() }
	sum, err := intake.Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func sameStore(t interface{ Errorf(string, ...any) }, got, want map[fhir.Key]fhir.Resource) {
	for k, r := range want {
		if g, ok := got[k]; !ok || !fhir.SameContent(g, r) {
			t.Errorf("%s is another one, or not there", k)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s should not be there", k)
		}
	}
}

func TestAnIntakeMayBeUploadedBeforeOrAfterItsTreatment(t *testing.T) {
	in, tr := fixture.Path(t, examples+"intake.zip"), fixture.Path(t, treatment)
	first, h := after(t, in, tr)
	last, _ := after(t, tr, in)
	sameStore(t, last, first)
	// Each episode names the request that led to it, and the request is there.
	n := 0
	for _, r := range first {
		if r.Type != "EpisodeOfCare" {
			continue
		}
		k, _ := r.Root().Get("referralRequest").Index(0).Ref()
		if _, ok := first[k]; !ok || k.Type != "ServiceRequest" {
			t.Errorf("%s comes from %s, which is not there", r.Key, k)
		}
		n++
	}
	if n != 10 {
		t.Errorf("%d episodes", n)
	}
	if len(h.alarms) > 0 {
		t.Errorf("%q", h.alarms)
	}
}

func TestAWorkbookIsTheSameUploadAsItsZip(t *testing.T) {
	zipped, _ := after(t, fixture.Path(t, treatment))
	book, _ := after(t, fixture.Path(t, examples+"treatment.xlsx"))
	sameStore(t, book, zipped)
}

func TestTheSameClientKeyInTwoOrganisationsIsTwoPeople(t *testing.T) {
	now, _ := after(t, fixture.Path(t, examples+"intake.zip"), fixture.Path(t, treatment), fixture.Path(t, examples+"combined.zip"))
	var people []string
	for _, r := range now {
		if r.Type == "Patient" {
			for id := range r.Root().Get("identifier").Elements() {
				if v := text(id, "value"); strings.HasSuffix(v, "|C400") {
					people = append(people, v)
				}
			}
		}
	}
	slices.Sort(people)
	if strings.Join(people, " ") != "PHN999:Intake01|C400 PHN999:IntakeTreatment01|C400 PHN999:Treatment01|C400" {
		t.Errorf("C400 is %q", people)
	}
}

// notOfRows are types of what no row with a delete column gives: organisations have
// none, and forms are the product's.
var notOfRows = []string{"Organization", "Questionnaire"}

func TestADeleteFileLeavesNothingOfItsRows(t *testing.T) {
	combined, gone := fixture.Path(t, examples+"combined.zip"), fixture.Path(t, examples+"combined-delete.zip")
	now, h := after(t, combined, gone)
	for k := range now {
		if !slices.Contains(notOfRows, k.Type) {
			t.Errorf("%s is still there", k)
		}
	}
	sum := h.take(t, gone)
	if sum.Changed() || !sum.Complete() {
		t.Errorf("the second time it changed something\n%s", sum)
	}
	// What was taken back can be told again.
	again, _ := after(t, combined, gone, combined)
	whole, _ := after(t, combined)
	sameStore(t, again, whole)
}

func TestADeletedRowIsTakenOutOfTheRecordsItWentInto(t *testing.T) {
	whole, gone := uploadOf(t, "combined"), uploadOf(t, "combined-delete")
	before, _ := after(t, whole.write(t))
	count := func(now map[fhir.Key]fhir.Resource, typ, list string) (n int) {
		for _, r := range now {
			if r.Type == typ {
				n += max(r.Root().Get(list).Len(), 1-min(1, len(list)))
			}
		}
		return n
	}
	for name, c := range map[string]struct {
		table, row, typ, list string
		less                  int
	}{
		"a practitioner of a contact": {"service-contact-practitioners.csv", "SCPK400", "Encounter", "participant", 1},
		"one of two at a contact":     {"service-contact-practitioners.csv", "SCPK410", "Encounter", "participant", 1},
		"the intake of an episode":    {"intake-episodes.csv", "E400", "EpisodeOfCare", "referralRequest", 1},
		"when measures were taken":    {"collection-occasions.csv", "CO404", "QuestionnaireResponse", "", 2},
		"a measure":                   {"k5.csv", "K5M401", "QuestionnaireResponse", "", 1},
		"an assessment":               {"iar-dst.csv", "IarDstIM03", "QuestionnaireResponse", "", 1},
		"a contact":                   {"service-contacts.csv", "S403", "Encounter", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			now, h := after(t, whole.write(t), gone.only(map[string]string{c.table: c.row}).write(t))
			if got, want := count(now, c.typ, c.list), count(before, c.typ, c.list)-c.less; got != want {
				t.Errorf("%d are left, want %d", got, want)
			}
			for _, r := range now {
				if strings.Contains(string(r.Body()), c.row+`"`) && r.Type == c.typ && c.row != "E400" {
					t.Errorf("%s speaks of it still", r.Key)
				}
			}
			if len(h.alarms) > 0 {
				t.Errorf("%q", h.alarms)
			}
		})
	}
}

// A row that names the episode alone means the intakes that were known before.
func TestAnIntakeThatIsToldWithTheDeletionOfTheOthersStays(t *testing.T) {
	for name, last := range map[string]bool{"the deletion comes last": true, "the deletion comes first": false} {
		t.Run(name, func(t *testing.T) {
			u := withDelete(uploadOf(t, "combined"))
			path := u.write(t)
			told := u.row(t, "intake-episodes.csv", "E400")
			told[4] = "I401"
			gone := []string{told[0], "E400", "delete", "", ""}
			if rows := u["intake-episodes.csv"]; last {
				u["intake-episodes.csv"] = append(rows, gone)
			} else {
				u["intake-episodes.csv"] = slices.Insert(rows, 1, gone)
			}
			now, _ := after(t, path, u.write(t))
			u["intake-episodes.csv"] = slices.DeleteFunc(u["intake-episodes.csv"], func(r []string) bool { return r[2] == "delete" && r[1] == "E400" })
			want, _ := after(t, u.write(t))
			sameStore(t, now, want)
		})
	}
}

// SCPK400 and SCPK410 are the practitioners of the contact S400.
func TestARowThatMovesToAnotherRecordLeavesTheFormerOne(t *testing.T) {
	for name, edit := range map[string]func(u upload){
		"the former contact is in the upload": func(upload) {},
		"the former contact is not in the upload": func(u upload) {
			u.leave("service-contacts.csv", "S400")
			u.leave("service-contact-practitioners.csv", "SCPK400")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, u := newHouse(t, storetest.NewMemory(time.Now)), uploadOf(t, "combined")
			h.take(t, u.write(t))
			u.row(t, "service-contact-practitioners.csv", "SCPK410")[2] = "S401"
			want, _ := after(t, u.write(t))
			edit(u)
			if sum := h.take(t, u.write(t)); !sum.Complete() || sum.Resource("Encounter").Updated != 2 {
				t.Errorf("%s", sum)
			}
			sameStore(t, current(t, h.store), want)
			if sum := h.take(t, u.write(t)); sum.Changed() {
				t.Errorf("the second time it changed something:\n%s", sum)
			}
		})
	}
}

func TestWhatRestsOnARowThatIsTakenBackIsNotStored(t *testing.T) {
	u := uploadOf(t, "combined")
	u["clients.csv"][0] = slices.Insert(u["clients.csv"][0], 2, "delete")
	for i, r := range u["clients.csv"][1:] {
		word := ""
		if r[1] == "C404" {
			word = "delete"
		}
		u["clients.csv"][i+1] = slices.Insert(r, 2, word)
	}
	m := newMemory()
	sum := imported(t, m, "pmhc-v4", u.write(t), "PHN999")
	if sum.Table("clients.csv").Unchanged != 1 || len(m.of("Patient")) != 4 || sum.Table("episodes.csv").Quarantined == 0 {
		t.Errorf("%s", sum)
	}
}

// A store's state rests on which uploads came, not on their order, but that what was
// told and taken back is gone, and what was taken back and told is there; nor on the
// order of rows.
func TestNeitherTheOrderOfUploadsNorThatOfRowsMatters(t *testing.T) {
	names := []string{"treatment", "intake", "combined", "combined-delete"}
	all := map[string]upload{}
	want := map[bool]map[fhir.Key]fhir.Resource{}
	var paths []string
	for _, n := range names {
		all[n] = uploadOf(t, n)
		paths = append(paths, all[n].write(t))
	}
	want[true], _ = after(t, paths...)
	want[false], _ = after(t, paths[0], paths[1], paths[3], paths[2])
	// Each run imports four uploads: few runs, other ones every time.
	seed := mathrand.Uint64()
	t.Logf("seed %d", seed)
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	for range 6 {
		order := slices.Clone(names)
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		var paths []string
		for _, n := range order {
			shuffled := upload{}
			for name, rows := range all[n] {
				shuffled[name] = slices.Clone(rows)
				body := shuffled[name][1:]
				r.Shuffle(len(body), func(i, j int) { body[i], body[j] = body[j], body[i] })
			}
			paths = append(paths, shuffled.write(t))
		}
		now, _ := after(t, paths...)
		t.Run(strings.Join(order, " then "), func(t *testing.T) {
			sameStore(t, now, want[slices.Index(order, "combined") < slices.Index(order, "combined-delete")])
		})
	}
}
