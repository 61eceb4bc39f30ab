package research

import (
	"cmp"
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"rapport/mapping/deid"
)

// people is a set of people, by their number in the cohort.
type people []uint64

func (p *people) add(n int) {
	for len(*p) <= n/64 {
		*p = append(*p, 0)
	}
	(*p)[n/64] |= 1 << (n % 64)
}

func (p *people) join(o people) {
	for len(*p) < len(o) {
		*p = append(*p, 0)
	}
	for i, w := range o {
		(*p)[i] |= w
	}
}

func (p people) size() (n int) {
	for _, w := range p {
		n += bits.OnesCount64(w)
	}
	return n
}

// withhold returns which of some groups of people are not told: those of fewer than k and,
// where these together are fewer than k, the smallest of the others with them, since an
// empty place would tell who it is. alone leaves out the latter: nothing shows that there
// was something.
func withhold[T comparable](groups map[T]people, k int, alone bool, order func(a, b T) int) map[T]bool {
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b T) int { return cmp.Or(groups[a].size()-groups[b].size(), order(a, b)) })
	out := map[T]bool{}
	var hidden people
	for _, key := range keys {
		n := hidden.size()
		if groups[key].size() >= k && (alone || n == 0 || n >= k) {
			continue
		}
		out[key] = true
		hidden.join(groups[key])
	}
	return out
}

// tally counts who has which code at which element, and decides as what each is told.
type tally struct {
	have map[deid.Said]*people
	told map[deid.Said]string // withheld if it is not there; nil: nothing is decided
}

func newTally() *tally { return &tally{have: map[deid.Said]*people{}} }

// note counts codes of somebody.
func (t *tally) note(who int, codes []deid.Said) {
	for _, s := range codes {
		p := t.have[s]
		if p == nil {
			p = &people{}
			t.have[s] = p
		}
		p.add(who)
	}
}

// code is a [deid.Config]'s Code.
func (t *tally) code(s deid.Said) (string, bool) {
	if t.told == nil {
		return s.Code, true
	}
	as, ok := t.told[s]
	return as, ok
}

// tells is the same for what a table says.
func (t *tally) tells(s deid.Said) string { return t.told[s] }

// decide decides element by element.
func (t *tally) decide(k int) {
	t.told = map[deid.Said]string{}
	type place struct {
		typ, element string
		vital        bool
	}
	at := map[place][]deid.Said{}
	for s := range t.have {
		p := place{s.Type, s.Element, s.Vital}
		at[p] = append(at[p], s)
	}
	for p, all := range at {
		groups, members := map[deid.Said]people{}, map[deid.Said][]deid.Said{}
		for to, from := range t.ladder(all, k) {
			for _, s := range from {
				g := groups[to]
				g.join(*t.have[s])
				groups[to], members[to] = g, append(members[to], s)
			}
		}
		not := withhold(groups, k, p.vital, func(a, b deid.Said) int {
			return cmp.Or(strings.Compare(a.System, b.System), strings.Compare(a.Code, b.Code))
		})
		for to, from := range members {
			for _, s := range from {
				if !not[to] {
					t.told[s] = to.Code
				}
			}
		}
	}
}

// ladder yields as what codes of one element would be told: as they are where at least k
// people have them; diagnoses that fewer have together as their ICD-10 category, then as
// their block of mental disorders, where these together are k or more; else as they are.
func (t *tally) ladder(all []deid.Said, k int) iter.Seq2[deid.Said, []deid.Said] {
	return func(yield func(deid.Said, []deid.Said) bool) {
		rest := all
		for _, up := range []func(deid.Said) deid.Said{func(s deid.Said) deid.Said { return s }, category, block} {
			together := map[deid.Said][]deid.Said{}
			for _, s := range rest {
				to := up(s)
				together[to] = append(together[to], s)
			}
			rest = nil
			for to, from := range together {
				var has people
				for _, s := range from {
					has.join(*t.have[s])
				}
				if has.size() < k {
					rest = append(rest, from...)
				} else if !yield(to, from) {
					return
				}
			}
		}
		for _, s := range rest {
			if !yield(s, []deid.Said{s}) {
				return
			}
		}
	}
}

// lost counts the codes of diagnoses that are told as their category or block, those that
// are not told, other codes that are not, and instruments.
func (t *tally) lost() (out withheldNow) {
	type code struct{ system, code string }
	coarser, withheld, other := map[code]bool{}, map[code]bool{}, map[code]bool{}
	for s := range t.have {
		c := code{s.System, s.Code}
		switch as, ok := t.told[s]; {
		case ok && as != s.Code:
			coarser[c] = true
		case ok:
		case isICD10(s.System):
			withheld[c] = true
		case s == deid.Instrument(s.Code):
			out.Instruments++
		default:
			other[code{s.Element + " " + s.System, s.Code}] = true
		}
	}
	out.Coarser, out.Diagnoses, out.Codes = len(coarser), len(withheld), len(other)
	return out
}

func isICD10(system string) bool { return strings.Contains(system, "icd-10") }

// category is the ICD-10 category of a code: F32 of F32.1.
func category(s deid.Said) deid.Said {
	if isICD10(s.System) && len(s.Code) > 3 {
		s.Code = s.Code[:3]
	}
	return s
}

// block is the block of chapter V that a code lies in.
func block(s deid.Said) deid.Said {
	if !isICD10(s.System) || len(s.Code) < 3 || s.Code[0] != 'F' || s.Code[1] < '0' || s.Code[1] > '9' {
		return s
	}
	from, to := "F"+s.Code[1:2]+"0", "F"+s.Code[1:2]+"9"
	switch s.Code[1] {
	case '0':
		if strings.HasSuffix(s.System, "icd-10-cm") {
			from = "F01"
		}
	case '4':
		to = "F48"
	case '9':
		if to = "F98"; strings.HasPrefix(s.Code, "F99") {
			return s
		}
	}
	s.Code = from + "-" + to
	return s
}
