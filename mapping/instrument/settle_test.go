package instrument

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rapport/fhir"
)

// form is a response as it is at the end; status "" is one that is not there. Digits as
// "=17" are a total without answers.
type form struct {
	id, instrument, authored, status, digits string
}

func (f form) bare() bool { return strings.HasPrefix(f.digits, "=") }

func (f form) key() fhir.Key {
	if f.bare() {
		return fhir.Key{Type: "Observation", ID: f.id}
	}
	return fhir.Key{Type: "QuestionnaireResponse", ID: f.id}
}

// stated is the Observation of scores without answers.
func (f form) stated(t testing.TB, d *Deriver) fhir.Resource {
	t.Helper()
	in := d.library.BySlug(f.instrument)
	p, err := ParsePoints(f.digits[1:])
	if err != nil {
		t.Fatal(err)
	}
	s, err := in.Stated(map[string]Points{"total": p})
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]string{"completed": "final", "stopped": "cancelled"}[f.status]
	o, err := in.Observation(s, Measured{ID: f.id, Status: cmp.Or(status, f.status), Subject: patient, Performer: therapist1, Effective: strings.Trim(f.authored, "-")})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (f form) resource(t testing.TB, d *Deriver) fhir.Resource {
	if f.bare() {
		return f.stated(t, d)
	}
	return response(t, d.library.BySlug(f.instrument), f.digits, Occasion{ID: f.id, Status: f.status, Authored: f.authored, Author: therapist1})
}

// hand writes a response, or deletes it, and what follows, as a gate would.
func hand(t testing.TB, d *Deriver, s *shelf, r fhir.Resource) []fhir.Resource {
	t.Helper()
	s.put(r)
	out, err := d.Derive(context.Background(), s, r)
	if err != nil {
		t.Fatal(err)
	}
	s.put(out...)
	return out
}

// standing lists the scores that stand, as they read.
func (s *shelf) standing() map[string]string {
	out := map[string]string{}
	for k, r := range s.now {
		if Stands(r) {
			out[k.String()] = string(r.Body())
		}
	}
	return out
}

func drawnForm(t *rapid.T, id string) placed {
	digit := rapid.SampledFrom([]string{"0", "1", "2", "3"})
	f := form{
		id: id, instrument: rapid.SampledFrom([]string{"phq-9", "phq-9", "gad-7", "alliance"}).Draw(t, "instrument"),
		authored: fmt.Sprintf("2026-0%d-0%d", rapid.IntRange(1, 3).Draw(t, "month"), rapid.IntRange(1, 3).Draw(t, "day")),
		status:   rapid.SampledFrom([]string{"completed", "completed", "amended", "stopped", "entered-in-error", ""}).Draw(t, "status"),
	}
	items := map[string]int{"phq-9": 9, "gad-7": 7, "alliance": 4}[f.instrument]
	if f.instrument == "alliance" {
		digit = rapid.SampledFrom([]string{"2", "8", "9", "9"})
	}
	one := digit.Draw(t, "answer") // much the same, so that scores are far apart
	f.digits = strings.Repeat(one, items-1) + rapid.SampledFrom([]string{one, ".", "0"}).Draw(t, "last")
	return placed{
		form: f, episode: rapid.SampledFrom([]string{"", "", "one", "two"}).Draw(t, "episode"),
		session: rapid.SampledFrom([]string{"", "", "in-one"}).Draw(t, "session"),
		by:      rapid.SampledFrom([]string{"", "client", "client", "parent"}).Draw(t, "informant"),
	}
}

// drawnCourse is a version of a course of therapy; a tombstone is one of them.
func drawnCourse(t *rapid.T, tb testing.TB, id string) fhir.Resource {
	day := rapid.SampledFrom([]string{"", "2026-01-02", "2026-01-20", "2026-02-02", "2026-02-20"})
	e := episode(tb, id, day.Draw(t, "start"), day.Draw(t, "end"))
	switch rapid.IntRange(0, 5).Draw(t, "fate") {
	case 0:
		return fhir.Tombstone(e.Key, 0)
	case 1:
		e, err := withStatus(e, "entered-in-error")
		if err != nil {
			tb.Fatal(err)
		}
		return e
	}
	return e
}

