package document

import (
	"cmp"
	"slices"
	"strings"

	"rapport/fhir"
)

// sections puts together what the document says, what matters first.
//
// Source: C-CDA R2.1 Referral Note; LOINC section codes as in IPS and US Core.
func (r *Referral) sections() {
	r.used[r.task.Key], r.used[r.request.Key] = true, true
	r.Sections = append(r.Sections, r.reason(), r.risks(), r.problems(), r.assessments(), r.goals(), r.plan())
	if s := r.further(); len(s.Items) > 0 {
		r.Sections = append(r.Sections, s)
	}
	r.Sections = append(r.Sections, r.parties())
	if r.Withheld {
		r.Sections = append(r.Sections, Section{Slug: "withheld", Title: "Not included", Items: []Item{{
			Text: "Parts of the record that belong to this referral are not included, because the client or the law does not let the receiver have them. Ask the client or the sender if something seems to be missing."}}})
	}
	if r.Notice != "" {
		r.Sections = append(r.Sections, Section{Slug: "notice", Title: "Notice", Items: []Item{{Text: r.Notice}}})
	}
}

func (r *Referral) reason() Section {
	s := Section{Slug: "reason", Title: "Reason for referral", Code: "42349-1", Display: "Reason for referral (narrative)", None: "No reason is stated.",
		entries: []fhir.Key{r.request.Key}}
	n := r.request.Root()
	for c := range n.Get("reasonCode").Elements() {
		s.Items = append(s.Items, Item{Text: coded(c)})
	}
	for ref := range n.Get("reasonReference").Elements() {
		k, _ := ref.Ref()
		if x := r.find(k); !x.IsZero() {
			s.Items = append(s.Items, Item{Text: coded(x.Root().Get("code"))})
		}
	}
	for _, list := range []fhir.Node{n.Get("note"), r.task.Root().Get("note")} {
		for a := range list.Elements() {
			s.Items = append(s.Items, Item{Text: a.Get("text").Text()})
		}
	}
	if d := r.task.Root().Get("description").Text(); d != "" {
		s.Items = append(s.Items, Item{Text: d})
	}
	s.Items = slices.DeleteFunc(s.Items, func(i Item) bool { return i.Text == "" })
	return s
}

func (r *Referral) risks() Section {
	s := Section{Slug: "risks", Title: "Risks and alerts", Code: "104605-1", Display: "Alert", None: "No alert stands in what the receiver may see."}
	flags := r.of("Flag")
	slices.SortStableFunc(flags, func(a, b fhir.Resource) int { return cmp.Compare(rest(a), rest(b)) })
	for _, f := range flags {
		n := f.Root()
		status := n.Get("status").Text()
		s.Urgent = s.Urgent || status == "active"
		s.add(r, f, Item{Text: coded(n.Get("code")), Notes: said(words(status), period(n.Get("period")))})
	}
	return s
}

// rest is 0 for what still stands.
func rest(r fhir.Resource) int {
	switch cmp.Or(r.Root().Get("status").Text(), r.Root().Get("lifecycleStatus").Text(), r.Root().At("clinicalStatus", "coding", "code").Text()) {
	case "", "active", "recurrence", "relapse", "accepted", "planned", "proposed", "draft", "on-hold":
		return 0
	}
	return 1
}

func (r *Referral) problems() Section {
	s := Section{Slug: "problems", Title: "Problems", Code: "11450-4", Display: "Problem list - Reported", None: "No problem stands in what the receiver may see."}
	cs := r.of("Condition")
	slices.SortStableFunc(cs, func(a, b fhir.Resource) int { return cmp.Compare(rest(a), rest(b)) })
	for _, c := range cs {
		n := c.Root()
		var notes []string
		for _, name := range []string{"clinicalStatus", "verificationStatus", "severity"} {
			notes = append(notes, strings.ToLower(concept(n.Get(name))))
		}
		if o := value(n, "onset"); o != "" {
			notes = append(notes, "since "+o)
		} else if d := day(n.Get("recordedDate").Text()); d != "" {
			notes = append(notes, "recorded "+d)
		}
		for a := range n.Get("note").Elements() {
			notes = append(notes, a.Get("text").Text())
		}
		s.add(r, c, Item{Text: coded(n.Get("code")), Notes: said(notes...)})
	}
	return s
}

func (r *Referral) goals() Section {
	s := Section{Slug: "goals", Title: "Goals", Code: "61146-7", Display: "Goals Narrative", None: "No goal stands in what the receiver may see."}
	gs := r.of("Goal")
	slices.SortStableFunc(gs, func(a, b fhir.Resource) int { return cmp.Compare(rest(a), rest(b)) })
	for _, g := range gs {
		n := g.Root()
		notes := []string{words(n.Get("lifecycleStatus").Text()), strings.ToLower(words(concept(n.Get("achievementStatus"))))}
		if d := day(n.Get("startDate").Text()); d != "" {
			notes = append(notes, "since "+d)
		}
		for t := range n.Get("target").Elements() {
			target := value(t, "detail")
			if m := t.Get("measure"); m.Get("text").Exists() || m.At("coding", "display").Exists() { // a bare code tells a reader nothing
				target = join(" ", concept(m), target)
			}
			if target != "" {
				target = "target: " + target
			}
			if d := day(t.Get("dueDate").Text()); d != "" {
				target = join(" ", target, "by "+d)
			}
			notes = append(notes, target)
		}
		s.add(r, g, Item{Text: concept(n.Get("description")), Notes: said(notes...)})
	}
	return s
}

