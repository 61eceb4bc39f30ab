//go:build ignore

// The first twelve clients: the cast of the story. What is said of them here is told
// by name in the demo and in tests; leave it as it is.
package main

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
