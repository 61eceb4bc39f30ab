package path

import (
	"regexp"
	"strings"

	"rapport/fhir"
)

// Limits on an expression itself: what a person writes stays far below them.
const (
	maxSource  = 64 << 10
	maxNesting = 200
)

// parser builds the nodes of an expression by precedence climbing.
type parser struct {
	lexer
	tok   token
	depth int
	funcs map[string]*function
}

func parse(src string) (node, error) {
	if len(src) > maxSource {
		return nil, fault(fhir.TooLong, src, 0, "the expression is longer than %d bytes", maxSource)
	}
	p := &parser{lexer: lexer{src: src}, funcs: functions()}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tEnd {
		return nil, p.fault(p.tok.pos, "an operator or the end is expected here")
	}
	return n, nil
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) expect(symbol string) error {
	if !p.tok.is(symbol) {
		return p.fault(p.tok.pos, "%s is expected here", symbol)
	}
	return p.advance()
}

func (p *parser) deeper() error {
	if p.depth++; p.depth > maxNesting {
		return p.fault(p.tok.pos, "the expression is nested deeper than %d levels", maxNesting)
	}
	return nil
}

// expression reads operands and operators that bind at least as tightly as least.
func (p *parser) expression(least int) (node, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	left, err := p.operand()
	for err == nil {
		op, pos := p.tok.text, p.tok.pos
		bind := level[op]
		if p.tok.kind != tName && p.tok.kind != tSymbol || bind == 0 || bind < least {
			return left, nil
		}
		if err = p.advance(); err != nil {
			break
		}
		if op == "is" || op == "as" {
			var t typeName
			if t, err = p.typeName(); err == nil {
				left = &typeTest{place: place(pos), as: op == "as", x: left, t: t}
			}
			continue
		}
		var right node
		if right, err = p.expression(bind + 1); err == nil {
			left = &binary{place: place(pos), op: operator(op), l: left, r: right}
		}
	}
	return nil, err
}