func (r *Referral) plan() Section {
	s := Section{Slug: "plan", Title: "Course and plan", Code: "18776-5", Display: "Plan of care note", None: "No plan stands in what the receiver may see."}
	plans := r.of("CarePlan")
	slices.SortStableFunc(plans, func(a, b fhir.Resource) int {
		return cmp.Compare(a.Root().At("period", "start").Text(), b.Root().At("period", "start").Text())
	})
	within := func(p fhir.Resource) fhir.Key {
		k, _ := p.Root().Get("partOf").Index(0).Ref()
		return r.find(k).Key
	}
	for _, p := range plans {
		if !within(p).IsZero() {
			continue
		}
		item := planned(p)
		for _, phase := range plans {
			if within(phase) == p.Key {
				item.Items = append(item.Items, planned(phase))
				s.entries = append(s.entries, phase.Key)
				r.used[phase.Key] = true
			}
		}
		s.add(r, p, item)
	}
	return s
}

func planned(p fhir.Resource) Item {
	n := p.Root()
	var kinds []string
	for c := range n.Get("category").Elements() {
		if !c.HasCoding("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan") {
			kinds = append(kinds, concept(c))
		}
	}
	item := Item{Text: cmp.Or(n.Get("title").Text(), upper(join(", ", kinds...)), "Plan")}
	if n.Get("title").Exists() {
		item.Notes = said(kinds...)
	}
	item.Notes = append(item.Notes, said(words(n.Get("status").Text()), period(n.Get("period")))...)
	item.Notes = append(item.Notes, said(n.Get("description").Text())...)
	for a := range n.Get("activity").Elements() {
		d := a.Get("detail")
		item.Notes = append(item.Notes, said(join(" ", concept(d.Get("code")), timing(d.Get("scheduledTiming")), d.Get("scheduledString").Text(), d.Get("description").Text()))...)
	}
	return item
}

// further lists what the sender put in beside the rest.
func (r *Referral) further() Section {
	s := Section{Slug: "further", Title: "Further information"}
	for _, x := range r.Resources {
		if r.used[x.Key] || slices.Contains(setting, x.Type) {
			continue
		}
		n := x.Root()
		text := cmp.Or(n.Get("description").Text(), n.Get("title").Text(), coded(n.Get("type")), coded(n.Get("code")), coded(n.Get("type").Index(0)))
		if x.Type == "Observation" {
			text = join(": ", text, value(n, "value"))
		}
		when := day(cmp.Or(n.Get("date").Text(), n.Get("authored").Text(), n.Get("effectiveDateTime").Text(), n.At("period", "start").Text(), n.Get("sent").Text(), n.Get("performedDateTime").Text()))
		s.add(r, x, Item{Text: cmp.Or(text, kinds[x.Type], x.Type), Notes: said(when)})
	}
	return s
}

// kinds are words for types of which the resource itself may have none.
var kinds = map[string]string{
	"QuestionnaireResponse": "Answers to a questionnaire", "DocumentReference": "Document", "Encounter": "Session", "EpisodeOfCare": "Course of therapy",
	"DiagnosticReport": "Report", "MedicationStatement": "Medication", "CareTeam": "Team",
}

// setting are the types of those who take part.
var setting = []string{"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService"}

func (r *Referral) parties() Section {
	s := Section{Slug: "parties", Title: "Sender and receiver"}
	for _, p := range []struct {
		is string
		Party
	}{{"From", r.From}, {"To", r.To}} {
		if text := join(", ", p.Person, p.Organisation); text != "" {
			s.Items = append(s.Items, Item{Text: p.is + ": " + text, Notes: said(append(slices.Clone(p.Contacts), p.Address)...)})
		}
		for _, k := range p.keys {
			s.enter(k)
		}
	}
	for _, x := range r.Resources {
		if slices.Contains(setting, x.Type) && !r.used[x.Key] {
			name := human(x.Root().Get("name"))
			if x.Type != "Practitioner" {
				name = x.Root().Get("name").Text()
			}
			s.add(r, x, Item{Text: cmp.Or(name, x.Type), Notes: said(contacts(x.Root().Get("telecom"))...)})
		}
	}
	return s
}

// add puts a resource into a section.
func (s *Section) add(r *Referral, x fhir.Resource, i Item) {
	r.used[x.Key] = true
	s.enter(x.Key)
	if i.Text == "" {
		i.Text = "Without a name"
	}
	s.Items = append(s.Items, i)
}

func (s *Section) enter(k fhir.Key) {
	if !slices.Contains(s.entries, k) {
		s.entries = append(s.entries, k)
	}
}

// said leaves out what is empty or was said before.
func said(parts ...string) (out []string) {
	for _, p := range parts {
		if p != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}
