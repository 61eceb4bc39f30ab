//go:build ignore

// Clients in full courses of therapy: who they are, what brings them, how it goes.
package main

// client is one of them. Research is permit, deny, inactive (withdrawn), ended (it has
// run out) or empty (nobody asked).
type client struct {
	family, given, birth, gender, language, city string
	therapist, start, hour                       string
	problem, arc, format, modality, research     string
}

// clients are QH-01 and so on. Gender and year of the start come in groups of twelve
// and more, but for three men who began in 2024, one client of no gender in the list,
// and one from another canton: who releases data for research meets small cells.
var clients = []client{
	{"Akelei", "Nina", "1986-02-11", "f", "de", "Quellau", "T-01", "2024-01-15", "08:00", "depression", "recovers", "individual", "in-person", "permit"},
	{"Bergkristall", "Laura", "1991-05-23", "f", "de", "Quellau", "T-01", "2024-01-16", "09:00", "worry", "calms", "individual", "in-person", "permit"},
	{"Calendula", "Eva", "1988-09-09", "f", "de", "Aareck", "T-02", "2024-02-05", "10:00", "panic", "calms", "individual", "in-person", "permit"},
	{"Distel", "Ronja", "1995-12-01", "f", "fr", "Aareck", "T-02", "2024-02-13", "11:00", "stress", "improves", "individual", "video", "permit"},
	{"Efeu", "Sophie", "1979-07-17", "f", "de", "Quellau", "T-03", "2024-03-04", "13:00", "depression", "stands still", "individual", "in-person", "permit"},
	{"Feldspat", "Alma", "1983-03-30", "f", "de", "Quellau", "T-03", "2024-03-12", "14:00", "couple", "improves", "couple", "in-person", "permit"},
	{"Granat", "Mira", "1992-10-14", "f", "en", "Aareck", "T-01", "2024-04-08", "15:00", "social", "recovers", "individual", "in-person", "permit"},
	{"Holunder", "Klara", "1987-06-26", "f", "de", "Quellau", "T-02", "2024-04-16", "16:00", "weight", "improves", "group", "in-person", "permit"},
	{"Jaspis", "Olga", "1994-01-08", "f", "de", "Quellau", "T-03", "2024-05-06", "17:00", "trauma", "relapses", "individual", "in-person", "permit"},
	{"Kamille", "Dora", "1981-11-19", "f", "it", "Aareck", "T-01", "2024-05-14", "18:00", "sleep", "recovers", "individual", "video", "permit"},
	{"Lavendel", "Hanna", "1990-04-04", "f", "de", "Quellau", "T-02", "2024-06-03", "08:00", "worry", "recovers", "individual", "in-person", "permit"},
	{"Malve", "Paula", "1985-08-21", "f", "de", "Aareck", "T-03", "2024-09-09", "09:00", "depression", "rift", "individual", "in-person", "permit"},
	{"Narzisse", "Greta", "1993-02-27", "f", "de", "Quellau", "T-01", "2024-09-17", "10:00", "stress", "improves", "individual", "in-person", "deny"},
	{"Opal", "Lina", "1989-10-31", "f", "de", "Quellau", "T-02", "2025-01-13", "11:00", "depression", "recovers", "individual", "in-person", "permit"},
	{"Pappel", "Ida", "1984-05-05", "f", "de", "Aareck", "T-03", "2025-01-21", "13:00", "panic", "calms", "individual", "in-person", "permit"},
	{"Quarz", "Emma", "1996-03-12", "f", "de", "Quellau", "T-01", "2025-02-10", "14:00", "social", "improves", "group", "in-person", "permit"},
	{"Rosmarin", "Lotte", "1978-12-24", "f", "fr", "Quellau", "T-02", "2025-02-18", "15:00", "sleep", "recovers", "individual", "online", "permit"},
	{"Saphir", "Yara", "1991-07-07", "f", "de", "Aareck", "T-03", "2025-03-10", "16:00", "worry", "stands still", "individual", "in-person", "permit"},
	{"Thymian", "Rosa", "1982-01-29", "f", "de", "Quellau", "T-01", "2025-03-18", "17:00", "couple", "recovers", "couple", "in-person", "permit"},
	{"Ulme", "Flora", "1993-09-15", "f", "pt", "Aareck", "T-02", "2025-04-07", "18:00", "depression", "at risk", "individual", "in-person", "permit"},
	{"Veilchen", "Anna", "1986-06-02", "f", "de", "Quellau", "T-03", "2025-04-15", "08:00", "trauma", "improves", "individual", "in-person", "permit"},
	{"Weide", "Marie", "1997-11-11", "f", "de", "Quellau", "T-01", "2025-05-05", "09:00", "weight", "recovers", "group", "in-person", "permit"},
	{"Ysop", "Selma", "1980-04-18", "f", "de", "Aareck", "T-02", "2025-05-13", "10:00", "stress", "calms", "individual", "video", "permit"},
	{"Zeder", "Julia", "1992-08-08", "f", "en", "Quellau", "T-03", "2025-10-06", "11:00", "depression", "improves", "individual", "in-person", "permit"},
	{"Achat", "Nele", "1988-02-20", "f", "de", "Quellau", "T-01", "2025-10-14", "13:00", "worry", "improves", "individual", "in-person", "inactive"},
	{"Basalt", "Jan", "1985-03-03", "m", "de", "Quellau", "T-02", "2025-01-14", "14:00", "depression", "recovers", "individual", "in-person", "permit"},
	{"Citrin", "Leo", "1990-12-16", "m", "de", "Aareck", "T-03", "2025-01-27", "15:00", "panic", "calms", "individual", "in-person", "permit"},
	{"Diorit", "Max", "1977-05-28", "m", "de", "Quellau", "T-01", "2025-02-03", "16:00", "stress", "improves", "individual", "video", "permit"},
	{"Eiche", "David", "1983-10-10", "m", "it", "Quellau", "T-02", "2025-02-24", "17:00", "couple", "improves", "couple", "in-person", "permit"},
	{"Flieder", "Noah", "1994-07-22", "m", "de", "Aareck", "T-03", "2025-03-03", "18:00", "social", "recovers", "group", "in-person", "permit"},
	{"Gips", "Peter", "1981-01-05", "m", "de", "Quellau", "T-01", "2025-03-24", "08:00", "depression", "deteriorates", "individual", "in-person", "permit"},
	{"Hornblende", "Elias", "1996-09-27", "m", "de", "Aareck", "T-02", "2025-04-14", "09:00", "worry", "calms", "individual", "in-person", "permit"},
	{"Ilex", "Bruno", "1987-11-03", "m", "de", "Quellau", "T-03", "2025-04-28", "10:00", "sleep", "recovers", "individual", "in-person", "permit"},
	{"Jasmin", "Samir", "1989-04-25", "m", "ar", "Quellau", "T-01", "2025-05-12", "11:00", "trauma", "improves", "individual", "in-person", "permit"},
	{"Kalk", "Simon", "1992-06-13", "m", "de", "Aareck", "T-02", "2025-05-26", "13:00", "depression", "breaks off", "individual", "in-person", "permit"},
	{"Lupine", "Tim", "1984-08-30", "m", "de", "Quellau", "T-03", "2025-09-15", "14:00", "stress", "improves", "individual", "in-person", "permit"},
	{"Mohn", "Adrian", "1979-02-06", "m", "fr", "Aareck", "T-01", "2025-10-20", "15:00", "weight", "improves", "group", "in-person", "ended"},
	{"Nelke", "Fabian", "1995-05-19", "m", "de", "Quellau", "T-02", "2025-11-03", "16:00", "panic", "calms", "individual", "in-person", ""},
	{"Olivin", "Marco", "1986-12-09", "m", "it", "Quellau", "T-03", "2024-03-18", "17:00", "depression", "recovers", "individual", "in-person", "permit"},
	{"Petunie", "Daniel", "1991-03-26", "m", "de", "Aareck", "T-01", "2024-08-19", "18:00", "worry", "improves", "individual", "video", "permit"},
	{"Rubin", "Stefan", "1982-07-01", "m", "de", "Sass", "T-02", "2024-10-07", "09:00", "stress", "calms", "individual", "online", "permit"},
	{"Sandstein", "Kim", "1993-11-30", "x", "de", "Quellau", "T-03", "2025-06-02", "10:00", "social", "improves", "individual", "in-person", "permit"},
}

