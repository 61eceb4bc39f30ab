package instrument

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/apd/v3"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"rapport/fhir"
)

// exact has more digits than any score: an operation that would have to round is
// a fault of an instrument's file, and rounding is done where its rule says so.
var exact = apd.BaseContext.WithPrecision(34)

// Points is a score or a part of one: an exact decimal. The zero value is 0.
type Points struct{ d apd.Decimal }

// PointsOf returns whole points.
func PointsOf(n int64) Points {
	var p Points
	p.d.SetInt64(n)
	return p
}

// ParsePoints reads a decimal such as "12" or "9.50".
func ParsePoints(s string) (Points, error) {
	var p Points
	if len(s) == 0 || len(s) > 40 {
		return p, errors.New("not a decimal number")
	}
	if _, _, err := p.d.SetString(s); err != nil || p.d.Form != apd.Finite {
		return p, errors.New("not a decimal number")
	}
	return p, nil
}

// String returns the number without exponent, as JSON and FHIR want it.
func (p Points) String() string { return p.d.Text('f') }

// Decimal returns p as a FHIR decimal.
func (p Points) Decimal() fhir.Decimal { return fhir.Decimal(p.String()) }

// Cmp compares by value: 9.50 and 9.5 are equal.
func (p Points) Cmp(q Points) int { return p.d.Cmp(&q.d) }

// Plus returns p + q.
func (p Points) Plus(q Points) Points {
	var r Points
	must(exact.Add(&r.d, &p.d, &q.d))
	return r
}

// Minus returns p − q.
func (p Points) Minus(q Points) Points {
	var r Points
	must(exact.Sub(&r.d, &p.d, &q.d))
	return r
}

// Times returns p·n.
func (p Points) Times(n int) Points {
	var r Points
	must(exact.Mul(&r.d, &p.d, apd.New(int64(n), 0)))
	return r
}

// share returns p·n/of, rounded to a whole number, halves up (scores are never
// negative where this is used).
func (p Points) share(n, of int) Points { return p.Times(n).divide(of, 0) }

// over returns p/n to hundredths, halves up, without zeros that say nothing.
func (p Points) over(n int) Points {
	out := p.divide(n, -2)
	if out.d.IsZero() {
		return Points{}
	}
	out.d.Reduce(&out.d)
	return out
}

func (p Points) divide(by int, exponent int32) Points {
	var r apd.Decimal
	must(exact.Quo(&r, &p.d, apd.New(int64(by), 0)))
	ctx := *exact
	ctx.Rounding = apd.RoundHalfUp
	var out Points
	must(ctx.Quantize(&out.d, &r, exponent))
	return out
}

func must(c apd.Condition, err error) {
	if err != nil {
		panic(fmt.Sprintf("instrument: decimal arithmetic: %v (%v)", err, c))
	}
}

// MarshalJSON writes a JSON number.
func (p Points) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalJSON reads a JSON number.
func (p *Points) UnmarshalJSON(b []byte) (err error) {
	*p, err = ParsePoints(string(b))
	return err
}

// UnmarshalYAML reads a number of an instrument's file.
func (p *Points) UnmarshalYAML(n ast.Node) (err error) {
	if *p, err = ParsePoints(n.GetToken().Value); err != nil {
		return &yaml.SyntaxError{Message: "a number is needed here", Token: n.GetToken()}
	}
	return nil
}
