package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"rapport/fhir/store"
)

// Report is what Verify found.
type Report struct {
	Tenant   string
	Sealed   int64    // records that were checked against their chains
	Unsealed int      // records of the last moments, not yet in a chain
	Local    int      // records of the local journal that were checked
	Faults   []string // the first of each chain or segment, empty when all is well
}

// Anchor is what `gateway audit checkpoint` wrote down, kept elsewhere.
type Anchor struct {
	Tenant string `json:"tenant"`
	// Checkpoints are the last of each writer.
	Checkpoints []Kept `json:"checkpoints"`
}

// Kept is a checkpoint in an Anchor.
type Kept struct {
	Writer string          `json:"writer"`
	N      int64           `json:"n"`
	Body   json.RawMessage `json:"body"`
}

// Checkpoint returns the last checkpoint of each chain of a tenant, to be kept
// where nobody who can write the store can write: with it Verify also sees a cut end.
func Checkpoint(ctx context.Context, st store.Store, tenant string) (Anchor, error) {
	a := Anchor{Tenant: tenant}
	writers, err := st.Writers(ctx)
	if err != nil {
		return a, err
	}
	for _, w := range writers {
		cs, err := st.Checkpoints(ctx, w)
		if err != nil {
			return a, err
		}
		if len(cs) > 0 {
			c := cs[len(cs)-1]
			a.Checkpoints = append(a.Checkpoints, Kept{Writer: c.Writer, N: c.N, Body: c.Body})
		}
	}
	return a, nil
}

// Verify checks every chain of a tenant. anchor may be nil. It reads; it does not
// need the gateway to be stopped.
func Verify(ctx context.Context, st store.Store, keys Keys, tenant string, anchor *Anchor) (Report, error) {
	r := Report{Tenant: tenant}
	all, err := st.Checkpoints(ctx, "")
	if err != nil {
		return r, err
	}
	writers, err := st.Writers(ctx)
	if err != nil {
		return r, err
	}
	demands := map[string][]demand{} // what must be true of a chain, by writer
	for _, c := range all {
		s, err := proves(keys, tenant, c)
		if err != nil {
			r.fault("writer %s, checkpoint at record %d: %v", c.Writer, c.N, err)
			continue
		}
		demands[c.Writer] = append(demands[c.Writer], demand{Place{s.N, s.Hash}, "a checkpoint"})
		for w, p := range s.Others {
			demands[w] = append(demands[w], demand{p, "the first checkpoint of writer " + s.Writer})
		}
	}
	if anchor != nil {
		if anchor.Tenant != tenant {
			return r, fmt.Errorf("the anchor is of tenant %s", anchor.Tenant)
		}
		for _, k := range anchor.Checkpoints {
			s, err := proves(keys, tenant, store.Checkpoint{Writer: k.Writer, N: k.N, Body: k.Body})
			if err != nil {
				return r, fmt.Errorf("the anchor: writer %s: %w", k.Writer, err)
			}
			demands[k.Writer] = append(demands[k.Writer], demand{Place{s.N, s.Hash}, "the anchor"})
		}
	}
	for w := range demands {
		if !slices.Contains(writers, w) {
			writers = append(writers, w)
		}
	}
	slices.Sort(writers)
	for _, w := range writers {
		later := func(after int64) ([]demand, error) { return signedSince(ctx, st, keys, tenant, w, after) }
		if err := r.writer(ctx, st, w, demands[w], later); err != nil {
			return r, err
		}
	}
	es, _, err := st.Entries(ctx, store.Entries{Unsealed: true, Max: 1 << 20})
	r.Unsealed = len(es)
	return r, err
}

// demand is a place that a chain must pass through, and who says so.
type demand struct {
	Place
	says string
}

// signedSince returns what the checkpoints of a writer demand that stand behind a record.
func signedSince(ctx context.Context, st store.Store, keys Keys, tenant, writer string, after int64) ([]demand, error) {
	cs, err := st.Checkpoints(ctx, writer)
	if err != nil {
		return nil, err
	}
	var out []demand
	for _, c := range cs {
		if c.N <= after {
			continue
		}
		if s, err := proves(keys, tenant, c); err == nil { // one that proves nothing demands nothing
			out = append(out, demand{Place{s.N, s.Hash}, "a checkpoint"})
		}
	}
	return out, nil
}

