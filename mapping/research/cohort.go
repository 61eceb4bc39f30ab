package research

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"rapport/fhir"
	"rapport/mapping/deid"
	"rapport/mapping/instrument"
)

// person is one of the people who would be in a release.
type person struct {
	key fhir.Key
	quasi
	secret   deid.Secret
	pid      string
	in       bool // stays in the release
	told     deid.Person
	course   time.Time       // first day of the first course of therapy
	first    time.Time       // first day of anything else that has one
	codes    map[dx]struct{} // diagnoses
	screened bool            // answered an item that asks for a risk
	risk     bool            // at least once above its threshold
}

// dx is the code of a diagnosis.
type dx struct{ system, code string }

// session is an Encounter that took place, or an Appointment that came to nothing.
type session struct {
	who                      int
	key                      fhir.Key
	at                       moment
	episode, therapist, site fhir.Key
	status, modality, format string
	phase                    string
	minutes                  string
	number                   int // among those of the course that took place, from 1
}

// episode is one course of therapy.
type episode struct {
	who             int
	key             fhir.Key
	start, end      moment
	status, reason  string
	therapist, site fhir.Key
}

// moment is when something was: a day on the wall calendar, and what orders two
// things of one day.
type moment struct {
	day   time.Time // zero: unknown
	order time.Time
}

func momentOf(date string) (m moment) {
	day, ok := deid.Day(date)
	if !ok {
		return m
	}
	m.day, m.order = day, day
	if at, err := time.Parse(time.RFC3339Nano, date); err == nil {
		m.order = at
	}
	return m
}

// cohort is what Survey reads: no text, no name, no number of anybody.
type cohort struct {
	instruments *instrument.Library
	leaves      func(system, code string) bool
	people      []*person
	byKey       map[fhir.Key]int
	sessions    []*session
	byEncounter map[fhir.Key]*session
	episodes    []*episode
	byEpisode   map[fhir.Key]*episode
	given       []*administration
	changes     map[fhir.Key]string // response → class of change since the first, as the source tells it
	told        map[dx]string       // as what a diagnosis is told; "" is withheld
	secrets     map[fhir.Key]deid.Secret
	few         map[string]int                  // by type: practitioners and organisations that are not told
	common      map[*instrument.Instrument]bool // that k people or more answered
	rare        int                             // instruments that fewer did
	dropped     map[fhir.Key]bool               // responses to those, and scores told without items
	unscored    int                             // responses whose answers are none of their instrument's
}

func newCohort(l *instrument.Library, leaves func(system, code string) bool) *cohort {
	return &cohort{
		instruments: l, leaves: leaves, byKey: map[fhir.Key]int{}, byEncounter: map[fhir.Key]*session{}, byEpisode: map[fhir.Key]*episode{},
		changes: map[fhir.Key]string{}, told: map[dx]string{}, secrets: map[fhir.Key]deid.Secret{}, few: map[string]int{}, dropped: map[fhir.Key]bool{}, common: map[*instrument.Instrument]bool{},
	}
}

// read are the types that tell of a person.
var read = []string{"EpisodeOfCare", "Encounter", "Appointment", "Condition", "QuestionnaireResponse", "Observation"}

// read takes what there is of all people.
func (c *cohort) read(all func(types ...string) iter.Seq2[fhir.Resource, error]) error {
	for r, err := range all("Patient") {
		if err != nil {
			return err
		}
		if _, twice := c.byKey[r.Key]; !twice {
			c.byKey[r.Key] = len(c.people)
			c.people = append(c.people, &person{key: r.Key, quasi: quasiOf(r.Root()), codes: map[dx]struct{}{}})
		}
	}
	for r, err := range all(read...) {
		if err != nil {
			return err
		}
		n := r.Root()
		path := []string{"subject"}
		switch r.Type {
		case "EpisodeOfCare":
			path = []string{"patient"}
		case "Appointment":
			path = []string{"participant", "actor"}
		}
		who, ok := c.byKey[deid.Subject(n, path...)]
		if !ok || n.Get("status").Text() == "entered-in-error" || n.Get("modifierExtension").Exists() {
			continue
		}
		switch r.Type {
		case "EpisodeOfCare":
			c.episode(who, r)
		case "Encounter":
			c.encounter(who, r)
		case "Appointment":
			c.appointment(who, r)
		case "Condition":
			c.condition(who, n)
		case "QuestionnaireResponse":
			c.response(who, r)
		case "Observation":
			c.observation(who, r)
		}
	}
	c.order()
	return nil
}

