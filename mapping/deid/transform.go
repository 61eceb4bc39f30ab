package deid

import (
	"context"
	"errors"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// Said is a code that stands, or would, at an element of a type of resource.
type Said struct {
	Type    string // "Encounter"
	Element string // "Encounter.reasonCode"; of an extension its URL; "instrument" for a known questionnaire, whatever names it
	System  string // "" where the element has one system alone; a boolean is the code true or false
	Code    string
	// Vital says that without the code nothing is told: no element is left to show that
	// there was one.
	Vital bool
}

// Instrument is where a questionnaire is said.
func Instrument(url string) Said { return Said{Element: "instrument", Code: url, Vital: true} }

// Config is what a Deidentifier needs. All fields but Code and Leaves are required.
type Config struct {
	Profile *Profile
	Key     Key
	// Person returns who a Patient is; false: is not released, nor is anything of
	// theirs.
	Person func(patient fhir.Key) (*Person, bool)
	// Setting returns the secret of a practitioner or an organisation; false: it is
	// not told which it was.
	Setting     func(k fhir.Key) (Secret, bool)
	Instruments *instrument.Library
	// Definitions holds the CodeSystems of our own, all of whose codes may leave.
	Definitions []fhir.Resource
	// Code returns as what a code of a person is told, false for one that so few people
	// have that it is withheld. nil: as it is.
	Code func(s Said) (as string, ok bool)
	// Leaves says whether a resource that belongs to a person leaves: of one that does
	// not, nothing is told by reference. nil: all that have rules.
	Leaves func(k fhir.Key) bool
}

// Deidentifier rewrites resources for one project by a profile. It is immutable
// and, where the functions of its Config are, safe for concurrent use.
type Deidentifier struct {
	Config
	systems map[string]*terms
}

// New makes a Deidentifier.
func New(c Config) (*Deidentifier, error) {
	switch {
	case c.Profile == nil, c.Person == nil, c.Setting == nil, c.Instruments == nil:
		return nil, errors.New("deid: Profile, Person, Setting and Instruments are needed")
	case c.Key == Key{}:
		return nil, errors.New("deid: Key is needed: without one, pseudonyms could be guessed")
	}
	return &Deidentifier{Config: c, systems: c.Profile.withDefined(c.Definitions)}, nil
}

// HL7's and our URLs in what is written.
const (
	absentURL  = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
	daysURL    = instrument.Canonical + "/StructureDefinition/days-from-baseline"
	birthURL   = instrument.Canonical + "/StructureDefinition/birth-years"
	startURL   = instrument.Canonical + "/StructureDefinition/start-years"
	released   = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"PSEUDED"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"REDACTED"}]}`
	maskedBody = `{"extension":[{"url":"` + absentURL + `","valueCode":"masked"}]}`
)

// status says what was written of an element.
type status uint8

const (
	nothing  status = iota
	withheld        // that something was there
	told
)

// pass is the rewriting of one resource.
type pass struct {
	*Deidentifier
	of    *Person // nil: nobody's
	typ   string
	dry   bool   // pseudonyms, which cost the most, are left out; what is told is noted
	codes []Said // that are told
	shift int    // days
	// dates that it has, and those of them that lie after the last day that is told
	dates, after int
	// whether a day of its end is told, or one lies after the last day that is told
	ended, open bool
	// instrument that a response answers; nil: none that is known
	instrument *instrument.Instrument
}

// Transform implements [fhir.Transform]: it returns r as it may leave, or false where
// nothing of it may: its type has no rules, it belongs to nobody who is released,
// what it needs to say anything is withheld, a modifier that is not understood
// changes what it means, all its dates lie after the last day that is told, or it was
// entered in error.
func (d *Deidentifier) Transform(_ context.Context, r fhir.Resource) (fhir.Resource, bool, error) {
	p := pass{Deidentifier: d}
	out, ok := p.write(make([]byte, 0, 256+len(r.Body())/2), r)
	if !ok {
		return fhir.Resource{}, false, nil
	}
	res, err := fhir.Parse(out)
	return res, err == nil, err
}

// Tells reports whether something of r leaves, and of whom it tells which codes, as they
// stand in r, at half the cost of Transform. of is nil for what is nobody's.
func (d *Deidentifier) Tells(r fhir.Resource) (of *Person, codes []Said, leaves bool) {
	p := pass{Deidentifier: d, dry: true}
	_, leaves = p.write(nil, r)
	return p.of, p.codes, leaves
}

// write appends r as it leaves.
func (p *pass) write(out []byte, r fhir.Resource) ([]byte, bool) {
	rules := p.Profile.types[r.Type]
	root := r.Root()
	if rules == nil || mistaken(root) {
		return nil, false
	}
	p.typ = r.Type
	id, ok := p.identify(r, rules)
	if !ok {
		return nil, false
	}
	if r.Type == "QuestionnaireResponse" {
		p.instrument = p.Instruments.ByURL(root.Get("questionnaire").Text())
	}
	if !p.standing(root, rules) {
		return nil, false
	}
	out = append(out, `{"resourceType":"`...)
	out = append(out, r.Type...)
	out = append(out, `","id":"`...)
	out = append(out, id...)
	out = append(out, `",`...)
	out = append(out, released...)
	out, s := p.members(out, root, rules, 1)
	late := p.after > 0 && p.after == p.dates || p.dates == 0 && r.Type != "Patient" && (p.late(root) || p.left(root))
	return append(out, '}'), s != nothing && !late
}

