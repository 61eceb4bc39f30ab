package intake_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir/store/storetest"
)

// row returns the first row of a table that holds a text.
func (u upload) row(t testing.TB, table, holds string) []string {
	t.Helper()
	for _, r := range u[table][1:] {
		if slices.Contains(r, holds) {
			return r
		}
	}
	t.Fatalf("no row of %s holds %s", table, holds)
	return nil
}

// leave takes the rows of a table that hold a text out of an upload.
func (u upload) leave(table, holds string) {
	u[table] = slices.DeleteFunc(u[table], func(r []string) bool { return slices.Contains(r, holds) })
}

// SCPK400 and SCPK410 are the practitioners of the contact S400; E400 comes from I400.
func TestWhatRowsPutIntoARecordStaysUntilTheyAreDeleted(t *testing.T) {
	const less = "/practitioners: what is stored has rows of service-contact-practitioners.csv that this upload does not hold; upload all that belong to this row together, or delete them first"
	for name, c := range map[string]struct {
		edit func(u upload)
		want map[string]string // by table: why some row of it was not stored
	}{
		"the file of the practitioners is missing": {
			func(u upload) { delete(u, "service-contact-practitioners.csv") },
			map[string]string{"service-contacts.csv": "service_contact_key: the upload holds no table service-contact-practitioners, whose rows go into what this row gives; upload them together, and its header alone where there are none"},
		},
		"the file of the practitioners is a header": {
			func(u upload) { u["service-contact-practitioners.csv"] = u["service-contact-practitioners.csv"][:1] },
			map[string]string{"service-contacts.csv": less},
		},
		"one of two practitioners is left out": {
			func(u upload) { u.leave("service-contact-practitioners.csv", "SCPK410") },
			map[string]string{"service-contacts.csv": less, "service-contact-practitioners.csv": "belongs to a row that was not stored"},
		},
		"the contact did not take place and its practitioners are left out": {
			func(u upload) {
				u["service-contact-practitioners.csv"] = u["service-contact-practitioners.csv"][:1]
				for _, r := range u["service-contacts.csv"][1:] {
					r[slices.Index(u["service-contacts.csv"][0], "service_contact_no_show")] = "1"
				}
			},
			map[string]string{"service-contacts.csv": less},
		},
		"the file of the intakes is missing": {
			func(u upload) { delete(u, "intake-episodes.csv") },
			map[string]string{"episodes.csv": "episode_key: the upload holds no table intake-episodes", "k5.csv": "depends on the episode of a row that was not stored"},
		},
		"the file of the intakes is a header": {
			func(u upload) { u["intake-episodes.csv"] = u["intake-episodes.csv"][:1] },
			map[string]string{"episodes.csv": "/referrals: what is stored has rows of intake-episodes.csv that this upload does not hold"},
		},
		"one practitioner is deleted and the other told": {
			func(u upload) { u.row(t, "service-contact-practitioners.csv", "SCPK410")[2] = "delete" }, nil,
		},
		"a practitioner moves to another contact": {
			func(u upload) { u.row(t, "service-contact-practitioners.csv", "SCPK410")[3] = "S401" }, nil,
		},
		"the intake of an episode is deleted": {
			func(u upload) { u.row(t, "intake-episodes.csv", "E400")[2] = "delete" }, nil,
		},
		"an episode is not told again, nor its intake": {
			func(u upload) {
				u["episodes.csv"], u["intake-episodes.csv"] = u["episodes.csv"][:1], u["intake-episodes.csv"][:1]
				for _, later := range []string{"service-contacts.csv", "service-contact-practitioners.csv", "k5.csv", "k10p.csv", "sdq.csv", "collection-occasions.csv"} {
					delete(u, later)
				}
			}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, storetest.NewMemory(time.Now))
			u := uploadOf(t, "combined")
			h.take(t, withDelete(u).write(t))
			before := current(t, h.store)
			c.edit(u)
			sum := h.take(t, u.write(t))
			if len(c.want) == 0 && !sum.Complete() {
				t.Fatalf("%s", sum)
			}
			for table, why := range c.want {
				if !strings.Contains(failures(sum), ": quarantined: "+why) || sum.Table(table).Quarantined == 0 {
					t.Errorf("%s: %q is not told:\n%s", table, why, sum)
				}
			}
			if len(c.want) > 0 {
				sameStore(t, current(t, h.store), before)
			}
			if len(h.alarms) > 0 {
				t.Errorf("%q", h.alarms)
			}
		})
	}
}

