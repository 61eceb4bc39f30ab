package source

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"rapport/fhir"
	"rapport/mapping/intake"
	"rapport/mapping/site"
)

// archive is a zip of CSV files.
type archive struct {
	name    string
	file    *os.File
	entries map[string]*zip.File
	tables  []string
	skipped []string
	digest  string
}

func openZip(p string) (intake.Source, error) {
	file, err := os.Open(p)
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: filepath.Base(p) + ": cannot be read", Err: err}
	}
	a := &archive{name: filepath.Base(p), file: file, entries: map[string]*zip.File{}}
	if err := a.index(); err != nil {
		file.Close()
		return nil, err
	}
	return a, nil
}

func (a *archive) index() error {
	h := sha256.New()
	size, err := io.Copy(h, a.file)
	if err != nil {
		return &fhir.Error{Code: fhir.Invalid, Detail: a.name + ": cannot be read to its end", Err: err}
	}
	a.digest = hex.EncodeToString(h.Sum(nil))
	zr, err := zip.NewReader(a.file, size)
	if err != nil {
		return &fhir.Error{Code: fhir.Structure, Detail: a.name + ": is not a whole zip file", Err: err}
	}
	if len(zr.File) > maxEntries {
		return &fhir.Error{Code: fhir.TooLong, Detail: fmt.Sprintf("%s: more than %d entries", a.name, maxEntries)}
	}
	folded := map[string]bool{}
	for _, e := range zr.File {
		if e.FileInfo().IsDir() {
			continue
		}
		t, ok := tableName(e.Name)
		if !ok {
			a.skipped = append(a.skipped, filepath.Base(e.Name))
			continue
		}
		if e.Flags&1 != 0 {
			return &fhir.Error{Code: fhir.NotSupported, Detail: t + ": is encrypted; unpack the zip with its password and pack it without"}
		}
		if e.UncompressedSize64 > room(e) {
			return &fhir.Error{Code: fhir.TooLong, Detail: t + ": unpacks to more than is allowed; split the upload. Nothing was read"}
		}
		if fold := strings.ToLower(t); folded[fold] {
			return &fhir.Error{Code: fhir.Invalid, Detail: fmt.Sprintf("%s: holds %s twice; which one is meant cannot be told", a.name, t)}
		} else {
			folded[fold] = true
		}
		a.entries[t] = e
		a.tables = append(a.tables, t)
	}
	if len(a.tables) == 0 {
		return &fhir.Error{Code: fhir.Invalid, Detail: a.name + ": there is no .csv file in it"}
	}
	sort.Strings(a.tables)
	return nil
}

func (a *archive) Name() string      { return a.name }
func (a *archive) Tables() []string  { return a.tables }
func (a *archive) Skipped() []string { return a.skipped }
func (a *archive) Digest() string    { return a.digest }
func (a *archive) Close() error      { return a.file.Close() }

func (a *archive) Open(_ context.Context, table string, form site.Format) (intake.Rows, error) {
	e := a.entries[table]
	if e == nil {
		return nil, &fhir.Error{Code: fhir.NotFound, Detail: table + ": is not in " + a.name}
	}
	rc, err := e.Open()
	if err != nil {
		return nil, unreadable(table, err)
	}
	// What the header of an entry says of its size is the sender's word: count, and
	// take no byte beyond it.
	return newRows(table, &bounded{r: rc, left: int64(e.UncompressedSize64) + 1, name: table}, rc, form)
}

// room is how many bytes an entry may unpack to.
func room(e *zip.File) uint64 {
	return min(maxTable, max(freeRatio, min(e.CompressedSize64, maxTable)*maxRatio))
}