// left reports whether what has no date is of a session that does not leave.
func (p *pass) left(n fhir.Node) bool {
	k, ok := n.Get("encounter").Ref()
	return ok && p.of != nil && p.Leaves != nil && !p.Leaves(k)
}

// late reports whether a date, in elements that are not told, lies after the last day that
// is told: how many resources there are without any date would tell of that time.
func (p *pass) late(n fhir.Node) bool {
	if p.of == nil {
		return false
	}
	if n.Kind() == fhir.Str {
		day, ok := Day(n.Text())
		return ok && p.of.After(day)
	}
	for name, m := range n.Members() {
		if name == "meta" {
			continue
		}
		for x := range m.Elements() {
			if p.late(x) {
				return true
			}
		}
	}
	return false
}

// standing finds out how a resource stood on the last day that is told of its person;
// false: there was none.
func (p *pass) standing(root fhir.Node, r *rule) bool {
	if p.of == nil {
		return true
	}
	for _, path := range r.begins {
		if first, _, ok := span(root.At(path...).Text()); ok && p.of.After(first) {
			return false
		}
	}
	for _, path := range r.ends {
		if first, _, ok := span(root.At(path...).Text()); ok {
			after := p.of.After(first)
			p.open, p.ended = p.open || after, p.ended || !after
		}
	}
	p.ended = p.ended && !p.open
	return true
}

// pseudonym and idOf are those of the project's key.
func (p *pass) pseudonym(s Secret, typ string) string {
	if p.dry {
		return ""
	}
	return p.Key.Pseudonym(s, typ)
}

func (p *pass) idOf(s Secret, k fhir.Key) string {
	if p.dry {
		return ""
	}
	return p.Key.IDOf(s, k)
}

// mistaken reports whether a resource was entered in error: it says so of itself.
func mistaken(n fhir.Node) bool {
	const word = "entered-in-error"
	return n.Get("status").Text() == word || n.Get("lifecycleStatus").Text() == word ||
		n.Get("verificationStatus").HasCoding("http://terminology.hl7.org/CodeSystem/condition-ver-status", word)
}

// identify finds whose r is and its pseudonym.
func (p *pass) identify(r fhir.Resource, rules *rule) (string, bool) {
	if rules.of == nil {
		s, ok := p.Setting(r.Key)
		return p.pseudonym(s, r.Type), ok
	}
	patient := r.Key
	if r.Type != "Patient" {
		patient = Subject(r.Root(), rules.of...)
	}
	who, ok := p.Person(patient)
	if !ok || patient.IsZero() {
		return "", false
	}
	p.of = who
	if p.Profile.Shifts && !who.Baseline.IsZero() && !p.dry {
		p.shift = p.Key.Shift(who.Secret, who.Baseline)
	}
	if r.Type == "Patient" {
		return p.pseudonym(who.Secret, r.Type), true
	}
	return p.idOf(who.Secret, r.Key), true
}

// Subject returns the first Patient that the elements along a path refer to.
func Subject(n fhir.Node, path ...string) fhir.Key {
	if len(path) == 0 {
		if k, ok := n.Ref(); ok && k.Type == "Patient" {
			return k
		}
		return fhir.Key{}
	}
	for m := range n.Get(path[0]).Elements() {
		if k := Subject(m, path[1:]...); !k.IsZero() {
			return k
		}
	}
	return fhir.Key{}
}

