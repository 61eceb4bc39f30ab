package source

import (
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

// folder is a directory of CSV files, or a single one.
type folder struct {
	name    string
	root    *os.Root // no name leads out of it, not through a link either
	tables  []string
	skipped []string
	digest  string
}

func openFolder(p string) (intake.Source, error) {
	root, err := os.OpenRoot(p)
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: filepath.Base(p) + ": the folder cannot be read", Err: err}
	}
	f := &folder{name: filepath.Base(p), root: root}
	entries, err := os.ReadDir(p)
	if err != nil {
		root.Close()
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: f.name + ": the folder cannot be read", Err: err}
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if _, ok := tableName(e.Name()); !ok {
			f.skipped = append(f.skipped, e.Name())
			continue
		}
		f.tables = append(f.tables, e.Name())
	}
	if err := f.ready(); err != nil {
		root.Close()
		return nil, err
	}
	return f, nil
}

func openFile(p string) (intake.Source, error) {
	root, err := os.OpenRoot(filepath.Dir(p))
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: filepath.Base(p) + ": cannot be read", Err: err}
	}
	f := &folder{name: filepath.Base(p), root: root, tables: []string{filepath.Base(p)}}
	if err := f.ready(); err != nil {
		root.Close()
		return nil, err
	}
	return f, nil
}

// ready refuses what is too much or empty and fixes what was handed over.
func (f *folder) ready() error {
	switch {
	case len(f.tables) == 0:
		return &fhir.Error{Code: fhir.Invalid, Detail: f.name + ": there is no .csv file in it"}
	case len(f.tables) > maxEntries:
		return &fhir.Error{Code: fhir.TooLong, Detail: fmt.Sprintf("%s: more than %d files", f.name, maxEntries)}
	}
	sort.Strings(f.tables)
	h := sha256.New()
	for _, t := range f.tables {
		file, err := f.root.Open(t)
		if err != nil {
			return &fhir.Error{Code: fhir.Invalid, Detail: t + ": cannot be read", Err: err}
		}
		one := sha256.New()
		_, err = io.Copy(one, &bounded{r: file, left: maxTable, name: t})
		file.Close()
		if err != nil {
			return unreadable(t, err)
		}
		if len(f.tables) == 1 && f.tables[0] == f.name {
			h = one
			break
		}
		fmt.Fprintf(h, "%s\x00%x\n", t, one.Sum(nil))
	}
	f.digest = hex.EncodeToString(h.Sum(nil))
	return nil
}

func (f *folder) Name() string      { return f.name }
func (f *folder) Tables() []string  { return f.tables }
func (f *folder) Skipped() []string { return f.skipped }
func (f *folder) Digest() string    { return f.digest }
func (f *folder) Close() error      { return f.root.Close() }

func (f *folder) Open(_ context.Context, table string, form site.Format) (intake.Rows, error) {
	file, err := f.root.Open(table)
	if err != nil {
		return nil, unreadable(table, err)
	}
	return newRows(table, &bounded{r: file, left: maxTable, name: table}, file, form)
}

// unreadable keeps our own errors and hides the system's, which name paths.
func unreadable(table string, err error) error {
	if len(fhir.IssuesOf(err)) == 1 && !fhir.Is(err, fhir.Exception) {
		return err
	}
	return &fhir.Error{Code: fhir.Invalid, Detail: strings.TrimSpace(table + ": cannot be read to its end"), Err: err}
}
