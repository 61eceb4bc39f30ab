package intake

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"rapport/fhir"
	"rapport/mapping/site"
)

// Outcome is what became of a row or a record.
type Outcome uint8

// The outcomes. Each row and each record of a run ends with one of them.
const (
	None        Outcome = iota // not decided
	Created                    // was not there before
	Updated                    // was there and says something else now
	Unchanged                  // was there and says the same
	Quarantined                // was read and cannot be stored: waits for a person
	Rejected                   // could not be read, or is not ours to store
	Removed                    // what was told before was taken back
)

var outcomes = [...]string{"none", "created", "updated", "unchanged", "quarantined", "rejected", "removed"}

// String returns the outcome's name.
func (o Outcome) String() string { return outcomes[o] }

// Counts is how many ended how.
type Counts struct {
	Name                                               string
	Created, Updated, Unchanged, Quarantined, Rejected int
	Removed                                            int // taken back; of resources: also what a record no longer gives
}

// Total is how many there were.
func (c Counts) Total() int {
	return c.Created + c.Updated + c.Unchanged + c.Quarantined + c.Rejected + c.Removed
}

func (c *Counts) add(o Outcome, n int) {
	switch o {
	case Created:
		c.Created += n
	case Updated:
		c.Updated += n
	case Unchanged:
		c.Unchanged += n
	case Quarantined:
		c.Quarantined += n
	case Rejected:
		c.Rejected += n
	case Removed:
		c.Removed += n
	}
}

// Failure is a row that was not stored, and why. It is free of what the row says
// but for short codes.
type Failure struct {
	site.Place
	Outcome Outcome
	Reason  string
}

// String returns "file:line: outcome: why".
func (f Failure) String() string { return fmt.Sprintf("%s: %s: %s", f.Place, f.Outcome, f.Reason) }

// Lines says which rows of a file ended how.
type Lines struct {
	File    string
	Outcome Outcome
	Lines   string // "2-6, 9"
}

// spans writes lines as spans.
func spans(lines []int32) string {
	slices.Sort(lines)
	var b strings.Builder
	for i := 0; i < len(lines); {
		j := i
		for j+1 < len(lines) && lines[j+1] == lines[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(int(lines[i])))
		if j > i {
			b.WriteString("-" + strconv.Itoa(int(lines[j])))
		}
		i = j + 1
	}
	return b.String()
}

// Dangling is a reference to something that is neither in the upload nor in the
// store. Such are allowed: what they name may come with a later upload.
type Dangling struct {
	site.Place        // the row that refers
	Element    string // e.g. EpisodeOfCare.referralRequest
	Target     fhir.Key
}

// Summary is what became of a run. It holds no one's record and may be shown and
// logged: files, lines, column names, short codes and keyed ids.
type Summary struct {
	Source, Digest string // file name; SHA-256
	Mapping        string // name and version
	Began, Ended   time.Time
	Tables         []Counts   // rows, per table in the order they were read
	Kinds          []Counts   // records, per kind
	Resources      []Counts   // per type: created, updated, unchanged, removed; with what followed, such as scores
	Lines          []Lines    // of rows that were updated, unchanged or took something back
	Failures       []Failure  // in the order of files and lines, at most 10,000
	Failed         int        // how many there were
	Dangling       []Dangling // at most 10,000
	Loose          int        // how many there were
	Notes          []string   // what whoever imports should know
	Provenance     []fhir.Key // who did it and from what; none when nothing changed
}

// Complete reports whether every row was stored.
func (s Summary) Complete() bool { return s.Failed == 0 }

// Changed reports whether anything was written.
func (s Summary) Changed() bool {
	for _, r := range s.Resources {
		if r.Created+r.Updated+r.Removed > 0 {
			return true
		}
	}
	return false
}

// Kind returns the counts of a kind of record.
func (s Summary) Kind(kind string) Counts { return named(s.Kinds, kind) }

// Table returns the counts of a table's rows.
func (s Summary) Table(table string) Counts { return named(s.Tables, table) }

// Resource returns the counts of a resource type.
func (s Summary) Resource(t string) Counts { return named(s.Resources, t) }

func named(cs []Counts, name string) Counts {
	for _, c := range cs {
		if c.Name == name {
			return c
		}
	}
	return Counts{Name: name}
}

func counts(m map[string]*Counts) []Counts {
	out := make([]Counts, 0, len(m))
	for _, c := range m {
		out = append(out, *c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// String is the summary as a person reads it on a terminal.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s by %s, sha256 %.12s\n\n", s.Source, s.Mapping, s.Digest)
	s.tables(&b)
	for _, o := range []Outcome{Updated, Unchanged, Removed} {
		head := "\n" + o.String() + ":\n"
		for _, l := range s.Lines {
			if l.Outcome == o {
				fmt.Fprintf(&b, "%s  %s:%s\n", head, l.File, l.Lines)
				head = ""
			}
		}
	}
	if s.Failed > 0 {
		fmt.Fprintf(&b, "\nnot stored: %d\n", s.Failed)
		for _, f := range s.Failures {
			fmt.Fprintf(&b, "  %s\n", f)
		}
		if more := s.Failed - len(s.Failures); more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	if s.Loose > 0 {
		fmt.Fprintf(&b, "\nreferences to what is not there yet: %d\n", s.Loose)
		for _, d := range s.Dangling {
			fmt.Fprintf(&b, "  %s: %s -> %s\n", d.Place, d.Element, d.Target)
		}
		if more := s.Loose - len(s.Dangling); more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "\nnote: %s\n", n)
	}
	return b.String()
}

// tables writes the counts.
func (s Summary) tables(b *strings.Builder) {
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for i, part := range []struct {
		name string
		rows []Counts
		lost bool
	}{{"rows", s.Tables, true}, {"records", s.Kinds, true}, {"resources", s.Resources, false}} {
		if i > 0 {
			fmt.Fprintln(tw)
		}
		fmt.Fprintf(tw, "%s\tcreated\tupdated\tunchanged\tremoved", part.name)
		if part.lost {
			fmt.Fprint(tw, "\tquarantined\trejected")
		}
		fmt.Fprintln(tw)
		for _, c := range part.rows {
			fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d", c.Name, c.Created, c.Updated, c.Unchanged, c.Removed)
			if part.lost {
				fmt.Fprintf(tw, "\t%d\t%d", c.Quarantined, c.Rejected)
			}
			fmt.Fprintln(tw)
		}
	}
	_ = tw.Flush() // into memory
}
