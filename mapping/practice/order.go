package practice

import (
	"fmt"

	"rapport/fhir"
	"rapport/fhir/path"
)

// spans are the fields that say, in any record and any part of one, from when to when
// something was. A schema cannot compare them.
var spans = [...]struct{ from, to string }{{"start", "end"}, {"onset", "end"}}

// ordered notes each end that certainly lies before its beginning. What precisions or a
// missing zone leave open is taken as it is said.
func (j *judgement) ordered(n fhir.Node, at string) {
	switch n.Kind() {
	case fhir.Obj:
		for _, s := range spans {
			from, known := path.ParseMoment(path.DateTime, n.Get(s.from).Text())
			to, alsoKnown := path.ParseMoment(path.DateTime, n.Get(s.to).Text())
			if !known || !alsoKnown {
				continue
			}
			if c, decided := to.Compare(from); decided && c < 0 {
				j.add(n.Get(s.to), at+pointer(s.to), fhir.Value, "lies before %s; mend one of them", s.from)
			}
		}
		for name, v := range n.Members() {
			j.ordered(v, at+pointer(name))
		}
	case fhir.Arr:
		i := 0
		for v := range n.Elements() {
			j.ordered(v, fmt.Sprintf("%s/%d", at, i))
			i++
		}
	}
}