var state = regexp.MustCompile(`^[A-Z]{2,3}$`).MatchString

func quasiOf(n fhir.Node) (q quasi) {
	switch g := n.Get("gender").Text(); g {
	case "male", "female", "other":
		q.gender = g
	}
	if b := n.Get("birthDate").Text(); len(b) >= 4 {
		q.birth, _ = strconv.Atoi(b[:4])
	}
	for a := range n.Get("address").Elements() {
		if s := a.Get("state").Text(); q.state == "" && state(s) {
			q.state = s
		}
	}
	return q
}

// seen notes that something was on a day.
func (c *cohort) seen(who int, m moment) {
	if p := c.people[who]; !m.day.IsZero() && (p.first.IsZero() || m.day.Before(p.first)) {
		p.first = m.day
	}
}

// baseline is the day from which a person's days are counted.
func (c *cohort) baseline(p *person) time.Time {
	if !p.course.IsZero() {
		return p.course
	}
	return p.first
}

func ref(n fhir.Node, typ string) fhir.Key {
	if k, ok := n.Ref(); ok && k.Type == typ {
		return k
	}
	return fhir.Key{}
}

func (c *cohort) episode(who int, r fhir.Resource) {
	n := r.Root()
	e := &episode{
		who: who, key: r.Key, status: n.Get("status").Text(),
		start: momentOf(n.At("period", "start").Text()), end: momentOf(n.At("period", "end").Text()),
		therapist: ref(n.Get("careManager"), "Practitioner"), site: ref(n.Get("managingOrganization"), "Organization"),
	}
	e.reason = c.code(extension(n, "episode-end-reason").Get("valueCodeableConcept"))
	if p := c.people[who]; !e.start.day.IsZero() && (p.course.IsZero() || e.start.day.Before(p.course)) {
		p.course = e.start.day
	}
	c.episodes = append(c.episodes, e)
	c.byEpisode[r.Key] = e
}

func (c *cohort) encounter(who int, r fhir.Resource) {
	n := r.Root()
	s := &session{
		who: who, key: r.Key, at: momentOf(n.At("period", "start").Text()), status: n.Get("status").Text(),
		episode: ref(n.Get("episodeOfCare").Index(0), "EpisodeOfCare"), site: ref(n.Get("serviceProvider"), "Organization"),
		phase: oneOf(extension(n, "therapy-phase").Get("valueCode").Text(), phases), modality: oneOf(extension(n, "session-modality").Get("valueCode").Text(), modalities),
		format: format(n.Get("type")),
	}
	if l := n.Get("length"); l.Get("code").Text() == "min" {
		s.minutes = l.Get("value").Decimal()
	}
	for p := range n.Get("participant").Elements() {
		k := ref(p.Get("individual"), "Practitioner")
		if !k.IsZero() && (s.therapist.IsZero() || p.Get("type").Index(0).HasCoding(participation, "PPRF")) {
			s.therapist = k
		}
	}
	for reason := range n.Get("reasonCode").Elements() {
		c.diagnosed(who, reason)
	}
	c.seen(who, s.at)
	c.sessions = append(c.sessions, s)
	c.byEncounter[r.Key] = s
}

func (c *cohort) appointment(who int, r fhir.Resource) {
	n := r.Root()
	status := n.Get("status").Text()
	if status != "noshow" && status != "cancelled" {
		return
	}
	at := n.Get("start").Text()
	if at == "" {
		at = n.Get("requestedPeriod").Index(0).Get("start").Text()
	}
	s := &session{
		who: who, key: r.Key, at: momentOf(at), status: status, format: format(n.Get("serviceType")),
		episode: ref(extension(n, "episode").Get("valueReference"), "EpisodeOfCare"), site: ref(extension(n, "session-organisation").Get("valueReference"), "Organization"),
		modality: oneOf(extension(n, "session-modality").Get("valueCode").Text(), modalities),
	}
	for p := range n.Get("participant").Elements() {
		if k := ref(p.Get("actor"), "Practitioner"); !k.IsZero() && s.therapist.IsZero() {
			s.therapist = k
		}
	}
	c.sessions = append(c.sessions, s)
}

