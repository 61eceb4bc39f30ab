package instrument

import (
	"maps"
	"slices"

	"rapport/fhir"
)

// concept is one code of a code system of ours.
type concept struct{ code, display string }

// CodeSystems makes the code systems of our own that the instruments use.
func (l *Library) CodeSystems() ([]fhir.Resource, error) {
	titles := map[string]string{
		Instruments: "Instruments without a LOINC code", ScaleCodes: "Scores of instruments", ItemCodes: "Items of instruments",
		BandCodes: "Bands of scores", ChangeCodes: "Change between two scores", RiskCodes: "Answers and changes that a person must look at",
	}
	systems := map[string][]concept{}
	add := func(system, code, display string) {
		if !slices.ContainsFunc(systems[system], func(c concept) bool { return c.code == code }) {
			systems[system] = append(systems[system], concept{code, display})
		}
	}
	for _, c := range changeConcepts {
		add(ChangeCodes, c.code, c.display)
	}
	add(RiskCodes, reviewCode, reviewText)
	add(RiskCodes, changeCode, changeText)
	add(RiskCodes, ownMeanCode, ownMeanText)
	for _, in := range l.list {
		codes := []Code{in.Panel}
		for _, it := range in.Items {
			codes = append(codes, it.Code)
		}
		for _, s := range in.Scales {
			codes = append(codes, s.Code)
			for _, b := range s.Bands {
				add(BandCodes, in.bandCode(s, b), b.Label)
			}
		}
		for _, k := range codes {
			if titles[k.System] != "" {
				add(k.System, k.Code, k.Display)
			}
		}
		for _, r := range in.Risks {
			add(RiskCodes, in.riskCode(r), r.Display)
		}
		for _, a := range in.alerts() {
			if a.flag {
				add(RiskCodes, in.alertCode(a), in.OwnMean.Display)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(in.Answers)) {
			a := in.Answers[name]
			if a.System == answerSystem+name {
				titles[a.System] = "Answers: " + name
				for _, o := range a.Options {
					add(a.System, o.Code, o.Display)
				}
			}
		}
	}
	var out []fhir.Resource
	for _, url := range slices.Sorted(maps.Keys(systems)) {
		r, err := codeSystem(url, titles[url], systems[url])
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func codeSystem(url, title string, concepts []concept) (fhir.Resource, error) {
	var list []*fhir.Object
	for _, c := range concepts {
		list = append(list, fhir.NewObject().Set("code", c.code).Set("display", c.display))
	}
	return fhir.NewResource(fhir.Key{Type: "CodeSystem", ID: url[len(answerSystem):]}).
		Set("url", url).
		Set("title", title).
		Set("status", "active").
		Set("experimental", false).
		Set("caseSensitive", true).
		Set("content", "complete").
		Set("count", len(list)).
		Set("concept", list).
		Resource()
}
