package deid

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"time"

	"rapport/fhir"
)

// Secret is what was drawn at random for a person, a practitioner, an organisation
// when a project met them first. It never leaves.
type Secret [32]byte

// Key is the key of one project. Another project has another one, so that nothing
// of the two can be joined.
type Key [32]byte

var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// mac is HMAC-SHA-256 over a purpose, a secret and a text; the purpose has no
// zero byte and the secret one length, so no two inputs are one text.
func (k Key) mac(purpose string, s Secret, text string) [32]byte {
	h := hmac.New(sha256.New, k[:])
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(s[:])
	h.Write([]byte(text))
	var out [32]byte
	h.Sum(out[:0])
	return out
}

// Pseudonym returns the id by which a project knows the holder of a secret, as a
// resource of a type: 160 bits, 32 characters.
func (k Key) Pseudonym(s Secret, typ string) string { return k.id(s, typ) }

// IDOf returns the id of a resource that belongs to the holder of a secret.
func (k Key) IDOf(s Secret, r fhir.Key) string { return k.id(s, r.Type+"/"+r.ID) }

func (k Key) id(s Secret, text string) string {
	sum := k.mac("pseudonym", s, text)
	return lower.EncodeToString(sum[:20])
}

// Epoch is the year in which everybody's course of therapy begins where dates are
// shifted: one that nobody takes for a true one, and the same for all, so that a shifted
// date tells neither the year nor the season of the true one.
const Epoch = 2100

// Shift returns by how many days a project moves the dates of a person whose baseline is
// given: whole weeks, so that intervals and weekdays stay, into one of 52 weeks of the
// [Epoch], each equally likely (2^64 is not a multiple of 52; the difference is below
// 2^-58).
func (k Key) Shift(s Secret, baseline time.Time) int {
	sum := k.mac("shift", s, "")
	week := int(binary.BigEndian.Uint64(sum[:8]) % 52)
	first := time.Date(Epoch, time.January, 1, 0, 0, 0, 0, time.UTC)
	first = first.AddDate(0, 0, int(7+baseline.Weekday()-first.Weekday())%7)
	return Days(baseline, first) + 7*week
}

// MostUntold is of how many days before a release nothing may be told; see [Horizon].
const MostUntold = 183

// Horizon returns the last day of which a release of a day tells of somebody: as if
// everybody whose therapy began in the same half of a year had begun on its last day. Else
// the last session told to a few days where the true calendar lies, and with it the day on
// which the therapy began, and so would the day by which a release told of its end. So of
// all whose half of a year is one, releases of all days together tell the same.
func Horizon(baseline, day time.Time) time.Time {
	if baseline.IsZero() {
		return day
	}
	half := time.Date(baseline.Year(), time.July, 1, 0, 0, 0, 0, time.UTC)
	if !baseline.Before(half) {
		half = half.AddDate(0, 6, 0)
	}
	return day.AddDate(0, 0, -Days(baseline, half.AddDate(0, 0, -1)))
}

// Person is what a release knows and tells of one person.
type Person struct {
	Number int // among those of the release, for whoever makes it; not told
	Secret Secret
	// Born is the year of birth, 0 unknown; it is not told. A date in it or before would
	// tell the age to whoever counts from there.
	Born int
	// Horizon is the last day that is told, at 0:00 UTC; zero: no end.
	Horizon time.Time
	// Baseline is the first day of the course of therapy, at 0:00 UTC; zero when
	// there is none.
	Baseline time.Time
	// What is told of the person, generalised for the release; "" is not told.
	Gender string // a code of administrative-gender
	Birth  string // years, "1980-1989"
	State  string // two or three capital letters
	Start  string // years of the baseline
}

// Day reads the day of a FHIR date, dateTime or instant as it stands on the wall
// calendar where it was written. A partial date has none.
func Day(date string) (time.Time, bool) {
	if len(date) < len(time.DateOnly) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.DateOnly, date[:len(time.DateOnly)])
	return t, err == nil
}

// Days counts the days from one day to another, also where a year was mistyped: a
// [time.Duration] reaches 292 years.
func Days(from, to time.Time) int { return int((to.Unix() - from.Unix()) / (24 * 60 * 60)) }
