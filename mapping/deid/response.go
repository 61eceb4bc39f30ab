package deid

import (
	"rapport/fhir"
	"rapport/mapping/instrument"
)

// answers appends the items of a response, whose n is a list of them: what is known to
// the instrument, with the answers that it offers. Items in groups of a form that
// the instrument does not know are lifted out of them. An answer of another
// kind, a text above all, is told as withheld.
func (p *pass) answers(to []byte, n fhir.Node) ([]byte, status) {
	in := p.instrument
	if in == nil {
		return to, nothing
	}
	first := len(to)
	to = p.items(to, n, in, first)
	if len(to) == first {
		return to, nothing
	}
	return to, told
}

func (p *pass) items(to []byte, n fhir.Node, in *instrument.Instrument, first int) []byte {
	for item := range n.Elements() {
		link := item.Get("linkId").Text()
		it, scale := in.Item(link), in.Scale(link)
		if it == nil && scale == nil {
			to = p.items(to, item.Get("item"), in, first)
			continue
		}
		if len(to) > first {
			to = append(to, ',')
		}
		if it != nil {
			link = it.Link
		}
		to = fhir.AppendQuote(append(to, `{"linkId":`...), link)
		if a := item.Get("answer").Index(0); a.Exists() { // an instrument's items have one
			before := len(to)
			to = append(to, `,"answer":[`...)
			out, s := p.answer(to, a, in, it, scale)
			if to = append(out, ']'); s == nothing {
				to = to[:before]
			}
		}
		to = append(to, '}')
		to = p.items(to, item.Get("item"), in, first)
	}
	return to
}

// answer appends one answer to an item or, where that is nil, a stated score of a scale.
func (p *pass) answer(to []byte, n fhir.Node, in *instrument.Instrument, it *instrument.Item, scale *instrument.Scale) ([]byte, status) {
	name, v := "valueDecimal", n.Get("valueDecimal")
	var low, high instrument.Points
	switch {
	case it != nil && it.Answers != "":
		c := n.Get("valueCoding")
		if !offers(in.Answers[it.Answers], c) {
			return p.absent(to, n, "masked")
		}
		to = fhir.AppendQuote(append(to, `{"valueCoding":{"system":`...), c.Get("system").Text())
		to = fhir.AppendQuote(append(to, `,"code":`...), c.Get("code").Text())
		return append(to, "}}"...), told
	case it != nil:
		name, v = "valueInteger", n.Get("valueInteger")
		low, high = instrument.PointsOf(*it.Min), instrument.PointsOf(*it.Max)
	default:
		low, high = scale.Low, scale.High
	}
	// A number that the instrument does not have is no answer to it, but may be anything.
	if at, err := instrument.ParsePoints(v.Decimal()); err != nil || at.Cmp(low) < 0 || at.Cmp(high) > 0 {
		return p.absent(to, n, "masked")
	}
	to = append(append(append(to, `{"`...), name...), `":`...)
	return append(append(to, v.Raw()...), '}'), told
}

func offers(a *instrument.Answer, v fhir.Node) bool {
	if a == nil || v.Get("system").Text() != a.System {
		return false
	}
	for _, o := range a.Options {
		if o.Code == v.Get("code").Text() {
			return true
		}
	}
	return false
}
