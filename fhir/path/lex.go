package path

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"rapport/fhir"
)

// tokenKind is what a token of an expression is.
type tokenKind uint8

const (
	tEnd      tokenKind = iota
	tName               // identifier or keyword
	tQuoted             // `delimited identifier`
	tString             // 'text', unescaped in token.text
	tNumber             // 12 or 1.50
	tDate               // @2015-02
	tDateTime           // @2015-02-04T14:34
	tTime               // @T14:34
	tSymbol             // operator or bracket
	tVariable           // %name; token.text without the percent sign
	tFocus              // $this, $index, $total
)

type token struct {
	kind tokenKind
	text string
	pos  int // byte offset in the source
}

func (t token) is(symbol string) bool { return t.kind == tSymbol && t.text == symbol }

// word reports whether t is an undelimited name, which a keyword always is.
func (t token) word(name string) bool { return t.kind == tName && t.text == name }

// fault makes an error that names the place in the expression.
func fault(code fhir.Code, src string, pos int, format string, args ...any) *fhir.Error {
	pos = min(max(pos, 0), len(src))
	line := 1 + strings.Count(src[:pos], "\n")
	col := 1 + utf8.RuneCountInString(src[strings.LastIndexByte(src[:pos], '\n')+1:pos])
	e := fhir.Errorf(code, "", format, args...)
	e.Detail = "FHIRPath " + itoa(line) + ":" + itoa(col) + ": " + e.Detail
	return e
}

// lexer cuts an expression into tokens.
//
// Source: https://hl7.org/fhirpath/N1/grammar.html
type lexer struct {
	src string
	pos int
}

func (l *lexer) fault(pos int, format string, args ...any) *fhir.Error {
	return fault(fhir.Invalid, l.src, pos, format, args...)
}

// blank skips white space and comments.
func (l *lexer) blank() error {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			l.pos++
		case strings.HasPrefix(l.src[l.pos:], "//"):
			if i := strings.IndexAny(l.src[l.pos:], "\r\n"); i >= 0 {
				l.pos += i
			} else {
				l.pos = len(l.src)
			}
		case strings.HasPrefix(l.src[l.pos:], "/*"):
			i := strings.Index(l.src[l.pos+2:], "*/")
			if i < 0 {
				return l.fault(l.pos, "the comment is not closed")
			}
			l.pos += i + 4
		default:
			return nil
		}
	}
	return nil
}

var symbols = []string{"<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "+", "-", "*", "/", "&", "|", "=", "~", "<", ">"}

func (l *lexer) next() (token, error) {
	if err := l.blank(); err != nil {
		return token{}, err
	}
	t := token{pos: l.pos}
	if l.pos == len(l.src) {
		return t, nil
	}
	var err error
	switch c := l.src[l.pos]; {
	case letter(c):
		t.kind, t.text = tName, l.name()
	case digit(c):
		t.kind, t.text = tNumber, l.number()
	case c == '\'':
		t.kind = tString
		t.text, err = l.quoted('\'')
	case c == '`':
		t.kind = tQuoted
		if t.text, err = l.quoted('`'); err == nil && t.text == "" {
			err = l.fault(t.pos, "a name is expected between the backquotes")
		}
	case c == '@':
		return l.date()
	case c == '%':
		l.pos++
		t.kind = tVariable
		switch {
		case l.pos < len(l.src) && letter(l.src[l.pos]):
			t.text = l.name()
		case l.pos < len(l.src) && (l.src[l.pos] == '`' || l.src[l.pos] == '\''):
			t.text, err = l.quoted(l.src[l.pos])
		default:
			err = l.fault(t.pos, "a name must follow %%")
		}
	case c == '$':
		l.pos++
		t.kind = tFocus
		t.text = l.name()
		if t.text != "this" && t.text != "index" && t.text != "total" {
			err = l.fault(t.pos, "only $this, $index and $total begin with $")
		}
	default:
		for _, s := range symbols {
			if strings.HasPrefix(l.src[l.pos:], s) {
				l.pos += len(s)
				t.kind, t.text = tSymbol, s
				return t, nil
			}
		}
		err = l.fault(t.pos, "this character has no meaning here")
	}
	return t, err
}

func letter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

func (l *lexer) name() string {
	start := l.pos
	for l.pos < len(l.src) && (letter(l.src[l.pos]) || digit(l.src[l.pos])) {
		l.pos++
	}
	return l.src[start:l.pos]
}

func (l *lexer) number() string {
	start := l.pos
	l.digits()
	if l.pos+1 < len(l.src) && l.src[l.pos] == '.' && digit(l.src[l.pos+1]) {
		l.pos++
		l.digits()
	}
	return l.src[start:l.pos]
}

func (l *lexer) digits() {
	for l.pos < len(l.src) && digit(l.src[l.pos]) {
		l.pos++
	}
}

// date reads @2015-02-04T14:34:28.123+10:00 and its shorter forms, and @T14:34.
func (l *lexer) date() (token, error) {
	t := token{pos: l.pos, kind: tDate}
	l.pos++
	start := l.pos
	for l.pos < len(l.src) && (digit(l.src[l.pos]) || l.src[l.pos] == '-') {
		l.pos++
	}
	if l.pos < len(l.src) && l.src[l.pos] == 'T' {
		t.kind = tDateTime
		if l.pos == start {
			t.kind = tTime
		}
		l.pos++
		for l.pos < len(l.src) && (digit(l.src[l.pos]) || l.src[l.pos] == ':') {
			l.pos++
		}
		if l.pos+1 < len(l.src) && l.src[l.pos] == '.' && digit(l.src[l.pos+1]) {
			l.pos++
			l.digits()
		}
		if t.kind == tDateTime && l.pos < len(l.src) {
			switch c := l.src[l.pos]; {
			case c == 'Z':
				l.pos++
			case (c == '+' || c == '-') && l.pos+5 < len(l.src) && l.src[l.pos+3] == ':':
				l.pos += 6
			}
		}
	}
	t.text = l.src[start:l.pos]
	return t, nil
}

var escapes = map[byte]byte{'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// quoted reads up to the closing quote q. A backslash before a character that it
// gives no meaning to is dropped, as the specification says.
func (l *lexer) quoted(q byte) (string, error) {
	start := l.pos
	l.pos++
	var b strings.Builder
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == q:
			l.pos++
			return b.String(), nil
		case c != '\\':
			b.WriteByte(c)
			l.pos++
		case l.pos+1 >= len(l.src):
			l.pos++
		case l.src[l.pos+1] == 'u':
			r, ok := l.unicode()
			if !ok {
				return "", l.fault(l.pos, "four hexadecimal digits must follow \\u")
			}
			if utf16.IsSurrogate(r) && strings.HasPrefix(l.src[l.pos:], `\u`) {
				low, ok := l.unicode()
				if !ok {
					return "", l.fault(l.pos, "four hexadecimal digits must follow \\u")
				}
				r = utf16.DecodeRune(r, low)
			}
			b.WriteRune(r)
		default:
			c = l.src[l.pos+1]
			if e, ok := escapes[c]; ok {
				c = e
			}
			b.WriteByte(c)
			l.pos += 2
		}
	}
	return "", l.fault(start, "the quote is not closed")
}

func (l *lexer) unicode() (rune, bool) {
	if l.pos+6 > len(l.src) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(l.src[l.pos+2 : l.pos+6]) {
		i := strings.IndexByte("0123456789abcdef", c|0x20)
		if i < 0 || c < '0' {
			return 0, false
		}
		r = r<<4 | rune(i)
	}
	l.pos += 6
	return r, true
}
