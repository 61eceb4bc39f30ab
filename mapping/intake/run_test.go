package intake_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/mapping/intake"
	"rapport/mapping/site"
)

func TestABrokenRowKeepsTheOthersAndNamesWhatDependedOnIt(t *testing.T) {
	for name, c := range map[string]struct {
		edits []string
		want  string
	}{
		"a code that no table knows": {
			[]string{"clients.csv", "Ginster,Maria,1970-06-08,exact,f", "Ginster,Maria,1970-06-08,exact,woman"}, `
clients.csv:8: quarantined: gender: code (5 bytes, not shown) is not in code table gender
consents.csv:21: quarantined: depends on the client of a row that was not stored (clients.csv:8)
consents.csv:22: quarantined: depends on the client of a row that was not stored (clients.csv:8)
episodes.csv:8: quarantined: depends on the client of a row that was not stored (clients.csv:8)
goals.csv:14: quarantined: depends on the client of a row that was not stored (clients.csv:8)
goals.csv:15: quarantined: depends on the client of a row that was not stored (clients.csv:8)
plan-goals.csv:14: quarantined: belongs to a row that was not stored (plans.csv:8)
plan-goals.csv:15: quarantined: belongs to a row that was not stored (plans.csv:8)
plan-phases.csv:20: quarantined: belongs to a row that was not stored (plans.csv:8)
plan-phases.csv:21: quarantined: belongs to a row that was not stored (plans.csv:8)
plan-phases.csv:22: quarantined: belongs to a row that was not stored (plans.csv:8)
plans.csv:8: quarantined: depends on the client of a row that was not stored (clients.csv:8)
responses.csv:49: quarantined: depends on the client of a row that was not stored (clients.csv:8)
responses.csv:50: quarantined: depends on the client of a row that was not stored (clients.csv:8)
responses.csv:51: quarantined: depends on the client of a row that was not stored (clients.csv:8)
responses.csv:52: quarantined: depends on the client of a row that was not stored (clients.csv:8)
sessions.csv:100: quarantined: depends on the client of a row that was not stored (clients.csv:8)
sessions.csv:101: quarantined: depends on the client of a row that was not stored (clients.csv:8)
sessions.csv:102: quarantined: depends on the client of a row that was not stored (clients.csv:8)
sessions.csv:103: quarantined: depends on the client of a row that was not stored (clients.csv:8)
sessions.csv:104: quarantined: depends on the client of a row that was not stored (clients.csv:8)
sessions.csv:105: quarantined: depends on the client of a row that was not stored (clients.csv:8)
sessions.csv:106: quarantined: depends on the client of a row that was not stored (clients.csv:8)`},
		"a row that a column is missing of": {
			[]string{"goals.csv", "lindenhof,G-LH-06-2,E-LH-06,LH-06,", "lindenhof,G-LH-06-2,E-LH-06,"}, `
goals.csv:13: rejected: the row has 14 columns and the header 15
plan-goals.csv:12: quarantined: belongs to a row that was not stored (plans.csv:7)
plan-goals.csv:13: quarantined: belongs to a row that was not stored (plans.csv:7)
plan-phases.csv:17: quarantined: belongs to a row that was not stored (plans.csv:7)
plan-phases.csv:18: quarantined: belongs to a row that was not stored (plans.csv:7)
plan-phases.csv:19: quarantined: belongs to a row that was not stored (plans.csv:7)
plans.csv:7: quarantined: depends on the goal of a row that was not stored (goals.csv:13)`},
		"a quote that is never closed": {
			[]string{"responses.csv", "lindenhof,R-LH-01-phq-9-2", `lindenhof,"R-LH-01-phq-9-2`}, `
responses.csv:3: rejected: a quote is opened and not closed; double the quotes inside a field and quote the whole field`},
		"a key that stands twice": {
			[]string{"responses.csv", "R-LH-01-phq-9-2", "R-LH-01-phq-9-1"}, `
responses.csv:3: rejected: organisation, response: this key stands already in line 2; nothing is merged silently`},
		"a score that its items do not give": {
			[]string{"responses.csv", "1,2,1,2,2,1,2,2,0,2,13", "1,2,1,2,2,1,2,2,0,2,14"}, `
responses.csv:4: quarantined: /scores/total: the stated total score of phq-9 is not what its items give; correct the one or the other`},
		"an item that is no answer": {
			[]string{"responses.csv", "2,2,2,2,2,2,2,2,0,3,16", "2,2,2,2,2,2,2,4,0,3,16"}, `
responses.csv:3: quarantined: /answers/8: item 8 of phq-9: the answer is none of the options LA6568-5, LA6569-3, LA6570-1, LA6571-9`},
		"a day that is yet to come": {
			[]string{"responses.csv", "S-LH-01-01,phq-9,2026-01-12", "S-LH-01-01,phq-9,2062-01-12"}, `
responses.csv:2: quarantined: /authored: The response is dated in the future. Send the day on which it was answered, or leave authored out where that is not known.`},
		"a day that no month has": {
			[]string{"sessions.csv", "S-LH-01-02,E-LH-01,LH-01,T-01,2026-01-19", "S-LH-01-02,E-LH-01,LH-01,T-01,2026-02-30"}, `
sessions.csv:3: quarantined: date: is not a date of the form YYYY-MM-DD`},
		"a word that the record does not know": {
			[]string{"consents.csv", "LH-02,research,permit", "LH-02,science,permit"}, `
consents.csv:8: quarantined: /about: must be one of framing, treatment, privacy, research, statistics`},
		"a phase of a plan that ends before it begins": {
			[]string{"plan-phases.csv", "P-LH-01,assessment,completed,2026-01-12,2026-01-19", "P-LH-01,assessment,completed,2026-01-12,2026-01-11"}, `
plan-goals.csv:2: quarantined: belongs to a row that was not stored (plans.csv:2)
plan-goals.csv:3: quarantined: belongs to a row that was not stored (plans.csv:2)
plan-phases.csv:2: quarantined: belongs to a row that was not stored (plans.csv:2)
plan-phases.csv:3: quarantined: belongs to a row that was not stored (plans.csv:2)
plan-phases.csv:4: quarantined: belongs to a row that was not stored (plans.csv:2)
plans.csv:2: quarantined: /phases/1/end: lies before start; mend one of them`},
		"bytes that are no UTF-8": {
			[]string{"consents.csv", "C-LH-01-1,LH-01,treatment,permit,active,2026-01-12,,,,I agree", "C-LH-01-1,LH-01,treatment,permit,active,2026-01-12,,,,Ich w\xfcnsche"}, `
consents.csv:2: rejected: not UTF-8; if the file is in another character set, say so in the site file, e.g. source: {encoding: windows-1252}`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			sum := imported(t, m, "practice-csv", practiceWith(t, c.edits...), "")
			same(t, failures(sum), c.want)
			rows, lost := 0, 0
			for _, c := range sum.Tables {
				rows, lost = rows+c.Total(), lost+c.Quarantined+c.Rejected
			}
			if rows != 401 || lost != sum.Failed {
				t.Errorf("%d of 401 rows have an outcome, %d are counted as lost and %d told", rows, lost, sum.Failed)
			}
			valid(t, m)
		})
	}
}

