package source

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"rapport/fhir"
	"rapport/mapping/intake"
	"rapport/mapping/site"
)

// rows reads the records of RFC 4180 CSV, one at a time.
type rows struct {
	table  string
	r      *bufio.Reader
	closer io.Closer
	delim  byte
	header intake.Row
	line   int      // lines taken so far
	back   [][]byte // lines put back, next first
	field  []byte   // contents of a record's fields, one after another
	ends   []int
	record []byte // a record that spans lines

	overlong bool // behind the lines put back stood one that was too long
}

// What can be wrong with a row. None quotes it.
const (
	openQuote   = "a quote is opened and not closed; double the quotes inside a field and quote the whole field"
	strayQuote  = "a quote stands inside an unquoted field, or text behind a closing quote; double the quotes inside a field and quote the whole field"
	notUTF8     = "not UTF-8; if the file is in another character set, say so in the site file, e.g. source: {encoding: windows-1252}"
	tooLong     = "the row is longer than 1 MiB"
	tooMany     = "the row has more than 2000 columns"
	zeroByte    = "the row holds a zero byte"
	emptyHeader = "the file has no header line"
)

func newRows(table string, r io.Reader, c io.Closer, form site.Format) (intake.Rows, error) {
	fail := func(err error) (intake.Rows, error) {
		c.Close()
		return nil, err
	}
	br, err := decoded(table, r, form.Encoding)
	if err != nil {
		return fail(err)
	}
	s := &rows{table: table, r: br, closer: c, delim: form.Delimiter}
	first, err := s.take()
	for err == nil && len(bytes.TrimSpace(first)) == 0 {
		first, err = s.take()
	}
	switch {
	case errors.Is(err, io.EOF):
		return fail(fhir.Errorf(fhir.Invalid, "", "%s:1: %s", table, emptyHeader))
	case err != nil:
		return fail(unreadable(table, err))
	}
	if d, ok := bytes.CutPrefix(bytes.ToLower(first), []byte("sep=")); ok && len(d) == 1 { // how Excel says it
		s.delim = d[0]
	} else {
		s.putBack(first)
		if s.delim == 0 {
			s.delim = delimiter(first)
		}
	}
	s.header, err = s.Next()
	switch {
	case errors.Is(err, io.EOF):
		return fail(fhir.Errorf(fhir.Invalid, "", "%s:1: %s", table, emptyHeader))
	case err != nil:
		return fail(err)
	case s.header.Fault != "":
		return fail(fhir.Errorf(fhir.Invalid, "", "%s:%d: the header cannot be read: %s", table, s.header.Line, s.header.Fault))
	}
	return s, nil
}

// delimiter is what splits the header most often, outside quotes.
func delimiter(line []byte) byte {
	best, most := byte(','), 0
	for _, d := range []byte{',', ';', '\t', '|'} {
		n, quoted := 0, false
		for _, c := range line {
			switch {
			case c == '"':
				quoted = !quoted
			case c == d && !quoted:
				n++
			}
		}
		if n > most {
			best, most = d, n
		}
	}
	return best
}

func (s *rows) Header() intake.Row { return s.header }
func (s *rows) Close() error       { return s.closer.Close() }

// take returns the next line without its end. io.EOF behind the last.
func (s *rows) take() ([]byte, error) {
	if n := len(s.back); n > 0 {
		l := s.back[n-1]
		s.back = s.back[:n-1]
		s.line++
		return l, nil
	}
	if s.overlong {
		s.overlong = false
		s.line++
		return nil, errTooLong
	}
	var long []byte
	for {
		part, err := s.r.ReadSlice('\n')
		if len(long)+len(part) > maxRow+2 {
			if err := s.skip(err); err != nil {
				return nil, err
			}
			s.line++
			return nil, errTooLong
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, unreadable(s.table, err)
		case err != nil && len(long)+len(part) == 0:
			return nil, io.EOF
		}
		s.line++
		if long != nil {
			part = append(long, part...)
		}
		part = bytes.TrimSuffix(part, []byte{'\n'})
		return bytes.TrimSuffix(part, []byte{'\r'}), nil
	}
}

var errTooLong = errors.New(tooLong)

// skip reads the rest of a line that is too long.
func (s *rows) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = s.r.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return unreadable(s.table, err)
	}
	return nil
}

func (s *rows) putBack(l []byte) {
	s.back = append(s.back, bytes.Clone(l))
	s.line--
}

// Next returns the next row; empty lines are none. A row with a Fault carries the
// fields that could be told before it.
func (s *rows) Next() (intake.Row, error) {
	line, err := s.take()
	for err == nil && len(line) == 0 {
		line, err = s.take()
	}
	row := intake.Row{Line: s.line}
	if errors.Is(err, errTooLong) {
		row.Fault = tooLong
		return row, nil
	}
	if err != nil {
		return intake.Row{}, err
	}
	fault := s.split(line)
	if fault == openQuote {
		fault, err = s.continued(line)
		if err != nil {
			return intake.Row{}, err
		}
	}
	row.Fault = fault
	all := string(s.field)
	if row.Fault == "" && !utf8.ValidString(all) {
		row.Fault = notUTF8
	}
	if row.Fault == "" && strings.IndexByte(all, 0) >= 0 {
		row.Fault = zeroByte
	}
	row.Values = make([]string, len(s.ends))
	from := 0
	for i, to := range s.ends {
		row.Values[i] = all[from:to]
		from = to
	}
	return row, nil
}

// continued reads on behind a line that ends inside a quoted field. If the quote
// is never closed, the lines behind the first go back: they are rows of their own.
func (s *rows) continued(first []byte) (string, error) {
	s.record = append(s.record[:0], first...)
	ends := []int{len(first)}
	for range maxLines {
		line, err := s.take()
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) {
			return "", err
		}
		if errors.Is(err, errTooLong) {
			s.overlong = true
			s.line--
			break
		}
		if err != nil {
			break
		}
		if len(s.record)+len(line) >= maxRow {
			s.putBack(line)
			break
		}
		s.record = append(append(s.record, '\n'), line...)
		ends = append(ends, len(s.record))
		if bytes.Count(line, []byte{'"'})%2 == 0 {
			continue // still inside
		}
		if s.split(s.record) == "" {
			return "", nil
		}
		break
	}
	for i := len(ends) - 1; i > 0; i-- {
		s.putBack(s.record[ends[i-1]+1 : ends[i]])
	}
	s.split(s.record[:ends[0]])
	return openQuote, nil
}

// split cuts a record into s.field and s.ends and says what is wrong with it.
func (s *rows) split(b []byte) string {
	s.field, s.ends = s.field[:0], s.ends[:0]
	for i := 0; ; {
		if len(s.ends) >= maxColumns {
			return tooMany
		}
		if i < len(b) && b[i] == '"' {
			i++
			for {
				q := bytes.IndexByte(b[i:], '"')
				if q < 0 {
					return openQuote
				}
				s.field = append(s.field, b[i:i+q]...)
				i += q + 1
				if i >= len(b) || b[i] != '"' {
					break
				}
				s.field = append(s.field, '"')
				i++
			}
			if i < len(b) && b[i] != s.delim {
				return strayQuote
			}
		} else {
			end := bytes.IndexByte(b[i:], s.delim)
			if end < 0 {
				end = len(b) - i
			}
			if bytes.IndexByte(b[i:i+end], '"') >= 0 {
				return strayQuote
			}
			s.field = append(s.field, b[i:i+end]...)
			i += end
		}
		s.ends = append(s.ends, len(s.field))
		if i >= len(b) {
			return ""
		}
		i++ // the delimiter; behind it stands a field, if only an empty one
	}
}
