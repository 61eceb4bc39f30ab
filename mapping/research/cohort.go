package research

import (
	"context"
	"hash/maphash"
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
	secret deid.Secret
	pid    string
	in     bool // stays in the release
	told   deid.Person
	course time.Time // first day of the first course of therapy
	first  time.Time // first day of anything else that has one
}

// session is an Encounter that took place, or an Appointment that came to nothing.
type session struct {
	who                      int
	key                      fhir.Key
	at                       moment
	episode, therapist, site fhir.Key
	status                   string
	modality, format, phase  deid.Said
	minutes                  string
	number                   int // among those of the course that took place, from 1
}

// episode is one course of therapy.
type episode struct {
	who             int
	key             fhir.Key
	start, end      moment
	status          string
	reason          deid.Said
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
	may         func(system, code string) bool // leave, by the profile
	people      []*person
	byKey       map[fhir.Key]int
	sessions    []*session
	byEncounter map[fhir.Key]*session
	episodes    []*episode
	byEpisode   map[fhir.Key]*episode
	given       []*administration
	changes     map[fhir.Key]string // response → class of change since the first, as the source tells it
	codes       *tally
	secrets     map[fhir.Key]deid.Secret
	few         map[string]int      // by type: practitioners and organisations that are not told
	leaving     map[uint64]struct{} // what leaves, by the hash of its key
	seed        maphash.Seed
}

func newCohort(l *instrument.Library, may func(system, code string) bool) *cohort {
	return &cohort{
		instruments: l, may: may, byKey: map[fhir.Key]int{}, byEncounter: map[fhir.Key]*session{}, byEpisode: map[fhir.Key]*episode{},
		changes: map[fhir.Key]string{}, codes: newTally(), secrets: map[fhir.Key]deid.Secret{}, few: map[string]int{},
		leaving: map[uint64]struct{}{}, seed: maphash.MakeSeed(),
	}
}

// read are the types that tell of a person.
var read = []string{"EpisodeOfCare", "Encounter", "Appointment", "QuestionnaireResponse", "Observation"}

// read takes what there is of all people.
func (c *cohort) read(all func(types ...string) iter.Seq2[fhir.Resource, error]) error {
	for r, err := range all("Patient") {
		if err != nil {
			return err
		}
		if _, twice := c.byKey[r.Key]; !twice {
			c.byKey[r.Key] = len(c.people)
			c.people = append(c.people, &person{key: r.Key, quasi: quasiOf(r.Root())})
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
	for k := range extension(n, "episode-end-reason").Get("valueCodeableConcept").Get("coding").Elements() {
		if s := (deid.Said{Type: r.Type, Element: ours + "episode-end-reason", System: k.Get("system").Text(), Code: k.Get("code").Text()}); e.reason.Code == "" && c.may(s.System, s.Code) {
			e.reason = s
		}
	}
	p := c.people[who]
	if !e.start.day.IsZero() && (p.course.IsZero() || e.start.day.Before(p.course)) {
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
		phase: marked(r, "therapy-phase", phases), modality: marked(r, "session-modality", modalities), format: format(r, "type"),
	}
	s.minutes = minutes(n.Get("length"))
	for p := range n.Get("participant").Elements() {
		k := ref(p.Get("individual"), "Practitioner")
		if !k.IsZero() && (s.therapist.IsZero() || p.Get("type").Index(0).HasCoding(participation, "PPRF")) {
			s.therapist = k
		}
	}
	c.seen(who, s.at)
	c.sessions = append(c.sessions, s)
	c.byEncounter[r.Key] = s
}

// minutes reads how long a session was: no longer than a day, and as deid tells quantities.
func minutes(n fhir.Node) string {
	value := n.Get("value").Decimal()
	if x, err := strconv.ParseFloat(value, 64); err != nil || x < 0 || x > 24*60 || n.Get("comparator").Exists() ||
		n.Get("system").Text() != "http://unitsofmeasure.org" || n.Get("code").Text() != "min" {
		return ""
	}
	return value
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
		who: who, key: r.Key, at: momentOf(at), status: status, format: format(r, "serviceType"),
		episode: ref(extension(n, "episode").Get("valueReference"), "EpisodeOfCare"), site: ref(extension(n, "session-organisation").Get("valueReference"), "Organization"),
		modality: marked(r, "session-modality", modalities),
	}
	for p := range n.Get("participant").Elements() {
		if k := ref(p.Get("actor"), "Practitioner"); !k.IsZero() && s.therapist.IsZero() {
			s.therapist = k
		}
	}
	c.sessions = append(c.sessions, s)
}

// settle decides who stays and what is told of each. day is that of the release.
func (c *cohort) settle(ch choice, quasis []quasi, day time.Time) {
	for i, p := range c.people {
		if ch.out[i] {
			continue
		}
		t := ch.tell(quasis[i])
		p.in = true
		p.told = deid.Person{
			Number: i, Secret: p.secret, Born: p.birth, Baseline: c.baseline(p), Horizon: deid.Horizon(c.baseline(p), day),
			Gender: t.gender, Birth: t.birth, State: t.state, Start: t.start,
		}
	}
}

// leave notes that a resource leaves.
func (c *cohort) leave(k fhir.Key) { c.leaving[c.hash(k)] = struct{}{} }

// leaves is a [deid.Config]'s Leaves.
func (c *cohort) leaves(k fhir.Key) bool { return c.among(c.leaving, k) }

func (c *cohort) among(those map[uint64]struct{}, k fhir.Key) bool {
	_, ok := those[c.hash(k)]
	return ok
}

func (c *cohort) hash(k fhir.Key) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	h.WriteString(k.Type)
	h.WriteByte('/')
	h.WriteString(k.ID)
	return h.Sum64()
}

// narrow keeps of what tables tell what leaves as a resource too.
func (c *cohort) narrow() {
	c.episodes = slices.DeleteFunc(c.episodes, func(e *episode) bool { return !c.leaves(e.key) })
	c.sessions = slices.DeleteFunc(c.sessions, func(s *session) bool { return !c.leaves(s.key) })
	c.given = slices.DeleteFunc(c.given, func(a *administration) bool { return !c.leaves(a.key) })
}

// members are those who stay.
func (c *cohort) members(ch choice) Members {
	var pids []string
	for i, p := range c.people {
		if !ch.out[i] {
			pids = append(pids, p.pid)
		}
	}
	return membersOf(pids)
}

// tells is what is told of those who stay, by pseudonym.
func (c *cohort) tells() map[string]told {
	out := map[string]told{}
	for _, p := range c.people {
		if p.in {
			out[p.pid] = told{p.told.Gender, p.told.Birth, p.told.State, p.told.Start}
		}
	}
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
// were with; the others are not told.
func (c *cohort) settings(ctx context.Context, secrets deid.Secrets, k int) error {
	with := map[string]map[fhir.Key]people{"Practitioner": {}, "Organization": {}}
	note := func(who int, keys ...fhir.Key) {
		for _, key := range keys {
			if key.IsZero() || !c.people[who].in {
				continue
			}
			p := with[key.Type][key]
			p.add(who)
			with[key.Type][key] = p
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
	for _, typ := range []string{"Organization", "Practitioner"} {
		not := withhold(with[typ], k, false, fhir.Key.Compare)
		c.few[typ] = len(not)
		for _, key := range slices.SortedFunc(maps.Keys(with[typ]), fhir.Key.Compare) {
			if not[key] {
				continue
			}
			s, err := secrets.Secret(ctx, key)
			if err != nil {
				return err
			}
			c.secrets[key] = s
		}
	}
	return nil
}
