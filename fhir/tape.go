package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deeply objects and arrays of one document may nest.
const MaxDepth = 64

// entry is one JSON value of a document: where it lies and where the next value
// of the same parent (or, past the last, the end of the parent) stands.
type entry struct {
	keyStart, keyEnd uint32 // member name without quotes; equal: no name
	start, end       uint32 // the value, quotes included
	next             uint32 // tape index behind this value and all it holds
	kind             Kind
	escaped          bool // the string holds a backslash
	keyEscaped       bool // the member name holds one
}

// document is validated JSON with its tape. It is immutable.
type document struct {
	body []byte
	tape []entry
}

// name returns an entry's member name, unescaped.
func (d *document) name(e *entry) []byte {
	raw := d.body[e.keyStart:e.keyEnd]
	if !e.keyEscaped {
		return raw
	}
	out, err := jsontext.AppendUnquote(nil, d.body[e.keyStart-1:e.keyEnd+1])
	if err != nil { // cannot be: the document was validated
		return raw
	}
	return out
}

// parse validates b and indexes it. Duplicate members, invalid UTF-8, lone
// surrogates, nesting beyond MaxDepth and anything behind the value are errors.
func parse(b []byte) (*document, error) {
	if int64(len(b)) > math.MaxUint32 {
		return nil, &Error{Code: TooLong, Detail: "the document is larger than 4 GiB"}
	}
	if !jsontext.Value(b).IsValid() {
		return nil, explain(b)
	}
	d := &document{body: b, tape: make([]entry, 0, 16+len(b)/24)}
	s := scanner{b: b, d: d}
	s.space()
	if err := s.value(key{}, 0); err != nil {
		return nil, err
	}
	return d, nil
}

// explain reads the document again, slowly, to say what is wrong and where.
// It never quotes the document: it may hold what must not be logged.
func explain(b []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(b))
	for {
		_, err := dec.ReadToken()
		if err == nil && dec.StackDepth() > MaxDepth {
			return tooDeep(int(dec.InputOffset()))
		}
		if err == nil && dec.StackDepth() == 0 {
			if len(bytes.TrimLeft(b[dec.InputOffset():], " \t\r\n")) > 0 {
				return &Error{Code: Structure, Detail: at(b, int(dec.InputOffset())) + ": more follows behind the end of the document; send one document"}
			}
			return &Error{Code: Structure, Detail: "the JSON is not valid"}
		}
		if errors.Is(err, io.EOF) {
			return &Error{Code: Structure, Detail: "the document is empty"}
		}
		if err != nil {
			var syn *jsontext.SyntacticError
			pos, why := int(dec.InputOffset()), "the JSON is not valid here"
			if errors.As(err, &syn) {
				pos = int(syn.ByteOffset)
				switch {
				case errors.Is(err, jsontext.ErrDuplicateName):
					why = "a member name occurs twice in one object; which one is meant cannot be told"
				case errors.Is(err, io.ErrUnexpectedEOF):
					why = "the document ends too early"
				}
			}
			return &Error{Code: Structure, Detail: at(b, pos) + ": " + why}
		}
	}
}

func at(b []byte, pos int) string {
	pos = min(max(pos, 0), len(b))
	line := 1 + bytes.Count(b[:pos], []byte{'\n'})
	col := pos - bytes.LastIndexByte(b[:pos], '\n')
	return fmt.Sprintf("line %d, column %d", line, col)
}

func tooDeep(pos int) error {
	return &Error{Code: Structure, Detail: fmt.Sprintf("byte %d: nested deeper than %d levels", pos, MaxDepth)}
}

// scanner walks bytes already known to be valid JSON.
type scanner struct {
	b   []byte
	pos int
	d   *document
}

func (s *scanner) space() {
	for s.pos < len(s.b) {
		switch s.b[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// skipString moves behind a string and says whether it holds a backslash.
func (s *scanner) skipString() (escaped bool) {
	s.pos++
	for {
		switch s.b[s.pos] {
		case '"':
			s.pos++
			return escaped
		case '\\':
			escaped = true
			s.pos += 2
		default:
			s.pos++
		}
	}
}

// key is where a member name stands, without quotes.
type key struct {
	start, end int
	escaped    bool
}

// value indexes one value that stands within depth objects and arrays.
func (s *scanner) value(k key, depth int) error {
	if c := s.b[s.pos]; depth >= MaxDepth && (c == '{' || c == '[') {
		return tooDeep(s.pos)
	}
	i := len(s.d.tape)
	s.d.tape = append(s.d.tape, entry{keyStart: uint32(k.start), keyEnd: uint32(k.end), keyEscaped: k.escaped, start: uint32(s.pos)})
	kind, escaped := Absent, false
	switch s.b[s.pos] {
	case '{':
		kind = Obj
		s.pos++
		for s.space(); s.b[s.pos] != '}'; s.space() {
			if s.b[s.pos] == ',' {
				s.pos++
				s.space()
			}
			k := key{start: s.pos + 1}
			k.escaped = s.skipString()
			k.end = s.pos - 1
			s.space()
			s.pos++ // the colon
			s.space()
			if err := s.value(k, depth+1); err != nil {
				return err
			}
		}
		s.pos++
	case '[':
		kind = Arr
		s.pos++
		for s.space(); s.b[s.pos] != ']'; s.space() {
			if s.b[s.pos] == ',' {
				s.pos++
				s.space()
			}
			if err := s.value(key{}, depth+1); err != nil {
				return err
			}
		}
		s.pos++
	case '"':
		kind = Str
		escaped = s.skipString()
	case 't':
		kind, s.pos = True, s.pos+4
	case 'f':
		kind, s.pos = False, s.pos+5
	case 'n':
		kind, s.pos = Null, s.pos+4
	default:
		kind = Num
		for s.pos < len(s.b) && (s.b[s.pos] == '-' || s.b[s.pos] == '+' || s.b[s.pos] == '.' ||
			s.b[s.pos] == 'e' || s.b[s.pos] == 'E' || s.b[s.pos] >= '0' && s.b[s.pos] <= '9') {
			s.pos++
		}
	}
	e := &s.d.tape[i]
	e.end, e.kind, e.escaped, e.next = uint32(s.pos), kind, escaped, uint32(len(s.d.tape))
	return nil
}
