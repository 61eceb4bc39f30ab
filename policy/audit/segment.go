package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment is a text file of one writer: a line for each record,
//
//	<hash, 64 hex digits> <JSON of local>\n
//
// where hash is SHA-256 of the hash before it and the JSON. The first line of a
// segment continues from the last of the segment before; the first of all from
// zeros. Segments are named <writer>-<number>.journal with the number ascending.

const (
	suffix     = ".journal"
	hashDigits = 2 * sha256.Size
)

// local is a record in a segment: the entry's body and what the store needs beside it.
type local struct {
	Tenant string          `json:"tenant"`
	ID     string          `json:"id"`
	At     int64           `json:"at"` // microseconds since 1970
	Body   json.RawMessage `json:"body"`
	writer string          // of a record found in an earlier process's segment
}

func segmentName(writer string, n int) string { return fmt.Sprintf("%s-%06d%s", writer, n, suffix) }

func chain(before []byte, body []byte) []byte {
	h := sha256.New()
	h.Write(before)
	h.Write(body)
	return h.Sum(nil)
}

func appendLine(to []byte, hash, body []byte) []byte {
	to = hex.AppendEncode(to, hash)
	to = append(to, ' ')
	to = append(to, body...)
	return append(to, '\n')
}

// segmentFile is one segment found in a folder.
type segmentFile struct {
	path, writer string
	n            int
}

// segments lists a folder's segments by writer and number.
func segments(folder string) ([]segmentFile, error) {
	names, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []segmentFile
	for _, e := range names {
		base, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok {
			continue
		}
		i := strings.LastIndexByte(base, '-')
		if i < 0 {
			continue
		}
		n, err := strconv.Atoi(base[i+1:])
		if err != nil {
			continue
		}
		out = append(out, segmentFile{path: filepath.Join(folder, e.Name()), writer: base[:i], n: n})
	}
	slices.SortFunc(out, func(a, b segmentFile) int {
		if c := strings.Compare(a.writer, b.writer); c != 0 {
			return c
		}
		return a.n - b.n
	})
	return out, nil
}

// errTorn is a last line that was not written to its end: a process died in the
// middle of it, before any answer rested on it.
var errTorn = errors.New("the last line is not whole")

// readSegment calls f for each record. before is the hash that the first line
// continues from, nil to take the file's word for it. It returns the last hash.
// A fault names the line; errTorn is told after all whole lines were given.
func readSegment(path string, before []byte, f func(line int, l local) error) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<16)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(line) > 0 {
				return before, errTorn
			}
			return before, nil
		}
		if err != nil {
			return before, err
		}
		hash, l, err := parseLine(bytes.TrimSuffix(line, []byte{'\n'}))
		if err != nil {
			return before, fmt.Errorf("%s:%d: %w", filepath.Base(path), n, err)
		}
		body := line[hashDigits+1 : len(line)-1]
		if before == nil && n == 1 {
			before = hash
		} else if want := chain(before, body); !bytes.Equal(want, hash) {
			return before, fmt.Errorf("%s:%d: the record does not continue the chain: it was edited, or one before it was removed or swapped", filepath.Base(path), n)
		}
		if err := f(n, l); err != nil {
			return before, err
		}
		before = hash
	}
}

func parseLine(line []byte) (hash []byte, l local, err error) {
	if len(line) < hashDigits+2 || line[hashDigits] != ' ' {
		return nil, l, errors.New("the line is no record")
	}
	if hash, err = hex.DecodeString(string(line[:hashDigits])); err != nil {
		return nil, l, errors.New("the line is no record")
	}
	if err := json.Unmarshal(line[hashDigits+1:], &l); err != nil || l.ID == "" {
		return nil, l, errors.New("the record cannot be read")
	}
	return hash, l, nil
}
