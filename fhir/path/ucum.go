package path

import (
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// dimension counts the base units of a unit: metre, second, gram, mole, radian,
// kelvin, candela, coulomb, and arbitrary ones, which only compare with themselves.
type dimension struct {
	powers [8]int8
	other  string
}

// unit is a UCUM code reduced to base units.
type unit struct {
	factor apd.Decimal
	dim    dimension
}

const (
	metre = iota
	second
	gram
	mole
	radian
	kelvin
	candela
	coulomb
)

// atom is a unit of the table: so many of another code.
type atom struct {
	of     string // "" : a base unit
	factor string
	base   int
	metric bool // takes prefixes
}

// atoms are the units that care for mind and body meets: mass, length, time,
// volume, amount, pressure, energy, counts. Special units with an offset
// (degrees Celsius) are left out: they compare only with themselves.
//
// Source: https://ucum.org/ucum
var atoms = map[string]atom{
	"m": {base: metre, metric: true}, "s": {base: second, metric: true}, "g": {base: gram, metric: true},
	"mol": {base: mole, metric: true}, "rad": {base: radian, metric: true}, "K": {base: kelvin, metric: true},
	"cd": {base: candela, metric: true}, "C": {base: coulomb, metric: true},
	"%": {of: "1", factor: "0.01"}, "[ppth]": {of: "1", factor: "0.001"}, "[ppm]": {of: "1", factor: "0.000001"},
	"10*": {of: "1", factor: "10"}, "10^": {of: "1", factor: "10"},
	"min": {of: "s", factor: "60"}, "h": {of: "s", factor: "3600"}, "d": {of: "s", factor: "86400"},
	"wk": {of: "s", factor: "604800"}, "a": {of: "s", factor: "31557600"}, "mo": {of: "s", factor: "2629800"},
	"L": {of: "m3", factor: "0.001", metric: true}, "l": {of: "m3", factor: "0.001", metric: true},
	"t": {of: "g", factor: "1000000", metric: true}, "ar": {of: "m2", factor: "100", metric: true},
	"N": {of: "g.m/s2", factor: "1000", metric: true}, "Pa": {of: "N/m2", factor: "1", metric: true},
	"J": {of: "N.m", factor: "1", metric: true}, "W": {of: "J/s", factor: "1", metric: true},
	"Hz": {of: "s-1", factor: "1", metric: true}, "A": {of: "C/s", factor: "1", metric: true},
	"V": {of: "J/C", factor: "1", metric: true}, "bar": {of: "Pa", factor: "100000", metric: true},
	"m[Hg]": {of: "Pa", factor: "133322", metric: true}, "cal": {of: "J", factor: "4.184", metric: true},
	"[in_i]": {of: "cm", factor: "2.54"}, "[ft_i]": {of: "[in_i]", factor: "12"}, "[yd_i]": {of: "[ft_i]", factor: "3"},
	"[mi_i]": {of: "[ft_i]", factor: "5280"}, "[lb_av]": {of: "g", factor: "453.59237"}, "[oz_av]": {of: "g", factor: "28.349523125"},
	"[gr]": {of: "mg", factor: "64.79891"}, "[stone_av]": {of: "[lb_av]", factor: "14"}, "deg": {of: "rad", factor: "0.0174532925199432957692369076848861"},
}

var prefixes = map[string]int32{
	"Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
	"d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}

// parseUnit reduces a UCUM code. What it does not know is a unit of its own.
func parseUnit(code string) (unit, bool) {
	if code == "" || len(code) > 100 {
		return unit{}, false
	}
	p := unitParser{s: code}
	u, ok := p.term(0)
	if ok && p.s == "" {
		return u, true
	}
	return unit{factor: *apd.New(1, 0), dim: dimension{other: code}}, true
}

type unitParser struct{ s string }

// term reads components joined by . and /.
func (p *unitParser) term(depth int) (unit, bool) {
	out := unit{factor: *apd.New(1, 0)}
	divide := false
	if strings.HasPrefix(p.s, "/") {
		p.s, divide = p.s[1:], true
	}
	for {
		u, ok := p.component(depth)
		if !ok {
			return out, false
		}
		if out, ok = out.times(u, divide); !ok {
			return out, false
		}
		if p.s == "" || p.s[0] != '.' && p.s[0] != '/' {
			return out, true
		}
		divide = p.s[0] == '/'
		p.s = p.s[1:]
	}
}

func (p *unitParser) component(depth int) (unit, bool) {
	one := unit{factor: *apd.New(1, 0)}
	switch {
	case p.s == "" || depth > 10:
		return one, false
	case p.s[0] == '(':
		p.s = p.s[1:]
		u, ok := p.term(depth + 1)
		if !ok || p.s == "" || p.s[0] != ')' {
			return one, false
		}
		p.s = p.s[1:]
		return u, true
	case p.s[0] == '{':
		return one, p.note()
	}
	end, brackets := 0, 0
	for end < len(p.s) {
		c := p.s[end]
		if c == '[' {
			brackets++
		}
		if brackets == 0 && (c == '.' || c == '/' || c == ')' || c == '{') {
			break
		}
		if c == ']' {
			brackets--
		}
		end++
	}
	word := p.s[:end]
	p.s = p.s[end:]
	if p.s != "" && p.s[0] == '{' && !p.note() {
		return one, false
	}
	return simpleUnit(word, depth)
}

func (p *unitParser) note() bool {
	i := strings.IndexByte(p.s, '}')
	p.s = p.s[i+1:]
	return i >= 0
}

// simpleUnit reads a factor, or prefix, atom and exponent.
func simpleUnit(word string, depth int) (unit, bool) {
	if n, ok := parseNumber(word); ok {
		if i, whole := n.(int64); whole && i > 0 {
			return unit{factor: *apd.New(i, 0)}, true
		}
	}
	cut := len(word)
	for cut > 0 && digit(word[cut-1]) {
		cut--
	}
	if cut > 0 && cut < len(word) && (word[cut-1] == '-' || word[cut-1] == '+') {
		cut--
	}
	power := 1
	if e := strings.TrimPrefix(word[cut:], "+"); e != "" {
		n, ok := parseNumber(e)
		i, whole := n.(int64)
		if !ok || !whole || i == 0 || i > 30 || i < -30 {
			return unit{}, false
		}
		power = int(i)
	}
	u, ok := atomUnit(word[:cut], depth)
	if !ok {
		return unit{}, false
	}
	out := unit{factor: *apd.New(1, 0)}
	for range max(power, -power) {
		if out, ok = out.times(u, power < 0); !ok {
			return out, false
		}
	}
	return out, true
}

func atomUnit(name string, depth int) (unit, bool) {
	if a, ok := atoms[name]; ok {
		return a.unit(depth, 0)
	}
	for n := 1; n <= 2 && n < len(name); n++ {
		if exp, ok := prefixes[name[:n]]; ok {
			if a, ok := atoms[name[n:]]; ok && a.metric {
				return a.unit(depth, exp)
			}
		}
	}
	return unit{}, false
}

func (a atom) unit(depth int, exp int32) (unit, bool) {
	u := unit{factor: *apd.New(1, exp)}
	if a.of == "" {
		u.dim.powers[a.base] = 1
		return u, true
	}
	p := unitParser{s: a.of}
	of, ok := p.term(depth + 1)
	f, ok2 := parseDecimal(a.factor)
	if !ok || !ok2 {
		return u, false
	}
	u, ok = u.times(of, false)
	if !ok {
		return u, false
	}
	return u.times(unit{factor: *f}, false)
}

func (u unit) times(o unit, divide bool) (unit, bool) {
	var f apd.Decimal
	var err error
	if divide {
		_, err = arithmetic.Quo(&f, &u.factor, &o.factor)
	} else {
		_, err = arithmetic.Mul(&f, &u.factor, &o.factor)
	}
	out := unit{factor: f, dim: u.dim}
	for i, p := range o.dim.powers {
		if divide {
			p = -p
		}
		out.dim.powers[i] += p
	}
	if o.dim.other != "" {
		return out, false
	}
	return out, err == nil && f.Form == apd.Finite && !f.IsZero()
}
