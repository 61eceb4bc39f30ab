package exchange

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// rootOf is what a fullUrl has before Type/id, "" if it is no such URL: then relative
// references are meant at the receiver's, as in a transaction.
func rootOf(fullURL string, k fhir.Key) string {
	root, ok := strings.CutSuffix(fullURL, k.String())
	if !ok || !strings.HasPrefix(root, "http") {
		return ""
	}
	return root
}

// lost finds the references of a resource to what is left out, or was never part of
// the message, and says what becomes of them: nobody here could follow them, and one of
// the same id here would be somebody else's.
func (m *letter) lost(n fhir.Node, root string, to []fhir.Edit) []fhir.Edit {
	switch n.Kind() {
	case fhir.Arr:
		for e := range n.Elements() {
			to = m.lost(e, root, to)
		}
	case fhir.Obj:
		ref := n.Get("reference")
		if ref.Kind() != fhir.Str {
			for _, e := range n.Members() {
				to = m.lost(e, root, to)
			}
			return to
		}
		s := ref.Text()
		k, relative := fhir.ParseKey(s)
		if strings.HasPrefix(s, "#") || strings.Contains(s, "?") || relative && root == "" {
			return to
		}
		whole := s
		if relative {
			whole = root + s
		}
		if slices.ContainsFunc(m.rs, func(c carriedIn) bool { return c.fullURL == whole }) {
			if whole != s {
				to = append(to, fhir.Replace(ref, fhir.AppendQuote(nil, whole)))
			}
			return to
		}
		typ := m.left[whole]
		if relative {
			typ = k.Type
		}
		return append(to, fhir.Replace(n, masked(typ, n).JSON()))
	}
	return to
}

// placed is how a refusal of a transaction names an entry.
var placed = regexp.MustCompile(`(Bundle\.entry\[|"Entry )(\d+)`)

// places makes of the entries of the transaction, which a refusal names, those of the
// message.
func (m *letter) places(outcome []byte) []byte {
	return placed.ReplaceAllFunc(outcome, func(b []byte) []byte {
		found := placed.FindSubmatch(b)
		i, err := strconv.Atoi(string(found[2]))
		if err != nil || i >= len(m.rs) {
			return b
		}
		return strconv.AppendInt(slices.Clone(found[1]), int64(m.rs[i].place), 10)
	})
}

// answer is the message that says what became of another one: which Task it is here,
// and what was left out.
//
// Source: https://hl7.org/fhir/R4/messageheader-definitions.html#MessageHeader.response
func (b Inbox) answer(m *letter, done fhir.Resource) (fhir.Resource, error) {
	id, outcome := uuid("answer "+m.from+" "+m.id), uuid("outcome "+m.from+" "+m.id)
	issue := func(severity, code, says string) *fhir.Object {
		return fhir.NewObject().Set("severity", severity).Set("code", code).Set("diagnostics", says)
	}
	issues := []*fhir.Object{issue("information", "informational", "The referral is stored.")}
	var types []string
	for _, typ := range m.left {
		types = append(types, typ)
	}
	slices.Sort(types)
	for _, typ := range slices.Compact(types) {
		if _, known := spec.R4().Type(typ); known { // a word of the specification, not the sender's
			issues = append(issues, issue("warning", "not-supported", "Resources of the type "+typ+" are not kept here."))
		}
	}
	header := fhir.NewResource(fhir.Key{Type: "MessageHeader", ID: id}).
		Set("eventCoding", fhir.Coding(eventSystem, eventCode, eventDisplay)).
		Set("destination", []*fhir.Object{fhir.NewObject().Set("endpoint", m.header.At("source", "endpoint"))}).
		Set("source", fhir.NewObject().Set("name", "Rapport").Set("endpoint", b.Base)).
		Set("response", fhir.NewObject().
			Set("identifier", m.id).
			Set("code", "ok").
			Set("details", fhir.NewObject().Set("reference", "urn:uuid:"+outcome)))
	entries := []*fhir.Object{nil,
		fhir.NewObject().Set("fullUrl", "urn:uuid:"+outcome).Set("resource",
			fhir.NewResource(fhir.Key{Type: "OperationOutcome", ID: outcome}).Set("issue", issues))}
	for e := range done.Root().Get("entry").Elements() {
		// The Task as the sender may read it here: by its id it finds it again.
		if r := e.Get("resource"); r.Get("resourceType").Text() == "Task" {
			url := b.Base + "/Task/" + r.Get("id").Text()
			header.Set("focus", []*fhir.Object{fhir.NewObject().Set("reference", url)})
			entries = append(entries, fhir.NewObject().Set("fullUrl", url).Set("resource", r))
			break
		}
	}
	entries[0] = fhir.NewObject().Set("fullUrl", "urn:uuid:"+id).Set("resource", header)
	return fhir.NewResource(fhir.Key{Type: "Bundle"}).
		Set("identifier", fhir.NewObject().Set("system", "urn:ietf:rfc:3986").Set("value", "urn:uuid:"+id)).
		Set("type", "message").
		Set("timestamp", b.Clock()).
		Set("entry", entries).Resource()
}