func TestAChangedRowIsUpdatedAndNothingElseIs(t *testing.T) {
	m := newMemory()
	imported(t, m, "practice-csv", practiceWith(t), "")
	m.writes = 0
	sum := imported(t, m, "practice-csv", practiceWith(t, "clients.csv", "Oberlinden,CH", "Unterlinden,CH"), "")
	if got := sum.Resource("Patient"); got.Updated != 1 || got.Unchanged != 11 {
		t.Errorf("%+v", got)
	}
	if s := sum.String(); !strings.Contains(s, "\nupdated:\n  clients.csv:4\n\nunchanged:\n") || !strings.Contains(s, "\n  clients.csv:2-3, 5-13\n") {
		t.Errorf("the lines are not told:\n%s", s)
	}
	if m.writes != 2 || len(sum.Provenance) != 1 { // the Patient and the Provenance
		t.Errorf("%d versions were written, %d Provenances", m.writes, len(sum.Provenance))
	}
}

func TestASessionThatDidNotTakePlaceAfterAllLeavesNoEncounter(t *testing.T) {
	m := newMemory()
	imported(t, m, "practice-csv", practiceWith(t), "")
	before := len(m.of("Procedure"))
	sum := imported(t, m, "practice-csv", practiceWith(t, "sessions.csv",
		"2026-01-19,09:00,50,held,in-person,individual,assessment,active-listening psychoeducation,", "2026-01-19,09:00,,noshow,in-person,individual,assessment,,"), "")
	if len(m.of("Encounter")) != 149 || len(m.of("Appointment")) != 11 || len(m.of("Procedure")) != before-2 {
		t.Errorf("%d Encounters, %d Appointments, %d Procedures of %d", len(m.of("Encounter")), len(m.of("Appointment")), len(m.of("Procedure")), before)
	}
	if c := sum.Kind("session"); c.Updated != 1 || c.Unchanged != 159 {
		t.Errorf("%+v", c)
	}
	if sum.Resource("Encounter").Removed != 1 || sum.Resource("Procedure").Removed != 2 {
		t.Errorf("told as removed: %+v, %+v", sum.Resource("Encounter"), sum.Resource("Procedure"))
	}
}

