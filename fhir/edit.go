package fhir

import (
	"bytes"
	"slices"
	"strconv"
	"time"
)

// Edit replaces, removes or adds spans of a document and leaves every other
// byte as it was. Edits refer to the original; they must not overlap.
type Edit struct {
	start, end int
	with       []byte
}

// Replace puts JSON in the place of n.
func Replace(n Node, with []byte) Edit {
	_, s, e := n.Span()
	return Edit{start: s, end: e, with: with}
}

// Add appends members to the object n; members is `"a":1,"b":2`.
func Add(n Node, members []byte) Edit {
	_, _, e := n.Span()
	if n.Len() > 0 {
		members = append([]byte{','}, members...)
	}
	return Edit{start: e - 1, end: e - 1, with: members}
}

// Apply makes the edited document. The result is parsed strictly again.
func (r Resource) Apply(edits ...Edit) (Resource, error) {
	out, err := Splice(r.Body(), edits...)
	if err != nil {
		return Resource{}, err
	}
	return Parse(out)
}

// Splice applies edits to the bytes b that their nodes came from.
func Splice(b []byte, edits ...Edit) ([]byte, error) {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int { return a.start - b.start })
	var out bytes.Buffer
	out.Grow(len(b) + 128)
	pos := 0
	for _, e := range edits {
		if e.start < pos {
			return nil, &Error{Code: Exception, Detail: "edits overlap"}
		}
		out.Write(b[pos:e.start])
		out.Write(e.with)
		pos = e.end
	}
	out.Write(b[pos:])
	return out.Bytes(), nil
}

// Instant formats t as a FHIR instant in UTC with microseconds.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// Stamp returns r with the id, version and time that the server owns, every
// other byte unchanged. Members that were there are replaced in place; missing
// ones are added: id behind resourceType's object end, meta likewise.
func (r Resource) Stamp(id string, version int64, updated time.Time) (Resource, error) {
	root := r.Root()
	var edits []Edit
	quoted := func(s string) []byte { return AppendQuote(nil, s) }
	var add []byte
	member := func(to []byte, name string, value []byte) []byte {
		if len(to) > 0 {
			to = append(to, ',')
		}
		to = append(AppendQuote(to, name), ':')
		return append(to, value...)
	}
	if n := root.Get("id"); n.Exists() {
		if n.Text() != id {
			edits = append(edits, Replace(n, quoted(id)))
		}
	} else {
		add = member(add, "id", quoted(id))
	}
	vid, at := quoted(strconv.FormatInt(version, 10)), quoted(Instant(updated))
	if meta := root.Get("meta"); meta.Kind() == Obj {
		var more []byte
		for _, m := range []struct {
			name  string
			value []byte
		}{{"versionId", vid}, {"lastUpdated", at}} {
			if n := meta.Get(m.name); n.Exists() {
				edits = append(edits, Replace(n, m.value))
			} else {
				more = member(more, m.name, m.value)
			}
		}
		if len(more) > 0 {
			edits = append(edits, Add(meta, more))
		}
	} else {
		m := member(nil, "versionId", vid)
		m = member(m, "lastUpdated", at)
		add = member(add, "meta", append(append([]byte{'{'}, m...), '}'))
	}
	if len(add) > 0 {
		edits = append(edits, Add(root, add))
	}
	return r.Apply(edits...)
}

// SameContent reports whether two resources say the same apart from what the
// server owns: meta.versionId, meta.lastUpdated. An import of the same file
// twice is recognised by it.
func SameContent(a, b Resource) bool {
	x, y := a.Root(), b.Root()
	seen := 0
	for name, v := range x.Members() {
		w := y.Get(name)
		if name == "meta" {
			if !sameMeta(v, w) {
				return false
			}
			continue
		}
		seen++
		if !w.Exists() || !v.Same(w) {
			return false
		}
	}
	for name, w := range y.Members() {
		if name == "meta" {
			if !x.Get("meta").Exists() && !sameMeta(Node{}, w) {
				return false
			}
			continue
		}
		seen--
	}
	return seen == 0
}

func sameMeta(a, b Node) bool {
	owned := func(name string) bool { return name == "versionId" || name == "lastUpdated" }
	n := 0
	for name, v := range a.Members() {
		if owned(name) {
			continue
		}
		n++
		if w := b.Get(name); !w.Exists() || !v.Same(w) {
			return false
		}
	}
	for name := range b.Members() {
		if !owned(name) {
			n--
		}
	}
	return n == 0
}
