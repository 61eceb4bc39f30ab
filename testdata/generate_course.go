//go:build ignore

// What a full course of therapy leaves in the tables.
package main

import (
	"fmt"
	"log"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	quellenhof = "quellenhof"
	today      = "2026-06-26" // the last day that the tables know of
)

// meeting is one of a course, from 1; weeks counts from the start of its phase.
type meeting struct {
	n, weeks int
	phase    int
	date     string
	status   string
}

func (m meeting) held() bool { return m.status == "held" || m.status == "amended" }

// told is a client with what follows from the cast.
type told struct {
	client
	i       int
	id      string
	arc     arc
	problem problem
	all     []meeting // until today
	begin   []string  // first day of each phase, in the future too
	over    bool      // the course has ended
}

func day(date string, weeks, days int) string {
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		log.Fatal(err)
	}
	return d.AddDate(0, 0, 7*weeks+days).Format(time.DateOnly)
}

// tell lays out the calendar of a client.
func tell(i int, c client) told {
	out := told{client: c, i: i, id: fmt.Sprintf("QH-%02d", i+1), arc: arcs[c.arc], problem: problems[c.problem]}
	if out.arc.end == "" || out.problem.code == "" {
		log.Fatalf("%s: there is no %s or no %s", out.id, c.arc, c.problem)
	}
	last := out.arc.last
	if last == 0 {
		last = knots[len(knots)-1]
	}
	n, at := 0, 0
	for p, ph := range phases {
		if p > 0 {
			at += ph.every
		}
		out.begin = append(out.begin, day(c.start, at, 0))
		for k := range ph.meetings {
			if k > 0 {
				at += ph.every
			}
			n++
			m := meeting{n: n, weeks: k * ph.every, phase: p, date: day(c.start, at, 0), status: "held"}
			switch {
			case out.arc.end == "dropout" && n > last-2, n > 2 && (i*5+n*3)%23 == 0:
				m.status = "noshow"
			case n > 2 && (i*3+n*7)%29 == 0:
				m.status = "cancelled"
			case i == 4 && n == 3:
				m.status = "amended"
			}
			if n <= last && m.date <= today {
				out.all = append(out.all, m)
			}
			out.over = n == last && m.date <= today || out.over
		}
	}
	return out
}

// at is the value of a curve at a meeting, with a little of the unevenness of life.
func (c curve) at(n, i int) int {
	k := 1
	for k < len(knots)-1 && n > knots[k] {
		k++
	}
	v := c[k-1] + (c[k]-c[k-1])*(n-knots[k-1])/(knots[k]-knots[k-1])
	if n != knots[k] && n != 1 {
		v += (i*7+n*5)%3 - 1
	}
	return max(v, 0)
}

func (c told) session(n int) string { return fmt.Sprintf("S-%s-%02d", c.id, n) }
func (c told) episode() string      { return "E-" + c.id }
func (c told) plan() string         { return "P-" + c.id }
func (c told) of(list []string) string {
	return list[c.i%len(list)]
}

// full writes everything about a client.
func (t *tables) full(i int, row client) {
	c := tell(i, row)
	p := c.problem
	mail := strings.ToLower(c.given+"."+c.family) + "@mail.example"
	t.add("clients.csv", quellenhof, c.id, c.family, c.given, c.birth, "exact", c.gender, c.language, mail,
		fmt.Sprintf("+41 79 000 01 %02d", i+1), fmt.Sprintf("%04d", 101+i), c.city, "CH", state(c.city))
	status, end, reason := "active", "", ""
	if c.over {
		status, end, reason = "finished", c.all[len(c.all)-1].date, c.arc.end
	}
	t.add("episodes.csv", quellenhof, c.episode(), c.id, c.therapist, status, c.start, end, reason, p.code, p.text, p.certain, c.all[1].date, "", "")
	c.meet(t)
	c.aim(t, status)
	c.lay(t, status, end)
	c.answer(t)
	c.practise(t)
	c.agree(t)
}

