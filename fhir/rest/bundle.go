package rest

import (
	"bytes"
	"strconv"

	"rapport/fhir"
)

// writer writes a Bundle around resources whose bytes stay as they are.
type writer struct {
	bytes.Buffer
	entries int
}

func newBundle(kind string, rt *Router) *writer {
	w := &writer{}
	w.WriteString(`{"resourceType":"Bundle","type":"` + kind + `","timestamp":"` + fhir.Instant(rt.Clock()) + `"`)
	return w
}

func (w *writer) total(n int) { w.WriteString(`,"total":` + strconv.Itoa(n)) }

func (w *writer) links(ls ...[2]string) {
	var os []*fhir.Object
	for _, l := range ls {
		if l[1] != "" {
			os = append(os, fhir.NewObject().Set("relation", l[0]).Set("url", l[1]))
		}
	}
	if len(os) > 0 {
		o := fhir.NewObject().Set("link", os).JSON()
		w.WriteByte(',')
		w.Write(o[1 : len(o)-1])
	}
}

// entry adds an entry: fullUrl, resource and further members, any may be empty.
func (w *writer) entry(fullURL string, resource []byte, more *fhir.Object) {
	if w.entries == 0 {
		w.WriteString(`,"entry":[`)
	} else {
		w.WriteByte(',')
	}
	w.entries++
	o := fhir.NewObject().Set("fullUrl", fullURL).JSON()
	o = o[:len(o)-1]
	if resource != nil {
		if len(o) > 1 {
			o = append(o, ',')
		}
		o = append(append(o, `"resource":`...), resource...)
	}
	if more.Len() > 0 {
		if len(o) > 1 {
			o = append(o, ',')
		}
		m := more.JSON()
		o = append(o, m[1:len(m)-1]...)
	}
	w.Write(append(o, '}'))
}

func (w *writer) done() []byte {
	if w.entries > 0 {
		w.WriteByte(']')
	}
	w.WriteByte('}')
	return w.Bytes()
}