// phase is a stretch of a course: so many meetings so many weeks apart, and how many
// weeks apart PHQ-9, GAD-7, K10 and alliance check are; 0: not at all.
type phase struct {
	name       string
	meetings   int
	every      int
	watch      [4]int
	focus      string
	techniques string // where the problem says nothing else
}

var watched = []string{"phq-9", "gad-7", "k10p", "alliance"}

var phases = []phase{
	{"assessment", 2, 1, [4]int{2, 2, 4, 1}, "What is the matter, since when, and what has helped before", "active-listening open-questions"},
	{"acute", 8, 1, [4]int{2, 4, 0, 2}, "What keeps it going, and what loosens it", ""},
	{"consolidation", 4, 2, [4]int{4, 8, 0, 4}, "Doing alone what worked together", ""},
	{"closing", 2, 4, [4]int{4, 4, 8, 4}, "What stays, and what to do when it comes back", "reformulation supportive"},
	{"follow-up", 1, 12, [4]int{12, 12, 12, 0}, "How it goes on", "supportive"},
}

// knots are the meetings at which a curve has a stated value; it is straight between.
var knots = [6]int{1, 3, 7, 11, 15, 17}

type curve [6]int

// arc is how a course goes.
type arc struct {
	scores        [4]curve // as watched
	goal          curve    // how near the goal is to the client, 0 to 10
	achievement   string
	end           string      // planned, dropout, transferred
	last          int         // meeting, where it is not the last of all
	item9         map[int]int // answers above 0, by meeting
	reason, parts string      // of an adjustment after the eighth meeting
}

