package bulk

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// sorter orders lines by a key in bounded memory: what does not fit lies in sorted runs
// on disk, sealed like everything there, until it is merged.
type sorter struct {
	e     *Exports
	job   string
	name  string
	most  int // bytes in memory
	lines []keyed
	bytes int
	runs  []part
	open  []*run
}

type keyed struct {
	key  string
	line []byte
}

func byKey(a, b keyed) int { return strings.Compare(a.key, b.key) }

// overhead is what a line costs in memory besides its bytes.
const overhead = 64

func (s *sorter) add(key string, line []byte) error {
	s.lines = append(s.lines, keyed{key, line})
	if s.bytes += len(key) + len(line) + overhead; s.bytes < s.most {
		return nil
	}
	return s.spill()
}

// spill writes what is in memory as a run of (length of key, length of line, key, line).
func (s *sorter) spill() error {
	w, err := s.e.create(s.job, fmt.Sprintf("%s-%d", s.name, len(s.runs)))
	if err != nil {
		return err
	}
	defer w.close()
	slices.SortStableFunc(s.lines, byKey)
	var head [8]byte
	for _, l := range s.lines {
		binary.BigEndian.PutUint32(head[:4], uint32(len(l.key)))
		binary.BigEndian.PutUint32(head[4:], uint32(len(l.line)))
		for _, b := range [][]byte{head[:], []byte(l.key), l.line} {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	// It need not outlive this process: a job that is taken up again sorts anew.
	if err := w.seal(); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	s.runs = append(s.runs, w.part)
	s.lines, s.bytes = nil, 0
	return nil
}

// run is one sorted run as it is merged, standing at its next line.
type run struct {
	keyed
	n   int // of the run: equal keys stay in the order in which they came
	raw *reader
	in  *bufio.Reader
}

func (r *run) next() error {
	var head [8]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return err
	}
	key := make([]byte, binary.BigEndian.Uint32(head[:4]))
	r.line = make([]byte, binary.BigEndian.Uint32(head[4:]))
	for _, b := range [][]byte{key, r.line} {
		if _, err := io.ReadFull(r.in, b); err != nil {
			return errors.Join(errShort, err)
		}
	}
	r.key = string(key)
	return nil
}

type runs []*run

func (h runs) Len() int { return len(h) }
func (h runs) Less(i, j int) bool {
	if c := byKey(h[i].keyed, h[j].keyed); c != 0 {
		return c < 0
	}
	return h[i].n < h[j].n
}
func (h runs) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *runs) Push(x any)   { *h = append(*h, x.(*run)) }
func (h *runs) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// sorted calls f with every line, in the order of the keys.
func (s *sorter) sorted(f func(line []byte) error) error {
	if len(s.runs) == 0 {
		slices.SortStableFunc(s.lines, byKey)
		for _, l := range s.lines {
			if err := f(l.line); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	var h runs
	for n, p := range s.runs {
		raw := s.e.read(s.job, []part{p})
		r := &run{n: n, raw: raw, in: bufio.NewReader(raw)}
		s.open = append(s.open, r)
		if err := r.next(); errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			return err
		}
		h = append(h, r)
	}
	heap.Init(&h)
	for len(h) > 0 {
		if err := f(h[0].line); err != nil {
			return err
		}
		switch err := h[0].next(); {
		case errors.Is(err, io.EOF):
			heap.Pop(&h)
		case err != nil:
			return err
		default:
			heap.Fix(&h, 0)
		}
	}
	return nil
}

// close removes the runs.
func (s *sorter) close() {
	for _, r := range s.open {
		r.raw.close()
	}
	for _, p := range s.runs {
		_ = s.e.root.Remove(s.job + "/" + p.Name) // tidied at the next run at the latest
	}
}
