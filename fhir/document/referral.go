package document

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
)

// Notice42CFR2 is the notice that goes with records of a substance use disorder
// programme, in its short form.
//
// Source: 42 CFR 2.32(a)(2)
const Notice42CFR2 = "42 CFR part 2 prohibits unauthorized disclosure of these records."

// Input is what a document is made of.
type Input struct {
	// Base is the FHIR base that the resources' references are relative to.
	Base string
	// Resources are those that the reader may have: the Task, its ServiceRequest, the
	// Patient and what else belongs to the referral.
	Resources []fhir.Resource
	// Withheld says that something belongs to the referral which the reader may not have.
	Withheld bool
	// At is when the document is made.
	At time.Time
}

// Referral is a referral in words, ready to be written in either form. It is
// immutable and safe for concurrent use.
type Referral struct {
	Input
	Client   Client
	From, To Party
	Service  string // what is asked for
	Urgency  string
	Asked    string // since when
	Due      string
	Sections []Section
	Notice   string // of 42 CFR part 2; "" where it does not apply

	task, request, patient fhir.Resource
	labels                 []fhir.Node
	used                   map[fhir.Key]bool
}

// Client is whom it is about.
type Client struct {
	Name, Born, Gender string
	Numbers, Contacts  []string
	Address            string
}

// Party is who asks, or who is asked.
type Party struct {
	Organisation, Person string
	Contacts             []string
	Address              string
	keys                 []fhir.Key
}

// Section is one part of the document. Of Items and Table either may be empty; a
// section with neither says None.
type Section struct {
	Slug, Title   string
	Code, Display string // LOINC
	Urgent        bool
	Items         []Item
	Table         *Table
	None          string
	entries       []fhir.Key
}

// Item is one thing: what it is, then what is known of it.
type Item struct {
	Text  string
	Notes []string
	Items []Item
}

// Table holds what compares side by side.
type Table struct {
	Head []string
	Rows [][]string
}

// New reads the resources of one referral.
//
// Errors: [fhir.Invalid] when Task, ServiceRequest or Patient are not among them.
func New(in Input) (*Referral, error) {
	r := &Referral{Input: in, used: map[fhir.Key]bool{}}
	if r.task = first(in.Resources, "Task"); r.task.IsZero() {
		return nil, missing("Task")
	}
	focus, _ := r.task.Root().Get("focus").Ref()
	if r.request = r.find(focus); r.request.IsZero() {
		return nil, missing("ServiceRequest")
	}
	about, _ := r.task.Root().Get("for").Ref()
	if r.patient = r.find(about); r.patient.Type != "Patient" {
		return nil, missing("Patient")
	}
	task, request := r.task.Root(), r.request.Root()
	r.client()
	r.From = r.party(task.Get("requester"), request.Get("requester"))
	r.To = r.party(task.Get("owner"), request.Get("performer").Index(0))
	r.Service = coded(request.Get("code"))
	r.Urgency = words(cmp.Or(task.Get("priority").Text(), request.Get("priority").Text()))
	r.Asked = day(cmp.Or(task.Get("authoredOn").Text(), request.Get("authoredOn").Text()))
	r.Due = day(cmp.Or(task.At("restriction", "period", "end").Text(), request.At("occurrencePeriod", "end").Text()))
	r.label()
	r.sections()
	return r, nil
}

func missing(typ string) error {
	return fhir.Errorf(fhir.Invalid, "", "There is no document without the referral's %s.", typ)
}

func first(rs []fhir.Resource, typ string) fhir.Resource {
	if i := slices.IndexFunc(rs, func(r fhir.Resource) bool { return r.Type == typ }); i >= 0 {
		return rs[i]
	}
	return fhir.Resource{}
}

func (r *Referral) find(k fhir.Key) fhir.Resource {
	if i := slices.IndexFunc(r.Resources, func(x fhir.Resource) bool { return x.Key == k }); i >= 0 && !k.IsZero() {
		return r.Resources[i]
	}
	return fhir.Resource{}
}