// members appends `,"name":value` for what may leave of n; n members are there already.
func (p *pass) members(to []byte, n fhir.Node, r *rule, there int) ([]byte, status) {
	mark, all, codes := len(to), status(nothing), len(p.codes)
	var wrote, said uint64
	comma := func() {
		if there > 0 {
			to = append(to, ',')
		}
	}
	note := func(bit uint64, before int, s status) {
		if s == nothing {
			to = to[:before]
			return
		}
		there++
		all = max(all, s)
		wrote |= bit
		if s == told {
			said |= bit
		}
	}
	for m := range n.Fields() {
		name, before := m.NameBytes(), len(to)
		comma()
		var s status
		switch {
		case string(name) == "modifierExtension":
			p.codes = p.codes[:codes]
			return to[:mark], nothing
		case string(name) == "extension":
			if x := r.members["extension"]; x == nil {
				to, s = p.extensions(to, m, r)
			}
			note(0, before, s)
		case len(name) > 1 && name[0] == '_':
			x := r.members[string(name[1:])]
			if x != nil && x.do != person && !n.Get(string(name[1:])).Exists() {
				to, s = p.besides(to, name, m)
				note(x.bit, before, s)
			} else {
				to = to[:before]
			}
		default:
			x := r.members[string(name)]
			if x == nil || x.do == pseudonym || x.do == person || r.atEnd[string(name)] && !p.ended {
				to = to[:before]
				continue
			}
			if p.open && string(name) == "status" && r.outcome[m.Text()] {
				to, s = fhir.AppendQuote(append(to, `"status":`...), r.was), told
			} else {
				to, s = p.member(to, name, m, x)
			}
			note(x.bit, before, s)
		}
	}
	for _, name := range r.person {
		before := len(to)
		comma()
		var s status
		to, s = p.person(to, name)
		note(0, before, s)
	}
	if said&r.needs != r.needs || all == nothing && there == 0 {
		p.codes = p.codes[:codes]
		return to[:mark], nothing
	}
	for i := range r.must {
		if need := &r.must[i]; wrote&need.bits == 0 {
			comma()
			there++
			to = need.append(to)
		}
	}
	return to, max(all, withheld)
}

// append tells that a required element is withheld.
func (r *required) append(to []byte) []byte {
	to = append(to, '"')
	if r.primitive {
		to = append(to, '_')
	}
	to = append(append(to, r.name...), `":`...)
	if r.list {
		return append(append(append(to, '['), maskedBody...), ']')
	}
	return append(to, maskedBody...)
}

// member appends one member by its rule.
func (p *pass) member(to, name []byte, n fhir.Node, r *rule) ([]byte, status) {
	switch r.do {
	case date, beginning, ending:
		return p.date(to, name, n, r)
	case masked:
		to = append(to, '"')
		if n.Kind() != fhir.Obj && n.Kind() != fhir.Arr {
			to = append(to, '_')
		}
		to = append(append(to, name...), `":`...)
		if n.Kind() == fhir.Arr {
			return append(append(append(to, '['), maskedBody...), ']'), withheld
		}
		return append(to, maskedBody...), withheld
	}
	to = append(append(append(to, '"'), name...), `":`...)
	if !r.list {
		return p.element(to, n, r)
	}
	mark, all := len(to), status(nothing)
	to = append(to, '[')
	if r.do == answers {
		var s status
		if to, s = p.answers(to, n); s == nothing {
			return to[:mark], nothing
		}
		return append(to, ']'), s
	}
	for m := range n.Elements() {
		before := len(to)
		if all != nothing {
			to = append(to, ',')
		}
		var s status
		if to, s = p.element(to, m, r); s == nothing {
			to = to[:before]
		}
		all = max(all, s)
	}
	if all == nothing {
		return to[:mark], nothing
	}
	return append(to, ']'), all
}

// besides appends why a primitive has no value, where its source says so.
func (p *pass) besides(to, name []byte, n fhir.Node) ([]byte, status) {
	to = append(append(append(to, '"'), name...), `":`...)
	return p.absent(to, n, "")
}

// absent appends an element that is no more than the reason why it says nothing: the
// source's, else the given one; nothing without either.
func (p *pass) absent(to []byte, n fhir.Node, reason string) ([]byte, status) {
	for x := range n.Get("extension").Elements() {
		code := x.Get("valueCode").Text()
		if x.Get("url").Text() == absentURL && p.Profile.systems[absentSystem].has(code) {
			reason = code
		}
	}
	if reason == "" {
		return to, nothing
	}
	to = append(to, `{"extension":[{"url":"`+absentURL+`","valueCode":"`...)
	return append(append(to, reason...), `"}]}`...), withheld
}

const absentSystem = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

// person appends what the release tells of the person.
func (p *pass) person(to []byte, name string) ([]byte, status) {
	text := func(before, s, after string) ([]byte, status) {
		if s == "" {
			return to, nothing
		}
		to = append(to, before...)
		to = fhir.AppendQuote(to, s)
		return append(to, after...), told
	}
	switch name {
	case "gender":
		return text(`"gender":`, p.of.Gender, "")
	case "birthDate":
		return text(`"_birthDate":{"extension":[{"url":"`+birthURL+`","valueString":`, p.of.Birth, `}]}`)
	case "address":
		return text(`"address":[{"state":`, p.of.State, `}]`)
	}
	return text(`"extension":[{"url":"`+startURL+`","valueString":`, p.of.Start, `}]`)
}
