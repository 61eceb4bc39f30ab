package questionnaire

import (
	"fmt"
	"slices"
	"strings"

	"rapport/fhir"
)

// Checker judges responses. The zero Checker knows no value sets but contained
// ones. It is safe for concurrent use if ValueSet is.
type Checker struct {
	// ValueSet tells whether a coding is in a value set; known is false for one that
	// it cannot judge. nil knows none.
	ValueSet func(canonical, system, code string) (in, known bool)
}

// Validate judges the response qr by the Questionnaire q with the zero [Checker].
// No issue means that it is valid. An issue with Warn does not make it invalid.
// Details name linkIds, types and bounds, never answers.
//
// Source: https://hl7.org/fhir/R4/questionnaireresponse.html,
// https://hl7.org/fhir/R4/questionnaire.html
func Validate(q, qr fhir.Resource) []*fhir.Error { return (&Checker{}).Validate(q, qr) }

// Validate judges the response qr by the Questionnaire q.
func (c *Checker) Validate(q, qr fhir.Resource) []*fhir.Error {
	if q.Type != "Questionnaire" || qr.Type != "QuestionnaireResponse" {
		return []*fhir.Error{fhir.Errorf(fhir.Invalid, "", "a QuestionnaireResponse is judged by a Questionnaire")}
	}
	root := qr.Root()
	status := root.Get("status").Text()
	v := &visit{
		checker: c, q: q.Root(), qr: root, defs: map[string]*definition{},
		strict: status == "completed" || status == "amended",
	}
	v.identity()
	v.define(v.q, nil)
	if status == "entered-in-error" {
		return v.issues // what is withdrawn need not be right
	}
	v.collect(root, nil, "")
	v.items(root.Get("item"), v.top, nil, "QuestionnaireResponse")
	if v.work > maxWork {
		return []*fhir.Error{fhir.Errorf(fhir.TooCostly, "QuestionnaireResponse.item", "the conditions of the questionnaire cost too much to evaluate on this response; send fewer repetitions")}
	}
	return v.issues
}

// definition is one item of the Questionnaire.
type definition struct {
	node     fhir.Node
	link     string
	typ      string
	parent   *definition
	children []*definition
	order    int
}

func (d *definition) flag(name string) bool { b, _ := d.node.Get(name).Bool(); return b }

// extension returns the first extension of a URL; its value is value[x].
func (d *definition) extension(url string) fhir.Node {
	for e := range d.node.Get("extension").Elements() {
		if e.Get("url").Text() == url {
			return e
		}
	}
	return fhir.Node{}
}

const hl7 = "http://hl7.org/fhir/StructureDefinition/"

// visit is one validation.
type visit struct {
	checker *Checker
	q, qr   fhir.Node
	strict  bool
	defs    map[string]*definition
	top     []*definition
	given   map[string][]occurrence // by linkId, in document order
	issues  []*fhir.Error
	work    int // of conditions; see maxWork
}

func (v *visit) say(code fhir.Code, at, format string, args ...any) *fhir.Error {
	e := fhir.Errorf(code, at, format, args...)
	v.issues = append(v.issues, e)
	return e
}

// want reports what only a finished response must satisfy.
func (v *visit) want(code fhir.Code, at, format string, args ...any) {
	v.say(code, at, format, args...).Warn = !v.strict
}

// identity checks that the response is one to this Questionnaire.
func (v *visit) identity() {
	named, version, pinned := strings.Cut(v.qr.Get("questionnaire").Text(), "|")
	if url := v.q.Get("url").Text(); named == "" || url != "" && named != url {
		v.say(fhir.Invalid, "QuestionnaireResponse.questionnaire", "the response names another questionnaire than the one that it is judged by")
	} else if has := v.q.Get("version").Text(); pinned && has != "" && version != has {
		v.say(fhir.Invalid, "QuestionnaireResponse.questionnaire", "the response names another version of the questionnaire than the one that it is judged by")
	}
	authored := v.qr.Get("authored").Text()
	end := v.q.At("effectivePeriod", "end").Text()
	if after, known := less(end, authored); known && after {
		v.say(fhir.BusinessRule, "QuestionnaireResponse.authored", "the questionnaire was no longer in use when the response was authored").Warn = true
	}
	if s := v.q.Get("status").Text(); s == "retired" {
		v.say(fhir.BusinessRule, "QuestionnaireResponse.questionnaire", "the questionnaire is retired").Warn = true
	}
}

func (v *visit) define(parent fhir.Node, in *definition) {
	for n := range parent.Get("item").Elements() {
		d := &definition{node: n, link: n.Get("linkId").Text(), typ: n.Get("type").Text(), parent: in, order: len(v.defs)}
		if v.defs[d.link] != nil {
			v.say(fhir.Invariant, "QuestionnaireResponse.questionnaire", "the questionnaire uses linkId %q twice", d.link)
			continue
		}
		v.defs[d.link] = d
		if in == nil {
			v.top = append(v.top, d)
		} else {
			in.children = append(in.children, d)
		}
		v.define(n, d)
	}
}

