package fhir

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Resource is a FHIR resource as it was received: its key, its version and its
// bytes with an index over them. It is immutable and safe for concurrent use.
//
// It prints as "Goal/17@3" under every verb, in slog and when marshalled, so a
// body cannot reach a log by accident: it leaves only by [Resource.Body] and
// the Nodes of [Resource.Root].
type Resource struct {
	Key
	// Version is meta.versionId as a number, 0 before the store assigned one.
	Version int64
	// Updated is meta.lastUpdated, zero before the store assigned one.
	Updated time.Time
	d       *document
}

// Parse reads one resource from the wire. It is strict about JSON (duplicate
// members, invalid UTF-8, lone surrogates, depth over [MaxDepth], trailing
// documents: [Structure] errors with a position) and about resourceType and id;
// everything else is fhir/validate's business. The id may be absent (a create).
// The caller must not change b afterwards.
func Parse(b []byte) (Resource, error) {
	d, err := parse(b)
	if err != nil {
		return Resource{}, err
	}
	return resourceOf(d)
}

// ResourceOf reads a resource that stands inside another document: a Bundle
// entry, a contained resource. The bytes are copied so that the parent can go.
func ResourceOf(n Node) (Resource, error) {
	return Parse(append([]byte(nil), n.Raw()...))
}

func resourceOf(d *document) (Resource, error) {
	root := Node{d: d}
	if root.Kind() != Obj {
		return Resource{}, &Error{Code: Structure, Detail: "a resource is a JSON object"}
	}
	t := root.Get("resourceType")
	if t.Kind() != Str || !ValidType(t.Text()) {
		return Resource{}, &Error{Code: Structure, Detail: "resourceType is missing or is not the name of a resource type", At: []string{"resourceType"}}
	}
	r := Resource{Key: Key{Type: t.Text()}, d: d}
	if id := root.Get("id"); id.Exists() {
		if id.Kind() != Str || !ValidID(id.Text()) {
			return Resource{}, &Error{Code: Value, Detail: "id must be 1 to 64 characters of A-Z, a-z, 0-9, '-' and '.'", At: []string{r.Type + ".id"}}
		}
		r.ID = id.Text()
	}
	meta := root.Get("meta")
	if v, err := strconv.ParseInt(meta.Get("versionId").Text(), 10, 64); err == nil && v > 0 {
		r.Version = v
	}
	if at, err := time.Parse(time.RFC3339Nano, meta.Get("lastUpdated").Text()); err == nil {
		r.Updated = at
	}
	return r, nil
}

// IsZero reports whether there is no resource.
func (r Resource) IsZero() bool { return r.d == nil }

// Body returns the JSON. The caller must not change it.
func (r Resource) Body() []byte {
	if r.d == nil {
		return nil
	}
	return r.d.body
}

// Root returns the document's root for reading.
func (r Resource) Root() Node {
	if r.d == nil {
		return Node{}
	}
	return Node{d: r.d}
}

// String returns "Goal/17@3"; without a version "Goal/17".
func (r Resource) String() string {
	if r.Version == 0 {
		return r.Key.String()
	}
	return r.Key.String() + "@" + strconv.FormatInt(r.Version, 10)
}

// Format prints String for every verb.
func (r Resource) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// LogValue logs String.
func (r Resource) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText gives String, so that encoders cannot reach the body either.
func (r Resource) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Reference returns the Reference element {"reference": "Type/id"}.
func (k Key) Reference() *Object { return NewObject().Set("reference", k.String()) }
