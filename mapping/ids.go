package mapping

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/gofrs/uuid/v5"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// ID returns the id of what a business key names: the same for ever, and of no
// use to anybody who would test guessed record numbers against it, since it takes
// the tenant's key to make one. sub tells apart several resources of one type that
// come from one record.
//
// It is a UUID of version 8 (RFC 9562) over HMAC-SHA-256 of the parts, each
// preceded by its length, so that no two lists of parts are the same text.
func (m *Mapper) ID(typ, system, key string, sub ...string) fhir.Key {
	h := hmac.New(sha256.New, m.key[:])
	for _, part := range append([]string{typ, system, key}, sub...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	var u uuid.UUID
	copy(u[:], h.Sum(nil))
	u.SetVersion(uuid.V8)
	u.SetVariant(uuid.VariantRFC9562)
	return fhir.Key{Type: typ, ID: u.String()}
}

// types says which resource stands for a record of each kind.
var types = map[string]string{
	"organisation": "Organization", "practitioner": "Practitioner", "client": "Patient", "referral": "ServiceRequest",
	"episode": "EpisodeOfCare", "goal": "Goal", "plan": "CarePlan", "session": "Encounter", "response": "QuestionnaireResponse",
	"consent": "Consent", "exercise": "Task", "notebook-entry": "QuestionnaireResponse", "goal-rating": "Observation",
}

// apart are the kinds whose resources are of a type that an older kind has too: a
// response and a notebook entry may have the same business key. Their ids say the
// kind.
var apart = map[string]bool{"exercise": true, "notebook-entry": true, "goal-rating": true, "workshop": true, "supervision": true}

// idOf is the id of a resource of a record.
func (m *Mapper) idOf(kind, typ, system, key string, sub ...string) fhir.Key {
	if apart[kind] {
		sub = append([]string{kind}, sub...)
	}
	return m.ID(typ, system, key, sub...)
}

// KeyOf returns the resource that stands for a record: for a session the
// Encounter, for a referral the ServiceRequest. The zero Key: the kind has none, or,
// as a workshop, several.
func (m *Mapper) KeyOf(k practice.SourceKey) fhir.Key {
	typ, ok := types[k.Kind]
	if !ok {
		return fhir.Key{}
	}
	return m.idOf(k.Kind, typ, m.systemOf(k.System), k.Key)
}

// AppointmentOf returns the resource that stands for a session that has not taken place,
// or did not.
func (m *Mapper) AppointmentOf(session practice.SourceKey) fhir.Key {
	return m.idOf(session.Kind, "Appointment", m.systemOf(session.System), session.Key)
}

// NoteID returns the id of a process note, which is no resource: that of its author and
// its key, so that the author's note of this key is one and nobody else's is it.
func (m *Mapper) NoteID(author fhir.Key, k practice.SourceKey) string {
	return m.ID(k.Kind, m.systemOf(k.System), k.Key, author.String()).ID
}

func (m *Mapper) systemOf(system string) string {
	if system == "" {
		return m.system
	}
	return system
}

// IdentifierSystem returns the system of the identifiers that carry the business
// keys of a kind. Keys are unique per kind, so each kind has its own.
func IdentifierSystem(system, kind string) string {
	if strings.HasPrefix(system, "urn:") {
		return system + ":" + kind
	}
	return strings.TrimSuffix(system, "/") + "/" + kind
}

// systemIn takes the kind off an identifier's system again.
func systemIn(identifierSystem, kind string) (string, bool) {
	for _, sep := range []string{":", "/"} {
		if s, ok := strings.CutSuffix(identifierSystem, sep+kind); ok && s != "" {
			return s, true
		}
	}
	return "", false
}