// items judges the items at one place of the response against their definitions.
// parent is the item around them, nil at the top.
func (v *visit) items(list fhir.Node, defs []*definition, parent *place, at string) {
	seen := map[string]int{}
	last := -1
	i := 0
	for item := range list.Elements() {
		here := fmt.Sprintf("%s.item[%d]", at, i)
		i++
		link := item.Get("linkId").Text()
		k := slices.IndexFunc(defs, func(d *definition) bool { return d.link == link })
		if k < 0 {
			if v.defs[link] == nil {
				v.say(fhir.Invalid, here, "the questionnaire has no item with this linkId")
			} else {
				v.say(fhir.Structure, here, "item %q does not stand here in the questionnaire", link)
			}
			continue
		}
		d := defs[k]
		if k < last {
			v.say(fhir.Structure, here, "item %q is out of the questionnaire's order", link)
		}
		last = max(last, k)
		seen[link]++
		if seen[link] == 2 && !(d.typ == "group" && d.flag("repeats")) {
			v.want(fhir.Invariant, here, "item %q stands more than once; several answers belong into one item", link)
		}
		v.item(d, item, &place{link: link, item: item, parent: parent}, here)
	}
	for _, d := range defs {
		if seen[d.link] == 0 {
			v.absent(d, parent, at)
		}
	}
}

// absent judges an item that is not in the response.
func (v *visit) absent(d *definition, parent *place, at string) {
	if d.typ == "display" || !d.flag("required") || !v.enabled(d, parent) || v.conditional(d) {
		return
	}
	if d.typ == "group" && len(d.children) > 0 && !slices.ContainsFunc(d.children, func(c *definition) bool { return c.flag("required") }) {
		v.want(fhir.Required, at, "group %q is required", d.link)
		return
	}
	v.want(fhir.Required, at, "item %q is required", d.link)
}

func (v *visit) item(d *definition, item fhir.Node, p *place, at string) {
	answers := item.Get("answer")
	answered := answers.Len() > 0 || item.Get("item").Len() > 0
	if answered && !v.enabled(d, p.parent) {
		v.say(fhir.Invariant, at, "item %q is answered, but not enabled by the other answers", d.link)
		return
	}
	if t, want := item.Get("text"), d.node.Get("text"); t.Exists() && want.Exists() && t.Text() != want.Text() {
		v.say(fhir.Invalid, at+".text", "the text of item %q is not the questionnaire's", d.link).Warn = true
	}
	switch d.typ {
	case "group", "display":
		if answers.Len() > 0 {
			v.say(fhir.Structure, at, "item %q is a %s and takes no answer", d.link, d.typ)
		}
		if d.typ == "display" && item.Get("item").Len() > 0 {
			v.say(fhir.Structure, at, "item %q is a display and takes no items", d.link)
		}
		if d.typ == "group" {
			v.items(item.Get("item"), d.children, p, at)
		}
		return
	}
	if item.Get("item").Len() > 0 {
		v.say(fhir.Structure, at, "items under question %q stand in its answers", d.link)
	}
	v.cardinality(d, answers, p, at)
	i := 0
	for a := range answers.Elements() {
		here := fmt.Sprintf("%s.answer[%d]", at, i)
		i++
		v.answer(d, a, here)
		v.items(a.Get("item"), d.children, p, here)
	}
}

func (v *visit) cardinality(d *definition, answers fhir.Node, p *place, at string) {
	n := 0
	exclusive := false
	for a := range answers.Elements() {
		val, _ := valueOf(a)
		if val.Exists() {
			n++
		}
		exclusive = exclusive || d.exclusive(a)
	}
	if n == 0 && d.flag("required") && v.enabled(d, p.parent) && !v.conditional(d) {
		v.want(fhir.Required, at, "item %q is required", d.link)
	}
	if n > 1 && !d.flag("repeats") {
		v.want(fhir.Invariant, at, "item %q takes one answer", d.link)
	}
	if limit, ok := d.extension(hl7 + "questionnaire-maxOccurs").Get("valueInteger").Int(); ok && int64(n) > limit {
		v.want(fhir.Invariant, at, "item %q takes at most %d answers", d.link, limit)
	}
	if least, ok := d.extension(hl7 + "questionnaire-minOccurs").Get("valueInteger").Int(); ok && int64(n) < least && (n > 0 || d.flag("required")) {
		v.want(fhir.Required, at, "item %q takes at least %d answers", d.link, least)
	}
	if exclusive && n > 1 {
		v.say(fhir.Invariant, at, "item %q has an answer that excludes every other", d.link)
	}
}