// meet writes the sessions.
func (c told) meet(t *tables) {
	long := map[string]string{"individual": "50", "couple": "75", "group": "90"}[c.format]
	for _, m := range c.all {
		ph := phases[m.phase]
		minutes, techniques, words := long, ph.techniques, ""
		switch ph.name {
		case "acute":
			techniques = c.problem.acute
		case "consolidation":
			techniques = c.problem.consolidation
		}
		if i := slices.Index([]int{1, 8, 16}, m.n); i >= 0 {
			words = c.problem.words[i]
		}
		if !m.held() {
			minutes, techniques, words = "", "", ""
		}
		t.add("sessions.csv", quellenhof, c.session(m.n), c.episode(), c.id, c.therapist, m.date, c.hour, minutes, m.status, c.modality, c.format, ph.name, techniques, words)
	}
	if c.i == 6 { // somebody else's, written into the wrong record
		t.add("sessions.csv", quellenhof, c.session(99), c.episode(), c.id, c.therapist, day(c.start, 3, 1), c.hour, long, "error", c.modality, c.format, "acute", "", "")
	}
}

// aim writes the goals and how near each side sees the first of them.
func (c told) aim(t *tables, status string) {
	state := map[string]string{"active": "active", "finished": "cancelled"}[status]
	switch {
	case status == "active":
	case c.arc.achievement == "achieved", c.arc.achievement == "improving":
		state = "completed"
	}
	achieved := c.arc.achievement
	if status == "active" {
		achieved = "in-progress"
	}
	start, due := c.all[1].date, c.begin[3]
	t.add("goals.csv", quellenhof, "G-"+c.id+"-1", c.episode(), c.id, c.therapist, c.of(c.problem.goals), state, achieved, start, due, "client", "agree", "agree", "", "")
	name := map[string]string{byPHQ: "PHQ-9", byGAD: "GAD-7"}[c.problem.measure]
	t.add("goals.csv", quellenhof, "G-"+c.id+"-2", c.episode(), c.id, c.therapist, fmt.Sprintf("%s below %d", name, c.problem.below), state, achieved, start, due,
		"therapist", "agree", "agree", c.problem.measure, strconv.Itoa(c.problem.below))
	for _, m := range c.all {
		if !m.held() || !slices.Contains([]int{2, 6, 11, 16}, m.n) {
			continue
		}
		own := min(c.arc.goal.at(m.n, c.i), 10)
		for k, by := range []string{"client", "therapist"} {
			value := min(own+k*(c.i+m.n)%2, 10)
			t.add("goal-ratings.csv", quellenhof, fmt.Sprintf("GR-%s-%02d-%s", c.id, m.n, by), c.id, c.episode(), "G-"+c.id+"-1", c.session(m.n), m.date, c.hour, by, c.therapist, strconv.Itoa(value))
		}
	}
}

// lay writes the plan with its phases, what is asked when, and its adjustment.
func (c told) lay(t *tables, status, end string) {
	state := map[string]string{"active": "active", "finished": "completed"}[status]
	if status == "finished" && c.arc.end != "planned" {
		state = "revoked"
	}
	if end == "" {
		end = c.begin[4]
	}
	t.add("plans.csv", quellenhof, c.plan(), c.episode(), c.id, c.therapist, state, "Plan for "+c.problem.text, c.problem.approach, c.all[1].date, c.start, c.begin[4],
		"Weekly until it is better, then further apart; what the questionnaires say we look at together.")
	for p, ph := range phases {
		until := end
		if p+1 < len(phases) && day(c.begin[p+1], 0, -1) < until {
			until = day(c.begin[p+1], 0, -1)
		}
		last := ""
		if c.over {
			last = c.all[len(c.all)-1].date
		}
		running := "draft"
		switch {
		case c.over && c.begin[p] > last:
			running = "revoked"
		case c.over, p+1 < len(phases) && c.begin[p+1] <= today:
			running = "completed"
		case c.begin[p] <= today:
			running = "active"
		}
		if c.begin[p] > until {
			until = ""
		}
		techniques := ph.techniques
		switch ph.name {
		case "acute":
			techniques = c.problem.acute
		case "consolidation":
			techniques = c.problem.consolidation
		}
		cells := []string{quellenhof, c.plan(), ph.name, running, c.begin[p], until, "1", strconv.Itoa(ph.every), "wk", techniques, ph.focus}
		for _, weeks := range ph.watch {
			cell := ""
			if weeks > 0 {
				cell = strconv.Itoa(weeks)
			}
			cells = append(cells, cell)
		}
		t.add("plan-phases.csv", cells...)
	}
	t.add("plan-goals.csv", quellenhof, c.plan(), "G-"+c.id+"-1")
	t.add("plan-goals.csv", quellenhof, c.plan(), "G-"+c.id+"-2")
	if c.arc.reason != "" && len(c.all) >= 8 {
		t.add("plan-adjustments.csv", quellenhof, c.plan(), c.all[7].date, c.arc.parts, "client therapist", c.therapist, c.arc.reason)
	}
}

