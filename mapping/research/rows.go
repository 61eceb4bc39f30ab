package research

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// id returns the pseudonym of what belongs to a person; "" for what does not leave.
func (r *Release) id(p *person, k fhir.Key) string {
	if !r.cohort.leaves(k) {
		return ""
	}
	return r.key.IDOf(p.secret, k)
}

// setting returns the pseudonym of a practitioner or an organisation.
func (r *Release) setting(k fhir.Key) string {
	s, ok := r.cohort.secrets[k]
	if !ok {
		return ""
	}
	return r.key.Pseudonym(s, k.Type)
}

// day counts from the person's baseline, where the day is told.
func (r *Release) day(p *person, m moment) string {
	n, ok := p.told.Tells(m.day)
	if !ok {
		return ""
	}
	return strconv.Itoa(n)
}

// released yields what of a list belongs to people who stay, in the order of their
// pseudonyms and, of one person, in the order of time that the list has.
func released[T any](c *cohort, list []T, who func(T) int) []T {
	var out []T
	for _, x := range list {
		if c.people[who(x)].in {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b T) int { return strings.Compare(c.people[who(a)].pid, c.people[who(b)].pid) })
	return out
}

func (r *Release) people() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		var in []*person
		for _, p := range r.cohort.people {
			if p.in {
				in = append(in, p)
			}
		}
		slices.SortFunc(in, func(a, b *person) int { return strings.Compare(a.pid, b.pid) })
		for _, p := range in {
			if !yield([]string{p.pid, p.told.Gender, p.told.Birth, p.told.State, p.told.Start}) {
				return
			}
		}
	}
}

func (r *Release) episodes() iter.Seq[[]string] {
	c := r.cohort
	type held struct{ took, missed int }
	counts := map[fhir.Key]held{}
	for _, s := range c.sessions {
		h := counts[s.episode]
		switch {
		case s.key.Type == "Encounter" && s.status == "finished":
			h.took++
		case s.status == "noshow":
			h.missed++
		}
		counts[s.episode] = h
	}
	list := slices.Clone(c.episodes)
	slices.SortFunc(list, func(a, b *episode) int { return cmp.Or(a.start.order.Compare(b.start.order), a.key.Compare(b.key)) })
	list = released(c, list, func(e *episode) int { return e.who })
	return func(yield func([]string) bool) {
		for _, e := range list {
			p, h := c.people[e.who], counts[e.key]
			status, reason, end := e.status, "", r.day(p, e.end)
			switch {
			case end != "":
				reason = c.codes.tells(e.reason)
			case p.told.After(e.end.day) && (status == "finished" || status == "cancelled"):
				status = "active" // as it stood on the last day that is told, see deid's rules
			}
			if !yield([]string{
				p.pid, r.id(p, e.key), r.setting(e.therapist), r.setting(e.site), status, r.day(p, e.start), end, reason,
				strconv.Itoa(h.took), strconv.Itoa(h.missed),
			}) {
				return
			}
		}
	}
}

func (r *Release) sessions() iter.Seq[[]string] {
	c := r.cohort
	list := released(c, c.sessions, func(s *session) int { return s.who })
	return func(yield func([]string) bool) {
		for _, s := range list {
			p, number, attended := c.people[s.who], "", ""
			switch {
			case s.number > 0:
				number, attended = strconv.Itoa(s.number), "true"
			case s.key.Type == "Appointment":
				attended = "false"
			}
			if !yield([]string{
				p.pid, r.id(p, s.key), r.id(p, s.episode), r.setting(s.therapist), r.setting(s.site), r.day(p, s.at), number, attended, s.status,
				c.codes.tells(s.modality), c.codes.tells(s.format), c.codes.tells(s.phase), s.minutes,
			}) {
				return
			}
		}
	}
}

// scored is what the rows of scores and items have in common.
func (r *Release) scored() []*administration {
	return released(r.cohort, r.cohort.given, func(a *administration) int { return a.who })
}

// subscales lists the scales beside the total that instruments of the release have, as
// "slug of the instrument", "slug of the scale".
func (r *Release) subscales() (out [][2]string) {
	for _, in := range r.used() {
		for _, s := range in.Scales[1:] {
			out = append(out, [2]string{in.Slug, s.Slug})
		}
	}
	return out
}

// used lists the instruments of the release by slug.
func (r *Release) used() (out []*instrument.Instrument) {
	for _, a := range r.cohort.given {
		if r.cohort.people[a.who].in && !slices.Contains(out, a.in) {
			out = append(out, a.in)
		}
	}
	slices.SortFunc(out, func(a, b *instrument.Instrument) int { return strings.Compare(a.Slug, b.Slug) })
	return out
}

func value(s instrument.ScaleScore) string {
	if s.Value == nil {
		return ""
	}
	return s.Value.String()
}

