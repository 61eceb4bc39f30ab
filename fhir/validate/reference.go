package validate

import (
	"bytes"
	"slices"
	"strings"

	"rapport/fhir"
)

// reference judges the literal reference and the type of a Reference.
//
// Source: https://hl7.org/fhir/R4/references.html
func (w *walk) reference(n fhir.Node, f *field) {
	typ := n.Get("type").Text()
	if lit := n.Get("reference"); lit.Kind() == fhir.Str {
		named, why := w.literal(text(lit))
		switch {
		case why != "":
			w.push("reference")
			w.say(fhir.Value, "%s", why)
			w.pop()
			return
		case named != "" && typ != "" && w.v.resources[typ] && typ != named:
			w.say(fhir.Value, "type and reference name different types. Make them agree.")
			return
		case named != "":
			typ = named
		}
	}
	if f.targets != nil && w.v.resources[typ] && !slices.Contains(f.targets, typ) {
		w.say(fhir.Value, "This may refer to %s, not to %s.", strings.Join(f.targets, " | "), typ)
	}
}

// literal returns the resource type that a reference names, "" if that cannot be
// told from its text, or what is wrong with it.
func (w *walk) literal(b []byte) (typ, why string) {
	if len(b) == 0 {
		return "", "" // reported as an empty string
	}
	if b[0] == '#' {
		return w.local(string(b[1:]))
	}
	colon := bytes.IndexByte(b, ':')
	if colon > 0 && bytes.IndexByte(b[:colon], '/') < 0 {
		if bytes.HasPrefix(b, []byte("http://")) || bytes.HasPrefix(b, []byte("https://")) {
			return w.restful(string(b)), ""
		}
		if !isURI(b) {
			return "", "A urn:uuid: holds a UUID in lower case, a urn:oid: an OID, and no reference white space."
		}
		return "", ""
	}
	s := string(b)
	if t, _, ok := strings.Cut(s, "?"); ok && w.v.resources[t] {
		if w.bundled {
			return t, ""
		}
		return "", "A conditional reference is resolved in a transaction only. Refer to the resource as Type/id."
	}
	t, rest, _ := strings.Cut(s, "/")
	id, version, versioned := strings.Cut(rest, "/_history/")
	if !fhir.ValidID(id) || versioned && !fhir.ValidID(version) {
		return "", "A relative reference has the form Type/id or Type/id/_history/version."
	}
	if !w.v.resources[t] {
		return "", "What a relative reference names before '/' must be a resource type of FHIR R4."
	}
	return t, ""
}

// restful returns the type in the URL of a resource on some server, "" if the
// URL does not look like one.
func (w *walk) restful(url string) string {
	url, _, _ = strings.Cut(url, "/_history/")
	rest, id := cutLast(url)
	_, typ := cutLast(rest)
	if !w.v.resources[typ] || !fhir.ValidID(id) {
		return ""
	}
	return typ
}

func cutLast(s string) (before, last string) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

// local finds what "#id" names in the resource that contains the current one.
func (w *walk) local(id string) (typ, why string) {
	if id == "" {
		return w.container.Get("resourceType").Text(), ""
	}
	for c := range w.container.Get("contained").Elements() {
		if c.Get("id").Text() == id {
			return c.Get("resourceType").Text(), ""
		}
	}
	return "", "ref-1: there is no contained resource with this id. Contain it, or refer to a resource of its own."
}

// contained judges a resource within another.
func (w *walk) contained(n fhir.Node, as role) {
	if as == contained {
		w.say(fhir.Invariant, "dom-2: a contained resource contains none itself. Move it to the outermost resource.")
		return
	}
	if n.Kind() == fhir.Obj && n.Get("id").Kind() != fhir.Str {
		w.add(fhir.Errorf(fhir.Required, w.expression("id"), "A contained resource needs an id, so that it can be referred to."))
	}
	w.resource(n, contained)
}

// rules judges what concerns a resource as a whole.
func (w *walk) rules(n fhir.Node, as role) {
	meta := n.Get("meta")
	w.labels(meta)
	if as == contained {
		if meta.Get("versionId").Exists() || meta.Get("lastUpdated").Exists() {
			w.say(fhir.Invariant, "dom-4: a contained resource has no version of its own. Leave out meta.versionId and meta.lastUpdated.")
		}
		if meta.Get("security").Exists() {
			w.say(fhir.Invariant, "dom-5: a contained resource has no security labels of its own. Label the outer resource.")
		}
		return
	}
	ids := map[string]bool{}
	for c := range n.Get("contained").Elements() {
		if id := c.Get("id").Text(); id != "" && ids[id] {
			w.say(fhir.Invariant, "Two contained resources have the same id. Rename one, and what refers to it.")
			return
		} else if id != "" {
			ids[id] = true
		}
	}
}
