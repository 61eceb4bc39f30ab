package bulk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// chunk is how much is sealed at a time.
const chunk = 64 << 10

// part is a run of sealed chunks on disk, as far as it is known to be there. A file
// is one part after another: each time that a job is taken up it begins new parts, so
// that two processes never write the same one.
type part struct {
	Name   string `json:"n"`
	Chunks int64  `json:"c"` // that count; more may lie there
}

// bound ties a chunk to its job, part and place.
func bound(job, name string, n int64) []byte {
	b := append([]byte("export\x00"+job+"\x00"+name+"\x00"), make([]byte, 8)...)
	binary.BigEndian.PutUint64(b[len(b)-8:], uint64(n))
	return b
}

// writer seals what it is given into a new part.
type writer struct {
	e    *Exports
	job  string
	f    *os.File
	out  *bufio.Writer
	part part
	buf  []byte
}

func (e *Exports) create(job, name string) (*writer, error) {
	f, err := e.root.OpenFile(job+"/"+name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &writer{e: e, job: job, f: f, out: bufio.NewWriterSize(f, 4*chunk), part: part{Name: name}, buf: make([]byte, 0, chunk)}, nil
}

// Write implements io.Writer.
func (w *writer) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		fits := min(len(b), chunk-len(w.buf))
		w.buf, b = append(w.buf, b[:fits]...), b[fits:]
		if len(w.buf) == chunk {
			if err := w.seal(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (w *writer) seal() error {
	if len(w.buf) == 0 {
		return nil
	}
	sealed := w.e.Keys.Seal(w.e.Tenant, w.e.Purpose, w.buf, bound(w.job, w.part.Name, w.part.Chunks))
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(sealed)))
	if _, err := w.out.Write(length[:]); err != nil {
		return err
	}
	if _, err := w.out.Write(sealed); err != nil {
		return err
	}
	w.part.Chunks++
	w.buf = w.buf[:0]
	return nil
}

// sync brings everything to disk and returns what is there.
func (w *writer) sync() (part, error) {
	if err := w.seal(); err != nil {
		return part{}, err
	}
	if err := w.out.Flush(); err != nil {
		return part{}, err
	}
	return w.part, w.f.Sync()
}

func (w *writer) close() { w.f.Close() }

// reader opens a file's parts again, one after the other.
type reader struct {
	e     *Exports
	job   string
	parts []part
	f     *os.File
	in    *bufio.Reader
	at    int64 // chunks of the current part
	plain []byte
}

func (e *Exports) read(job string, parts []part) *reader {
	return &reader{e: e, job: job, parts: parts}
}

// Read implements io.Reader.
func (r *reader) Read(b []byte) (int, error) {
	for len(r.plain) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

var errShort = errors.New("bulk: a file on disk is not what was recorded of it")

func (r *reader) next() error {
	if len(r.parts) == 0 {
		return io.EOF
	}
	p := r.parts[0]
	if r.at == p.Chunks {
		r.close()
		r.parts, r.at = r.parts[1:], 0
		return nil
	}
	if r.f == nil {
		f, err := r.e.root.Open(r.job + "/" + p.Name)
		if err != nil {
			return err
		}
		r.f, r.in = f, bufio.NewReaderSize(f, 2*chunk)
	}
	var length [4]byte
	if _, err := io.ReadFull(r.in, length[:]); err != nil {
		return fmt.Errorf("%w: %w", errShort, err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > 2*chunk { // no chunk is, whatever sealing adds
		return errShort
	}
	sealed := make([]byte, n)
	if _, err := io.ReadFull(r.in, sealed); err != nil {
		return fmt.Errorf("%w: %w", errShort, err)
	}
	plain, err := r.e.Keys.Open(r.e.Tenant, r.e.Purpose, sealed, bound(r.job, p.Name, r.at))
	r.plain = plain
	r.at++
	return err
}

func (r *reader) close() {
	if r.f != nil {
		r.f.Close()
		r.f = nil
	}
}

// lines calls f with each line of a file, without its end. f may keep it.
func (e *Exports) lines(job string, parts []part, f func(line []byte) error) error {
	r := e.read(job, parts)
	defer r.close()
	in := bufio.NewReaderSize(r, chunk)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(line[:len(line)-1]); err != nil {
			return err
		}
	}
}
