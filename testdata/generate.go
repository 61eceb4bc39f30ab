//go:build ignore

// Writes the tables of the invented practice; practice/README.md says what they
// are. The same program writes the same bytes: nothing in it is drawn by chance.
//
//	go run testdata/generate.go [FOLDER]
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

// course is one client's course of therapy, and what the other tables are made of.
type course struct {
	org, client, family, given, birth, accuracy, gender, language, city string

	therapist, start, status, endReason string // end: the last session, where finished
	sessions                            int
	every                               int      // days between sessions
	missed                              []int    // sessions that were no-shows
	cancelled                           []int    // sessions that were cancelled
	modality, format                    string   //
	time                                string   // of day
	techniques                          []string // one for each third of the course
	words                               []string // the client's own, for some sessions
	diagnosis, diagnosisText, certain   string
	second, secondText                  string
	approach, goal, achievement         string
	below                               int // PHQ-9 or GAD-7 aimed at
	measure                             string
	phq, gad                            []int // total scores, evenly over the course
}

var courses = []course{
	{org: "lindenhof", client: "LH-01", family: "Ahorn", given: "Iris", birth: "1988-04-17", accuracy: "exact", gender: "f", language: "de", city: "Lindental",
		therapist: "T-01", start: "2026-01-12", status: "active", sessions: 18, every: 7, missed: []int{9}, modality: "in-person", format: "individual", time: "09:00",
		techniques: []string{"active-listening psychoeducation", "behavioural cognitive", "cognitive exposure"},
		words:      []string{"I am tired before the day begins.", "Mornings are the worst.", "I went to the choir again, and stayed."},
		diagnosis:  "F32.1", diagnosisText: "Moderate depressive episode", certain: "confirmed",
		approach: "cognitive-behavioural", goal: "To sing in the choir every week without making up reasons to stay home", achievement: "improving", measure: "44261-6", below: 10,
		phq: []int{17, 16, 13, 12, 9, 8}, gad: []int{11, 9, 7}},
	{org: "lindenhof", client: "LH-02", family: "Birke", given: "Anton", birth: "1975-11-02", accuracy: "exact", gender: "m", language: "de", city: "Lindental",
		therapist: "T-01", start: "2025-09-08", status: "finished", endReason: "planned", sessions: 22, every: 7, cancelled: []int{6}, modality: "in-person", format: "individual", time: "10:30",
		techniques: []string{"psychoeducation breathing", "exposure cognitive-behavioural", "relaxation"},
		words:      []string{"My heart races on the tram and I am sure that this is it.", "I took the tram alone."},
		diagnosis:  "F41.0", diagnosisText: "Panic disorder", certain: "confirmed",
		approach: "cognitive-behavioural", goal: "To ride the tram to work alone", achievement: "achieved", measure: "70274-6", below: 8,
		phq: []int{9, 7, 4}, gad: []int{16, 15, 12, 9, 6, 4}},
	{org: "lindenhof", client: "LH-03", family: "Clematis", given: "Noor", birth: "1999-07-30", accuracy: "exact", gender: "x", language: "fr", city: "Oberlinden",
		therapist: "T-02", start: "2026-02-03", status: "active", sessions: 12, every: 7, modality: "video", format: "individual", time: "17:15",
		techniques: []string{"active-listening open-questions", "interpersonal", "mindfulness supportive"},
		words:      []string{"Everyone has a plan but me."},
		diagnosis:  "F43.23", diagnosisText: "Adjustment disorder with mixed anxiety and depressed mood", certain: "provisional",
		approach: "integrative", goal: "To decide about the apprenticeship by summer", achievement: "in-progress", measure: "44261-6", below: 5,
		phq: []int{12, 11, 9, 9}, gad: []int{13, 12, 10, 8}},
	{org: "lindenhof", client: "LH-04", family: "Dahlie", given: "Beat", birth: "1961", accuracy: "estimated", gender: "m", language: "de", city: "Lindental",
		therapist: "T-02", start: "2025-10-06", status: "active", sessions: 16, every: 14, missed: []int{4, 11}, modality: "phone", format: "individual", time: "14:00",
		techniques: []string{"supportive active-listening", "behavioural", "supportive"},
		words:      []string{"The house is so quiet since she died.", "I cooked for two again by mistake."},
		diagnosis:  "F33.1", diagnosisText: "Recurrent depressive disorder, current episode moderate", certain: "confirmed", second: "F51.01", secondText: "Primary insomnia",
		approach: "humanistic", goal: "To eat at the table again, not in front of the television", achievement: "no-change", measure: "44261-6", below: 10,
		phq: []int{15, 16, 14, 15, 14}, gad: []int{7, 6}},
	{org: "lindenhof", client: "LH-05", family: "Enzian", given: "Lea", birth: "1993-01-25", accuracy: "exact", gender: "f", language: "it", city: "Steinach",
		therapist: "T-01", start: "2025-11-03", status: "active", sessions: 20, every: 7, modality: "in-person", format: "couple", time: "18:00",
		techniques: []string{"systemic open-questions", "systemic interpersonal", "interpersonal reformulation"},
		words:      []string{"We only talk about who picks up the children."},
		diagnosis:  "F41.1", diagnosisText: "Generalised anxiety disorder", certain: "confirmed",
		approach: "systemic", goal: "One evening a week that is ours", achievement: "improving", measure: "70274-6", below: 10,
		phq: []int{8, 7, 6}, gad: []int{14, 14, 11, 10, 9}},
	{org: "lindenhof", client: "LH-06", family: "Farn", given: "Jonas", birth: "2003-09-12", accuracy: "exact", gender: "m", language: "de", city: "Oberlinden",
		therapist: "T-02", start: "2026-03-02", status: "active", sessions: 10, every: 7, missed: []int{2}, modality: "in-person", format: "individual", time: "16:00",
		techniques: []string{"psychoeducation", "exposure", "exposure cognitive"},
		words:      []string{"If I say nothing nobody can laugh.", "I asked a question in the seminar."},
		diagnosis:  "F40.10", diagnosisText: "Social phobia", certain: "confirmed",
		approach: "cognitive-behavioural", goal: "To give the seminar talk in June", achievement: "improving", measure: "70274-6", below: 8,
		phq: []int{7, 6, 5}, gad: []int{15, 13, 11}},
	{org: "lindenhof", client: "LH-07", family: "Ginster", given: "Maria", birth: "1970-06-08", accuracy: "exact", gender: "f", language: "de", city: "Lindental",
		therapist: "T-01", start: "2025-09-15", status: "finished", endReason: "dropout", sessions: 7, every: 7, missed: []int{6, 7}, modality: "in-person", format: "individual", time: "11:30",
		techniques: []string{"active-listening", "body breathing", "supportive"},
		words:      []string{"I do not want this written down anywhere."},
		diagnosis:  "F43.12", diagnosisText: "Post-traumatic stress disorder, chronic", certain: "provisional",
		approach: "mind-body", goal: "To sleep through three nights in a row", achievement: "not-achieved", measure: "44261-6", below: 10,
		phq: []int{19, 18}, gad: []int{17, 17}},
	{org: "lindenhof", client: "LH-08", family: "Hasel", given: "Ueli", birth: "1956-12-19", accuracy: "exact", gender: "m", language: "de", city: "Steinach",
		therapist: "T-02", start: "2026-04-13", status: "onhold", sessions: 6, every: 14, cancelled: []int{5}, modality: "in-person", format: "individual", time: "08:15",
		techniques: []string{"anchoring", "imagery", "hypnosis"},
		words:      []string{"The pain is old, the worry about it is new."},
		diagnosis:  "F45.42", diagnosisText: "Pain disorder with related psychological factors", certain: "provisional",
		approach: "hypnosis", goal: "To walk to the lake and back", achievement: "in-progress", measure: "44261-6", below: 5,
		phq: []int{10, 9}, gad: []int{8, 6}},
	{org: "bruecke", client: "BR-01", family: "Jade", given: "Selin", birth: "1984-03-03", accuracy: "exact", gender: "f", language: "tr", city: "Brückwil",
		therapist: "T-01", start: "2026-01-20", status: "active", sessions: 15, every: 7, modality: "in-person", format: "individual", time: "13:00",
		techniques: []string{"psychodynamic active-listening", "psychodynamic", "psychodynamic interpersonal"},
		words:      []string{"I am my mother on the telephone."},
		diagnosis:  "F34.1", diagnosisText: "Dysthymic disorder", certain: "confirmed",
		approach: "psychodynamic", goal: "To say no to my brother once, and see what happens", achievement: "improving", measure: "44261-6", below: 10,
		phq: []int{14, 13, 12, 10}, gad: []int{9, 9, 7}},
	{org: "bruecke", client: "BR-02", family: "Kiesel", given: "Tom", birth: "1991-10-21", accuracy: "exact", gender: "m", language: "en", city: "Brückwil",
		therapist: "T-01", start: "2025-10-14", status: "finished", endReason: "transferred", sessions: 14, every: 7, missed: []int{8}, modality: "video", format: "individual", time: "19:00",
		techniques: []string{"expressive-writing", "cognitive", "cognitive supportive"},
		words:      []string{"At work they call it resilience."},
		diagnosis:  "F32.0", diagnosisText: "Mild depressive episode", certain: "confirmed",
		approach: "integrative", goal: "To leave the office at six", achievement: "no-change", measure: "44261-6", below: 5,
		phq: []int{9, 11, 12, 14}, gad: []int{10, 11, 12}},
	{org: "bruecke", client: "BR-03", family: "Lava", given: "Mia", birth: "2006-05-05", accuracy: "exact", gender: "f", language: "de", city: "Granitau",
		therapist: "T-02", start: "2026-02-09", status: "active", sessions: 12, every: 7, modality: "in-person", format: "family", time: "15:30",
		techniques: []string{"systemic", "systemic psychoeducation", "systemic"},
		words:      []string{"They ask me, and then they answer."},
		diagnosis:  "F50.01", diagnosisText: "Anorexia nervosa, restricting type", certain: "provisional",
		approach: "systemic", goal: "One family meal a day without talk of food", achievement: "worsening", measure: "44261-6", below: 10,
		phq: []int{11, 12, 13}, gad: []int{12, 12, 13}},
	{org: "bruecke", client: "BR-04", family: "Marmor", given: "Paul", birth: "1948-08-28", accuracy: "exact", gender: "m", language: "de", city: "Granitau",
		therapist: "T-02", start: "2026-03-16", status: "active", sessions: 8, every: 7, cancelled: []int{3}, modality: "in-person", format: "group", time: "10:00",
		techniques: []string{"relaxation", "biofeedback relaxation", "mindfulness"},
		words:      []string{"One learns to breathe at seventy-seven."},
		diagnosis:  "F45.8", diagnosisText: "Other somatoform disorders: dizziness", certain: "provisional",
		approach: "mind-body", goal: "To stand on the ladder in the garden", achievement: "improving", measure: "70274-6", below: 5,
		phq: []int{6, 5}, gad: []int{11, 9, 6}},
}

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
		"clients.csv":       "organisation client family given birth_date birth_date_accuracy gender language email phone postal_code city country",
		"episodes.csv": "organisation episode client therapist status start end end_reason diagnosis diagnosis_text diagnosis_status diagnosis_date " +
			"second_diagnosis second_diagnosis_text",
		"sessions.csv": "organisation session episode client therapist date time minutes status modality format phase techniques reason",
		"goals.csv": "organisation goal episode client therapist description status achievement start due expressed_by client_agrees therapist_agrees " +
			"target_measure target_below",
		"plans.csv":       "organisation plan episode client therapist status title approach created start end summary",
		"plan-phases.csv": "organisation plan phase status start end times every unit techniques focus",
		"plan-goals.csv":  "organisation plan goal",
		"responses.csv": "organisation response client episode session instrument date time " +
			"item1 item2 item3 item4 item5 item6 item7 item8 item9 item10 total",
		"consents.csv": "organisation consent client about decision status date end recipient purposes text",
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
	} {
		t.add("organisations.csv", o...)
	}
	for _, p := range [][]string{
		{"lindenhof", "T-01", "Dr.", "Eibe", "Ruth", "f", "psychotherapist", "yes", "ruth.eibe@lindenhof.example"},
		{"lindenhof", "T-02", "", "Fels", "Marc", "m", "psychologist", "yes", "marc.fels@lindenhof.example"},
		{"lindenhof", "T-03", "Dr.", "Gneis", "Hanna", "f", "supervisor", "yes", "hanna.gneis@lindenhof.example"},
		{"bruecke", "T-01", "", "Linde", "Sara", "f", "psychotherapist", "yes", "sara.linde@bruecke.example"},
		{"bruecke", "T-02", "", "Onyx", "Nils", "x", "psychotherapist", "yes", "nils.onyx@bruecke.example"},
	} {
		t.add("practitioners.csv", p...)
	}
}

