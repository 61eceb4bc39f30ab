package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

const (
	maxFile  = 64 << 10 // bytes
	maxRoots = 64
	maxID    = 32 // bytes
)

// file is what is written. It is a document of its own, so that no encoder ever
// meets a Ring.
type file struct {
	Version int       `yaml:"version"`
	Active  string    `yaml:"active"`
	Stable  string    `yaml:"stable"`
	Keys    []fileKey `yaml:"keys"`
}

type fileKey struct {
	ID     string `yaml:"id"`
	Made   string `yaml:"made"`
	Secret string `yaml:"secret"`
}

// Create makes a keyring file with one fresh root key, mode 0600, on disk when it
// returns. It never replaces a file: of two that create at once one gets an error
// that is fs.ErrExist, and what the other wrote is whole.
func Create(path string) (*Ring, error) {
	r := &Ring{roots: []root{newRoot(time.Now())}}
	r.active, r.stable = r.roots[0].id, r.roots[0].id
	fresh, err := writeFresh(path, r)
	if err != nil {
		return nil, err
	}
	defer os.Remove(fresh)
	if err := os.Link(fresh, path); err != nil { // unlike a rename it fails if path exists
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return r, syncFolder(path)
}

// Random makes a ring that is nowhere but in memory: for stores that are, too.
func Random() *Ring {
	r := &Ring{roots: []root{newRoot(time.Now())}}
	r.active, r.stable = r.roots[0].id, r.roots[0].id
	return r
}

// Open reads a keyring file. Refused are: a file that group or others may read or
// write (where the system has such modes), one larger than 64 KiB, unknown or
// doubled keys, and anything that does not fit together. No error quotes the file.
func Open(path string) (*Ring, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("keyring: %s is not a file", path)
	}
	if st.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("keyring: %s is open to group or others (mode %04o); run: chmod 600 %s", path, st.Mode().Perm(), path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("keyring: %s is larger than %d bytes", path, maxFile)
	}
	r, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("keyring: %s:%w", path, err)
	}
	return r, nil
}

// Rotate adds a fresh root key to the file and makes it the active one; see the
// package comment. The file is replaced at one stroke. Two rotations at once: one
// fails. Running gateways go on with the ring that they opened.
func Rotate(path string) (*Ring, error) {
	path, err := filepath.EvalSymlinks(path) // replace the file, not a link to it
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	lock := path + ".lock"
	l, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("keyring: another rotation is under way, or one was broken off; if none runs, remove %s: %w", lock, err)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	l.Close()
	defer os.Remove(lock)

	old, err := Open(path)
	if err != nil {
		return nil, err
	}
	if len(old.roots) >= maxRoots {
		return nil, fmt.Errorf("keyring: %s holds %d keys, which is the limit", path, maxRoots)
	}
	fresh := newRoot(time.Now())
	r := &Ring{roots: append(append([]root(nil), old.roots...), fresh), active: fresh.id, stable: old.stable}
	tmp, err := writeFresh(path, r)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return nil, fmt.Errorf("keyring: %w", err)
	}
	return r, syncFolder(path)
}

func newRoot(now time.Time) root {
	var id [8]byte
	k := root{made: now.UTC().Truncate(time.Second)}
	rand.Read(id[:])
	rand.Read(k.secret[:])
	k.id = "k" + hex.EncodeToString(id[:])
	return k
}

// writeFresh writes r beside path, synced, and returns the file's name.
func writeFresh(path string, r *Ring) (name string, err error) {
	d := file{Version: 1, Active: r.active, Stable: r.stable}
	for _, k := range r.roots {
		d.Keys = append(d.Keys, fileKey{ID: k.id, Made: k.made.Format(time.RFC3339), Secret: base64.StdEncoding.EncodeToString(k.secret[:])})
	}
	b, err := yaml.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("keyring: the ring cannot be written: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".keyring-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("keyring: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("keyring: %w", cerr)
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(b); err != nil {
		return "", fmt.Errorf("keyring: %w", err)
	}
	if err := f.Sync(); err != nil {
		return "", fmt.Errorf("keyring: %w", err)
	}
	return f.Name(), nil
}

func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there
		return nil
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("keyring: %w", err)
	}
	return nil
}

// parse reads the document. Errors begin with the line, where one is known.
func parse(b []byte) (*Ring, error) {
	var d file
	if err := yaml.UnmarshalWithOptions(b, &d, yaml.Strict()); err != nil {
		return nil, unquoted(err)
	}
	if d.Version != 1 {
		return nil, fmt.Errorf(" version is %d; this program reads 1", d.Version)
	}
	if len(d.Keys) == 0 || len(d.Keys) > maxRoots {
		return nil, fmt.Errorf(" %d keys; there are 1 to %d", len(d.Keys), maxRoots)
	}
	r := &Ring{active: d.Active, stable: d.Stable}
	var active, stable bool
	seen := map[string]bool{}
	secrets := map[[KeySize]byte]bool{}
	for i, k := range d.Keys {
		if !validID(k.ID) {
			return nil, fmt.Errorf(" keys[%d].id: 1 to %d of a-z 0-9 -", i, maxID)
		}
		if seen[k.ID] {
			return nil, fmt.Errorf(" keys[%d].id %s occurs twice", i, k.ID)
		}
		seen[k.ID] = true
		made, err := time.Parse(time.RFC3339, k.Made)
		if err != nil {
			return nil, fmt.Errorf(" keys[%d].made is not a time like 2026-03-01T09:00:00Z", i)
		}
		secret, err := base64.StdEncoding.Strict().DecodeString(k.Secret)
		if err != nil || len(secret) != KeySize {
			return nil, fmt.Errorf(" keys[%d].secret is not the base64 of %d bytes", i, KeySize)
		}
		if secrets[[KeySize]byte(secret)] {
			return nil, fmt.Errorf(" keys[%d].secret is that of another key", i)
		}
		secrets[[KeySize]byte(secret)] = true
		if [KeySize]byte(secret) == ([KeySize]byte{}) {
			return nil, fmt.Errorf(" keys[%d].secret is all zero", i)
		}
		r.roots = append(r.roots, root{id: k.ID, made: made, secret: [KeySize]byte(secret)})
		active = active || k.ID == d.Active
		stable = stable || k.ID == d.Stable
	}
	if !active || !stable {
		return nil, errors.New(" active and stable must each be the id of one of the keys")
	}
	return r, nil
}

func validID(s string) bool {
	if len(s) < 1 || len(s) > maxID {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

var secretive = regexp.MustCompile(`[A-Za-z0-9+/=_-]{20,}`)

// unquoted keeps place and kind of a YAML error and drops the excerpt of the file
// that the library adds, which would put secrets into logs.
func unquoted(err error) error {
	line, msg := 1, "this is not the YAML or JSON of a keyring"
	var ye yaml.Error
	if errors.As(err, &ye) {
		if t := ye.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
		msg, _, _ = strings.Cut(ye.GetMessage(), "\n")
		msg = secretive.ReplaceAllString(msg, "…")
	}
	return fmt.Errorf("%d: %s", line, msg)
}
