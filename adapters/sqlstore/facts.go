package sqlstore

import (
	"encoding/binary"
	"errors"
	"time"

	"rapport/fhir"
)

// Facts are kept with each version as bytes, so that reading a head needs no other
// table: the clinical time, the patients, the parties. The class is a column.

const factsFormat = 1

func appendFacts(to []byte, f fhir.Facts) []byte {
	to = append(to, factsFormat)
	if f.When.IsZero() {
		to = append(to, 0)
	} else {
		to = binary.AppendVarint(append(to, 1), fhir.Micros(f.When))
	}
	text := func(s string) {
		to = binary.AppendUvarint(to, uint64(len(s)))
		to = append(to, s...)
	}
	to = binary.AppendUvarint(to, uint64(len(f.Patients)))
	for _, k := range f.Patients {
		text(k.Type)
		text(k.ID)
	}
	to = binary.AppendUvarint(to, uint64(len(f.Parties)))
	for _, p := range f.Parties {
		text(string(p.Role))
		text(p.Actor.Type)
		text(p.Actor.ID)
	}
	return to
}

var errFacts = errors.New("the facts of a version cannot be read")

func readFacts(b []byte) (f fhir.Facts, err error) {
	if len(b) < 2 || b[0] != factsFormat {
		return f, errFacts
	}
	bad := false
	timed := b[1] == 1
	b = b[2:]
	if timed {
		us, n := binary.Varint(b)
		if n <= 0 {
			return f, errFacts
		}
		f.When, b = time.UnixMicro(us).UTC(), b[n:]
	}
	count := func() int {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)) {
			bad = true
			return 0
		}
		b = b[w:]
		return int(n)
	}
	text := func() string {
		n := count()
		if n > len(b) {
			bad = true
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	for range count() {
		f.Patients = append(f.Patients, fhir.Key{Type: text(), ID: text()})
		if bad {
			return f, errFacts
		}
	}
	for range count() {
		f.Parties = append(f.Parties, fhir.Named{Role: fhir.PartyRole(text()), Actor: fhir.Key{Type: text(), ID: text()}})
		if bad {
			return f, errFacts
		}
	}
	if bad {
		return f, errFacts
	}
	return f, nil
}
