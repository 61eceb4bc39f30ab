package policy_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
)

var update = flag.Bool("update", false, "write golden files")

func TestEachRoleSeesWhatTheHouseSays(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	var b strings.Builder
	fmt.Fprintln(&b, "# What each caller reads of the practice in world_test.go. «door» are types refused before any look-up. Then what each exports, and gets for research.")
	for _, name := range names {
		var sees, doors []string
		for _, key := range idsOf(world()) {
			_, err := read(ctx, p.gate(name), k(key))
			switch {
			case err == nil:
				sees = append(sees, key)
			case fhir.Is(err, fhir.Forbidden):
				if typ := k(key).Type; !slices.Contains(doors, typ) {
					doors = append(doors, typ)
				}
			case !fhir.Is(err, fhir.NotFound):
				t.Errorf("%s reads %s: %v", name, key, err)
			}
		}
		slices.Sort(doors)
		fmt.Fprintf(&b, "-- %s --\ndoor: %s\n", name, strings.Join(doors, " "))
		for _, s := range sees {
			fmt.Fprintln(&b, s)
		}
	}
	for _, name := range names {
		for _, how := range []fhir.Interaction{fhir.Export, fhir.Study} {
			keys, forbidden := exported(t, p, p.gate(name), how)
			if forbidden == len(spec.Capability().Types) {
				continue
			}
			fmt.Fprintf(&b, "-- %s, %s --\n", name, how)
			for _, key := range idsOf(world()) {
				if slices.Contains(keys, key) {
					fmt.Fprintln(&b, key)
				}
			}
		}
	}
	const golden = "testdata/roles.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("differs from %s:\n%s", golden, got)
	}
}

// What a caller reads is what it finds, counts, includes and sees the history of.
func TestReadingSearchingAndHistoryAgree(t *testing.T) {
	overStores(t, func(t *testing.T, open func(testing.TB) *practice) { agree(t, open(t)) })
}

func agree(t *testing.T, p *practice) {
	p.load(world()...)
	p.load(world()[7], world()[9]) // second versions
	ctx := t.Context()
	for _, name := range names {
		g := p.gate(name)
		visible := map[string]bool{}
		for _, key := range idsOf(world()) {
			_, err := read(ctx, g, k(key))
			visible[key] = err == nil
			if _, verr := vread(ctx, g, k(key), 1); (verr == nil) != (err == nil) || verr != nil && told(verr) != told(err) {
				t.Errorf("%s: read of %s: %v, vread: %v", name, key, err, verr)
			}
			h, herr := history(ctx, g, k(key))
			if (herr == nil) != (err == nil) || herr == nil && len(h.Entries) == 0 || herr != nil && told(herr) != told(err) {
				t.Errorf("%s: read of %s: %v, history: %v", name, key, err, herr)
			}
		}
		for _, typ := range spec.Capability().Types {
			var want []string
			for key, ok := range visible {
				if ok && k(key).Type == typ.Name {
					want = append(want, key)
				}
			}
			slices.Sort(want)
			q := p.query(typ.Name + "?_total=accurate&_count=100")
			set, err := find(ctx, g, q)
			if fhir.Is(err, fhir.Forbidden) && len(want) == 0 {
				continue
			}
			if err != nil {
				t.Errorf("%s searches %s: %v", name, typ.Name, err)
				continue
			}
			got, _ := keysIn(set)
			slices.Sort(got)
			if !slices.Equal(got, want) || set.Total == nil || *set.Total != len(want) {
				t.Errorf("%s searches %s: %q, total %v, but reads %q", name, typ.Name, got, *set.Total, want)
			}
		}
		for _, q := range []string{"Observation?_include=Observation:subject&_include=Observation:encounter&_include=Observation:derived-from&_count=100",
			"Patient?_revinclude=Observation:subject&_revinclude=EpisodeOfCare:patient&_revinclude=Task:patient&_count=100"} {
			set, err := find(ctx, g, p.query(q))
			if err != nil {
				continue
			}
			for _, e := range set.Entries {
				if !visible[e.Key.String()] {
					t.Errorf("%s: %s answered with %s, which it cannot read", name, q, e.Key)
				}
			}
		}
	}
}

func TestAVersionOfWhenSomebodyElseWasMeantIsNotShown(t *testing.T) {
	p := open(t)
	p.load(world()...)
	// The goal was entered for Bert by mistake, then corrected.
	p.load(`{"resourceType":"Goal","id":"mixed","subject":{"reference":"Patient/bert"},"lifecycleStatus":"active"}`)
	p.load(`{"resourceType":"Goal","id":"mixed","subject":{"reference":"Patient/anna"},"lifecycleStatus":"active"}`)
	ctx := t.Context()
	mira, jon := p.gate("mira"), p.gate("jon")
	if _, err := vread(ctx, mira, k("Goal/mixed"), 2); err != nil {
		t.Errorf("the current version: %v", err)
	}
	_, err := vread(ctx, mira, k("Goal/mixed"), 1)
	refused(t, "the version about another's client", err, fhir.NotFound)
	_, err = vread(ctx, jon, k("Goal/mixed"), 1)
	refused(t, "the old version about the own client", err, fhir.NotFound)
	h, err := history(ctx, mira, k("Goal/mixed"))
	if err != nil || len(h.Entries) != 1 || h.Entries[0].Version != 2 {
		t.Errorf("history: %d entries, %v", len(h.Entries), err)
	}
	_, err = history(ctx, jon, k("Goal/mixed"))
	refused(t, "history of what is another's by now", err, fhir.NotFound)
}

func TestADeletedResourceIsGoneToWhomCouldReadItAndMissingToOthers(t *testing.T) {
	p := open(t)
	p.load(world()...)
	p.remove("Goal/anna-goal")
	ctx := t.Context()
	_, err := read(ctx, p.gate("mira"), k("Goal/anna-goal"))
	refused(t, "its therapist", err, fhir.Deleted)
	_, err = read(ctx, p.gate("jon"), k("Goal/anna-goal"))
	refused(t, "another therapist", err, fhir.NotFound)
	_, err = vread(ctx, p.gate("mira"), k("Goal/anna-goal"), 1)
	if err != nil {
		t.Errorf("its first version: %v", err)
	}
	_, err = vread(ctx, p.gate("jon"), k("Goal/anna-goal"), 1)
	refused(t, "its first version, to another therapist", err, fhir.NotFound)
}