func (t *tables) course(c course) {
	n, _ := strconv.Atoi(c.client[3:])
	mail := strings.ToLower(c.given+"."+c.family) + "@mail.example"
	t.add("clients.csv", c.org, c.client, c.family, c.given, c.birth, c.accuracy, c.gender, c.language, mail, fmt.Sprintf("+41 79 000 00 %02d", n), fmt.Sprintf("%04d", n), c.city, "CH")
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
	t.add("plan-phases.csv", c.org, plan, "assessment", "completed", c.day(1), c.day(2), "1", every, unit, c.techniques[0], "What is the matter, since when, and what has helped before")
	done := "completed"
	if c.sessions < 8 && running == "active" {
		done = "active"
	}
	t.add("plan-phases.csv", c.org, plan, "acute", done, c.day(3), c.day(acute), "1", every, unit, c.techniques[1], c.goal)
	if done == "active" {
		running = "draft"
	}
	t.add("plan-phases.csv", c.org, plan, "consolidation", running, c.day(acute+1), until, "1", strconv.Itoa(2*c.every/7), unit, c.techniques[2], "Doing alone what worked together")
	t.add("plan-goals.csv", c.org, plan, "G-"+c.client+"-1")
	t.add("plan-goals.csv", c.org, plan, "G-"+c.client+"-2")
}