var arcs = map[string]arc{
	"recovers": {scores: [4]curve{{18, 16, 12, 8, 4, 3}, {14, 13, 10, 7, 4, 3}, {33, 31, 26, 20, 15, 14}, {30, 32, 34, 35, 36, 36}},
		goal: curve{1, 2, 4, 6, 8, 9}, achievement: "achieved", end: "planned"},
	"improves": {scores: [4]curve{{16, 16, 14, 12, 10, 9}, {13, 13, 11, 10, 8, 8}, {30, 30, 27, 24, 21, 20}, {28, 30, 32, 33, 34, 34}},
		goal: curve{2, 2, 3, 5, 6, 7}, achievement: "improving", end: "planned"},
	"calms": {scores: [4]curve{{9, 8, 7, 5, 3, 2}, {17, 16, 12, 8, 4, 3}, {29, 28, 24, 19, 15, 13}, {31, 33, 34, 35, 36, 37}},
		goal: curve{1, 2, 4, 7, 8, 9}, achievement: "achieved", end: "planned"},
	"stands still": {scores: [4]curve{{14, 14, 15, 13, 11, 10}, {11, 11, 12, 10, 9, 8}, {28, 28, 28, 26, 23, 22}, {29, 29, 28, 30, 32, 33}},
		goal: curve{2, 2, 2, 3, 5, 6}, achievement: "improving", end: "planned",
		reason: "Eight weeks without a change in the scores: we try what we have not tried yet.", parts: "techniques goals"},
	"relapses": {scores: [4]curve{{17, 15, 10, 6, 8, 12}, {15, 14, 11, 8, 9, 12}, {31, 29, 24, 18, 20, 25}, {30, 31, 33, 35, 34, 34}},
		goal: curve{1, 2, 4, 6, 6, 5}, achievement: "improving", end: "planned"},
	"rift": {scores: [4]curve{{17, 16, 14, 13, 10, 8}, {12, 12, 10, 10, 8, 6}, {31, 30, 28, 26, 22, 20}, {33, 35, 36, 24, 31, 35}},
		goal: curve{2, 2, 3, 3, 5, 7}, achievement: "improving", end: "planned",
		reason: "The exercises came too thick and fast; we go back to one a fortnight.", parts: "frequency techniques"},
	"at risk": {scores: [4]curve{{18, 19, 17, 14, 9, 7}, {13, 14, 13, 11, 8, 6}, {35, 36, 33, 28, 21, 19}, {29, 31, 33, 34, 35, 35}},
		goal: curve{0, 1, 2, 4, 6, 7}, achievement: "improving", end: "planned", item9: map[int]int{5: 1, 7: 2, 9: 1},
		reason: "Two meetings a week and a safety plan until the thoughts have passed.", parts: "frequency monitoring"},
	"deteriorates": {scores: [4]curve{{10, 11, 14, 18, 19, 19}, {9, 9, 12, 15, 15, 15}, {24, 25, 29, 35, 36, 36}, {30, 30, 29, 28, 28, 28}},
		goal: curve{3, 3, 2, 1, 1, 1}, achievement: "worsening", end: "transferred", last: 12,
		reason: "Worse twice in a row: a psychiatrist is asked to look along with us.", parts: "approach frequency"},
	"breaks off": {scores: [4]curve{{17, 16, 17, 17, 17, 17}, {13, 13, 14, 14, 14, 14}, {32, 32, 33, 33, 33, 33}, {27, 26, 24, 24, 24, 24}},
		goal: curve{2, 2, 2, 2, 2, 2}, achievement: "not-achieved", end: "dropout", last: 7},
}