func (c *cohort) condition(who int, n fhir.Node) {
	if !n.Get("verificationStatus").HasCoding("http://terminology.hl7.org/CodeSystem/condition-ver-status", "entered-in-error") {
		c.diagnosed(who, n.Get("code"))
	}
}

func (c *cohort) diagnosed(who int, concept fhir.Node) {
	for k := range concept.Get("coding").Elements() {
		c.people[who].codes[dx{k.Get("system").Text(), k.Get("code").Text()}] = struct{}{}
	}
}

// settle decides who stays and what is told of each.
func (c *cohort) settle(ch choice, quasis []quasi, oldest int, key deid.Key) {
	for i, p := range c.people {
		if ch.out[i] {
			continue
		}
		t := ch.tell(quasis[i], oldest)
		p.in, p.pid = true, key.Pseudonym(p.secret, "Patient")
		p.told = deid.Person{Secret: p.secret, Baseline: c.baseline(p), Gender: t.gender, Birth: t.birth, State: t.state, Start: t.start}
	}
}

func (c *cohort) pids() (out []string) {
	for _, p := range c.people {
		if p.in {
			out = append(out, p.pid)
		}
	}
	slices.Sort(out)
	return out
}

// person is a [deid.Config]'s Person.
func (c *cohort) person(k fhir.Key) (*deid.Person, bool) {
	i, ok := c.byKey[k]
	if !ok || !c.people[i].in {
		return nil, false
	}
	return &c.people[i].told, true
}

// setting is a [deid.Config]'s Setting.
func (c *cohort) setting(k fhir.Key) (deid.Secret, bool) {
	s, ok := c.secrets[k]
	return s, ok
}

// settings finds the practitioners and organisations that at least k of the people
// were with; the others are not told. Where these together were with fewer than k
// people, they would be told by what is missing: then the smallest of those that could be
// told is withheld with them.
func (c *cohort) settings(ctx context.Context, secrets deid.Secrets, k int) error {
	with := map[fhir.Key]map[int]struct{}{}
	note := func(who int, keys ...fhir.Key) {
		for _, key := range keys {
			if key.IsZero() || !c.people[who].in {
				continue
			}
			if with[key] == nil {
				with[key] = map[int]struct{}{}
			}
			with[key][who] = struct{}{}
		}
	}
	for _, e := range c.episodes {
		note(e.who, e.therapist, e.site)
	}
	for _, s := range c.sessions {
		note(s.who, s.therapist, s.site)
	}
	for _, a := range c.given {
		note(a.who, a.author)
	}
	keys := slices.SortedFunc(maps.Keys(with), func(a, b fhir.Key) int { return cmp.Or(len(with[a])-len(with[b]), a.Compare(b)) })
	hidden := map[string]map[int]struct{}{}
	for _, key := range keys {
		if n := len(hidden[key.Type]); len(with[key]) < k || n > 0 && n < k {
			c.few[key.Type]++
			if hidden[key.Type] == nil {
				hidden[key.Type] = map[int]struct{}{}
			}
			maps.Copy(hidden[key.Type], with[key])
			continue
		}
		s, err := secrets.Secret(ctx, key)
		if err != nil {
			return err
		}
		c.secrets[key] = s
	}
	return nil
}

// scarce takes out instruments that fewer than k people answered: who did is known
// by it.
func (c *cohort) scarce(k int) {
	people := map[*instrument.Instrument]map[int]struct{}{}
	for _, a := range c.given {
		if c.people[a.who].in {
			if people[a.in] == nil {
				people[a.in] = map[int]struct{}{}
			}
			people[a.in][a.who] = struct{}{}
		}
	}
	for in, who := range people {
		if c.common[in] = len(who) >= k; !c.common[in] {
			c.rare++
		}
	}
	c.given = slices.DeleteFunc(c.given, func(a *administration) bool {
		if c.common[a.in] {
			return false
		}
		c.dropped[a.key] = true
		return true
	})
}

// withheld reports whether a resource is a response to such an instrument or its score.
func (c *cohort) withheld(r fhir.Resource) bool {
	switch r.Type {
	case "QuestionnaireResponse":
		return !c.common[c.instruments.ByURL(r.Root().Get("questionnaire").Text())]
	case "Observation":
		for from := range r.Root().Get("derivedFrom").Elements() {
			if k, ok := from.Ref(); ok && c.dropped[k] {
				return true
			}
		}
		return c.dropped[r.Key]
	}
	return false
}