// In whatever order responses come, are amended, taken back and deleted, and courses of
// therapy with them, the scores that stand are those of a clean load of what is there at
// the end.
func TestAnyOrderOfWritesEndsInTheScoresOfACleanLoad(t *testing.T) {
	d := NewDeriver(library(t))
	rapid.Check(t, func(rt *rapid.T) {
		var last []placed
		type step struct {
			placed
			course  fhir.Resource // instead
			order   int
			version int64
		}
		var steps []step
		for i := range rapid.IntRange(1, 7).Draw(rt, "responses") {
			id := fmt.Sprintf("r%d", i)
			versions := rapid.IntRange(1, 3).Draw(rt, "versions")
			orders := rapid.SliceOfN(rapid.IntRange(0, 20), versions, versions).Draw(rt, "orders")
			slices.Sort(orders)
			bare := rapid.SampledFrom([]bool{false, false, true}).Draw(rt, "bare")
			for v := range versions {
				f := drawnForm(rt, id)
				if bare {
					f.digits = fmt.Sprintf("=%d", rapid.SampledFrom([]int{0, 7, 14, 20}).Draw(rt, "points"))
				}
				steps = append(steps, step{placed: f, order: orders[v], version: int64(v + 1)})
				if v == versions-1 {
					last = append(last, f)
				}
			}
		}
		tangled, clean := inTherapy(t), inTherapy(t)
		for v := range rapid.IntRange(0, 3).Draw(rt, "courses") {
			c := drawnCourse(rt, t, "third")
			c.Version = int64(v + 1)
			steps = append(steps, step{course: c, order: rapid.IntRange(7*v, 7*v+6).Draw(rt, "order")})
			clean.put(c)
		}
		slices.SortStableFunc(steps, func(a, b step) int { return a.order - b.order })
		for _, f := range steps {
			if f.course.Key != (fhir.Key{}) {
				hand(t, d, tangled, f.course)
				continue
			}
			if f.status == "" {
				if _, there := tangled.now[f.key()]; there {
					hand(t, d, tangled, fhir.Tombstone(f.key(), f.version))
				}
				continue
			}
			r := f.resource(t, d)
			if r.Version = f.version; !f.bare() {
				r.Version = 0 // whether it is new, nobody says
			}
			hand(t, d, tangled, r)
		}
		slices.SortStableFunc(last, func(a, b placed) int { return strings.Compare(a.authored, b.authored) })
		for _, f := range last {
			if f.status != "" {
				r := f.resource(t, d)
				r.Version = 1
				hand(t, d, clean, r)
			}
		}
		if diff := gocmp.Diff(clean.standing(), tangled.standing()); diff != "" {
			rt.Fatalf("%+v\n%s", steps, diff)
		}
		tangled.mindful(rt, d)
		for k, r := range tangled.now {
			_, founded := tangled.now[basisOf(r)]
			if !founded {
				rt.Errorf("%s is there, and what it followed from is not", k)
			}
		}
	})
}

// mindful fails for a task that waits without a score that calls for it, and for a
// run of scores that call for one while nobody was asked.
func (s *shelf) mindful(t *rapid.T, d *Deriver) {
	called := map[fhir.Key]bool{} // tasks
	for _, slug := range []string{"phq-9", "gad-7", "alliance"} {
		in := d.library.BySlug(slug)
		line, err := d.library.derivation(s).timeline(context.Background(), in, patient)
		if err != nil {
			t.Fatal(err)
		}
		line = in.compareBare(line)
		for _, a := range in.alerts() {
			for _, me := range line { // each with those of its course and informant
				var runs []bool // whether somebody was asked
				waits, going := false, false
				for _, p := range line {
					if p.line != me.line {
						continue
					}
					since := a.calls(p)
					if len(since) == 0 {
						going = false
						continue
					}
					task, there := s.now[a.taskOf(p.basis())]
					asked := there && status(task) != "entered-in-error"
					called[task.Key] = true
					waits = waits || asked && open(task)
					if going && !begins(since) {
						runs[len(runs)-1] = runs[len(runs)-1] || asked
					} else {
						runs = append(runs, asked)
					}
					going = true
				}
				if len(a.calls(me)) > 0 && slices.Contains(runs, false) && !waits {
					t.Errorf("nobody was asked about a run of %s in the %s", a.slug, slug)
				}
			}
		}
	}
	for k, r := range s.now {
		code := r.Root().At("code", "coding", "code").Text()
		if k.Type == "Task" && (code == changeCode || code == ownMeanCode) && open(r) && !called[k] {
			t.Errorf("%s waits, and no score calls for it", k)
		}
	}
}