// operand reads a term with its invocations and indexers, or a signed one.
func (p *parser) operand() (node, error) {
	if p.tok.is("+") || p.tok.is("-") {
		if err := p.deeper(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		n := &negate{place: place(p.tok.pos), plus: p.tok.text == "+"}
		if err := p.advance(); err != nil {
			return nil, err
		}
		x, err := p.operand()
		n.x = x
		return n, err
	}
	n, err := p.term()
	for err == nil {
		pos := p.tok.pos
		switch {
		case p.tok.is("."):
			if err = p.advance(); err == nil {
				n, err = p.invocation(n)
			}
		case p.tok.is("["):
			if err = p.advance(); err != nil {
				break
			}
			var i node
			if i, err = p.expression(0); err == nil {
				n, err = &index{place: place(pos), input: n, i: i}, p.expect("]")
			}
		default:
			return n, nil
		}
	}
	return nil, err
}

func (p *parser) term() (node, error) {
	t := p.tok
	at := place(t.pos)
	switch t.kind {
	case tEnd:
		return nil, p.fault(t.pos, "the expression ends where an operand is expected")
	case tSymbol:
		switch t.text {
		case "(":
			if err := p.advance(); err != nil {
				return nil, err
			}
			n, err := p.expression(0)
			if err != nil {
				return nil, err
			}
			return n, p.expect(")")
		case "{":
			if err := p.advance(); err != nil {
				return nil, err
			}
			return &literal{place: at}, p.expect("}")
		}
		return nil, p.fault(t.pos, "an operand is expected here")
	case tString:
		return &literal{at, []Item{Value(t.text)}}, p.advance()
	case tNumber:
		return p.number()
	case tDate, tDateTime, tTime:
		v, ok := parseMoment(momentOf[t.kind], t.text)
		if !ok {
			return nil, p.fault(t.pos, "this is no date or time that exists")
		}
		return &literal{at, []Item{Value(v)}}, p.advance()
	case tVariable:
		return &variable{at, t.text}, p.advance()
	case tFocus:
		return &focus{at, t.text}, p.advance()
	}
	if t.word("true") || t.word("false") {
		return &literal{at, []Item{Value(t.text == "true")}}, p.advance()
	}
	return p.invocation(nil)
}

// number reads a number, with a unit a quantity.
func (p *parser) number() (node, error) {
	t := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	v, ok := parseNumber(t.text)
	if !ok {
		return nil, p.fault(t.pos, "this number is too large")
	}
	unit, calendar := "", false
	switch {
	case p.tok.kind == tString:
		unit = p.tok.text
	case p.tok.kind == tName && calendarUnit(p.tok.text) != "":
		unit, calendar = p.tok.text, true
	default:
		return &literal{place(t.pos), []Item{Value(v)}}, nil
	}
	d, _ := decimalOf(v)
	q := Quantity{Value: d, Unit: unit, Calendar: calendar}
	return &literal{place(t.pos), []Item{Value(q)}}, p.advance()
}

// invocation reads a member name or a function call; input is nil at the head of
// a path.
func (p *parser) invocation(input node) (node, error) {
	t := p.tok
	at := place(t.pos)
	if t.kind == tFocus && input != nil {
		return nil, p.fault(t.pos, "$%s stands alone", t.text)
	}
	if t.kind != tName && t.kind != tQuoted {
		return nil, p.fault(t.pos, "a name is expected here")
	}
	if t.kind == tName && input == nil && level[t.text] > 0 && !softWord(t.text) {
		return nil, p.fault(t.pos, "%s is an operator; a name like it is written in backquotes", t.text)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.is("(") {
		return p.call(input, t)
	}
	if w, ok := input.(*walk); ok {
		w.steps = append(w.steps, &step{name: t.text})
		return w, nil
	}
	return &walk{place: at, input: input, steps: []*step{{name: t.text}}}, nil
}

// softWord lists the operators that the grammar also takes as names.
func softWord(s string) bool { return s == "as" || s == "is" || s == "in" || s == "contains" }

func (p *parser) call(input node, name token) (node, error) {
	fn := p.funcs[name.text]
	if fn == nil {
		return nil, p.fault(name.pos, "there is no function %s", name.text)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	c := &call{place: place(name.pos), input: input, fn: fn}
	if fn.typed {
		t, err := p.typeName()
		if err != nil {
			return nil, err
		}
		c.typ = t
		return c, p.expect(")")
	}
	for !p.tok.is(")") {
		if len(c.args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		a, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, a)
	}
	if n := len(c.args); n < fn.min || n > fn.max {
		return nil, p.fault(name.pos, "%s takes %s, not %d", name.text, fn.arity(), n)
	}
	if fn.regex {
		if err := p.precompile(c); err != nil {
			return nil, err
		}
	}
	return c, p.advance()
}

// precompile compiles a regular expression that is a literal.
func (p *parser) precompile(c *call) error {
	l, ok := c.args[0].(*literal)
	if !ok || len(l.items) != 1 {
		return nil
	}
	s, ok := l.items[0].val.(string)
	if !ok {
		return nil
	}
	var err error
	if c.regex, err = compilePattern(s, c.fn.whole); err != nil {
		return p.fault(l.at(), "the regular expression cannot be compiled")
	}
	return nil
}

// typeName reads FHIR.Patient, System.String or Quantity.
func (p *parser) typeName() (typeName, error) {
	var parts []string
	for {
		if p.tok.kind != tName && p.tok.kind != tQuoted {
			return typeName{}, p.fault(p.tok.pos, "the name of a type is expected here")
		}
		parts = append(parts, p.tok.text)
		if err := p.advance(); err != nil {
			return typeName{}, err
		}
		if !p.tok.is(".") || len(parts) == 2 || len(parts) == 1 && parts[0] != "FHIR" && parts[0] != "System" {
			break
		}
		if err := p.advance(); err != nil {
			return typeName{}, err
		}
	}
	if len(parts) == 1 {
		return typeName{name: parts[0]}, nil
	}
	return typeName{space: parts[0], name: parts[1]}, nil
}

// pattern is a regular expression of matches, matchesFull or replaceMatches.
type pattern struct{ *regexp.Regexp }

const maxPattern = 2 << 10

// compilePattern compiles with «.» matching line ends, as the specification asks.
func compilePattern(s string, whole bool) (*pattern, error) {
	if len(s) > maxPattern {
		return nil, fhir.Errorf(fhir.TooLong, "", "a regular expression is longer than %d bytes", maxPattern)
	}
	// Escapes of characters that need none are legal elsewhere, not in Go.
	s = strings.NewReplacer(`\\`, `\\`, `\/`, `/`, `\@`, `@`, `\'`, `'`, `\"`, `"`, `\:`, `:`).Replace(s)
	if whole {
		s = `\A(?:` + s + `)\z`
	}
	re, err := regexp.Compile("(?s)" + s)
	if err != nil {
		return nil, err
	}
	return &pattern{re}, nil
}
