package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
)

// The bounds of one request, besides that of its body: more go into a further one.
const (
	// maxRecords keeps the longest request well below the server's time to write.
	maxRecords = 5_000
	// maxTried is smaller: the records of a dry run share one transaction, and other
	// writers wait for its end.
	maxTried = 100
)

// ndjson is a record a line.
//
// Source: https://github.com/ndjson/ndjson-spec; the two names that are in use.
var ndjson = []string{"application/x-ndjson", "application/ndjson"}

// posted is what a request brought.
type posted struct {
	several bool   // an array or lines, be it of one record
	lines   bool   // it came as lines
	bodies  []body // as they were sent, in order
}

// body is one record as it was sent.
type body struct {
	json []byte
	line int // counted from 1; 0: not from a line
}

// posted reads the body within the limit, and answers the request when it is none
// that is taken here. An array that is no JSON as a whole is refused as a whole; of
// lines each stands for itself.
func (c *Config) posted(g *gin.Context) (in posted, ok bool) {
	mediaType := "application/json"
	for _, t := range ndjson {
		if is(t, g.Request.Header.Values("Content-Type")) {
			in.lines, mediaType = true, t
		}
	}
	// All of it is read before the first record is stored: a slow sender would hold its
	// time to send against the time to store.
	text, ok := readBody(g, mediaType)
	if !ok || !takesAnswer(g) {
		return in, false
	}
	var err error
	switch first := bytes.TrimLeft(text, " \t\r\n"); {
	case len(first) == 0:
		err = empty()
	case in.lines:
		in.several, in.bodies = true, linesOf(text)
	case first[0] == '[':
		in.several = true
		in.bodies, err = elementsOf(text)
	default:
		in.bodies = []body{{json: text}}
	}
	if err == nil && len(in.bodies) == 0 {
		err = &fhir.Error{Code: fhir.Structure, Detail: "Send at least one record.", At: []string{"/"}}
	}
	if err != nil {
		c.fail(g, err)
		return in, false
	}
	return in, true
}

// linesOf cuts a body into its lines; blank ones are none.
func linesOf(text []byte) (out []body) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, body{line, n})
		}
	}
	return out
}

// elementsOf cuts an array into its elements, which stay where they are.
func elementsOf(text []byte) (out []body, err error) {
	broken := &fhir.Error{Code: fhir.Structure, Detail: "The body is no JSON array of records: it could not be read to its end. Nothing of it was stored.", At: []string{"/"}}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, broken
	}
	var element json.RawMessage
	for d.More() {
		if err := d.Decode(&element); err != nil {
			return nil, broken
		}
		end := d.InputOffset()
		out = append(out, body{json: text[end-int64(len(element)) : end]})
	}
	if _, err := d.Token(); err != nil {
		return nil, broken
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, broken
	}
	return out, nil
}

// takesAnswer reports whether the caller takes JSON or lines of it, and answers the
// request when not.
func takesAnswer(g *gin.Context) bool {
	return namesNDJSON(g.Request.Header.Values("Accept")) || accepts(g, "application/json or "+ndjson[0])
}

// namesNDJSON reports whether an Accept header asks for lines.
func namesNDJSON(h []string) bool {
	return strings.Trim(strings.Join(h, ""), " ,") != "" && takes(h, ndjson...)
}

// answersLines: lines are answered by lines unless only the document is taken.
func answersLines(h []string, in posted) bool {
	if namesNDJSON(h) {
		return true
	}
	asked := strings.ToLower(strings.Join(h, ","))
	return in.lines && (strings.Trim(asked, " ,") == "" || strings.Contains(asked, "*/*") || strings.Contains(asked, "application/*"))
}