// withDelete gives those tables a delete column in which nothing is said that lack it.
func withDelete(u upload) upload {
	for _, name := range []string{"service-contact-practitioners.csv", "intake-episodes.csv"} {
		if slices.Contains(u[name][0], "delete") {
			continue
		}
		for i, r := range u[name] {
			u[name][i] = slices.Insert(slices.Clone(r), 2, map[bool]string{true: "delete"}[i == 0])
		}
	}
	return u
}

func TestAContactWithoutPractitionersIsStoredWhenNoneAreKnown(t *testing.T) {
	u := uploadOf(t, "combined")
	u["service-contact-practitioners.csv"] = u["service-contact-practitioners.csv"][:1]
	now, _ := after(t, u.write(t))
	n := 0
	for _, r := range now {
		if r.Type == "Encounter" {
			n++
		}
	}
	if n != 10 {
		t.Errorf("%d contacts are stored", n)
	}
	whole, _ := after(t, u.write(t), uploadOf(t, "combined").write(t))
	want, _ := after(t, uploadOf(t, "combined").write(t))
	sameStore(t, whole, want)
}

// A table whose rows cannot be deleted takes back by leaving out, but for the last.
func TestAListIsNotEmptiedByATableWithoutRows(t *testing.T) {
	header := func(t *testing.T, dir, table string) {
		p := filepath.Join(dir, table)
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b[:bytes.IndexByte(b, '\n')+1], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		edits []string
		then  func(t *testing.T, dir string)
		want  string
	}{
		"one of two goals is left out": {
			edits: []string{"plan-goals.csv", "lindenhof,P-LH-01,G-LH-01-2\n", ""},
		},
		"all goals are left out": {
			edits: []string{"plan-goals.csv", "lindenhof,P-LH-01,G-LH-01-1\nlindenhof,P-LH-01,G-LH-01-2\n", ""},
			want:  "plans.csv:2: quarantined: /goals: what is stored has rows of plan-goals.csv that this upload does not hold; upload all that belong to this row together, or take them out of what is stored first",
		},
		"all phases are left out of a plan that says something else": {
			edits: []string{"plans.csv", "active,Plan for Moderate depressive episode", "active,Plan for a depressive episode"},
			then:  func(t *testing.T, dir string) { header(t, dir, "plan-phases.csv") },
			want:  "plans.csv:2: quarantined: /phases: what is stored has rows of plan-phases.csv that this upload does not hold",
		},
		"all phases are left out of a plan that is as it was": {
			then: func(t *testing.T, dir string) { header(t, dir, "plan-phases.csv") },
			want: "plans.csv:2: quarantined: /phases: what is stored has rows of plan-phases.csv that this upload does not hold",
		},
		"the table of the goals is a header": {
			then: func(t *testing.T, dir string) { header(t, dir, "plan-goals.csv") },
			want: "plans.csv:13: quarantined: /goals: what is stored has rows of plan-goals.csv",
		},
		"the table of the goals is missing": {
			then: func(t *testing.T, dir string) {
				if err := os.Remove(filepath.Join(dir, "plan-goals.csv")); err != nil {
					t.Fatal(err)
				}
			},
			want: "plans.csv:13: quarantined: plan: the upload holds no table plan-goals, whose rows go into what this row gives",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			imported(t, m, "practice-csv", practiceWith(t), "")
			before := len(m.of("CarePlan"))
			dir := practiceWith(t, c.edits...)
			if c.then != nil {
				c.then(t, dir)
			}
			sum := imported(t, m, "practice-csv", dir, "")
			if !strings.Contains(failures(sum), c.want) || sum.Complete() != (c.want == "") || len(m.of("CarePlan")) != before {
				t.Errorf("%d of %d CarePlans, and not %q:\n%s", len(m.of("CarePlan")), before, c.want, sum)
			}
		})
	}
}