func TestANoShowThatIsAnErrorBecomesNoEncounter(t *testing.T) {
	m := newMemory()
	imported(t, m, "practice-csv", practiceWith(t), "")
	mistaken := practiceWith(t, "sessions.csv", "2026-03-09,09:00,,noshow", "2026-03-09,09:00,,error")
	sum := imported(t, m, "practice-csv", mistaken, "")
	marked := 0
	for _, r := range m.of("Appointment") {
		if r.Root().Get("status").Text() == "entered-in-error" {
			marked++
		}
	}
	if marked != 1 || len(m.of("Encounter")) != 150 || len(m.of("Appointment")) != 10 {
		t.Errorf("%d Encounters, %d Appointments, %d of them marked", len(m.of("Encounter")), len(m.of("Appointment")), marked)
	}
	if c := sum.Resource("Appointment"); c.Updated != 1 || sum.Resource("Encounter").Created != 0 {
		t.Errorf("%s", sum)
	}
	m.writes = 0
	if imported(t, m, "practice-csv", mistaken, ""); m.writes != 0 {
		t.Errorf("the second time wrote %d versions", m.writes)
	}
	valid(t, m)
}

func TestARecordThatTheStoreRefusesIsQuarantinedAlone(t *testing.T) {
	m := newMemory()
	m.refuse = func(r fhir.Resource) error {
		if r.Type == "Goal" && strings.Contains(string(r.Body()), "seminar talk") {
			return fhir.Errorf(fhir.Invariant, "Goal", "breaks a rule")
		}
		return nil
	}
	sum := imported(t, m, "practice-csv", practiceWith(t), "")
	same(t, failures(sum), `
goals.csv:12: quarantined: Goal: breaks a rule
plan-goals.csv:12: quarantined: belongs to a row that was not stored (plans.csv:7)
plan-goals.csv:13: quarantined: belongs to a row that was not stored (plans.csv:7)
plan-phases.csv:17: quarantined: belongs to a row that was not stored (plans.csv:7)
plan-phases.csv:18: quarantined: belongs to a row that was not stored (plans.csv:7)
plan-phases.csv:19: quarantined: belongs to a row that was not stored (plans.csv:7)
plans.csv:7: quarantined: depends on the goal of a row that was not stored (goals.csv:12)`)
	if len(m.of("Goal")) != 23 || len(m.of("CarePlan")) != 44 {
		t.Errorf("%d goals and %d plans are stored", len(m.of("Goal")), len(m.of("CarePlan")))
	}
}