// answer writes the questionnaires that the plan asks for, at the sessions that were
// held.
func (c told) answer(t *tables) {
	for w, instrument := range watched {
		k := 0
		for _, m := range c.all {
			weeks := phases[m.phase].watch[w]
			if weeks == 0 || !m.held() || m.weeks%weeks != 0 {
				continue
			}
			k++
			f := forms[instrument]
			total := min(max(c.arc.scores[w].at(m.n, c.i), f.least*f.spread), f.most*f.spread)
			last := 0
			if instrument == "phq-9" {
				last = c.arc.item9[m.n]
			}
			t.response(quellenhof, fmt.Sprintf("R-%s-%s-%02d", c.id, instrument, k), c.id, c.episode(), c.session(m.n), instrument, m.date, c.hour, total, last)
		}
	}
}

// practise writes the exercises between sessions, what the client tells of them, and
// the notebook.
func (c told) practise(t *tables) {
	outcomes := []string{"done", "partly", "done", "not-done", "done"}
	k := 0
	for j, m := range c.all {
		if !m.held() || m.phase == 0 || m.phase > 2 || m.n%3 != c.i%3 {
			continue
		}
		k++
		x := c.problem.exercises[k%len(c.problem.exercises)]
		id := fmt.Sprintf("X-%s-%02d", c.id, m.n)
		until := day(m.date, phases[m.phase].every, -1)
		told := []string{"", "", "", "", "", "", "", ""}
		status, because := "requested", ""
		outcome := outcomes[(c.i+k)%len(outcomes)]
		mood := max(10-c.arc.scores[0].at(m.n, c.i)/2, 1)
		switch {
		case c.arc.end == "dropout":
			status, because = "rejected", "I do not see what that is good for."
		case j == len(c.all)-1 && !c.over: // before the next meeting
		default:
			status = map[string]string{"done": "completed", "partly": "completed", "not-done": "failed"}[outcome]
			told = []string{outcome, until, "20:10", strconv.Itoa(10 + 5*(m.n%4)), strconv.Itoa((c.i + m.n) % 9), strconv.Itoa(mood), strconv.Itoa(min(mood+1+m.n%2, 10)), ""}
			if outcome == "not-done" {
				told[3], told[5], told[6], told[7] = "", "", "", "There was no quiet moment."
			}
		}
		t.add("exercises.csv", append([]string{quellenhof, id, c.id, c.episode(), c.plan(), c.session(m.n), c.therapist, x[0], status, m.date, m.date, until, x[1], because}, told...)...)
		if k > len(c.problem.notes) || status == "rejected" {
			continue
		}
		progress, question := "", ""
		switch k {
		case 2:
			question = "Is it all right that it goes up and down?"
		case 3:
			progress = "What I could not do in spring I did without thinking of it."
		}
		anxiety := min(c.arc.scores[1].at(m.n, c.i)/2, 10)
		t.add("notebook.csv", quellenhof, fmt.Sprintf("N-%s-%d", c.id, k), c.id, c.episode(), id, day(m.date, 0, 2), "21:30", c.problem.notes[k-1], progress, question,
			strconv.Itoa(mood), strconv.Itoa(10-anxiety), strconv.Itoa(anxiety), strconv.Itoa(max(mood-1, 0)))
	}
}

