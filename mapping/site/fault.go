package site

import (
	"fmt"
	"sort"
	"strings"
)

// Fault is one thing wrong in a site file, and where.
type Fault struct {
	File string
	Line int // from 1
	Col  int // from 1, in characters
	Msg  string
}

// String returns "file:line:col: what".
func (f Fault) String() string { return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Msg) }

// Faults is every fault that was found in a site file, never empty, in the
// order of the file. It quotes the site file, which holds no one's record.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// maxFaults is how many faults are told at once: more help nobody.
const maxFaults = 50

// faults gathers while a file is compiled, so that one run names all.
type faults struct{ list Faults }

func (fs *faults) add(n *node, format string, args ...any) {
	fs.at(n.file, n.line, n.col, format, args...)
}

func (fs *faults) at(file string, line, col int, format string, args ...any) {
	if len(fs.list) < maxFaults {
		fs.list = append(fs.list, Fault{File: file, Line: line, Col: col, Msg: fmt.Sprintf(format, args...)})
	}
}

// err returns what was gathered, or nil.
func (fs *faults) err() error {
	if len(fs.list) == 0 {
		return nil
	}
	sort.SliceStable(fs.list, func(i, j int) bool {
		a, b := fs.list[i], fs.list[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
	return fs.list
}

// didYouMean returns " (did you mean x?)" for the nearest of known, or "".
func didYouMean(got string, known []string) string {
	best, at := "", 1+len(got)/3
	for _, k := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(k), at); d <= at && (best == "" || d < at || k < best) {
			best, at = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance is the Levenshtein distance, or anything above limit once it is.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}
