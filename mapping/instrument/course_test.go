package instrument

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
)

// placed is a form that says more of itself.
type placed struct {
	form
	episode string // id; "": none is named
	session string // Encounter/id
	by      string // "client", "parent", "practitioner", or a RelatedPerson/id
	unowned bool   // no therapist wrote it down
}

func (p placed) resource(t testing.TB, d *Deriver) fhir.Resource {
	t.Helper()
	says := p.says()
	if p.bare() {
		o := with(t, p.stated(t, d), says)
		if p.session == "" {
			return o
		}
		o, err := o.Apply(fhir.Add(o.Root(), []byte(`"encounter":{"reference":"Encounter/`+p.session+`"}`)))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := Occasion{ID: p.id, Status: p.status, Authored: p.authored, Author: therapist1}
	if p.unowned {
		o.Author = fhir.Key{}
	}
	if p.session != "" {
		o.Encounter = fhir.Key{Type: "Encounter", ID: p.session}
	}
	switch k, is := fhir.ParseKey(p.by); {
	case is:
		o.Source = k
	case p.by == "client":
		o.Source = patient
	case p.by == "practitioner":
		o.Source = therapist1
	}
	return with(t, response(t, d.library.BySlug(p.instrument), p.digits, o), says)
}

// says are the extensions.
func (p placed) says() (out []string) {
	if p.episode != "" {
		out = append(out, `{"url":"`+episodeURL+`","valueReference":{"reference":"EpisodeOfCare/`+p.episode+`"}}`)
	}
	if p.by != "" && !strings.Contains(p.by, "/") && (p.bare() || p.by == "parent") {
		out = append(out, `{"url":"`+answeredByURL+`","valueCode":"`+p.by+`"}`)
	}
	return out
}

func with(t testing.TB, r fhir.Resource, says []string) fhir.Resource {
	t.Helper()
	if len(says) == 0 {
		return r
	}
	r, err := r.Apply(fhir.Add(r.Root(), []byte(`"extension":[`+strings.Join(says, ",")+`]`)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// episode is a course of therapy; a day that is "" is not said.
func episode(t testing.TB, id, start, end string) fhir.Resource {
	t.Helper()
	period := fhir.NewObject()
	for name, day := range map[string]string{"start": start, "end": end} {
		if day != "" {
			period.Set(name, day)
		}
	}
	return parse(t, `{"resourceType":"EpisodeOfCare","id":"`+id+`","status":"active","patient":{"reference":"`+patient.String()+`"},"period":`+string(period.JSON())+`}`)
}

// inTherapy are two courses that run side by side for a while, and one that begins later.
func inTherapy(t testing.TB) *shelf {
	return newShelf(
		episode(t, "one", "2026-01-02", "2026-02-15"),
		episode(t, "two", "2026-01-20", "2026-03-10"),
		episode(t, "next", "2026-03-20", ""),
		parse(t, `{"resourceType":"Encounter","id":"in-one","subject":{"reference":"`+patient.String()+`"},"episodeOfCare":[{"reference":"EpisodeOfCare/one"}]}`),
	)
}

// scored is a PHQ-9 of so many points.
func scored(id, authored string, points int) form {
	digits := ""
	for range 8 {
		n := min(points, 3)
		digits, points = digits+string(rune('0'+n)), points-n
	}
	return phq(id, authored, digits+"0")
}

func TestAScoreIsComparedWithinItsCourseOfTherapyAndWithTheSameInformantAlone(t *testing.T) {
	d := NewDeriver(library(t))
	in := func(episode string, f form) placed { return placed{form: f, episode: episode} }
	by := func(who string, f form) placed { return placed{form: f, by: who} }
	for name, x := range map[string]struct {
		given  []placed
		want   map[string]string // changes of the last
		raised []string
	}{
		"another course at the same time": {
			[]placed{in("one", scored("a", "2026-01-10", 5)), in("two", scored("b", "2026-02-01", 20))}, map[string]string{}, nil},
		"two courses, turn about": {
			[]placed{in("one", scored("a", "2026-01-10", 20)), in("two", scored("b", "2026-01-11", 3)), in("one", scored("c", "2026-02-10", 18)), in("two", scored("d", "2026-02-11", 4))},
			map[string]string{"since-first": "1 no-reliable-change"}, nil},
		"the course before ended a few days ago": {
			[]placed{in("one", scored("a", "2026-03-15", 6)), in("next", scored("b", "2026-03-21", 17))}, map[string]string{}, nil},
		"what names no course and lies a few days before counts": {
			[]placed{in("", scored("a", "2026-03-12", 6)), in("next", scored("b", "2026-03-21", 17))},
			map[string]string{"since-first": "11 reliable-deterioration"}, []string{"b urgent review-change"}},
		"what names no course and lies in another does not": {
			[]placed{in("", scored("a", "2026-03-08", 6)), in("next", scored("b", "2026-03-21", 17))}, map[string]string{}, nil},
		"but in that other it counts": {
			[]placed{in("two", scored("a", "2026-01-25", 6)), in("", scored("b", "2026-03-08", 17))},
			map[string]string{"since-first": "11 reliable-deterioration"}, []string{"b urgent review-change"}},
		"it counts in one alone": {
			[]placed{in("one", scored("a", "2026-01-10", 20)), in("two", scored("b", "2026-01-21", 6)), in("", scored("c", "2026-03-01", 19)), in("one", scored("d", "2026-03-02", 18))},
			map[string]string{"since-first": "-2 no-reliable-change"}, []string{"c urgent review-change"}},
		"where two run it counts in neither": {
			[]placed{in("two", scored("a", "2026-01-25", 6)), in("", scored("b", "2026-02-01", 20)), in("two", scored("c", "2026-02-20", 7))},
			map[string]string{"since-first": "1 no-reliable-change"}, nil},
		"and is compared with none": {
			[]placed{in("one", scored("a", "2026-01-25", 6)), in("two", scored("b", "2026-01-25", 6)), in("", scored("c", "2026-02-01", 20))}, map[string]string{}, nil},
		"nor with another of its kind": {
			[]placed{in("", scored("a", "2026-02-01", 6)), in("", scored("b", "2026-02-10", 20))}, map[string]string{}, nil},
		"before any course they are compared with each other": {
			[]placed{in("", scored("a", "2025-11-01", 6)), in("", scored("b", "2025-12-01", 17))},
			map[string]string{"since-first": "11 reliable-deterioration"}, []string{"b urgent review-change"}},
		"courses are known though no score names them": {
			[]placed{in("", scored("a", "2026-03-01", 6)), in("", scored("b", "2026-04-01", 17))}, map[string]string{}, nil},
		"what names the course counts, whenever it was": {
			[]placed{in("next", scored("a", "2026-03-01", 6)), in("next", scored("b", "2026-03-21", 17))},
			map[string]string{"since-first": "11 reliable-deterioration"}, []string{"b urgent review-change"}},
		"the session says the course": {
			[]placed{{form: scored("a", "2026-01-10", 6), session: "in-one"}, in("two", scored("b", "2026-01-20", 20)), in("one", scored("c", "2026-02-10", 7))},
			map[string]string{"since-first": "1 no-reliable-change"}, nil},
		"what names none belongs to the course of its time": {
			[]placed{in("one", scored("a", "2026-01-10", 6)), in("next", scored("b", "2026-03-21", 17)), in("", scored("c", "2026-04-01", 18))},
			map[string]string{"since-first": "1 no-reliable-change"}, nil},
		"a parent's answers are no measure of the client's": {
			[]placed{by("client", scored("a", "2026-01-04", 6)), by("parent", scored("b", "2026-01-12", 17))}, map[string]string{}, nil},
		"nor the client's of a parent's": {
			[]placed{by("client", scored("a", "2026-01-04", 6)), by("parent", scored("b", "2026-01-12", 17)), by("client", scored("c", "2026-01-13", 7))},
			map[string]string{"since-first": "1 no-reliable-change"}, nil},
		"nothing said is whom the questionnaire is for": {
			[]placed{by("", scored("a", "2026-01-04", 6)), by("client", scored("b", "2026-01-12", 7))},
			map[string]string{"since-first": "1 no-reliable-change"}, nil},
		"two parents are two informants": {
			[]placed{by("RelatedPerson/mother", scored("a", "2026-01-04", 6)), by("RelatedPerson/father", scored("b", "2026-01-12", 17)), by("RelatedPerson/mother", scored("c", "2026-01-13", 8))},
			map[string]string{"since-first": "2 no-reliable-change"}, nil},
		"what a therapist notes is theirs": {
			[]placed{by("practitioner", scored("a", "2026-01-04", 6)), by("client", scored("b", "2026-01-12", 17)), by("practitioner", scored("c", "2026-01-13", 8))},
			map[string]string{"since-first": "2 no-reliable-change"}, nil},
		"a task of one course does not stand for another": {
			[]placed{in("one", scored("a", "2026-01-10", 6)), in("two", scored("b", "2026-01-10", 6)), in("one", scored("c", "2026-02-01", 17)), in("two", scored("d", "2026-02-02", 17))},
			map[string]string{"since-first": "11 reliable-deterioration"}, []string{"c urgent review-change", "d urgent review-change"}},
		"nor one of an informant for another": {
			[]placed{by("client", scored("a", "2026-01-04", 6)), by("parent", scored("b", "2026-01-04", 6)), by("client", scored("c", "2026-01-12", 17)), by("parent", scored("d", "2026-01-13", 17))},
			map[string]string{"since-first": "11 reliable-deterioration"}, []string{"c urgent review-change", "d urgent review-change"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := inTherapy(t)
			var last fhir.Resource
			for _, p := range x.given {
				last = p.resource(t, d)
				hand(t, d, s, last)
			}
			if diff := cmp.Diff(x.want, changes(s.now[scoreKey(last.Key)])); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(x.raised, s.raised()); diff != "" {
				t.Error(diff)
			}
			f, err := d.library.Feedback(t.Context(), s, last, nil)
			if err != nil || (f.First == nil) != (len(x.want) == 0) {
				t.Errorf("told: %+v, %v", f.First, err)
			}
			if f.First != nil && f.First.Class == ReliableDeterioration && !strings.Contains(f.First.Task, s.taskOf(last.Key)) {
				t.Errorf("told of the task %s", f.First.Task)
			}
		})
	}
}

// taskOf is the id of the task of a deterioration, "" where there is none.
func (s *shelf) taskOf(response fhir.Key) string {
	return s.now[alert{slug: "deterioration"}.taskOf(response)].ID
}

func TestACorrectedCourseOrInformantMovesWhatIsCompared(t *testing.T) {
	d := NewDeriver(library(t))
	b := scored("b", "2026-02-01", 17)
	b.status = "amended"
	for name, x := range map[string]struct {
		then placed
		want map[string]string // changes of c
	}{
		"as it was":             {placed{form: b, episode: "one", by: "client"}, map[string]string{"since-first": "1 no-reliable-change", "since-last": "-10 reliable-improvement reliable-recovery"}},
		"it was another course": {placed{form: b, episode: "two", by: "client"}, map[string]string{"since-first": "1 no-reliable-change"}},
		"a parent answered":     {placed{form: b, episode: "one", by: "parent"}, map[string]string{"since-first": "1 no-reliable-change"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := inTherapy(t)
			for _, f := range []form{scored("a", "2026-01-10", 6), scored("b", "2026-02-01", 17), scored("c", "2026-02-20", 7)} {
				hand(t, d, s, placed{form: f, episode: "one", by: "client"}.resource(t, d))
			}
			hand(t, d, s, x.then.resource(t, d))
			if diff := cmp.Diff(x.want, changes(s.now[scoreKey(form{id: "c"}.key())])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestACourseThatIsCorrectedTakesAndLeavesWhatNamesNone(t *testing.T) {
	d := NewDeriver(library(t))
	given := []placed{{form: scored("a", "2026-03-05", 6)}, {form: scored("b", "2026-03-25", 17), episode: "next"}, {form: form{"c", "phq-9", "2026-04-10", "completed", "=19"}}}
	deleted := fhir.Tombstone(fhir.Key{Type: "EpisodeOfCare", ID: "next"}, 2)
	mistaken, err := withStatus(episode(t, "next", "2026-03-20", ""), "entered-in-error")
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		was, now fhir.Resource
		want     map[string]string // changes of b
		raised   []string
	}{
		"it stays":               {episode(t, "next", "2026-03-20", ""), episode(t, "next", "2026-03-20", ""), map[string]string{}, nil},
		"it begins earlier":      {episode(t, "next", "2026-03-20", ""), episode(t, "next", "2026-03-12", ""), map[string]string{"since-first": "11 reliable-deterioration"}, []string{"b"}},
		"it begins later":        {episode(t, "next", "2026-03-12", ""), episode(t, "next", "2026-03-20", ""), map[string]string{}, nil},
		"nobody says when":       {episode(t, "next", "2026-03-20", ""), episode(t, "next", "", ""), map[string]string{"since-first": "11 reliable-deterioration"}, []string{"b"}},
		"it is entered late":     {fhir.Resource{}, episode(t, "next", "2026-03-12", ""), map[string]string{"since-first": "11 reliable-deterioration"}, []string{"c"}},
		"it was no course":       {episode(t, "next", "2026-03-12", ""), mistaken, map[string]string{}, []string{"c"}},
		"it is deleted":          {episode(t, "next", "2026-03-12", ""), deleted, map[string]string{}, []string{"c"}},
		"it ended, nothing else": {episode(t, "next", "2026-03-12", ""), episode(t, "next", "2026-03-12", "2026-04-20"), map[string]string{"since-first": "11 reliable-deterioration"}, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			if !x.was.IsZero() {
				s.put(x.was)
			}
			for _, p := range given {
				hand(t, d, s, p.resource(t, d))
			}
			x.now.Version = 1
			if !x.was.IsZero() {
				x.now.Version = 2
			}
			hand(t, d, s, x.now)
			if diff := cmp.Diff(x.want, changes(s.now[scoreKey(given[1].key())])); diff != "" {
				t.Error(diff)
			}
			var raised []string
			for _, r := range s.raised() {
				raised = append(raised, strings.Fields(r)[0])
			}
			if diff := cmp.Diff(x.raised, raised); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBareScoresFollowTheirSessionIntoAnotherCourse(t *testing.T) {
	d := NewDeriver(library(t))
	s := inTherapy(t)
	hand(t, d, s, placed{form: scored("a", "2026-01-25", 6), episode: "one"}.resource(t, d))
	hand(t, d, s, placed{form: form{"b", "phq-9", "2026-02-01", "completed", "=19"}, session: "in-one"}.resource(t, d))
	if diff := cmp.Diff([]string{"b since-first"}, s.reasons()); diff != "" {
		t.Fatal(diff)
	}
	moved := parse(t, `{"resourceType":"Encounter","id":"in-one","subject":{"reference":"Patient/c1"},"episodeOfCare":[{"reference":"EpisodeOfCare/two"}]}`)
	moved.Version = 2
	hand(t, d, s, moved)
	if got := s.reasons(); len(got) > 0 {
		t.Errorf("a task asks for a review of what is no change: %v", got)
	}
}

func TestWhoeverMayNotSeeCoursesMovesNothingThatBelongsToThem(t *testing.T) {
	d := NewDeriver(library(t))
	s := inTherapy(t)
	hand(t, d, s, placed{form: scored("a", "2026-03-21", 6), episode: "next"}.resource(t, d))
	hand(t, d, s, placed{form: scored("c", "2026-04-20", 17)}.resource(t, d))
	c := scoreKey(form{id: "c"}.key())
	before := changes(s.now[c])
	s.closed["EpisodeOfCare"] = true
	hand(t, d, s, placed{form: scored("b", "2026-04-01", 12)}.resource(t, d))
	if diff := cmp.Diff(before, changes(s.now[c])); diff != "" || len(before) == 0 {
		t.Errorf("%v: %s", before, diff)
	}
}

func TestItIsSaidThatAScoreBelongsToNoneOfTwoCourses(t *testing.T) {
	d := NewDeriver(library(t))
	s := inTherapy(t)
	hand(t, d, s, placed{form: check("a", "2026-01-25", "9999"), episode: "one"}.resource(t, d))
	qr := placed{form: check("b", "2026-02-01", "2222")}.resource(t, d)
	hand(t, d, s, qr)
	f, err := d.library.Feedback(t.Context(), s, qr, nil)
	if err != nil || !f.Undecided || f.First != nil || f.OwnMean != nil {
		t.Errorf("%+v, %v", f, err)
	}
	if want := "Name its course or its session to compare it."; !strings.HasSuffix(f.ForClinician, want) {
		t.Errorf("%q", f.ForClinician)
	}
	if want := "This time your answers are not set beside others."; !strings.HasSuffix(f.ForClient, want) {
		t.Errorf("%q", f.ForClient)
	}
}

func TestTheMeanOfChecksIsThatOfTheirOwnCourse(t *testing.T) {
	d := NewDeriver(library(t))
	s := inTherapy(t)
	for i, x := range []struct{ episode, digits string }{{"one", "9999"}, {"two", "3333"}, {"one", "9999"}, {"two", "3333"}, {"one", "9999"}, {"two", "3333"}, {"two", "3333"}} {
		last := placed{form: check("r"+string(rune('0'+i)), "2026-01-1"+string(rune('0'+i)), x.digits), episode: x.episode}
		hand(t, d, s, last.resource(t, d))
		if i == 6 {
			if got := changes(s.now[scoreKey(last.key())])["since-own-mean"]; got != "0" {
				t.Errorf("the mean is another's too: %s", got)
			}
		}
	}
	if got := s.raised(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestNobodyIsThankedForWhatTheirTherapistAnswered(t *testing.T) {
	d := NewDeriver(library(t))
	for by, told := range map[string]bool{"": true, "client": true, "parent": true, "practitioner": false} {
		f, err := d.library.Feedback(t.Context(), newShelf(), placed{form: scored("a", "2026-01-10", 6), by: by}.resource(t, d), nil)
		if err != nil || (f.ForClient != "") != told {
			t.Errorf("%q: %q, %v", by, f.ForClient, err)
		}
	}
}

func TestAScoreSaysItsCourseAndWhoAnswered(t *testing.T) {
	d := NewDeriver(library(t))
	for name, x := range map[string]struct {
		placed
		course, answeredBy string
		performers         string
	}{
		"as a client answers":        {placed{by: "client"}, "", "", "Practitioner/t1"},
		"in a course":                {placed{episode: "one"}, "EpisodeOfCare/one", "", "Practitioner/t1"},
		"in a session of a course":   {placed{session: "in-one"}, "EpisodeOfCare/one", "", "Practitioner/t1"},
		"answered by a parent":       {placed{by: "parent"}, "", "parent", "Practitioner/t1"},
		"answered by a practitioner": {placed{by: "practitioner"}, "", "practitioner", "Practitioner/t1"},
		"answered by somebody":       {placed{by: "RelatedPerson/mother"}, "", "", "Practitioner/t1 RelatedPerson/mother"},
	} {
		t.Run(name, func(t *testing.T) {
			x.form = scored("a", "2026-01-10", 6)
			s := inTherapy(t)
			root := hand(t, d, s, x.resource(t, d))[0].Root()
			course, answeredBy := "", ""
			for e := range root.Get("extension").Elements() {
				switch e.Get("url").Text() {
				case episodeURL:
					course = e.At("valueReference", "reference").Text()
				case answeredByURL:
					answeredBy = e.Get("valueCode").Text()
				}
			}
			var performers []string
			for p := range root.Get("performer").Elements() {
				performers = append(performers, p.Get("reference").Text())
			}
			if course != x.course || answeredBy != x.answeredBy || strings.Join(performers, " ") != x.performers {
				t.Errorf("%q, %q, %v", course, answeredBy, performers)
			}
		})
	}
}
