package deid

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"rapport/fhir"
)

// terms says which codes of one code system may leave.
type terms struct {
	list  map[string]bool
	check func(code string) bool
}

func (t *terms) has(code string) bool {
	if t == nil {
		return false
	}
	if t.check != nil {
		return t.check(code)
	}
	return t.list[code]
}

// checks know codes by their form. None lets through what people write.
var checks = map[string]func(string) bool{
	"loinc":        isLOINC,
	"snomed":       isSNOMED,
	"icd-10":       regexp.MustCompile(`^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$`).MatchString,
	"icd-10-pcs":   regexp.MustCompile(`^[A-Z][A-HJ-NP-Z0-9]{6}$|^[0-9][A-HJ-NP-Z0-9]{6}$`).MatchString,
	"small-number": regexp.MustCompile(`^[0-9]{1,4}$`).MatchString,
}

// terms compiles what a profile says of a code system.
func (s *source) terms(n *node) *terms {
	if n.isText() {
		check := checks[n.text]
		if check == nil {
			s.fault(n, "%q is no check; list the codes, or use one of %s", n.text, strings.Join(slices.Sorted(maps.Keys(checks)), ", "))
			return nil
		}
		return &terms{check: check}
	}
	t := &terms{list: map[string]bool{}}
	for _, w := range s.words(n) {
		t.list[w] = true
	}
	return t
}

// isLOINC: digits and a check digit (mod 10, as LOINC's manual has it), or
// an answer or list with its own.
func isLOINC(code string) bool {
	digits := strings.TrimPrefix(strings.TrimPrefix(code, "LA"), "LL")
	body, check, ok := strings.Cut(digits, "-")
	if !ok || len(check) != 1 || len(body) == 0 || len(body) > 7 {
		return false
	}
	sum, double := 0, true
	for i := len(body) - 1; i >= 0; i-- {
		d := int(body[i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return int(check[0])-'0' == (10-sum%10)%10
}

// isSNOMED: 6 to 18 digits of which the last is Verhoeff's.
func isSNOMED(code string) bool {
	if len(code) < 6 || len(code) > 18 || code[0] == '0' {
		return false
	}
	c := 0
	for i := range len(code) {
		d := int(code[len(code)-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		c = verhoeffTimes[c][verhoeffTurn[i%8][d]]
	}
	return c == 0
}

// Verhoeff's tables: the group D5 and the permutation.
var (
	verhoeffTimes = [10][10]int{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
		{4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
		{8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	verhoeffTurn = [8][10]int{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

// Codes returns which codes may leave by p: those of its systems and, of the
// gateway's own CodeSystems among definitions, all.
func (p *Profile) Codes(definitions []fhir.Resource) func(system, code string) bool {
	systems := p.withDefined(definitions)
	return func(system, code string) bool { return systems[system].has(code) }
}

func (p *Profile) withDefined(definitions []fhir.Resource) map[string]*terms {
	out := defined(definitions)
	for url, t := range p.systems {
		out[url] = t
	}
	return out
}

// defined reads the code systems of the gateway's own definitions.
func defined(rs []fhir.Resource) map[string]*terms {
	out := map[string]*terms{}
	for _, r := range rs {
		if r.Type != "CodeSystem" {
			continue
		}
		url := r.Root().Get("url").Text()
		if out[url] == nil {
			out[url] = &terms{list: map[string]bool{}}
		}
		for c := range r.Root().Get("concept").Elements() {
			out[url].list[c.Get("code").Text()] = true
		}
	}
	return out
}