func (r *Release) scores() iter.Seq[[]string] {
	c, list, subs := r.cohort, r.scored(), r.subscales()
	return func(yield func([]string) bool) {
		for _, a := range list {
			p, total := c.people[a.who], a.score.Total()
			session, phase, site, therapist := "", "", fhir.Key{}, a.author
			if s := c.byEncounter[a.encounter]; s != nil {
				if s.number > 0 {
					session = strconv.Itoa(s.number)
				}
				phase, site = c.codes.tells(s.phase), s.site
				if therapist.IsZero() {
					therapist = s.therapist
				}
			}
			if e := c.byEpisode[a.episode]; e != nil {
				if therapist.IsZero() {
					therapist = e.therapist
				}
				if site.IsZero() {
					site = e.site
				}
			}
			missing, prorated, band, caseness, risk := "", "", "", "", ""
			if a.answers != nil {
				missing, prorated = strconv.Itoa(len(total.Absent)), strconv.FormatBool(total.Estimated)
				if len(a.in.Risks) > 0 {
					risk = strconv.FormatBool(len(a.score.Risks) > 0)
				}
			}
			if total.Band != nil {
				band = total.Band.Slug
			}
			if ch := a.in.Change; ch != nil && ch.Scale == total.Slug && total.Value != nil {
				d := total.Value.Cmp(ch.Case)
				caseness = strconv.FormatBool(d >= 0 && total.Worse != "lower" || d <= 0 && total.Worse == "lower")
			}
			row := []string{
				p.pid, r.id(p, a.key), r.id(p, a.episode), r.setting(therapist), r.setting(site), a.in.Slug, a.in.Version, a.in.Lang, c.mode(a),
				strconv.Itoa(a.number), r.day(p, a.at), session, phase, value(total), missing, prorated, band, caseness, a.change, risk,
			}
			for _, s := range subs {
				if s[0] != a.in.Slug {
					row = append(row, "")
					continue
				}
				row = append(row, value(a.score.Of(s[1])))
			}
			if !yield(row) {
				return
			}
		}
	}
}

func (r *Release) items() iter.Seq[[]string] {
	c, list := r.cohort, r.scored()
	return func(yield func([]string) bool) {
		for _, a := range list {
			p := c.people[a.who]
			id := r.id(p, a.key)
			for i, it := range a.in.Items {
				x := answer{missing: notExtracted}
				if a.answers != nil {
					x = a.answers[i]
				}
				code, score := "", x.number
				if x.option != nil {
					code = x.option.Code
					if x.option.Score != nil {
						score = x.option.Score.String()
					}
				}
				loinc := ""
				if it.Code.System == "http://loinc.org" {
					loinc = it.Code.Code
				}
				if !yield([]string{p.pid, id, a.in.Slug, it.Link, loinc, code, score, x.missing}) {
					return
				}
			}
		}
	}
}

