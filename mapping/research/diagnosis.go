package research

import "strings"

// diagnose decides as what each diagnosis is told: as it is where at least k people
// have it; those that fewer have together as their ICD-10 category, then as their
// block of mental disorders, where these together are k or more; else not at all.
func (c *cohort) diagnose(k int) {
	holders := map[dx]map[int]struct{}{}
	for i, p := range c.people {
		if !p.in {
			continue
		}
		for d := range p.codes {
			add(holders, d, i)
		}
	}
	rest := map[dx][]dx{} // what is told as it is, and what still looks for company
	for d := range holders {
		rest[d] = []dx{d}
	}
	for _, up := range []func(dx) (dx, bool){func(d dx) (dx, bool) { return d, true }, category, block} {
		together, people := map[dx][]dx{}, map[dx]map[int]struct{}{}
		for _, ds := range rest {
			for _, d := range ds {
				to, ok := up(d)
				if !ok {
					continue
				}
				together[to] = append(together[to], d)
				for i := range holders[d] {
					add(people, to, i)
				}
			}
		}
		rest = map[dx][]dx{}
		for to, ds := range together {
			if len(people[to]) < k {
				rest[to] = ds
				continue
			}
			for _, d := range ds {
				c.told[d] = to.code
			}
		}
	}
}

func add(to map[dx]map[int]struct{}, d dx, i int) {
	if to[d] == nil {
		to[d] = map[int]struct{}{}
	}
	to[d][i] = struct{}{}
}

// diagnosis is a deid.Config's Diagnosis.
func (c *cohort) diagnosis(system, code string) (string, bool) {
	as, ok := c.told[dx{system, code}]
	return as, ok
}

func isICD10(system string) bool { return strings.Contains(system, "icd-10") }

// category is the ICD-10 category of a code: F32 of F32.1.
func category(d dx) (dx, bool) {
	if !isICD10(d.system) || len(d.code) < 3 {
		return d, false
	}
	return dx{d.system, d.code[:3]}, true
}

// block is the block of chapter V that a code lies in.
func block(d dx) (dx, bool) {
	if !isICD10(d.system) || len(d.code) < 3 || d.code[0] != 'F' || d.code[1] < '0' || d.code[1] > '9' {
		return d, false
	}
	from, to := "F"+d.code[1:2]+"0", "F"+d.code[1:2]+"9"
	switch d.code[1] {
	case '0':
		if strings.HasSuffix(d.system, "icd-10-cm") {
			from = "F01"
		}
	case '4':
		to = "F48"
	case '9':
		if to = "F98"; strings.HasPrefix(d.code, "F99") {
			return d, false
		}
	}
	return dx{d.system, from + "-" + to}, true
}