// writer follows one chain from its beginning and names the first fault. A gateway may
// be sealing meanwhile: records behind the last checkpoint that was read have one of
// their own by the time they can be seen, which later returns.
func (r *Report) writer(ctx context.Context, st store.Store, writer string, demands []demand, later func(after int64) ([]demand, error)) error {
	at := Place{Hash: make([]byte, 32)}
	due := map[int64][]demand{}
	last := int64(0)
	for _, d := range demands {
		due[d.N] = append(due[d.N], d)
		last = max(last, d.N)
	}
	since := int64(0) // the last place that a signature vouched for
	for {
		es, _, err := st.Entries(ctx, store.Entries{Writer: writer, AfterN: at.N, Max: maxBatch})
		if err != nil {
			return err
		}
		asked := false
		for _, e := range es {
			if e.N > last && !asked {
				asked = true
				more, err := later(last)
				if err != nil {
					return err
				}
				for _, d := range more {
					due[d.N], last = append(due[d.N], d), max(last, d.N)
				}
				demands = append(demands, more...)
			}
			if e.N != at.N+1 {
				r.fault("writer %s: record %d is missing", writer, at.N+1)
				return nil
			}
			at = Place{N: e.N, Hash: chain(at.Hash, e.Body)}
			if !bytes.Equal(at.Hash, e.Hash) {
				r.fault("writer %s: record %d (%s) is not what was sealed: it was edited or swapped", writer, e.N, e.ID)
				return nil
			}
			if id := bodyID(e.Body); id != e.ID {
				r.fault("writer %s: record %d (%s) is filed under another id than its own", writer, e.N, e.ID)
				return nil
			}
			r.Sealed++
			for _, d := range due[e.N] {
				if !d.equal(at) {
					r.fault("writer %s: between records %d and %d something was changed and the chain rewritten: %s says otherwise", writer, since+1, e.N, d.says)
					return nil
				}
				since = e.N
			}
		}
		// A checkpoint that came meanwhile may vouch for records that came with it.
		if len(es) == 0 || len(es) < maxBatch && at.N >= last {
			break
		}
	}
	if at.N < last {
		i := slices.IndexFunc(demands, func(d demand) bool { return d.N == last })
		r.fault("writer %s: records %d to %d are missing at the end: %s knows them", writer, at.N+1, last, demands[i].says)
	} else if at.N > since {
		r.fault("writer %s: records %d to %d stand under no checkpoint", writer, since+1, at.N)
	}
	return nil
}

func bodyID(body []byte) string {
	var b struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &b) != nil {
		return ""
	}
	return b.ID
}

// VerifyLocal checks the segments of a local journal's folder: each chain, that
// no segment is missing between two, and that what the store should have of older
// segments it has.
func VerifyLocal(folder string, r *Report) error {
	files, err := segments(folder)
	if err != nil {
		return err
	}
	var before []byte
	for i, f := range files {
		sameChain := i > 0 && files[i-1].writer == f.writer
		if !sameChain {
			before = nil
		} else if files[i-1].n+1 != f.n {
			r.fault("segment %s is missing", segmentName(f.writer, files[i-1].n+1))
			before = nil
		}
		if f.n == 1 {
			before = make([]byte, 32)
		}
		last, err := readSegment(f.path, before, func(_ int, l local) error {
			if bodyID(l.Body) != l.ID {
				return errors.New("a record is filed under another id than its own")
			}
			r.Local++
			return nil
		})
		lastOfChain := i+1 == len(files) || files[i+1].writer != f.writer
		switch {
		case errors.Is(err, errTorn) && lastOfChain:
		case err != nil:
			r.fault("%s", describe(f.path, err))
			before = nil
			continue
		}
		before = last
	}
	return nil
}

func describe(path string, err error) string {
	if errors.Is(err, errTorn) {
		return filepath.Base(path) + ": the last line is not whole, and more segments follow"
	}
	return err.Error()
}

func (r *Report) fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

func times(n int) string { return strconv.Itoa(n) + " times" }
