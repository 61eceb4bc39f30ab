package validate

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"rapport/fhir"
)

func (w *walk) push(name string) { w.path = append(w.path, step{name: name}) }
func (w *walk) pushIndex(i int)  { w.path = append(w.path, step{index: i}) }
func (w *walk) pop()             { w.path = w.path[:len(w.path)-1] }
func (w *walk) at(index int)     { w.path[len(w.path)-1].index = index }

// expression writes the path as FHIRPath, with one more member if name is given.
func (w *walk) expression(name string) string {
	var b strings.Builder
	for _, s := range w.path {
		if s.name == "" {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.name)
	}
	if name != "" {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(name)
	}
	return b.String()
}

// say adds an issue about the element that the walk stands at. What is formatted
// must be the product's or the specification's own words.
func (w *walk) say(c fhir.Code, format string, args ...any) {
	w.add(fhir.Errorf(c, w.expression(""), format, args...))
}

func (w *walk) add(e *fhir.Error) {
	if w.full {
		return
	}
	if len(w.issues) == MaxIssues {
		w.full = true
		e = &fhir.Error{Code: fhir.TooCostly, Detail: fmt.Sprintf("There are more than %d problems; mend these and send the resource again to see the rest.", MaxIssues)}
	}
	w.issues = append(w.issues, e)
}

// place tells where in the document n's member name, or n itself, begins.
func (w *walk) place(n fhir.Node) string {
	pos, _, _ := n.Span()
	line := 1 + bytes.Count(w.body[:pos], []byte{'\n'})
	col := pos - bytes.LastIndexByte(w.body[:pos], '\n')
	return fmt.Sprintf("line %d, column %d", line, col)
}

// unknown reports a member that the definition does not have, without naming it:
// its name is the sender's text.
func (w *walk) unknown(n fhir.Node, s *shape) {
	name := n.Name()
	switch near := s.nearest(name); {
	case near == "":
		w.say(fhir.Structure, "%s: %s has no element of this name. Leave it out, or send it as an extension.", w.place(n), s.name)
	case strings.EqualFold(near, name):
		w.say(fhir.Structure, "%s: names are case-sensitive; write %q.", w.place(n), near)
	default:
		w.say(fhir.Structure, "%s: %s has no element of this name; did you mean %q?", w.place(n), s.name, near)
	}
}

// nearest returns the known name closest to a given one, "" if none is close.
func (s *shape) nearest(name string) string {
	if len(name) > 64 {
		return ""
	}
	best, at := "", 2 // two slips at most
	if len(name) < 5 {
		at = 1
	}
	for known := range s.fields {
		if strings.EqualFold(known, name) {
			return known
		}
		if strings.HasPrefix(known, "_") != strings.HasPrefix(name, "_") {
			continue
		}
		if d := distance(known, name, at+1); d < at || d == at && (best == "" || known < best) {
			best, at = known, d
		}
	}
	return best
}

// distance is the number of edits between two names, limit if it is that or more.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return min(row[len(b)], limit)
}
