package intake

import (
	"container/list"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Sizes of a spill. What it keeps in memory does not grow with what it holds, but
// for 16 bytes a block.
const (
	spillBlock = 16 << 10 // bytes of plain text that are sealed together
	spillCache = 128      // blocks that stay unsealed
	spillNames = "rapport-import-*.sealed"
)

// spill keeps what a run must come back to, rows that others look up and responses
// that wait for their time, in a file beside the memory. Its blocks are sealed by
// AES-256-GCM under a key that lives as long as the run; the file has no name where
// the system allows that, and none that survives the next run where it does not.
//
// It is safe for concurrent use.
type spill struct {
	dir string

	mu     sync.Mutex
	file   *os.File
	aead   cipher.AEAD
	blocks []block
	open   []byte // the last block, not yet sealed
	cache  map[uint32]*list.Element
	recent *list.List // of *plain, the last used first
}

// block is where a sealed block stands in the file.
type block struct {
	at   int64
	size int32
}

type plain struct {
	n uint32
	b []byte
}

func newSpill(dir string) *spill {
	if dir == "" {
		dir = os.TempDir()
	}
	return &spill{dir: dir, cache: map[uint32]*list.Element{}, recent: list.New()}
}

// sweep removes what runs left behind that were killed. A file of a run that goes on
// has no name, or cannot be removed.
func sweep(dir string) {
	if dir == "" {
		dir = os.TempDir()
	}
	left, err := filepath.Glob(filepath.Join(dir, spillNames))
	if err != nil { // the pattern is ours
		panic(err)
	}
	for _, f := range left {
		_ = os.Remove(f) // its key is lost: nobody can read it
	}
}

// add appends a piece and returns where it stands.
func (s *spill) add(b []byte) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 && len(s.open)+len(b)+binary.MaxVarintLen64 > spillBlock {
		if err := s.seal(); err != nil {
			return 0, err
		}
	}
	at := uint64(len(s.blocks))<<32 | uint64(len(s.open))
	s.open = append(binary.AppendUvarint(s.open, uint64(len(b))), b...)
	return at, nil
}

// get returns the piece at a place; it is not to be changed.
func (s *spill) get(at uint64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, off := uint32(at>>32), uint32(at)
	b := s.open
	if int(n) < len(s.blocks) {
		var err error
		if b, err = s.unsealed(n); err != nil {
			return nil, err
		}
	}
	size, w := binary.Uvarint(b[off:])
	from := int(off) + w
	return b[from : from+int(size) : from+int(size)], nil
}

// seal writes the open block.
func (s *spill) seal() error {
	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	last := block{}
	if n := len(s.blocks); n > 0 {
		last = s.blocks[n-1]
	}
	n := uint32(len(s.blocks))
	sealed := s.aead.Seal(nil, s.nonce(n), s.open, nil)
	at := last.at + int64(last.size)
	if _, err := s.file.WriteAt(sealed, at); err != nil {
		return fmt.Errorf("intake: the temporary file of the import cannot be written: %w", err)
	}
	s.blocks = append(s.blocks, block{at, int32(len(sealed))})
	s.keep(n, s.open)
	s.open = make([]byte, 0, spillBlock)
	return nil
}

func (s *spill) create() error {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	c, err := aes.NewCipher(key[:])
	if err != nil {
		return err
	}
	if s.aead, err = cipher.NewGCM(c); err != nil {
		return err
	}
	if s.file, err = os.CreateTemp(s.dir, spillNames); err != nil {
		return fmt.Errorf("intake: a temporary file for the import cannot be made: %w", err)
	}
	_ = os.Remove(s.file.Name()) // where a file that is open keeps its name, close removes it
	return nil
}

// nonce is the number of the block: each is sealed once under the run's key.
func (s *spill) nonce(n uint32) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, s.aead.NonceSize()-4), n)
}

func (s *spill) unsealed(n uint32) ([]byte, error) {
	if e := s.cache[n]; e != nil {
		s.recent.MoveToFront(e)
		return e.Value.(*plain).b, nil
	}
	at := s.blocks[n]
	sealed := make([]byte, at.size)
	if _, err := s.file.ReadAt(sealed, at.at); err != nil {
		return nil, fmt.Errorf("intake: the temporary file of the import cannot be read: %w", err)
	}
	b, err := s.aead.Open(sealed[:0], s.nonce(n), sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("intake: the temporary file of the import was changed by somebody else: %w", err)
	}
	s.keep(n, b)
	return b, nil
}

func (s *spill) keep(n uint32, b []byte) {
	s.cache[n] = s.recent.PushFront(&plain{n, b})
	if s.recent.Len() > spillCache {
		last := s.recent.Remove(s.recent.Back()).(*plain)
		delete(s.cache, last.n)
	}
}

func (s *spill) close() {
	if s.file != nil {
		name := s.file.Name()
		s.file.Close()
		_ = os.Remove(name) // gone already, mostly
	}
}
