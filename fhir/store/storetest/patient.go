package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

func patientFacts(t *testing.T, s store.Store, ks ...fhir.Key) []fhir.PatientFacts {
	t.Helper()
	ps := ask(t, s, func(ctx context.Context, r store.Reader) ([]fhir.PatientFacts, error) { return r.Patients(ctx, ks...) })
	for _, p := range ps {
		slices.SortFunc(p.Relations, func(a, b fhir.Relation) int {
			return strings.Compare(a.Actor.String()+a.Episode.String(), b.Actor.String()+b.Episode.String())
		})
	}
	return ps
}

func landscape(t *testing.T, s store.Store) store.Landscape {
	t.Helper()
	return ask(t, s, func(ctx context.Context, r store.Reader) (store.Landscape, error) { return r.Landscape(ctx) })
}

func setProfile(t *testing.T, s store.Store, k fhir.Key, p fhir.Profile, until time.Time) {
	t.Helper()
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.SetProfile(ctx, k, p, until) })
}

var patients = []testCase{
	{"what is known of patients comes in the order asked for, of an unknown one its key", func(t *testing.T, s store.Store) {
		a, b, no := key("Patient", "a"), key("Patient", "b"), key("Patient", "no")
		rel := fhir.Relation{Actor: key("Practitioner", "t"), Patient: b, Episode: key("EpisodeOfCare", "e"), Ended: epoch.Add(time.Microsecond)}
		put(t, s, key("Encounter", "1"), "x", store.Record{Facts: fhir.Facts{Class: "c", Patients: []fhir.Key{b}}, Relations: []fhir.Relation{rel}})
		setProfile(t, s, a, "pa", epoch.Add(90*time.Microsecond))
		setProfile(t, s, b, "pb", time.Time{})
		same(t, []fhir.PatientFacts{{Patient: b, Profile: "pb", Relations: []fhir.Relation{rel}}, {Patient: no}, {Patient: a, Profile: "pa", Until: epoch.Add(90 * time.Microsecond)}},
			patientFacts(t, s, b, no, a))
	}},
	{"relations are replaced with their resource and go with it", func(t *testing.T, s store.Store) {
		p, q := key("Patient", "p"), key("Patient", "q")
		k, other := key("EpisodeOfCare", "e"), key("CareTeam", "c")
		tie := func(actor string, of fhir.Key) fhir.Relation {
			return fhir.Relation{Actor: key("Practitioner", actor), Patient: of}
		}
		with := func(rs ...fhir.Relation) store.Record {
			rec := about("c")
			for _, r := range rs {
				if !slices.Contains(rec.Patients, r.Patient) {
					rec.Patients = append(rec.Patients, r.Patient)
				}
			}
			rec.Relations = rs
			return rec
		}
		put(t, s, k, "x", with(tie("a", p), tie("b", p), tie("a", q)))
		put(t, s, other, "x", with(tie("c", p)))
		same(t, []fhir.Relation{tie("a", p), tie("b", p), tie("c", p)}, patientFacts(t, s, p)[0].Relations)
		put(t, s, k, "x", with(tie("b", p)))
		same(t, []fhir.Relation{tie("b", p), tie("c", p)}, patientFacts(t, s, p)[0].Relations)
		same(t, []fhir.Relation(nil), patientFacts(t, s, q)[0].Relations)
		remove(t, s, k)
		same(t, []fhir.Relation{tie("c", p)}, patientFacts(t, s, p)[0].Relations)
		put(t, s, k, "x", with(tie("d", p)))
		same(t, []fhir.Relation{tie("c", p), tie("d", p)}, patientFacts(t, s, p)[0].Relations)
	}},
	{"a relation or a profile decides at once what is seen", func(t *testing.T, s store.Store) {
		p, goal, therapist := key("Patient", "p"), key("Goal", "1"), key("Practitioner", "t")
		put(t, s, goal, "x", about("c", p))
		sight := fhir.SightOf(epoch, epoch.Add(-time.Hour), map[string]fhir.Extent{"Goal": fhir.Some(fhir.Rule{
			Reach: fhir.Related, Actors: []fhir.Key{therapist}, Classes: []fhir.Class{"c"}, Profiles: []fhir.Profile{"", "given"}})})
		check := func(step string, want int) {
			t.Helper()
			found := find(t, s, sight, fhir.Query{Type: "Goal", Count: 5, Total: true})
			if len(found.Found) != want || *found.Total != want || len(heads(t, s, sight, goal)) != want || len(changes(t, s, sight, fhir.Scope{Type: "Goal"}, fhir.Span{}).Heads) != want {
				t.Errorf("%s: %d found, want %d", step, len(found.Found), want)
			}
		}
		tied := func(ended time.Time) store.Record {
			return store.Record{Facts: fhir.Facts{Class: "c", Patients: []fhir.Key{p}}, Relations: []fhir.Relation{{Actor: therapist, Patient: p, Ended: ended}}}
		}
		check("no tie", 0)
		put(t, s, key("CareTeam", "1"), "x", tied(time.Time{}))
		check("tied", 1)
		setProfile(t, s, p, "refused", time.Time{})
		check("refused", 0)
		setProfile(t, s, p, "given", time.Time{})
		check("given", 1)
		setProfile(t, s, p, "given", epoch)
		check("expired", 0)
		setProfile(t, s, p, "given", epoch.Add(time.Microsecond))
		check("not yet expired", 1)
		put(t, s, key("CareTeam", "1"), "x", tied(epoch.Add(-time.Hour-time.Microsecond)))
		check("ended before grace", 0)
		put(t, s, key("CareTeam", "1"), "x", tied(epoch.Add(-time.Hour)))
		check("ended at the edge of grace", 1)
		remove(t, s, key("CareTeam", "1"))
		check("tie deleted", 0)
	}},
	{"the landscape lists classes and profiles in use, and its epoch moves with them alone", func(t *testing.T, s store.Store) {
		empty := landscape(t, s)
		if !slices.Contains(empty.Profiles, "") {
			t.Error("the empty profile is missing")
		}
		put(t, s, key("Goal", "1"), "x", about("c1"))
		first := landscape(t, s)
		if !slices.Contains(first.Classes, "c1") || first.Epoch == empty.Epoch {
			t.Errorf("after a new class: %+v, before %+v", first, empty)
		}
		put(t, s, key("Goal", "2"), "x", about("c1"))
		if again := landscape(t, s); again.Epoch != first.Epoch {
			t.Errorf("the epoch moved from %d to %d though nothing new came", first.Epoch, again.Epoch)
		}
		setProfile(t, s, key("Patient", "p"), "p1", time.Time{})
		second := landscape(t, s)
		if !slices.Contains(second.Profiles, "p1") || !slices.Contains(second.Profiles, "") || second.Epoch == first.Epoch {
			t.Errorf("after a new profile: %+v, before %+v", second, first)
		}
		setProfile(t, s, key("Patient", "q"), "p1", time.Time{})
		if again := landscape(t, s); again.Epoch != second.Epoch {
			t.Error("the epoch moved with a profile that was known")
		}
	}},
}
