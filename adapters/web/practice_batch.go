package web

import (
	"bufio"
	"encoding/json"
	"net/http"

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
// them sees the connection break, and may send all of it again.
func (c *Config) storeAll(g *gin.Context, d *clerk, kind string, in posted, try bool) {
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
		if err := d.try(ctx, trials); err != nil {
			c.fail(g, err)
			return
		}
	}
	out := newResults(g, answersLines(g.Request.Header.Values("Accept"), in))
	for i, b := range in.bodies {
		r, err := receipt{}, ctx.Err()
		switch {
		case err != nil:
			panic(http.ErrAbortHandler) // nobody is there to be told of the rest
		case try:
			r, err = trials[i].receipt, trials[i].err
		default:
			r, err = d.store(g, kind, b)
		}
		if fhir.Is(err, fhir.Exception) {
			c.Log.ErrorContext(ctx, "record failed", "route", routeOf(g), "err", err)
		}
		out.add(resultOf(i, b.line, r, err))
	}
	out.end()
}

// store decodes and stores one of several records.
func (d *clerk) store(g *gin.Context, kind string, b body) (receipt, error) {
	rec, err := practice.Decode(kind, b.json)
	if err != nil {
		return receipt{}, err
	}
	j := job{clerk: d, record: rec}
	return j.do(g.Request.Context())
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

func newResults(g *gin.Context, lines bool) *results {
	g.Header("Content-Type", "application/json")
	if lines {
		g.Header("Content-Type", ndjson[0])
	}
	g.Status(http.StatusOK)
	g.Writer.WriteHeaderNow()
	r := &results{w: bufio.NewWriter(g.Writer), lines: lines}
	if !lines {
		r.text(`{"records":[`)
	}
	return r
}

func (o *results) add(r result) {
	b, err := json.Marshal(r)
	if err != nil {
		panic(http.ErrAbortHandler) // numbers, strings and resources that were parsed: it cannot be
	}
	if o.n++; o.n > 1 && !o.lines {
		o.text(",")
	}
	o.text(string(b))
	if o.lines {
		o.text("\n")
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
}

func (o *results) end() {
	if !o.lines {
		b, err := json.Marshal(o.sum)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		o.text(`],"summary":` + string(b) + "}\n")
	}
	if o.w.Flush() != nil {
		panic(http.ErrAbortHandler)
	}
}

// text ends the request when the caller has gone: what follows is not stored then.
func (o *results) text(s string) {
	if _, err := o.w.WriteString(s); err != nil {
		panic(http.ErrAbortHandler)
	}
}
