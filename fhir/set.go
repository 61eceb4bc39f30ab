package fhir

import "time"

// Head is what is known of a resource's current version without its body.
type Head struct {
	Key
	Version int64
	Updated time.Time
	Deleted bool // the version is a tombstone: it has no body
}

// Mode says why an entry is in a [Set].
type Mode uint8

// The modes of Bundle.entry.search.mode; Past is for histories.
const (
	Match Mode = iota
	Included
	Past
)

// Entry is one resource of a [Set]. In a history a tombstone has a Head and no
// Resource.
type Entry struct {
	Head
	Mode     Mode
	Resource Resource
}

// Set is a page of results: matches in their order, then what was included, or
// versions, newest first.
type Set struct {
	Entries []Entry
	Total   *int   // how many match and are visible; nil: not asked for
	Next    string // opaque, sealed for its receiver; "" on the last page
}
