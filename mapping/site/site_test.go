package site

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rapport/fhir"
)

func TestTheShippedSiteFilesCompile(t *testing.T) {
	if want := []string{"pmhc-v4", "practice-csv"}; !slices.Equal(Names(), want) {
		t.Errorf("there are %v, want %v", Names(), want)
	}
	for _, name := range Names() {
		m, err := Embedded(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.Name != name || len(m.Digest) != 64 {
			t.Errorf("%s calls itself %s, digest %s", name, m.Name, m.Digest)
		}
	}
}

func TestATableComesBehindThoseThatItNeeds(t *testing.T) {
	m, err := Embedded("pmhc-v4")
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, table := range m.Tables {
		at[table.Name] = i
	}
	for later, before := range map[string][]string{
		"clients": {"organisations"}, "episodes": {"clients", "intake-episodes"}, "k5": {"collection-occasions", "episodes"},
		"service-contacts": {"episodes", "practitioners", "service-contact-practitioners"},
	} {
		for _, b := range before {
			if at[b] > at[later] {
				t.Errorf("%s is read before %s", later, b)
			}
		}
	}
}

func TestASiteFileThatIsNotThereIsNamedWithItsLikes(t *testing.T) {
	if _, err := Embedded("pmhc-v3"); !fhir.Is(err, fhir.NotFound) || !strings.Contains(err.Error(), "did you mean pmhc-v4?") {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.yaml")); !fhir.Is(err, fhir.NotFound) || strings.Contains(fhir.IssuesOf(err)[0].Detail, dir) {
		t.Errorf("%v", err)
	}
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, []byte(strings.Repeat("#\n", maxFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("%v", err)
	}
}

func TestAPracticesOwnFileChangesWhatCodesMeanAndTheDigest(t *testing.T) {
	base, err := Embedded("practice-csv")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse("mine.yaml", []byte("extends: practice-csv\nsite: mine\nversion: 3\ntimezone: unknown\ncodes: {gender: {map: {w: female}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Version != "mine 3 on practice-csv 1" || m.Digest == base.Digest || m.Zone != nil || m.System != base.System {
		t.Errorf("%s, %s, %v, %s", m.Version, m.Digest, m.Zone, m.System)
	}
	table := m.Table("CLIENTS.CSV")
	row := Row{Place{"clients.csv", 2}, []string{"lindenhof", "X", "Moos", "Ida", "1990", "", "w", "", "", "", "", "", "", ""}}
	rs, _, err := table.Map(row, nil)
	if err != nil || !strings.Contains(string(rs[0].JSON), `"gender":"female"`) {
		t.Errorf("%v, %v", rs, err)
	}
}

func TestNoTwoListsOfPartsMakeOneKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringOfN(rapid.RuneFrom([]rune(`ab|\ `)), 0, 4, -1)
		a, b := rapid.SliceOfN(part, 1, 3).Draw(t, "a"), rapid.SliceOfN(part, 1, 3).Draw(t, "b")
		if slices.Equal(a, b) != (JoinKey(a...) == JoinKey(b...)) {
			t.Fatalf("%q and %q give %q and %q", a, b, JoinKey(a...), JoinKey(b...))
		}
	})
}

func TestARefusalShowsCodesAndHidesText(t *testing.T) {
	m, err := Embedded("practice-csv")
	if err != nil {
		t.Fatal(err)
	}
	for value, shown := range map[string]bool{"zz": true, "PY301": true, "Iris": false, "Iris Ahorn": false, "iris@mail.example": false, "01041988": false} {
		row := Row{Place{"clients.csv", 2}, []string{"lindenhof", "X", "Moos", "Ida", "1990", "", value, "", "", "", "", "", ""}}
		_, _, err := m.Table("clients").Map(row, nil)
		if err == nil || strings.Contains(err.Error(), value) != shown {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// A delete that is misspelt is no update of what it means to take back.
func TestARowOfWhichItIsNotClearWhetherItDeletesIsRefused(t *testing.T) {
	m, err := Embedded("pmhc-v4")
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, table := range m.Tables {
		at := slices.Index(table.Columns, "delete")
		if at < 0 {
			continue
		}
		tables++
		for said, clear := range map[string]bool{"": true, "delete": true, "Delete": false, "D": false, "1": false} {
			row := Row{Values: make([]string, len(table.Columns))}
			row.Values[at] = said
			refusal := table.Check(row)
			if unclear := refusal != nil && strings.Contains(refusal.Error(), "the word delete"); unclear == clear {
				t.Errorf("%s, %q: %v", table.Name, said, refusal)
			}
		}
	}
	if tables != 12 {
		t.Errorf("%d tables have rows that delete", tables)
	}
}
