package mapping

import (
	"encoding/json"

	"rapport/fhir"
	"rapport/mapping/practice"
)

func codingIn(n fhir.Node) practice.Coding {
	return practice.Coding{System: n.Get("system").Text(), Code: n.Get("code").Text(), Display: n.Get("display").Text()}
}

func conceptIn(n fhir.Node) practice.Concept {
	c := practice.Concept{Text: n.Get("text").Text()}
	first := true
	for e := range n.Get("coding").Elements() {
		if first {
			c.Coding, first = codingIn(e), false
			continue
		}
		c.Also = append(c.Also, codingIn(e))
	}
	return c
}

func conceptsIn(n fhir.Node) (out []practice.Concept) {
	for e := range n.Elements() {
		out = append(out, conceptIn(e))
	}
	return out
}

// codeIn returns the code that a CodeableConcept has in a system.
func codeIn(n fhir.Node, system string) string {
	for c := range n.Get("coding").Elements() {
		if c.Get("system").Text() == system {
			return c.Get("code").Text()
		}
	}
	return ""
}

func yesIn(n fhir.Node) *bool {
	if v, ok := n.Bool(); ok {
		return &v
	}
	return nil
}

// refIn reads a Reference as what is stored under it.
func refIn(n fhir.Node) practice.Ref {
	k, ok := n.Ref()
	if !ok {
		return practice.Ref{}
	}
	return practice.Ref{Stored: k}
}

func refsIn(n fhir.Node) (out []practice.Ref) {
	for e := range n.Elements() {
		if r := refIn(e); !r.IsZero() {
			out = append(out, r)
		}
	}
	return out
}

// identifiersIn reads the numbers that others gave.
func identifiersIn(n fhir.Node, kind string) (out []practice.Identifier) {
	own := false
	for e := range n.Get("identifier").Elements() {
		if _, ok := systemIn(e.Get("system").Text(), kind); ok && !own {
			own = true
			continue
		}
		out = append(out, practice.Identifier{
			System: e.Get("system").Text(), Value: e.Get("value").Text(), Use: e.Get("use").Text(),
			Linkage: e.Get("type").HasCoding(systemURL("identifier-type"), "linkage-key"),
		})
	}
	return out
}

func telecomIn(n fhir.Node) (out []practice.Telecom) {
	for e := range n.Get("telecom").Elements() {
		out = append(out, practice.Telecom{System: e.Get("system").Text(), Value: e.Get("value").Text(), Use: e.Get("use").Text()})
	}
	return out
}

func addressIn(n fhir.Node) practice.Address {
	return practice.Address{
		Line: textsIn(n.Get("line")), City: n.Get("city").Text(), State: n.Get("state").Text(),
		PostalCode: n.Get("postalCode").Text(), Country: n.Get("country").Text(),
	}
}

func nameIn(n fhir.Node) practice.Name {
	return practice.Name{Family: n.Get("family").Text(), Given: textsIn(n.Get("given")), Prefix: textsIn(n.Get("prefix")), Text: n.Get("text").Text()}
}

func textsIn(n fhir.Node) (out []string) {
	for e := range n.Elements() {
		out = append(out, e.Text())
	}
	return out
}

func number(n fhir.Node) json.Number { return json.Number(n.Decimal()) }
