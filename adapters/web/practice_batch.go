package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/mapping/practice"
)

// result is what became of one record among several.
type result struct {
	Index  int `json:"index"`          // from 0, in the order sent
	Line   int `json:"line,omitempty"` // from 1, where it came as a line
	Status int `json:"status"`         // that the record by itself would have been answered with
	receipt
}

// counts sums up a document of results.
type counts struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Rejected  int `json:"rejected"`
}

// storeAll stores several records in the order in which they came, each in its own
// transaction: what one rests on may stand before it, and a bad one loses itself
// alone. Outcomes go out as they come, so that none is kept; whoever gets a part of
// them sees the connection break, and may send all of it again. The number of records
// bounds the time that it takes, not the clock of a request.
func (c *Config) storeAll(g *gin.Context, k custodian, kind string, in posted, try bool) {
	limit := maxRecords
	if try {
		limit = maxTried
	}
	if len(in.bodies) > limit {
		c.fail(g, fhir.Errorf(fhir.TooLong, "/", "One request may bring up to %d records, a dry run up to %d; send them in parts. Nothing was stored.", maxRecords, maxTried))
		return
	}
	ctx := g.Request.Context()
	var trials []trial
	if try {
		trials = make([]trial, len(in.bodies))
		for i, b := range in.bodies {
			trials[i].record, trials[i].err = practice.Decode(kind, b.json)
		}
		if err := k.try(ctx, trials); err != nil {
			c.fail(g, err)
			return
		}
	}
	lines := answersLines(g.Request.Header.Values("Accept"), in)
	mediaType := "application/json"
	if lines {
		mediaType = ndjson[0]
	}
	// The body is read. net/http ends the request when its time to send is over, even so.
	_ = http.NewResponseController(g.Writer).SetReadDeadline(time.Time{})
	answer(g, rest.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {mediaType}}, Stream: func(w io.Writer) error {
		out := results{w: bufio.NewWriter(w), lines: lines}
		for i, b := range in.bodies {
			if err := ctx.Err(); err != nil {
				return err // nobody is there to be told of the rest
			}
			var r receipt
			var err error
			if try {
				r, err = trials[i].receipt, trials[i].err
			} else if r, err = keep(ctx, k, kind, b.json); fhir.Is(err, fhir.Exception) {
				c.Log.ErrorContext(ctx, "record failed", "route", routeOf(g), "err", err)
			}
			if err := out.add(resultOf(i, b.line, r, err)); err != nil {
				return err
			}
		}
		return out.end()
	}})
}

// keep decodes and keeps one of several records.
func keep(ctx context.Context, k custodian, kind string, body []byte) (receipt, error) {
	rec, err := practice.Decode(kind, body)
	if err != nil {
		return receipt{}, err
	}
	return k.keep(ctx, rec)
}

func resultOf(i, line int, r receipt, err error) result {
	out := result{Index: i, Line: line, Status: http.StatusOK, receipt: r}
	switch {
	case err != nil:
		out.Status = rest.Status(err)
		out.receipt = receipt{Outcome: rejected, DryRun: r.DryRun, Resources: []kept{}}
		for _, e := range fhir.IssuesOf(err) {
			out.Issues = append(out.Issues, issueOf(e))
		}
	case r.Outcome == created && !r.DryRun:
		out.Status = http.StatusCreated
	}
	return out
}

// results writes outcomes as they come: a line each, or the members of a document.
type results struct {
	w     *bufio.Writer
	lines bool
	n     int
	sum   counts
}

func (o *results) add(r result) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	before, after := `{"records":[`, ""
	if o.n++; o.n > 1 {
		before = ","
	}
	if o.lines {
		before, after = "", "\n"
	}
	switch r.Outcome {
	case created:
		o.sum.Created++
	case updated:
		o.sum.Updated++
	case unchanged:
		o.sum.Unchanged++
	default:
		o.sum.Rejected++
	}
	_, err = o.w.WriteString(before + string(b) + after)
	return err
}

func (o *results) end() error {
	if !o.lines {
		b, err := json.Marshal(o.sum)
		if err != nil {
			return err
		}
		if _, err := o.w.WriteString(`],"summary":` + string(b) + "}\n"); err != nil {
			return err
		}
	}
	return o.w.Flush()
}