// tables lists what is written, with what each variable means.
func (r *Release) tables() []table {
	pid := column{name: "pid", label: "Pseudonym of the person, the id of the Patient in the NDJSON files; another one in each project"}
	therapist := column{name: "therapist_pid", label: "Pseudonym of the therapist", empty: fmt.Sprintf("unknown, or withheld: fewer than %d people, or the others would be told by it", r.c.K)}
	site := column{name: "site_pid", label: "Pseudonym of the practice", empty: fmt.Sprintf("unknown, or withheld: fewer than %d people, or the others would be told by it", r.c.K)}
	episode := column{name: "episode_id", label: "Pseudonym of the course of therapy, the id of the EpisodeOfCare", empty: "not part of a course that is known"}
	few := fmt.Sprintf("not stated, or withheld: fewer than %d people have it, or the others would be told by it", r.c.K)
	phase := column{name: "phase", label: "Phase of the therapy", codes: strings.Join(phases, "; "), empty: few}
	day := func(name, what string) column {
		return column{name: name, kind: whole, unit: "d", label: what + ", in days from the first day of the person's first course of therapy (day 0); negative before it", empty: "the day is not known, or not told: there is none yet, or it lies too far back"}
	}
	scores := []column{
		pid,
		{name: "administration_id", label: "Pseudonym of this answering of the instrument, the id of the QuestionnaireResponse (of the Observation where a source had scores alone)"},
		episode, therapist, site,
		{name: "instrument", label: "Instrument, see the rows of this dictionary about it", codes: r.instrumentCodes()},
		{name: "version", label: "Version of the instrument's definition"},
		{name: "language", label: "Language of the item texts, BCP 47", empty: "the definition has no texts"},
		{name: "mode", label: "Who answered", codes: "self; clinician; parent; other", empty: few},
		{name: "administration_no", kind: whole, label: "Number of this answering among those of the person and the instrument, from 1"},
		day("day_from_baseline", "When the instrument was answered"),
		{name: "session_no", kind: whole, label: "Number of the session that it belongs to among those of the course that took place, from 1", empty: "not tied to a session"},
		phase,
		{name: "total", kind: decimal, unit: "{score}", label: "Total score, by the rule of the instrument", empty: "too few items answered for a total"},
		{name: "n_missing", kind: whole, label: "Number of items of the total that were not answered", empty: "the source had the score without its items"},
		{name: "prorated", kind: yes, label: "The total was scaled up for missing items by the publisher's rule", empty: "the source had the score without its items"},
		{name: "band", label: "Severity band of the total as published", codes: r.bandCodes(), empty: "no band is published, or there is no total"},
		{name: "caseness", kind: yes, label: "The total is at or beyond the published threshold of a case", empty: "no threshold is cited, or there is no total"},
		{name: "change_class", label: "Change of the total since the first of the course, by the published constants", codes: strings.Join(changeClasses, "; "), empty: "the first of its course, or no constant is cited"},
		{name: "risk_flag", kind: yes, label: "An item that asks for a risk was answered at or above its threshold (PHQ-9 item 9 above 0)", empty: "the instrument has no such item"},
	}
	for _, s := range r.subscales() {
		in := r.c.Instruments.BySlug(s[0])
		name := strings.ReplaceAll("sub_"+s[0]+"_"+s[1], "-", "_")
		scores = append(scores, column{name: name, kind: decimal, unit: "{score}", label: "Subscale " + s[1] + " of " + in.Title, empty: "another instrument, or too few items answered"})
	}
	return []table{
		{name: "people", about: "One row a person: the quasi-identifiers as far as they are told.", rows: r.people(), columns: []column{
			pid,
			{name: "gender", label: "Administrative gender", codes: "female; male; other", empty: "unknown, or not told in this release"},
			{name: "birth_years", label: "Years in one of which the person was born", empty: "unknown, or not told in this release"},
			{name: "state", label: "State or province of residence, as its code", empty: "unknown, or not told in this release"},
			{name: "start_years", label: "Years in one of which the first course of therapy began; the true ones, also where dates are shifted", empty: "unknown, or not told in this release"},
		}},
		{name: "episodes", about: "One row a course of therapy.", rows: r.episodes(), columns: []column{
			pid, episode, therapist, site,
			{name: "status", label: "Status on the last day that is told", codes: "planned; waitlist; active; onhold; finished; cancelled"},
			day("start_day", "First day"), day("end_day", "Last day"),
			{name: "end_reason", label: "Why it ended, as the code of the source", empty: "goes on, or " + few + "; or not by a code"},
			{name: "n_sessions", kind: whole, label: "Number of sessions that took place"},
			{name: "n_missed", kind: whole, label: "Number of sessions to which the person did not come"},
		}},
		{name: "sessions", about: "One row a session, those that came to nothing included.", rows: r.sessions(), columns: []column{
			pid,
			{name: "session_id", label: "Pseudonym of the session, the id of the Encounter or Appointment"},
			episode, therapist, site, day("day_from_baseline", "When it was"),
			{name: "session_no", kind: whole, label: "Number among the sessions of the course that took place, from 1", empty: "did not take place"},
			{name: "attended", kind: yes, label: "It took place", empty: "not finished"},
			{name: "status", label: "Status", codes: "planned; arrived; triaged; in-progress; onleave; finished; cancelled; unknown; noshow"},
			{name: "modality", label: "How they met", codes: strings.Join(modalities, "; "), empty: few},
			{name: "format", label: "Who was there", codes: strings.Join(formats, "; "), empty: few},
			phase,
			{name: "minutes", kind: decimal, unit: "min", label: "Length", empty: "not stated"},
		}},
		{name: "scores", about: "One row an answering of an instrument: its scores.", rows: r.scores(), columns: scores},
		{name: "items", about: "One row an item of each answering, also of what was not answered.", rows: r.items(), columns: []column{
			pid,
			{name: "administration_id", label: "As in scores"},
			{name: "instrument", label: "Instrument", codes: r.instrumentCodes()},
			{name: "link_id", label: "Item, as the linkId of the QuestionnaireResponse"},
			{name: "loinc", label: "Item, as LOINC code", empty: "LOINC has none for it"},
			{name: "answer_code", label: "Answer, as its code; see the rows of this dictionary about the instrument", empty: "no answer, or a number"},
			{name: "answer_score", kind: decimal, unit: "{score}", label: "What the answer counts, before an item that counts the other way is turned round", empty: "no answer, or one that counts as missing"},
			{name: "missing_reason", label: "Why there is no answer", codes: missingCodes, empty: "there is an answer"},
		}},
	}
}

const missingCodes = "not-asked = the source says that it was not asked; skipped = made pointless by another answer (enableWhen); refused = asked, and declined; " +
	"not-extracted = the source had the score without its items; unanswered = left empty, and nothing says why; withheld = there is an answer that may not be told, such as a text"

func (r *Release) instrumentCodes() string {
	var out []string
	for _, in := range r.used() {
		out = append(out, in.Slug+" = "+in.Title)
	}
	return strings.Join(out, "; ")
}

func (r *Release) bandCodes() string {
	var out []string
	for _, in := range r.used() {
		for _, b := range in.Total().Bands {
			if w := b.Slug + " = " + b.Label; !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return strings.Join(out, "; ")
}
