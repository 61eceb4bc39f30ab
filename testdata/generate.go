//go:build ignore

// Writes the tables of the invented practice; practice/README.md says what they
// are. The same program writes the same bytes: nothing in it is drawn by chance.
//
//	go run testdata/generate.go testdata/generate_*.go [FOLDER]
//
// generate_cast.go has the clients of the story, generate_more.go those in full
// courses of therapy, generate_course.go what such a course leaves in the tables.
package main

import (
	"encoding/csv"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tables are the files by name: header and rows.
type tables struct{ files map[string][][]string }

func (t *tables) add(file string, cells ...string) { t.files[file] = append(t.files[file], cells) }

func main() {
	folder := filepath.Join("testdata", "practice")
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	t := &tables{files: map[string][][]string{}}
	t.headers()
	t.house()
	for _, c := range courses {
		t.course(c)
	}
	for i, c := range clients {
		t.full(i, c)
	}
	t.meetings()
	for name, rows := range t.files {
		if err := write(filepath.Join(folder, name), rows); err != nil {
			log.Fatal(err)
		}
	}
}

func write(path string, rows [][]string) error {
	for _, r := range rows {
		if len(r) != len(rows[0]) {
			return fmt.Errorf("%s: %d cells below a header of %d: %v", path, len(r), len(rows[0]), r)
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return f.Close()
}

func (t *tables) headers() {
	for file, columns := range map[string]string{
		"organisations.csv": "organisation name type active phone email line postal_code city country",
		"practitioners.csv": "organisation practitioner prefix family given gender role active email",
		"clients.csv":       "organisation client family given birth_date birth_date_accuracy gender language email phone postal_code city country state",
		"episodes.csv": "organisation episode client therapist status start end end_reason diagnosis diagnosis_text diagnosis_status diagnosis_date " +
			"second_diagnosis second_diagnosis_text",
		"sessions.csv": "organisation session episode client therapist date time minutes status modality format phase techniques reason",
		"goals.csv": "organisation goal episode client therapist description status achievement start due expressed_by client_agrees therapist_agrees " +
			"target_measure target_below",
		"plans.csv":       "organisation plan episode client therapist status title approach created start end summary",
		"plan-phases.csv": "organisation plan phase status start end times every unit techniques focus phq9_weeks gad7_weeks k10_weeks alliance_weeks",
		"plan-goals.csv":  "organisation plan goal",
		"responses.csv": "organisation response client episode session instrument date time " +
			"item1 item2 item3 item4 item5 item6 item7 item8 item9 item10 total",
		"consents.csv": "organisation consent client about decision status date end recipient purposes text explained witness",
		"exercises.csv": "organisation exercise client episode plan session therapist kind status assigned start end instructions because " +
			"outcome reported reported_time minutes difficulty mood_before mood_after words",
		"notebook.csv":         "organisation entry client episode exercise date time words progress question mood calm anxiety energy",
		"goal-ratings.csv":     "organisation rating client episode goal session date time by therapist value",
		"plan-adjustments.csv": "organisation plan date changed agreed therapist reason",
		"workshops.csv":        "organisation workshop topic date time minutes modality techniques therapist second_therapist",
		"workshop-clients.csv": "organisation workshop client episode status phase because",
		"supervisions.csv":     "organisation supervision supervisor first second third date time minutes status format modality",
	} {
		t.add(file, strings.Fields(columns)...)
	}
}

// house writes who works where.
func (t *tables) house() {
	for _, o := range [][]string{
		{"lindenhof", "Praxis Lindenhof", "practice", "yes", "+41 44 000 00 01", "praxis@lindenhof.example", "Lindenhof 1", "0001", "Lindental", "CH"},
		{"bruecke", "Praxis Brücke", "practice", "yes", "+41 44 000 00 02", "praxis@bruecke.example", "Brückenweg 2", "0002", "Brückwil", "CH"},
		{"seespital", "Seespital", "hospital", "yes", "+41 44 000 00 03", "zuweisung@seespital.example", "Seestrasse 3", "0003", "Seeau", "CH"},
		{"kartenwerk", "Kartenwerk", "vendor", "yes", "+41 44 000 00 04", "betrieb@kartenwerk.example", "Blattgasse 4", "0004", "Lindental", "CH"},
		{"quellenhof", "Praxis Quellenhof", "practice", "yes", "+41 44 000 00 05", "praxis@quellenhof.example", "Quellweg 5", "0005", "Quellau", "CH"},
	} {
		t.add("organisations.csv", o...)
	}
	for _, p := range [][]string{
		{"lindenhof", "T-01", "Dr.", "Eibe", "Ruth", "f", "psychotherapist", "yes", "ruth.eibe@lindenhof.example"},
		{"lindenhof", "T-02", "", "Fels", "Marc", "m", "psychologist", "yes", "marc.fels@lindenhof.example"},
		{"lindenhof", "T-03", "Dr.", "Gneis", "Hanna", "f", "supervisor", "yes", "hanna.gneis@lindenhof.example"},
		{"bruecke", "T-01", "", "Linde", "Sara", "f", "psychotherapist", "yes", "sara.linde@bruecke.example"},
		{"bruecke", "T-02", "", "Onyx", "Nils", "x", "psychotherapist", "yes", "nils.onyx@bruecke.example"},
		{"quellenhof", "T-01", "Dr.", "Tanne", "Vera", "f", "psychotherapist", "yes", "vera.tanne@quellenhof.example"},
		{"quellenhof", "T-02", "", "Schiefer", "Luca", "m", "psychologist", "yes", "luca.schiefer@quellenhof.example"},
		{"quellenhof", "T-03", "", "Buche", "Aline", "f", "psychotherapist", "yes", "aline.buche@quellenhof.example"},
		{"quellenhof", "T-04", "Dr.", "Porphyr", "Hans", "m", "supervisor", "yes", "hans.porphyr@quellenhof.example"},
	} {
		t.add("practitioners.csv", p...)
	}
}

func (t *tables) course(c course) {
	n, _ := strconv.Atoi(c.client[3:])
	mail := strings.ToLower(c.given+"."+c.family) + "@mail.example"
	t.add("clients.csv", c.org, c.client, c.family, c.given, c.birth, c.accuracy, c.gender, c.language, mail, fmt.Sprintf("+41 79 000 00 %02d", n), fmt.Sprintf("%04d", n), c.city, "CH", state(c.city))
	episode := "E-" + c.client
	end := ""
	if c.status == "finished" {
		end = c.day(c.sessions)
	}
	t.add("episodes.csv", c.org, episode, c.client, c.therapist, c.status, c.day(1), end, c.endReason,
		c.diagnosis, c.diagnosisText, c.certain, c.day(2), c.second, c.secondText)
	t.sessions(c, episode)
	t.goals(c, episode)
	t.plan(c, episode, end)
	t.responses(c, episode, "phq-9", c.phq)
	t.responses(c, episode, "gad-7", c.gad)
	t.consents(c)
}

// state is the canton that a town lies in.
func state(city string) string {
	switch city {
	case "Brückwil", "Granitau", "Aareck":
		return "BE"
	case "Sass":
		return "TI"
	}
	return "ZH"
}

// weeks is how many weeks apart scores lie that are spread evenly over the course; "" if
// there are none.
func (c course) weeks(scores []int) string {
	if len(scores) == 0 {
		return ""
	}
	return strconv.Itoa(max(1, c.sessions*c.every/7/len(scores)))
}

// day is the date of the nth session, from 1.
func (c course) day(n int) string {
	d, err := time.Parse(time.DateOnly, c.start)
	if err != nil {
		log.Fatal(err)
	}
	return d.AddDate(0, 0, (n-1)*c.every).Format(time.DateOnly)
}

// phase is that of the nth session.
func (c course) phase(n int) string {
	switch {
	case n <= 2:
		return "assessment"
	case n*3 <= c.sessions*2:
		return "acute"
	case n == c.sessions && c.endReason == "planned":
		return "closing"
	}
	return "consolidation"
}

func (t *tables) sessions(c course, episode string) {
	for n := 1; n <= c.sessions; n++ {
		status, minutes, techniques, reason := "held", "50", c.techniques[(n-1)*len(c.techniques)/c.sessions], ""
		if c.format == "group" {
			minutes = "90"
		}
		// The words come with the first session and then in even steps.
		if i := (n - 1) * len(c.words) / c.sessions; n == 1 || (n-2)*len(c.words)/c.sessions != i {
			reason = c.words[i]
		}
		switch {
		case slices.Contains(c.missed, n):
			status = "noshow"
		case slices.Contains(c.cancelled, n):
			status = "cancelled"
		}
		if status != "held" {
			minutes, techniques, reason = "", "", ""
		}
		t.add("sessions.csv", c.org, session(c, n), episode, c.client, c.therapist, c.day(n), c.time, minutes, status, c.modality, c.format, c.phase(n), techniques, reason)
	}
}

func session(c course, n int) string { return fmt.Sprintf("S-%s-%02d", c.client, n) }

func (t *tables) goals(c course, episode string) {
	status := "active"
	switch {
	case c.achievement == "achieved":
		status = "completed"
	case c.status == "finished":
		status = "cancelled"
	case c.status == "onhold":
		status = "on-hold"
	}
	t.add("goals.csv", c.org, "G-"+c.client+"-1", episode, c.client, c.therapist, c.goal, status, c.achievement, c.day(2), c.day(c.sessions), "client", "agree", "agree", "", "")
	name := map[string]string{"44261-6": "PHQ-9", "70274-6": "GAD-7"}[c.measure]
	agrees := "agree"
	if c.client == "LH-04" {
		agrees = "pending"
	}
	t.add("goals.csv", c.org, "G-"+c.client+"-2", episode, c.client, c.therapist, fmt.Sprintf("%s below %d", name, c.below), status, c.achievement, c.day(2), c.day(c.sessions),
		"therapist", agrees, "agree", c.measure, strconv.Itoa(c.below))
}

func (t *tables) plan(c course, episode, end string) {
	status, running := "active", "active"
	switch c.status {
	case "finished":
		status, running = "completed", "completed"
	}
	if c.endReason == "dropout" {
		status = "revoked"
	}
	plan := "P-" + c.client
	until := end
	if until == "" {
		until = c.day(c.sessions + 12)
	}
	t.add("plans.csv", c.org, plan, episode, c.client, c.therapist, status, "Plan for "+c.diagnosisText, c.approach, c.day(2), c.day(1), until,
		"We meet regularly, look at scores together every few weeks, and adjust the plan when they stand still.")
	unit, every := "wk", strconv.Itoa(c.every/7)
	acute := c.sessions * 2 / 3
	phq, gad := c.weeks(c.phq), c.weeks(c.gad)
	t.add("plan-phases.csv", c.org, plan, "assessment", "completed", c.day(1), c.day(2), "1", every, unit, c.techniques[0], "What is the matter, since when, and what has helped before", phq, gad, "", "")
	done := "completed"
	if c.sessions < 8 && running == "active" {
		done = "active"
	}
	t.add("plan-phases.csv", c.org, plan, "acute", done, c.day(3), c.day(acute), "1", every, unit, c.techniques[1], c.goal, phq, gad, "", "")
	if done == "active" {
		running = "draft"
	}
	t.add("plan-phases.csv", c.org, plan, "consolidation", running, c.day(acute+1), until, "1", strconv.Itoa(2*c.every/7), unit, c.techniques[2], "Doing alone what worked together", phq, gad, "", "")
	t.add("plan-goals.csv", c.org, plan, "G-"+c.client+"-1")
	t.add("plan-goals.csv", c.org, plan, "G-"+c.client+"-2")
}

// forms are the instruments: how many items the score has, over how many of them the
// generator spreads it (no answer to item 9 of the PHQ-9 is above 0), the least and
// the most of an answer.
var forms = map[string]struct{ items, spread, least, most int }{
	"phq-9": {9, 8, 0, 3}, "gad-7": {7, 7, 0, 3}, "k10p": {10, 10, 1, 5}, "alliance": {4, 4, 0, 10},
}

// responses writes one row a score, evenly over the sessions that were held.
func (t *tables) responses(c course, episode, instrument string, totals []int) {
	for i, total := range totals {
		n := 1
		if len(totals) > 1 {
			n = 1 + i*(c.sessions-1)/(len(totals)-1)
		}
		for slices.Contains(c.missed, n) || slices.Contains(c.cancelled, n) {
			n--
		}
		id := fmt.Sprintf("R-%s-%s-%d", c.client, instrument, i+1)
		t.response(c.org, id, c.client, episode, session(c, n), instrument, c.day(n), c.time, total, 0)
	}
}

// response spreads a total over the items; last is what item 9 of the PHQ-9 adds.
func (t *tables) response(org, id, client, episode, session, instrument, date, hour string, total, last int) {
	cells := []string{org, id, client, episode, session, instrument, date, hour}
	f := forms[instrument]
	above := total - f.least*f.spread
	sum := 0
	for item := 1; item <= 10; item++ {
		switch {
		case item > f.items && instrument == "phq-9": // how difficult it makes things
			cells = append(cells, strconv.Itoa(min(3, (total+6)/7)))
		case item > f.items:
			cells = append(cells, "")
		case item > f.spread:
			cells = append(cells, strconv.Itoa(last))
		default:
			// Later items get the larger share where it does not come out even.
			a := f.least + (above*item)/f.spread - (above*(item-1))/f.spread
			sum += a
			cells = append(cells, strconv.Itoa(a))
		}
	}
	if sum != total || total > f.most*f.spread {
		log.Fatalf("%s: %d does not spread over %d items", id, total, f.spread)
	}
	t.add("responses.csv", append(cells, strconv.Itoa(total+last))...)
}

// consents: all agree to be treated. Who may get what differs, so that each case of
// the story has somebody: see README.md.
func (t *tables) consents(c course) {
	n := 0
	add := func(about, decision, status, date, end, recipient, purposes, text string) {
		n++
		t.add("consents.csv", c.org, fmt.Sprintf("C-%s-%d", c.client, n), c.client, about, decision, status, date, end, recipient, purposes, text, "", "")
	}
	first := c.day(1)
	add("treatment", "permit", "active", first, "", "", "", "I agree to the treatment as it was explained to me.")
	switch c.client {
	case "LH-07":
		add("privacy", "deny", "active", first, "", "kartenwerk", "", "Nothing goes to Kartenwerk.")
	case "LH-08":
		add("privacy", "permit", "active", first, c.day(3), "kartenwerk", "TREAT", "Until the second month Kartenwerk may read my record for my treatment.")
	case "BR-02", "BR-03", "BR-04":
	default:
		add("privacy", "permit", "active", first, "", "kartenwerk", "TREAT", "Kartenwerk may read my record for my treatment.")
	}
	switch c.client {
	case "LH-01", "LH-02", "LH-04", "BR-02", "BR-03":
		add("privacy", "permit", "active", c.day(2), "", "seespital", "TREAT", "Seespital may get what it needs to treat me.")
	case "LH-06":
		add("privacy", "permit", "inactive", c.day(2), "", "seespital", "TREAT", "Seespital may get what it needs to treat me. (Withdrawn.)")
	}
	switch c.client {
	case "LH-02", "LH-05", "BR-04":
		add("research", "permit", "active", c.day(3), "", "", "HRESCH", "My data may be used for research, without my name.")
	case "LH-03", "BR-01":
		add("research", "deny", "active", c.day(3), "", "", "HRESCH", "My data are not used for research.")
	}
}
