package policy

import (
	"bytes"
	"slices"
	"strings"

	"rapport/fhir"
)

const (
	confidentialitySystem = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	actCodeSystem         = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	actReasonSystem       = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	obsValueSystem        = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
	inlineLabel           = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
)

// otherLabel stands for every label that nothing here understands. Rules let no
// resource with it leave the practice.
const otherLabel = "OTHER"

// known are the v3-ActCode labels that rules tell apart. Whatever else a client
// writes becomes otherLabel, so that nobody can make classes without end.
//
// ETH, substance abuse with alcohol, is the older word for SUD and read as such.
//
// Source: HL7 UTG v3-ActCode, _InformationSensitivityPolicy and the refrain and
// policy codes.
var known = map[string]bool{
	"PSY": true, "PSYTHPN": true, "MH": true, "BH": true, "SUD": true, "ETHUD": true, "OPIOIDUD": true,
	"SEX": true, "HIV": true, "STD": true, "SDV": true, "VIO": true, "MST": true, "SPI": true, "COGN": true, "EMOTDIS": true, "TBOO": true,
	"NORDSCLCD": true, "NORDSCLCDS": true, "NODSCLCD": true, "NOAUTH": true, "NOPAT": true, "NORELINK": true, "NOREUSE": true,
	"42CFRPart2": true, "42CFRPart2CD": true, "HIPAAPsyNotes": true,
}

// silent are labels that state nothing of who may see a resource.
var silent = map[string]bool{
	"PERSISTLABEL": true, "CPLYCD": true, "PROCESSINLINELABEL": true, "DEID": true, "PSEUD": true, "MASK": true, "REDACT": true, "HUAPRV": true, "MINEC": true,
	"HIPAAAuth": true, "HIPAANOPP": true, "GDPRCONSENT": true,
}

// retired are sensitivity codes that v3-Confidentiality once held.
var retired = map[string]string{"PSY": "PSY", "HIV": "HIV", "ETH": "SUD", "SDV": "SDV", "SICKLE": otherLabel, "TBOO": "TBOO"}

// sensitive places diagnoses by the beginning of their code. It is a floor under
// what a source labels, not a substitute for it.
//
// Source: chapters and blocks of ICD-10 and ICD-10-CM; free to use.
var sensitive = []struct{ prefix, label string }{
	{"F10", "ETHUD"}, {"F11", "OPIOIDUD"},
	{"F12", "SUD"}, {"F13", "SUD"}, {"F14", "SUD"}, {"F15", "SUD"}, {"F16", "SUD"}, {"F18", "SUD"}, {"F19", "SUD"},
	{"B20", "HIV"}, {"B21", "HIV"}, {"B22", "HIV"}, {"B23", "HIV"}, {"B24", "HIV"}, {"Z21", "HIV"},
	{"T74", "SDV"}, {"T76", "SDV"}, {"Y05", "SDV"}, {"Z69", "SDV"},
}

// labels returns the highest confidentiality that is stated anywhere in a
// resource ("" if none is), and every sensitivity label, stated or concluded.
// What is inside (contained, entries, inline labels) counts for the whole.
func (f *Factor) labels(r fhir.Resource) (conf string, ls []string) {
	take := func(c fhir.Node) {
		code := c.Get("code").Text()
		switch strings.TrimSuffix(c.Get("system").Text(), "/") {
		case confidentialitySystem:
			if l, ok := retired[code]; ok {
				ls = append(ls, l)
				return
			}
			if conf == "" || rank(code) > rank(conf) {
				conf = levels[rank(code) : rank(code)+1]
			}
		case actCodeSystem:
			switch {
			case code == "ETH":
				ls = append(ls, "SUD")
			case known[code]:
				ls = append(ls, code)
			case !silent[code]:
				ls = append(ls, otherLabel)
			}
		case actReasonSystem, obsValueSystem: // purpose, integrity: they restrict nothing by themselves
		default:
			ls = append(ls, otherLabel)
		}
	}
	inside(r.Root(), func(n fhir.Node) {
		for c := range n.Get("meta").Get("security").Elements() {
			take(c)
		}
		for _, name := range []string{"code", "reasonCode"} {
			for cc := range n.Get(name).Elements() {
				for c := range cc.Get("coding").Elements() {
					ls = append(ls, concluded(c)...)
				}
			}
		}
	})
	if bytes.Contains(r.Body(), []byte("inline-sec-label")) {
		walk(r.Root(), func(n fhir.Node) {
			if n.Get("url").Text() == inlineLabel {
				take(n.Get("valueCoding"))
			}
		})
	}
	return conf, ls
}

// concluded returns what a diagnosis makes sensitive.
func concluded(c fhir.Node) (ls []string) {
	sys := c.Get("system").Text()
	if sys != "http://hl7.org/fhir/sid/icd-10" && sys != "http://hl7.org/fhir/sid/icd-10-cm" {
		return nil
	}
	code := c.Get("code").Text()
	for _, s := range sensitive {
		if strings.HasPrefix(code, s.prefix) {
			ls = append(ls, s.label)
		}
	}
	return ls
}

// inside visits a resource and every resource within it.
func inside(n fhir.Node, f func(fhir.Node)) {
	f(n)
	for c := range n.Get("contained").Elements() {
		inside(c, f)
	}
	for _, list := range []string{"entry", "parameter"} {
		for e := range n.Get(list).Elements() {
			if r := e.Get("resource"); r.Kind() == fhir.Obj {
				inside(r, f)
			}
		}
	}
}

// walk visits every object.
func walk(n fhir.Node, f func(fhir.Node)) {
	switch n.Kind() {
	case fhir.Arr:
		for m := range n.Elements() {
			walk(m, f)
		}
	case fhir.Obj:
		f(n)
		for _, m := range n.Members() {
			walk(m, f)
		}
	}
}

// keepLabels returns after with those security labels of before that it lacks:
// a client cannot take one off (attack case A35). The rest stays byte for byte.
func keepLabels(before, after fhir.Resource) (fhir.Resource, error) {
	var lost []fhir.Node
	have := slices.Collect(after.Root().Get("meta").Get("security").Elements())
	for c := range before.Root().Get("meta").Get("security").Elements() {
		if !slices.ContainsFunc(have, func(h fhir.Node) bool {
			return h.Get("system").Text() == c.Get("system").Text() && h.Get("code").Text() == c.Get("code").Text()
		}) {
			lost = append(lost, c)
		}
	}
	if len(lost) == 0 {
		return after, nil
	}
	all := fhir.NewObject().Set("security", append(have, lost...)).JSON()
	member := all[1 : len(all)-1]
	root := after.Root()
	meta := root.Get("meta")
	switch {
	case meta.Kind() != fhir.Obj:
		return after.Apply(fhir.Add(root, slices.Concat([]byte(`"meta":{`), member, []byte(`}`))))
	case meta.Get("security").Exists():
		return after.Apply(fhir.Replace(meta.Get("security"), member[len(`"security":`):]))
	}
	return after.Apply(fhir.Add(meta, member))
}
