package instrument

import (
	"fmt"
	"slices"
	"strings"
)

// Expression returns the FHIRPath that works out a scale from %resource, the
// response: the same number as the scorer, empty where the scorer gives none. It
// uses plain FHIRPath (no weight(), no %questionnaire), so any engine can check
// us. A sum over nothing would be 0, that is "healthy": the answers are counted
// first.
func (in *Instrument) Expression(s *Scale) string {
	if len(s.of) > 0 {
		parts := make([]string, len(s.of))
		for i, p := range s.of {
			parts[i] = "(" + in.Expression(p) + ")"
		}
		return strings.Join(parts, " + ")
	}
	values := in.counted(s)
	sum := values + ".aggregate($this + $total, 0)"
	n := len(s.items)
	if s.Mean {
		sum = fmt.Sprintf("(%s / %d).round(2)", sum, n)
	}
	expr := fmt.Sprintf("iif(%s.count() = %d, %s, {})", values, n, sum)
	if m := s.Missing; m != nil {
		expr = fmt.Sprintf("iif(%s.count() >= %d, (%s * %d / %s.count() + 0.5).floor(), {})", values, m.Least, sum, n, values)
	}
	if z := s.Zero; z != nil {
		expr = fmt.Sprintf("iif(%s.where(code = %s).exists(), 0, %s)", answersTo([]string{in.Item(z.Item).Link}), literal(z.Is), expr)
	}
	return expr
}

// counted is the collection of what each answered item counts.
func (in *Instrument) counted(s *Scale) string {
	var groups []string
	var done []int
	for n := range s.items {
		if slices.Contains(done, n) {
			continue
		}
		var links []string
		for m := n; m < len(s.items); m++ {
			if in.Items[s.items[m]].list == in.Items[s.items[n]].list && s.reverse[m] == s.reverse[n] {
				links, done = append(links, in.Items[s.items[m]].Link), append(done, m)
			}
		}
		choice := "{}"
		options := in.Items[s.items[n]].list.Options
		for i, o := range slices.Backward(options) {
			if o.Score != nil {
				choice = fmt.Sprintf("iif(code = %s, %s, %s)", literal(o.Code), s.weights[n][i], choice)
			}
		}
		groups = append(groups, answersTo(links)+".select("+choice+")")
	}
	out := groups[0]
	for _, g := range groups[1:] {
		out += ".combine(" + g + ")"
	}
	return out
}

func answersTo(links []string) string {
	quoted := make([]string, len(links))
	for i, l := range links {
		quoted[i] = literal(l)
	}
	if len(links) == 1 {
		return "%resource.repeat(item).where(linkId = " + quoted[0] + ").answer.value"
	}
	return "%resource.repeat(item).where(linkId in (" + strings.Join(quoted, " | ") + ")).answer.value"
}

func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