// problem is what brings somebody.
type problem struct {
	code, text, certain, approach string
	measure                       string // LOINC of the score that the second goal aims at
	below                         int
	acute, consolidation          string // techniques
	goals, words, notes           []string
	exercises                     [][2]string // sort and instructions
}

const (
	byPHQ = "44261-6"
	byGAD = "70274-6"
)

var problems = map[string]problem{
	"depression": {"F32.1", "Moderate depressive episode", "confirmed", "cognitive-behavioural", byPHQ, 10, "behavioural cognitive", "cognitive-behavioural",
		[]string{"To swim on Saturdays again", "To finish what I begin in the morning", "To call my friends before they stop calling me"},
		[]string{"Everything is an effort, even to answer the phone.", "There was an hour in which I forgot to be sad.", "I planned a weekend."},
		[]string{"Got up at seven. It was grey and I went out anyway.", "Cooked for myself, nothing special, but warm.", "Said no to a favour and nothing happened."},
		[][2]string{{"behavioural-activation", "One thing a day that used to be a pleasure; write down which."}, {"thought-record", "When the mood drops: what went through your mind, and what speaks against it?"}}},
	"worry": {"F41.1", "Generalised anxiety disorder", "confirmed", "cognitive-behavioural", byGAD, 8, "cognitive relaxation", "mindfulness cognitive",
		[]string{"To leave the telephone in the hall at night", "To let my daughter cycle to school"},
		[]string{"My head writes lists of what can go wrong.", "I let one worry go by without following it.", "Half an hour for worries, and then supper."},
		[]string{"Worried at four, as agreed, and ran out of worries.", "Did not ask a second time whether the door is locked.", "Woke at night and counted breaths."},
		[][2]string{{"mindfulness", "Ten minutes a day: watch thoughts come and go, follow none."}, {"relaxation", "Muscle relaxation before sleep, with the recording."}}},
	"panic": {"F41.0", "Panic disorder", "confirmed", "cognitive-behavioural", byGAD, 8, "psychoeducation exposure", "exposure",
		[]string{"To take the lift to the fifth floor", "To sit in the middle of the cinema"},
		[]string{"I thought my heart would stop.", "It rose, and it fell again, and I stayed.", "I forgot to look for the exit."},
		[]string{"Two stations by train. Hands wet, nothing else.", "Ran up the stairs on purpose to feel my heart.", "The queue was long and I stood in it."},
		[][2]string{{"exposure", "One more station than last time, and stay until it ebbs."}, {"breathing", "Five minutes of slow breathing, twice a day."}}},
	"social": {"F40.10", "Social phobia", "confirmed", "cognitive-behavioural", byGAD, 8, "exposure cognitive", "exposure supportive",
		[]string{"To say something in each team meeting", "To eat lunch with the others"},
		[]string{"They all see that I blush.", "I said it, and they wrote it down.", "Somebody asked me to come along."},
		[]string{"Asked for the way although I knew it.", "Said my name first.", "Looked up while I spoke."},
		[][2]string{{"exposure", "Ask somebody for something small, once a day."}, {"thought-record", "Before and after: what did I expect, what happened?"}}},
	"stress": {"Z73.0", "Burn-out", "provisional", "integrative", byPHQ, 8, "cognitive body", "mindfulness",
		[]string{"To leave work at work", "To be home for supper three days a week"},
		[]string{"On Sundays my stomach knows that it will be Monday.", "I did not read mail after eight.", "I am tired from something I like."},
		[]string{"Walked home instead of taking the bus.", "Closed the laptop at six.", "Slept through."},
		[][2]string{{"self-observation", "Three times a day: how tense, 0 to 10, and what went before?"}, {"body", "Stretch for ten minutes when you come home."}}},
	"couple": {"Z63.0", "Problems in relationship with partner", "provisional", "systemic", byPHQ, 8, "systemic interpersonal", "systemic reformulation",
		[]string{"To argue without leaving the room", "One evening a week that is ours"},
		[]string{"We talk like two offices.", "We laughed about the same thing.", "We went dancing, badly."},
		[]string{"Listened for five minutes without a but.", "We put the telephones away.", "Said thank you for the usual."},
		[][2]string{{"other", "Ten minutes each: one speaks, one listens, then the other way round."}, {"expressive-writing", "A letter to the other, not to be sent."}}},
	"weight": {"F54", "Psychological factors in overweight", "provisional", "hypnosis", byPHQ, 8, "hypnosis imagery", "mindfulness behavioural",
		[]string{"To eat at a table and only there", "To notice when I am full"},
		[]string{"I eat when nobody looks.", "I left something on the plate.", "The scales stay in the cellar."},
		[]string{"Ate slowly, tasted the pepper.", "Was angry and did not eat.", "Bought shoes for walking."},
		[][2]string{{"self-observation", "Before each meal: hungry, or something else?"}, {"imagery", "The place where you need nothing: five minutes in the evening."}}},
	"trauma": {"F43.10", "Post-traumatic stress disorder", "confirmed", "mind-body", byPHQ, 10, "anchoring body", "imagery exposure",
		[]string{"To sleep with the light off", "To drive past the place"},
		[]string{"I am there again, and then I am not anywhere.", "I could tell it from the beginning to the end.", "It is over, and now I know it."},
		[]string{"The stone in my pocket helped.", "Bad dream, got up, made tea, slept again.", "Went to the river."},
		[][2]string{{"anchoring", "Five things you see, four you hear, three you feel."}, {"body", "Feet on the floor, press, let go; ten times."}}},
	"sleep": {"F51.01", "Primary insomnia", "confirmed", "mind-body", byPHQ, 8, "relaxation cognitive-behavioural", "relaxation",
		[]string{"To be in bed only to sleep", "To stop counting the hours that are left"},
		[]string{"I lie awake and listen to the clock tower.", "I fell asleep without noticing.", "I woke before the alarm and was awake."},
		[]string{"Got up at two and read until I was tired.", "No nap, although I wanted one.", "Six hours in one piece."},
		[][2]string{{"relaxation", "The recording at ten, in the chair, not in bed."}, {"self-observation", "The sleep diary, in the morning, in two minutes."}}},
}