func TestAStoreThatIsDownStopsTheRunAndTheNextOneGoesOn(t *testing.T) {
	m := newMemory()
	n := 0
	m.fail = func() error {
		if n++; n == 4 {
			return &fhir.Error{Code: fhir.Transient, Detail: "The store is down.", Err: errors.New("disk")}
		}
		return nil
	}
	s, err := site.Embedded("practice-csv")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := intake.Run(context.Background(), config(t, m, s, practiceWith(t), ""))
	if !fhir.Is(err, fhir.Transient) || !sum.Changed() {
		t.Fatalf("%v; changed: %v", err, sum.Changed())
	}
	m.fail = nil
	kept := len(m.now)
	sum = imported(t, m, "practice-csv", practiceWith(t), "")
	if !sum.Complete() || len(m.of("Encounter")) != 150 || kept == 0 || sum.Resource("Patient").Unchanged != 12 {
		t.Errorf("after it:\n%s", sum)
	}
}

func TestAConflictIsTriedAgain(t *testing.T) {
	m := newMemory()
	n := 0
	m.fail = func() error {
		if n++; n%3 != 0 {
			return &fhir.Error{Code: fhir.Conflict, Detail: "Another write came between."}
		}
		return nil
	}
	if sum := imported(t, m, "practice-csv", practiceWith(t), ""); !sum.Complete() || len(m.of("Encounter")) != 150 {
		t.Errorf("%s", sum)
	}
}

func TestOnlyTheRowsThatAreWantedAreWritten(t *testing.T) {
	m := newMemory()
	broken := imported(t, m, "practice-csv", practiceWith(t, "clients.csv", "Ginster,Maria,1970-06-08,exact,f", "Ginster,Maria,1970-06-08,exact,woman"), "")
	s, err := site.Embedded("practice-csv")
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, m, s, practiceWith(t), "")
	c.Only = map[site.Place]bool{}
	for _, f := range broken.Failures {
		c.Only[f.Place] = true
	}
	sum, err := intake.Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !sum.Complete() || sum.Resource("Patient").Created != 1 || sum.Resource("Patient").Total() != 1 || len(m.of("Encounter")) != 150 {
		t.Errorf("%s", sum)
	}
	rows := 0
	for _, t := range sum.Tables {
		rows += t.Total()
	}
	if rows != len(broken.Failures) {
		t.Errorf("%d rows were counted, %d were wanted", rows, len(broken.Failures))
	}
}

func TestAHeaderThatIsNotTheDeclaredOneIsToldOnceAndKeepsTheOtherTables(t *testing.T) {
	m := newMemory()
	sum := imported(t, m, "practice-csv", practiceWith(t, "goals.csv", "achievement", "reached"), "")
	if sum.Failures[0].String() != "goals.csv:1: rejected: the header is not the one that the site file declares; missing: achievement; not declared: reached; none of its rows was read" {
		t.Errorf("%s", sum.Failures[0])
	}
	if len(m.of("Encounter")) != 150 || len(m.of("Goal")) != 0 || len(m.of("CarePlan")) != 0 {
		t.Errorf("%d Encounters, %d Goals, %d CarePlans", len(m.of("Encounter")), len(m.of("Goal")), len(m.of("CarePlan")))
	}
}