// agree writes what was explained and agreed to.
func (c told) agree(t *tables) {
	n := 0
	add := func(about, decision, status, date, end, recipient, purposes, text, explained, witness string) {
		n++
		t.add("consents.csv", quellenhof, fmt.Sprintf("C-%s-%d", c.id, n), c.id, about, decision, status, date, end, recipient, purposes, text, explained, witness)
	}
	explained := "confidentiality confidentiality-limits method duration frequency fees cancellation records"
	if c.modality != "in-person" {
		explained += " online-sessions emergencies"
	}
	add("framing", "permit", "active", c.start, "", "", "", "What is said here stays here, with the exceptions that we went through. Who cannot come says so the day before.", explained, c.therapist)
	add("treatment", "permit", "active", c.start, "", "", "", "I agree to the treatment as it was explained to me.", "", "")
	second := c.all[1].date
	switch c.i % 6 {
	case 0, 1:
		add("privacy", "permit", "active", second, "", "seespital", "TREAT", "Seespital may get what it needs to treat me.", "", "")
	case 2:
		add("privacy", "deny", "active", second, "", "seespital", "", "Nothing goes to Seespital.", "", "")
	case 3:
		add("privacy", "permit", "inactive", second, "", "seespital", "TREAT", "Seespital may get what it needs to treat me. (Withdrawn.)", "", "")
	case 4:
		add("privacy", "permit", "active", second, day(second, 12, 0), "seespital", "TREAT", "For three months Seespital may get what it needs to treat me.", "", "")
	}
	const yes = "My data may be used for research, without my name."
	switch c.research {
	case "permit":
		add("research", "permit", "active", second, "", "", "HRESCH", yes, "", "")
	case "deny":
		add("research", "deny", "active", second, "", "", "HRESCH", "My data are not used for research.", "", "")
	case "inactive":
		add("research", "permit", "inactive", second, "", "", "HRESCH", yes+" (Withdrawn.)", "", "")
	case "ended":
		add("research", "permit", "active", second, day(second, 12, 0), "", "HRESCH", yes+" For three months.", "", "")
	}
}

// meetings writes what is not about one client: workshops and supervision.
func (t *tables) meetings() {
	workshops := []struct {
		id, topic, date, techniques, second string
		from, to                            int // of the cast
	}{
		{"W-01", "Sleeping again", "2024-06-15", "relaxation psychoeducation", "T-02", 0, 6},
		{"W-02", "Being afraid and going all the same", "2025-06-14", "psychoeducation breathing", "", 20, 28},
		{"W-03", "Writing it down", "2025-11-15", "expressive-writing", "T-01", 23, 30},
	}
	for _, w := range workshops {
		t.add("workshops.csv", quellenhof, w.id, w.topic, w.date, "09:00", "180", "in-person", w.techniques, "T-03", w.second)
		for k, i := 0, w.from; i < w.to; k, i = k+1, i+1 {
			c := tell(i, clients[i])
			status, phase, because := "held", "consolidation", ""
			switch k {
			case 2:
				status, phase, because = "noshow", "", "The train stood still."
			case 4:
				status, phase, because = "cancelled", "", "A child was ill."
			}
			t.add("workshop-clients.csv", quellenhof, w.id, c.id, c.episode(), status, phase, because)
		}
	}
	for _, s := range [][]string{
		{quellenhof, "V-01", "T-04", "T-01", "T-02", "T-03", "2025-01-10", "12:00", "90", "held", "group", "in-person"},
		{quellenhof, "V-02", "T-04", "T-01", "", "", "2025-02-14", "12:00", "60", "held", "individual", "video"},
		{quellenhof, "V-03", "T-04", "T-01", "T-02", "T-03", "2025-04-11", "12:00", "90", "held", "group", "in-person"},
		{quellenhof, "V-04", "", "T-01", "T-02", "", "2025-05-09", "12:00", "60", "held", "peer", "in-person"},
		{quellenhof, "V-05", "T-04", "T-03", "", "", "2025-06-13", "12:00", "60", "cancelled", "individual", "in-person"},
		{quellenhof, "V-06", "T-04", "T-01", "T-02", "T-03", "2026-07-10", "12:00", "90", "booked", "group", "in-person"},
	} {
		t.add("supervisions.csv", s...)
	}
}