// basisOf finds what something followed from: a response, or of a flag its score.
func basisOf(r fhir.Resource) fhir.Key {
	root := r.Root()
	for _, n := range []fhir.Node{root.Get("derivedFrom").Index(0), root.Get("reasonReference"), root.Get("extension").Index(0).Get("valueReference")} {
		if k, ok := n.Ref(); ok {
			return k
		}
	}
	return r.Key
}

func changes(r fhir.Resource) map[string]string {
	out := map[string]string{}
	for c := range r.Root().Get("component").Elements() {
		v := c.At("valueQuantity", "value").Decimal()
		for i := range c.Get("interpretation").Elements() {
			v += " " + i.At("coding", "code").Text()
		}
		out[c.At("code", "coding", "code").Text()] = v
	}
	return out
}

func TestCorrectionsMoveWhatLaterScoresAreComparedWith(t *testing.T) {
	d := NewDeriver(library(t))
	a := form{"a", "phq-9", "2026-01-05", "completed", "222222220"} // 16
	b := form{"b", "phq-9", "2026-02-02", "completed", "222220000"} // 10
	c := form{"c", "phq-9", "2026-03-02", "completed", "211110000"} // 6
	load := func(t *testing.T) *shelf {
		s := newShelf()
		for _, f := range []form{a, b, c} {
			hand(t, d, s, f.resource(t, d))
		}
		return s
	}
	for name, x := range map[string]struct {
		write fhir.Resource
		want  map[string]string
	}{
		"the first is amended": {form{"a", "phq-9", "2026-01-05", "amended", "111111110"}.resource(t, d),
			map[string]string{"since-first": "-2 no-reliable-change", "since-last": "-4 no-reliable-change recovery"}},
		"the first is in error": {form{"a", "phq-9", "2026-01-05", "entered-in-error", "222222220"}.resource(t, d),
			map[string]string{"since-first": "-4 no-reliable-change recovery"}},
		"the first is deleted": {fhir.Tombstone(a.key(), 2),
			map[string]string{"since-first": "-4 no-reliable-change recovery"}},
		"the last is moved behind it": {form{"b", "phq-9", "2026-04-01", "amended", "222220000"}.resource(t, d),
			map[string]string{"since-first": "-10 reliable-improvement reliable-recovery"}},
		"the first was another questionnaire": {form{"a", "gad-7", "2026-01-05", "amended", "2222222"}.resource(t, d),
			map[string]string{"since-first": "-4 no-reliable-change recovery"}},
		"the last was broken off after all": {form{"b", "phq-9", "2026-02-02", "stopped", "22222...."}.resource(t, d),
			map[string]string{"since-first": "-10 reliable-improvement reliable-recovery"}},
		"an older one arrives late": {form{"late", "phq-9", "2025-12-20", "completed", "333333330"}.resource(t, d),
			map[string]string{"since-first": "-18 reliable-improvement reliable-recovery", "since-last": "-4 no-reliable-change recovery"}},
		"one arrives between": {form{"late", "phq-9", "2026-02-20", "completed", "111111110"}.resource(t, d),
			map[string]string{"since-first": "-10 reliable-improvement reliable-recovery", "since-last": "-2 no-reliable-change"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t)
			hand(t, d, s, x.write)
			if diff := gocmp.Diff(x.want, changes(s.now[scoreKey(c.key())])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAStatedScoreMovesLaterScoresToo(t *testing.T) {
	l := library(t)
	in, d := l.BySlug("phq-9"), NewDeriver(l)
	s := newShelf()
	c := form{"c", "phq-9", "2026-03-02", "completed", "211110000"} // 6
	hand(t, d, s, c.resource(t, d))
	of := func(points int64, status string, version int64) fhir.Resource {
		sc, err := in.Stated(map[string]Points{"total": PointsOf(points)})
		if err != nil {
			t.Fatal(err)
		}
		o, err := in.Observation(sc, Measured{ID: "stated", Status: status, Subject: patient, Effective: "2026-01-10"})
		if err != nil {
			t.Fatal(err)
		}
		o.Version = version
		return o
	}
	for i, x := range []struct {
		write fhir.Resource
		want  map[string]string
	}{
		{of(15, "final", 1), map[string]string{"since-first": "-9 reliable-improvement reliable-recovery"}},
		{of(9, "amended", 2), map[string]string{"since-first": "-3 no-reliable-change"}},
		{of(9, "entered-in-error", 3), map[string]string{}},
		{of(12, "final", 4), map[string]string{"since-first": "-6 reliable-improvement reliable-recovery"}},
		{fhir.Tombstone(of(12, "final", 4).Key, 5), map[string]string{}},
	} {
		hand(t, d, s, x.write)
		if diff := gocmp.Diff(x.want, changes(s.now[scoreKey(c.key())])); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
	}
}

// What a score was compared with is another client's now: it is told anew, for whoever
// stores it to judge whether it may be.
func TestAStatedScoreThatIsMovedIsNoBaselineOfWhomItLeft(t *testing.T) {
	l := library(t)
	in, d := l.BySlug("phq-9"), NewDeriver(l)
	s := newShelf()
	of := func(subject fhir.Key, version int64) fhir.Resource {
		sc, err := in.Stated(map[string]Points{"total": PointsOf(15)})
		if err != nil {
			t.Fatal(err)
		}
		o, err := in.Observation(sc, Measured{ID: "stated", Status: "final", Subject: subject, Effective: "2026-01-10"})
		if err != nil {
			t.Fatal(err)
		}
		o.Version = version
		return o
	}
	hand(t, d, s, of(patient, 1))
	later := form{"c", "phq-9", "2026-03-02", "completed", "211110000"}
	hand(t, d, s, later.resource(t, d))
	if got := changes(s.now[scoreKey(later.key())]); len(got) == 0 {
		t.Fatal("it is compared with nothing")
	}
	out := hand(t, d, s, of(fhir.Key{Type: "Patient", ID: "c2"}, 2))
	if got := changes(s.now[scoreKey(later.key())]); len(got) > 0 || !slices.ContainsFunc(out, func(r fhir.Resource) bool { return subjectOf(r) == patient }) {
		t.Errorf("it is still told against what is another's: %v", got)
	}
}

func TestWhoMayNotKnowOfABaselineDoesNotTellItAway(t *testing.T) {
	d := NewDeriver(library(t))
	s := newShelf()
	for _, f := range []form{
		{"withheld", "phq-9", "2026-01-05", "completed", "333333330"},
		{"c", "phq-9", "2026-03-02", "completed", "211110000"},
	} {
		hand(t, d, s, f.resource(t, d))
	}
	c := scoreKey(form{id: "c"}.key())
	before := changes(s.now[c])
	s.hidden[scoreKey(form{id: "withheld"}.key())] = true
	hand(t, d, s, form{"late", "phq-9", "2026-02-01", "completed", "111111110"}.resource(t, d))
	if diff := gocmp.Diff(before, changes(s.now[c])); diff != "" {
		t.Error(diff)
	}
}

func TestADeletedResponseTakesAlongWhatFollowedFromIt(t *testing.T) {
	d := NewDeriver(library(t))
	s := newShelf()
	r := form{"r1", "phq-9", "2026-01-05", "completed", "111111111"}
	made := hand(t, d, s, r.resource(t, d))
	s.put(fhir.Tombstone(r.key(), 2))
	out := hand(t, d, s, fhir.Tombstone(r.key(), 2))
	if len(made) != 3 || len(out) != 3 {
		t.Fatalf("%v of %v", out, made)
	}
	for _, x := range out {
		if !x.IsZero() {
			t.Errorf("%v is left", x)
		}
	}
	if len(s.now) != 0 {
		t.Errorf("%v", s.now)
	}
	if again := hand(t, d, s, fhir.Tombstone(r.key(), 3)); len(again) != 0 {
		t.Errorf("once more: %v", again)
	}
}
