package research

import (
	"cmp"
	"maps"
	"slices"

	"rapport/fhir"
	"rapport/mapping/deid"
	"rapport/mapping/instrument"
)

// administration is one time that a person answered an instrument, or of which a
// source told the scores alone.
type administration struct {
	who                int
	key                fhir.Key
	in                 *instrument.Instrument
	at                 moment
	encounter, episode fhir.Key
	author             fhir.Key  // the practitioner
	source             fhir.Key  // who answered, where that is a resource
	by                 deid.Said // else
	score              instrument.Score
	answers            []answer // by index into in.Items; nil: none were told
	number             int      // of the person and the instrument, from 1
	change             string   // class since the first of the course; "" none
}

// answer is what was answered to one item.
type answer struct {
	option  *instrument.Option
	number  string // of an item without options
	missing string // why there is neither
}

// Why an item has no answer.
const (
	notAsked     = "not-asked"     // the source says that it was not asked
	skipped      = "skipped"       // another answer made it pointless (enableWhen)
	refused      = "refused"       // asked, and the person declined
	notExtracted = "not-extracted" // the source has the score without its items
	unanswered   = "unanswered"    // left empty, and nothing says why
	withheld     = "withheld"      // there is one that may not be told, such as a text
)

const (
	absentURL     = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
	participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	episodeURL    = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare"
	ours          = instrument.Canonical + "/StructureDefinition/"
)

var (
	phases     = []string{"assessment", "acute", "consolidation", "closing", "follow-up"}
	modalities = []string{"in-person", "phone", "video", "online"}
	formats    = []string{"individual", "couple", "family", "group", "professionals", "other"}
	informants = map[string]string{"client": "self", "practitioner": "clinician", "parent": "parent", "other": "other"}
)

func oneOf(s string, words []string) string {
	if slices.Contains(words, s) {
		return s
	}
	return ""
}

// format is who was there, as a concept of a resource says.
func format(r fhir.Resource, element string) deid.Said {
	const system = instrument.Canonical + "/CodeSystem/session-format"
	for _, f := range formats {
		for t := range r.Root().Get(element).Elements() {
			if t.HasCoding(system, f) {
				return deid.Said{Type: r.Type, Element: r.Type + "." + element, System: system, Code: f}
			}
		}
	}
	return deid.Said{}
}

// marked is the code of one of our extensions.
func marked(r fhir.Resource, slug string, words []string) deid.Said {
	code := oneOf(extension(r.Root(), slug).Get("valueCode").Text(), words)
	if code == "" {
		return deid.Said{}
	}
	return deid.Said{Type: r.Type, Element: ours + slug, Code: code}
}

func extensionAt(n fhir.Node, url string) fhir.Node {
	for x := range n.Get("extension").Elements() {
		if x.Get("url").Text() == url {
			return x
		}
	}
	return fhir.Node{}
}

func extension(n fhir.Node, slug string) fhir.Node { return extensionAt(n, ours+slug) }

func (c *cohort) response(who int, r fhir.Resource) {
	n := r.Root()
	in := c.instruments.ByURL(n.Get("questionnaire").Text())
	if status := n.Get("status").Text(); in == nil || status != "completed" && status != "amended" {
		return
	}
	score, err := in.Score(r)
	if err != nil {
		return
	}
	a := &administration{
		who: who, key: r.Key, in: in, at: momentOf(n.Get("authored").Text()), score: score,
		encounter: ref(n.Get("encounter"), "Encounter"), episode: ref(extensionAt(n, episodeURL).Get("valueReference"), "EpisodeOfCare"),
		author: ref(n.Get("author"), "Practitioner"), answers: make([]answer, len(in.Items)),
	}
	if a.source, _ = n.Get("source").Ref(); a.source.IsZero() {
		a.by = informant(r)
	}
	a.read(n)
	a.explain()
	c.take(a)
}

// informant reads who answered where that is no resource.
func informant(r fhir.Resource) deid.Said {
	return marked(r, "response-answered-by", slices.Collect(maps.Keys(informants)))
}

// mode says who answered, as far as the resource tells it too: self, clinician, parent,
// other; "" unknown.
func (c *cohort) mode(a *administration) string {
	switch a.source.Type {
	case "":
		return informants[c.codes.tells(a.by)]
	case "Patient":
		if a.source == c.people[a.who].key {
			return "self"
		}
	case "Practitioner":
		if _, told := c.secrets[a.source]; told {
			return "clinician"
		}
	}
	return ""
}

// read takes the answers, in groups too.
func (a *administration) read(n fhir.Node) {
	for item := range n.Get("item").Elements() {
		if it := a.in.Item(item.Get("linkId").Text()); it != nil {
			a.answers[slices.Index(a.in.Items, it)] = answerOf(a.in, it, item.Get("answer").Index(0))
		}
		a.read(item)
	}
}