// of returns the resources of a type that belong to the record, in their order.
func (r *Referral) of(typ string) (out []fhir.Resource) {
	for _, x := range r.Resources {
		if x.Type == typ {
			out = append(out, x)
		}
	}
	return out
}

func (r *Referral) client() {
	n := r.patient.Root()
	r.used[r.patient.Key] = true
	r.Client = Client{Name: human(n.Get("name")), Born: day(n.Get("birthDate").Text()), Gender: n.Get("gender").Text(),
		Contacts: contacts(n.Get("telecom")), Address: address(n.Get("address"))}
	for id := range n.Get("identifier").Elements() {
		if v := id.Get("value").Text(); v != "" && !strings.HasSuffix(id.Get("system").Text(), "/Patient") {
			r.Client.Numbers = append(r.Client.Numbers, join(": ", concept(id.Get("type")), v))
		}
	}
}

// party says who is meant by references that name an organisation, a person or a
// role of both.
func (r *Referral) party(refs ...fhir.Node) (p Party) {
	for _, ref := range refs {
		r.join(&p, ref)
	}
	return p
}

func (r *Referral) join(p *Party, ref fhir.Node) {
	k, _ := ref.Ref()
	x := r.find(k)
	if x.IsZero() {
		switch display := ref.Get("display").Text(); cmp.Or(k.Type, ref.Get("type").Text()) {
		case "Organization":
			p.Organisation = cmp.Or(p.Organisation, display)
		default:
			p.Person = cmp.Or(p.Person, display)
		}
		return
	}
	if slices.Contains(p.keys, k) {
		return
	}
	p.keys = append(p.keys, k)
	r.used[k] = true
	n := x.Root()
	for _, c := range contacts(n.Get("telecom")) {
		if !slices.Contains(p.Contacts, c) {
			p.Contacts = append(p.Contacts, c)
		}
	}
	switch x.Type {
	case "Organization":
		p.Organisation = cmp.Or(n.Get("name").Text(), p.Organisation)
		p.Address = cmp.Or(p.Address, address(n.Get("address")))
	case "PractitionerRole":
		r.join(p, n.Get("practitioner"))
		r.join(p, n.Get("organization"))
	default:
		p.Person = cmp.Or(human(n.Get("name")), p.Person)
	}
}

// programme are the labels of records that need the notice.
//
// Source: HL7 v3-ActCode; 42 CFR part 2
var programme = []string{"42CFRPart2", "42CFRPart2CD", "SUD", "ETHUD", "ETH", "OPIOIDUD"}

// Noticed reports whether a resource bears a label of a substance use programme.
func Noticed(r fhir.Resource) bool {
	for c := range r.Root().Get("meta").Get("security").Elements() {
		if slices.Contains(programme, c.Get("code").Text()) {
			return true
		}
	}
	return false
}

const confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"

// label collects what the parts are labelled with: the whole is as confidential as
// its most confidential part, and as sensitive as all of them.
func (r *Referral) label() {
	var top fhir.Node
	for _, x := range r.Resources {
		if Noticed(x) {
			r.Notice = Notice42CFR2
		}
		for c := range x.Root().Get("meta").Get("security").Elements() {
			code := c.Get("code").Text()
			switch {
			case code == "":
			case c.Get("system").Text() == confidentiality:
				if strings.Index("ULMNRV", code) > strings.Index("ULMNRV", top.Get("code").Text()) || !top.Exists() {
					top = c
				}
			case !slices.ContainsFunc(r.labels, func(l fhir.Node) bool {
				return l.Get("code").Text() == code && l.Get("system").Text() == c.Get("system").Text()
			}):
				r.labels = append(r.labels, c)
			}
		}
	}
	slices.SortStableFunc(r.labels, func(a, b fhir.Node) int { return cmp.Compare(a.Get("code").Text(), b.Get("code").Text()) })
	if top.Exists() {
		r.labels = append([]fhir.Node{top}, r.labels...)
	}
}

// Security returns the labels of the whole, for meta.security.
func (r *Referral) Security() []fhir.Node { return r.labels }
