// Package testdata holds files: those that the demo reads are embedded, the others
// are read by tests.
package testdata

import (
	"embed"
	"io/fs"
)

//go:embed practice/*.csv
var files embed.FS

// Practice returns the tables of the invented practice; see practice/README.md.
func Practice() fs.FS {
	sub, err := fs.Sub(files, "practice")
	if err != nil { // a constant path
		panic(err)
	}
	return sub
}
