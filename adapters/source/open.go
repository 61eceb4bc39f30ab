package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"rapport/fhir"
	"rapport/mapping/intake"
)

// Limits that keep an import from taking the machine with it.
const (
	maxEntries = 1000    // of a zip or folder
	maxTable   = 2 << 30 // bytes of one table, unpacked
	freeRatio  = 16 << 20
	maxRatio   = 250 // unpacked to packed, past freeRatio
	maxRow     = 1 << 20
	maxLines   = 1000 // of one row: a quoted field may hold line ends
	maxColumns = 2000
)

// Open reads the folder, zip, workbook or CSV file at p. Errors are [fhir.Error]s that name
// what is wrong with it and no content. The caller closes the source.
func Open(p string) (intake.Source, error) {
	info, err := os.Stat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &fhir.Error{Code: fhir.NotFound, Detail: fmt.Sprintf("%s: there is no such file or folder", filepath.Base(p)), Err: err}
	case err != nil:
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: fmt.Sprintf("%s: cannot be read", filepath.Base(p)), Err: err}
	case info.IsDir():
		return openFolder(p)
	case !info.Mode().IsRegular():
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: fmt.Sprintf("%s: is neither a file nor a folder", filepath.Base(p))}
	}
	switch strings.ToLower(filepath.Ext(p)) {
	case ".zip":
		return openZip(p)
	case ".xlsx":
		return openWorkbook(p)
	case ".csv", ".txt", ".tsv":
		return openFile(p)
	}
	return nil, &fhir.Error{Code: fhir.NotSupported, Detail: fmt.Sprintf("%s: give a folder of CSV files, a .zip of them, an .xlsx workbook or one .csv file", filepath.Base(p))}
}

// tableName is the name of the table that an entry holds, ok only for CSV files.
// Hidden files and the side files of a Mac are nobody's table.
func tableName(entry string) (string, bool) {
	base := path.Base(strings.ReplaceAll(entry, `\`, "/"))
	if strings.HasPrefix(base, ".") || strings.HasPrefix(entry, "__MACOSX/") || !strings.EqualFold(path.Ext(base), ".csv") {
		return "", false
	}
	return base, true
}

// bounded reads at most limit bytes and then fails instead of pretending an end.
type bounded struct {
	r    io.Reader
	left int64
	name string
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &fhir.Error{Code: fhir.TooLong, Detail: b.name + ": unpacks to more than is allowed; split the upload"}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
