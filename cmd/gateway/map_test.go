package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func checked(t *testing.T, src string) (string, error) {
	t.Helper()
	name := src
	if strings.Contains(src, "\n") {
		name = filepath.Join(t.TempDir(), "practice.yaml")
		if err := os.WriteFile(name, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	err := mapCheckCommand{File: name}.check(&b)
	return b.String(), err
}

func TestASiteFilesFaultsAreToldAllAtOnceWithTheirPlaces(t *testing.T) {
	out, err := checked(t, `site: x
version: 1
system: urn:example:x
timezone: Europe/Zurch
codes:
  sex: {map: {f: female}}
tables:
  clients:
    columns: [id, surname, sex, born]
    key: idd
    emit:
      - kind: clinet
        fields:
          name: {fields: {family: surname}}
          gender: {from: sex, code: sexx}
`)
	if err == nil || !strings.Contains(err.Error(), "7 faults") {
		t.Errorf("%v", err)
	}
	want := []string{
		"practice.yaml:4:11: timezone is a zone", "practice.yaml:8:3: table clients needs a key", "practice.yaml:9:15: nothing uses column id", "practice.yaml:9:33: nothing uses column born; map it or name it under ignore",
		"practice.yaml:10:10: no column idd in the header (did you mean id?)", "practice.yaml:12:15: there is no kind of record called clinet (did you mean client?)",
		"practice.yaml:15:37: no code table sexx (did you mean sex?)",
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i, w := range want {
		if i >= len(lines) || !strings.HasPrefix(lines[i], w) {
			t.Fatalf("line %d is not %q:\n%s", i+1, w, out)
		}
	}
}

func TestAGoodSiteFileIsToldAsWhatItWouldRead(t *testing.T) {
	out, err := checked(t, "extends: pmhc-v4\nsite: pmhc-north\nversion: 3\ntimezone: Australia/Perth\ncodes:\n  gender: {map: {x: other}}\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"pmhc-north 3 on pmhc-v4 ", "times of day are those of Australia/Perth", "\nintakes.csv, by organisation_path, intake_key\n  gives     referral, consent\n",
		"sheet     K10+", "gives     no record by itself", "finds     collection-occasions, episodes", "optional  delete", "deletes",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not told:\n%s", want, out)
		}
	}
	if out, err = checked(t, "practice-csv"); err != nil || !strings.Contains(out, "clients.csv, by organisation, client") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAnExtensionThatReachesTooFarIsToldWhere(t *testing.T) {
	out, err := checked(t, "extends: pmhc-v4\nsite: x\nversion: 1\ntimezone: unknown\ntables:\n  clients: {}\ncodes:\n  gendr: {map: {x: other}}\n")
	if err == nil || !strings.Contains(out, "practice.yaml:5:1: unknown key tables") || !strings.Contains(out, "practice.yaml:8:3: gendr is none of the code tables") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err = checked(t, filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "no such site file") {
		t.Errorf("%v", err)
	}
}