// responses writes one row a score, evenly over the sessions that were held.
func (t *tables) responses(c course, episode, instrument string, totals []int) {
	items, spread := 9, 8 // no answer to item 9 of the PHQ-9 is above 0
	if instrument == "gad-7" {
		items, spread = 7, 7
	}
	for i, total := range totals {
		n := 1
		if len(totals) > 1 {
			n = 1 + i*(c.sessions-1)/(len(totals)-1)
		}
		for slices.Contains(c.missed, n) || slices.Contains(c.cancelled, n) {
			n--
		}
		cells := []string{c.org, fmt.Sprintf("R-%s-%s-%d", c.client, instrument, i+1), c.client, episode, session(c, n), instrument, c.day(n), c.time}
		sum := 0
		for item := 1; item <= 10; item++ {
			switch {
			case item > items && instrument == "phq-9": // how difficult it makes things
				cells = append(cells, strconv.Itoa(min(3, (total+6)/7)))
			case item > items:
				cells = append(cells, "")
			case item > spread:
				cells = append(cells, "0")
			default:
				// Later items get the larger share where it does not come out even.
				a := (total*item)/spread - (total*(item-1))/spread
				sum += a
				cells = append(cells, strconv.Itoa(a))
			}
		}
		if sum != total || total > 3*spread {
			log.Fatalf("%s: %d does not spread over %d items", c.client, total, spread)
		}
		t.add("responses.csv", append(cells, strconv.Itoa(total))...)
	}
}

// consents: all agree to be treated. Who may get what differs, so that each case of
// the story has somebody: see README.md.
func (t *tables) consents(c course) {
	n := 0
	add := func(about, decision, status, date, end, recipient, purposes, text string) {
		n++
		t.add("consents.csv", c.org, fmt.Sprintf("C-%s-%d", c.client, n), c.client, about, decision, status, date, end, recipient, purposes, text)
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
