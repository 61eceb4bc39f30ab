package search

import (
	"strings"

	"rapport/fhir"
	"rapport/fhir/path"
)

// refers tells what a reference or a reference value names: a resource of ours by
// key, or a URL as written, without fragment. Neither: a contained resource, or
// nothing that is understood. A version that is named besides is left out: what
// names a version names the resource.
func (e *Engine) refers(s string) (k fhir.Key, url string) {
	for _, b := range e.bases {
		if own, ok := strings.CutPrefix(s, b); ok {
			if k := e.key(own); !k.IsZero() {
				return k, ""
			}
		}
	}
	if k := e.key(s); !k.IsZero() {
		return k, ""
	}
	s, _, _ = strings.Cut(s, "#")
	if !absolute(s) || len(s) > longest {
		return fhir.Key{}, ""
	}
	return fhir.Key{}, s
}

// key reads "Type/id" or "Type/id/_history/version" of a type that exists.
func (e *Engine) key(s string) fhir.Key {
	if i := strings.Index(s, "/_history/"); i >= 0 && fhir.ValidID(s[i+len("/_history/"):]) {
		s = s[:i]
	}
	k, ok := fhir.ParseKey(s)
	if !ok {
		return fhir.Key{}
	}
	if _, ok := e.stubs[k.Type]; !ok {
		return fhir.Key{}
	}
	return k
}

// absolute reports whether s begins with a URI scheme.
func absolute(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || rest == "" {
		return false
	}
	for i := 0; i < len(scheme); i++ {
		c := scheme[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || (scheme[i] < '0' || scheme[i] > '9') && scheme[i] != '+' && scheme[i] != '-' && scheme[i] != '.') {
			return false
		}
	}
	return true
}

// stub answers resolve() for expressions that ask no more than the type: that of a
// literal reference, which its last two segments tell.
func (e *Engine) stub(ref string) (path.Item, bool) {
	if i := strings.Index(ref, "/_history/"); i >= 0 {
		ref = ref[:i]
	}
	id := strings.LastIndexByte(ref, '/')
	if id < 0 {
		return path.Item{}, false
	}
	it, ok := e.stubs[ref[strings.LastIndexByte(ref[:id], '/')+1:id]]
	return it, ok
}
