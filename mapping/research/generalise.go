package research

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// quasi are the quasi-identifiers of one person as they are known.
type quasi struct {
	gender string // code of administrative-gender, "" unknown
	birth  int    // year, 0 unknown
	state  string // "" unknown
	start  int    // year as it may be told, 0 unknown
	past   string // all that earlier releases of the project told, see [pastOf]
}

// view is how finely somebody is told of.
type view struct {
	levels
	oldest int // last year of birth of the oldest; see [levels.tell]
}

// together is what all releases of a project tell of somebody.
type together struct {
	past string
	told
}

// told are those of a person as far as a release tells them; "" is not told.
type told struct{ gender, birth, state, start string }

func (t told) String() string {
	return strings.Join([]string{t.gender, t.birth, t.state, t.start}, "|")
}

// levels says how far each is generalised: a node of the lattice.
type levels struct{ Gender, Birth, State, Start int }

// The ladders. The last step of each is: not told.
var (
	birthSteps = []int{10, 20, 40} // years in one class
	startSteps = []int{1, 2, 4}
)

const (
	genderTop = 1
	stateTop  = 1
)

// weights say how much a research question loses when the quasi-identifier is not told.
const (
	genderWeight = 1.0
	birthWeight  = 1.0
	stateWeight  = 0.5
	startWeight  = 0.5
)

// loss is between 0 and 1: 0 when everything is told as finely as it may be.
func (l levels) loss() float64 {
	part := func(level, top int, weight float64) float64 { return weight * float64(level) / float64(top) }
	return (part(l.Gender, genderTop, genderWeight) + part(l.Birth, len(birthSteps), birthWeight) +
		part(l.State, stateTop, stateWeight) + part(l.Start, len(startSteps), startWeight)) /
		(genderWeight + birthWeight + stateWeight + startWeight)
}

// words says what the levels mean.
func (l levels) words() []string {
	step := func(steps []int, level int, one string) string {
		switch {
		case level == len(steps):
			return "not told"
		case steps[level] == 1:
			return one
		}
		return fmt.Sprintf("%d years", steps[level])
	}
	yes := func(level int) string {
		if level == 0 {
			return "as recorded"
		}
		return "not told"
	}
	return []string{
		"gender: " + yes(l.Gender), "birth: " + step(birthSteps, l.Birth, "year"),
		"state: " + yes(l.State), "start of therapy: " + step(startSteps, l.Start, "year"),
	}
}

// tell generalises what is known of a person. Those born in the years of one class with
// oldest, or before, are one class.
func (l view) tell(q quasi) (t told) {
	if l.Gender == 0 {
		t.gender = q.gender
	}
	if l.State == 0 {
		t.state = q.state
	}
	if l.Birth < len(birthSteps) && q.birth > 0 {
		t.birth = years(q.birth, birthSteps[l.Birth], l.oldest)
	}
	if l.Start < len(startSteps) && q.start > 0 {
		t.start = years(q.start, startSteps[l.Start], 0)
	}
	return t
}

// years names the class of a year among classes of n years. That of oldest has no
// beginning: a class is never cut in two, since the parts of next year's would be others.
func years(year, n, oldest int) string {
	if last := oldest - oldest%n + n - 1; oldest > 0 && year <= last {
		return strconv.Itoa(last) + " or before"
	}
	if n == 1 {
		return strconv.Itoa(year)
	}
	from := year - year%n
	return strconv.Itoa(from) + "-" + strconv.Itoa(from+n-1)
}

// choice is how a release generalises: the levels, and who is left out.
type choice struct {
	view
	classes  map[told]int // of those who stay
	out      []bool       // by index: left out
	outCount int
	loss     float64
}

// smallest returns the size of the smallest class.
func (c choice) smallest() int {
	low := 0
	for _, n := range c.classes {
		if low == 0 || n < low {
			low = n
		}
	}
	return low
}

// generalise looks through the whole lattice for the smallest loss by which what is told of
// somebody, also together with what earlier releases of the project told, is told of at
// least k people, when those of whom it is not are left out, and at most the given share
// of all is. Leaving somebody out costs as much as telling nothing of them. accept may
// refuse a choice. ok is false if there is no such way.
//
// Source: Samarati 2001, IEEE TKDE 13:1010-1027; El Emam et al. 2009, JAMIA
// 16:670-682 (optimal lattice anonymisation). Several releases: Xiao and Tao 2007,
// SIGMOD, 689-700 (m-invariance).
func generalise(people []quasi, k, oldest int, share float64, accept func(choice) bool) (best choice, ok bool) {
	most := int(share * float64(len(people)))
	for g := range genderTop + 1 {
		for b := range len(birthSteps) + 1 {
			for s := range stateTop + 1 {
				for y := range len(startSteps) + 1 {
					c := view{levels{g, b, s, y}, oldest}.classify(people, k)
					kept := len(people) - c.outCount
					if kept < k || c.outCount > most || ok && c.loss >= best.loss-1e-12 {
						continue
					}
					if accept == nil || accept(c) {
						best, ok = c, true
					}
				}
			}
		}
	}
	return best, ok
}

func (v view) classify(people []quasi, k int) choice {
	c := choice{view: v, classes: map[told]int{}, out: make([]bool, len(people))}
	joint := map[together]int{}
	for _, q := range people {
		joint[together{q.past, v.tell(q)}]++
	}
	for i, q := range people {
		if joint[together{q.past, v.tell(q)}] < k {
			c.out[i] = true
			c.outCount++
			continue
		}
		c.classes[v.tell(q)]++
	}
	if n := float64(len(people)); n > 0 {
		c.loss = (v.loss()*(n-float64(c.outCount)) + float64(c.outCount)) / n
	}
	return c
}

// sorted lists the classes in the order of their words.
func (c choice) sorted() []told {
	var out []told
	for t := range c.classes {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b told) int {
		return cmp.Or(strings.Compare(a.gender, b.gender), strings.Compare(a.birth, b.birth), strings.Compare(a.state, b.state), strings.Compare(a.start, b.start))
	})
	return out
}