func answerOf(in *instrument.Instrument, it *instrument.Item, n fhir.Node) answer {
	if it.Answers == "" {
		if v := n.Get("valueInteger").Decimal(); v != "" {
			return answer{number: v}
		}
	} else if list := in.Answers[it.Answers]; list != nil {
		v := n.Get("valueCoding")
		for _, o := range list.Options {
			if o.Code == v.Get("code").Text() && list.System == v.Get("system").Text() {
				return answer{option: o}
			}
		}
	}
	switch extensionAt(n, absentURL).Get("valueCode").Text() {
	case "asked-declined":
		return answer{missing: refused}
	case "not-asked", "not-applicable":
		return answer{missing: notAsked}
	case "masked":
		return answer{missing: withheld}
	}
	return answer{}
}

// explain says why items have no answer, where their own place does not.
func (a *administration) explain() {
	for i, it := range a.in.Items {
		x := &a.answers[i]
		if x.option != nil || x.number != "" || x.missing != "" {
			continue
		}
		x.missing = unanswered
		if u := it.Unless; u != nil {
			if other := a.in.Item(u.Item); other != nil {
				if o := a.answers[slices.Index(a.in.Items, other)].option; o != nil && o.Code == u.Is {
					x.missing = skipped
				}
			}
		}
	}
}

// take adds an administration.
func (c *cohort) take(a *administration) {
	c.seen(a.who, a.at)
	c.given = append(c.given, a)
}

// observation takes the change that was derived with a score, and scores that a source
// told without items.
func (c *cohort) observation(who int, r fhir.Resource) {
	n := r.Root()
	if s := n.Get("status").Text(); s != "final" && s != "amended" && s != "corrected" {
		return
	}
	for from := range n.Get("derivedFrom").Elements() {
		if k := ref(from, "QuestionnaireResponse"); !k.IsZero() {
			c.changes[k] = changeIn(n)
			return
		}
	}
	in := c.instruments.ByURL(extension(n, "response-instrument").Get("valueCanonical").Text())
	if in == nil {
		return
	}
	stated := map[string]instrument.Points{}
	take := func(s *instrument.Scale, v fhir.Node) {
		if p, err := instrument.ParsePoints(v.Get("value").Decimal()); err == nil {
			stated[s.Slug] = p
		}
	}
	take(in.Total(), n.Get("valueQuantity"))
	for part := range n.Get("component").Elements() {
		for _, s := range in.Scales[1:] {
			if part.Get("code").HasCoding(s.Code.System, s.Code.Code) {
				take(s, part.Get("valueQuantity"))
			}
		}
	}
	score, err := in.Stated(stated)
	if err != nil {
		return
	}
	c.take(&administration{
		who: who, key: r.Key, in: in, at: momentOf(cmp.Or(n.Get("effectiveDateTime").Text(), n.Get("effectiveInstant").Text())), score: score, by: informant(r),
		encounter: ref(n.Get("encounter"), "Encounter"), episode: ref(extensionAt(n, episodeURL).Get("valueReference"), "EpisodeOfCare"),
		author: ref(n.Get("performer").Index(0), "Practitioner"), change: changeIn(n),
	})
}

var changeClasses = []string{string(instrument.ReliableImprovement), string(instrument.ReliableDeterioration), string(instrument.NoReliableChange)}

// changeIn reads the class of change since the first score.
func changeIn(n fhir.Node) string {
	for part := range n.Get("component").Elements() {
		if !part.Get("code").HasCoding(instrument.ChangeCodes, "since-first") {
			continue
		}
		for mark := range part.Get("interpretation").Elements() {
			for _, class := range changeClasses {
				if mark.HasCoding(instrument.ChangeCodes, class) {
					return class
				}
			}
		}
	}
	return ""
}

// order numbers sessions and administrations, and finds the change that no
// derived score tells.
func (c *cohort) order() {
	slices.SortFunc(c.sessions, func(a, b *session) int {
		return cmp.Or(a.who-b.who, a.at.order.Compare(b.at.order), a.key.Compare(b.key))
	})
	numbers := map[[2]string]int{}
	for _, s := range c.sessions {
		if s.key.Type == "Encounter" && s.status == "finished" {
			k := [2]string{c.people[s.who].key.ID, s.episode.ID}
			numbers[k]++
			s.number = numbers[k]
		}
	}
	slices.SortFunc(c.given, func(a, b *administration) int {
		return cmp.Or(a.who-b.who, cmp.Compare(a.in.Slug, b.in.Slug), a.at.order.Compare(b.at.order), a.key.Compare(b.key))
	})
	type course struct {
		who     int
		slug    string
		episode fhir.Key
	}
	first, seen := map[course]*administration{}, map[course]int{}
	for _, a := range c.given {
		if s := c.byEncounter[a.encounter]; s != nil && a.episode.IsZero() {
			a.episode = s.episode
		}
		seen[course{a.who, a.in.Slug, fhir.Key{}}]++
		a.number = seen[course{a.who, a.in.Slug, fhir.Key{}}]
		total := a.score.Total()
		if total.Value == nil {
			continue
		}
		k := course{a.who, a.in.Slug, a.episode}
		if told, ok := c.changes[a.key]; ok {
			a.change = told
		} else if f := first[k]; f != nil && a.change == "" {
			a.change = string(a.in.Shift(total.Scale, *f.score.Total().Value, *total.Value).Class)
		}
		if first[k] == nil {
			first[k] = a
		}
	}
}
