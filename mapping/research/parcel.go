package research

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// parcel writes files one after the other and notes their digests.
type parcel struct {
	create func(name, mediaType string) (io.WriteCloser, error)
	files  []digest
	err    error
}

type digest struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

func (p *parcel) write(name, mediaType string, f func(io.Writer) error) {
	if p.err != nil {
		return
	}
	to, err := p.create(name, mediaType)
	if err != nil {
		p.err = fmt.Errorf("research: %s: %w", name, err)
		return
	}
	h, n := sha256.New(), &counter{}
	b := bufio.NewWriterSize(io.MultiWriter(to, h, n), 64<<10)
	err = f(b)
	if err == nil {
		err = b.Flush()
	}
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		p.err = fmt.Errorf("research: %s: %w", name, err)
		return
	}
	p.files = append(p.files, digest{name, hex.EncodeToString(h.Sum(nil)), n.n})
}

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}
