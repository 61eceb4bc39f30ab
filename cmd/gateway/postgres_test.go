package main

import (
	"bytes"
	"net/http"
	"os/exec"
	"slices"
	"testing"

	"rapport/adapters/issuer"
	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/policy"
)

// The same gateway on PostgreSQL: what is written is found, what is hidden stays so, and
// an upload gives the same resources as on SQLite.
func TestTheGatewayRunsOnPostgreSQLAsOnSQLite(t *testing.T) {
	dsn := pgtest.Start(t)
	w := &world{T: t, i: instanceIn(t, t.TempDir(), func(c *Config) { c.Store = Store{Postgres: dsn} })}
	w.base = w.i.cfg.URL
	w.importer = w.as(issuer.Grant{Role: policy.Integration})
	w.a, w.b = w.admit("alder"), w.admit("birch")
	c := w.therapistOf(w.a)
	for typ, k := range w.a.about {
		if typ == "Provenance" {
			continue // the record of what was done is not a therapist's to read
		}
		if a := w.send(c, http.MethodGet, "/"+typ+"?_total=accurate&_sort=_lastUpdated", ""); !slices.Equal(w.entries(a, true), []fhir.Key{k}) || w.total(a) != 1 {
			t.Errorf("%s: the own therapist finds %v of %d", typ, w.entries(a, true), w.total(a))
		}
		if a := w.send(c, http.MethodGet, "/"+w.b.about[typ].String(), ""); a.status != http.StatusNotFound {
			t.Errorf("%s of the other client: %d", typ, a.status)
		}
	}

	upload := fixture.Path(t, "fixtures/pmhc-v4/example-files/PMHC-4-0-treatment.zip")
	sum, err := w.i.importFrom(t.Context(), "two", "pmhc-v4", upload, nil)
	if err == nil && sum.Complete() {
		t.Error("rows of another tenant were taken")
	}
}

func TestAnUploadGivesTheSameTwiceAndTheSecondTimeNothingNew(t *testing.T) {
	gateway, dir := theGateway(t), t.TempDir()
	upload := fixture.Path(t, "fixtures/pmhc-v4/example-files/PMHC-4-0-treatment.zip")
	run := func(args ...string) []byte {
		t.Helper()
		out, err := exec.Command(gateway, args...).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	args := []string{"import", "--data", dir, "--tenant", "PHN999", "--site", "pmhc-v4", upload}
	run(args...)
	first := run("dump", "--data", dir)
	run(args...)
	if second := run("dump", "--data", dir); !bytes.Equal(first, second) {
		t.Error("importing again made new versions")
	}
}