func TestATableWithAnotherEndingIsRejectedAndToldWhichOneIsWanted(t *testing.T) {
	dir := practiceWith(t)
	for was, is := range map[string]string{"responses.csv": "responses.txt", "consents.csv": "Consents.csv.bak"} {
		if err := os.Rename(filepath.Join(dir, was), filepath.Join(dir, is)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"README.txt", "clients.txt"} { // the table of the clients is there besides
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := imported(t, newMemory(), "practice-csv", dir, "")
	same(t, failures(sum), `
Consents.csv.bak:1: rejected: has the name of the table consents and not the ending of one, so none of its rows was read; call it consents.csv
responses.txt:1: rejected: has the name of the table responses and not the ending of one, so none of its rows was read; call it responses.csv`)
	if notes := strings.Join(sum.Notes, "\n"); notes != "not read, since they are no CSV files: README.txt, clients.txt" {
		t.Errorf("%q", notes)
	}
}

func TestAFirstLineThatIsAPersonsRecordIsNotRepeated(t *testing.T) {
	sum := imported(t, newMemory(), "practice-csv", practiceWith(t, "clients.csv",
		"organisation,client,family,given,birth_date,birth_date_accuracy,gender,language,email,phone,postal_code,city,country,state\n", ""), "")
	if s := sum.String(); strings.Contains(s, "1988") || strings.Contains(s, "mail.example") {
		t.Errorf("%s", s)
	}
}

func TestCSVAsOthersWriteItGivesTheSameRecords(t *testing.T) {
	straight := newMemory()
	imported(t, straight, "practice-csv", practiceWith(t), "")
	base := "extends: practice-csv\nsite: other\nversion: 1\ntimezone: Europe/Zurich\n"
	for name, c := range map[string]struct {
		site  string
		write func(string) string
	}{
		"with a byte order mark":      {base, func(s string) string { return "\ufeff" + s }},
		"with CRLF":                   {base, func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
		"with every cell quoted":      {base, quoted},
		"in Latin-1, said so":         {base + "source: {encoding: latin-1}\n", latin1},
		"in windows-1252, said so":    {base + "source: {encoding: windows-1252, delimiter: comma}\n", latin1},
		"with semicolons, not quoted": {base + "source: {encoding: utf-8}\n", semicolons},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := site.Parse("other.yaml", []byte(c.site))
			if err != nil {
				t.Fatal(err)
			}
			dir := practiceWith(t)
			files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(f, []byte(c.write(string(b))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			g := newMemory()
			sum, err := intake.Run(context.Background(), config(t, g, m, dir, ""))
			if err != nil || !sum.Complete() {
				t.Fatalf("%v\n%s", err, sum)
			}
			for k, r := range straight.now {
				if k.Type != "Provenance" && !fhir.SameContent(r, g.now[k]) {
					t.Errorf("%s is another one", k)
				}
			}
		})
	}
}

func latin1(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
	}
	return b.String()
}

// cells splits lines that hold no quoted line ends.
func cells(s string, each func([]string) string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		var out []string
		inside, cell := false, ""
		for _, r := range line {
			switch {
			case r == '"':
				inside = !inside
			case r == ',' && !inside:
				out, cell = append(out, cell), ""
			default:
				cell += string(r)
			}
		}
		b.WriteString(each(append(out, cell)) + "\n")
	}
	return b.String()
}

func quoted(s string) string {
	return cells(s, func(c []string) string { return `"` + strings.Join(c, `","`) + `"` })
}

func semicolons(s string) string {
	return cells(s, func(c []string) string {
		for i := range c {
			if strings.ContainsRune(c[i], ';') {
				c[i] = `"` + c[i] + `"`
			}
		}
		return strings.Join(c, ";")
	})
}

func TestASourceOfUnknownFilesIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "something.csv"), []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := site.Embedded("practice-csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := intake.Run(context.Background(), config(t, newMemory(), s, dir, "")); !fhir.Is(err, fhir.Invalid) || !strings.Contains(err.Error(), "something.csv") {
		t.Errorf("%v", err)
	}
}

func TestResponsesAreStoredInTheOrderOfTime(t *testing.T) {
	m := newMemory()
	var order []string
	m.refuse = func(r fhir.Resource) error {
		if r.Type == "QuestionnaireResponse" {
			order = append(order, text(r.Root(), "authored"))
		}
		return nil
	}
	// The first row of the file becomes the last one in time.
	imported(t, m, "practice-csv", practiceWith(t, "responses.csv", "phq-9,2026-01-12,09:00", "phq-9,2026-06-30,09:00"), "")
	if len(order) != 80 || !slices.IsSorted(order) || order[79] != "2026-06-30T09:00:00+02:00" {
		t.Errorf("%d in the order %v", len(order), order)
	}
}
