package web

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"rapport/fhir/rest"
)

func TestARecordWithAnIdempotencyKeyIsKeptOnce(t *testing.T) {
	o := newOffice(t).settle()
	send := func(kinds, body, key string) reply {
		t.Helper()
		return o.send(http.MethodPost, "/practice/"+kinds, body, "Idempotency-Key", key)
	}
	sent := phq9("r1", "2026-02-02T11:00:00+01:00", "1111111111")
	first := send("responses", sent, "k1")
	if first.StatusCode != http.StatusCreated || first.Header.Get(rest.Replayed) != "" {
		t.Fatalf("%d %s", first.StatusCode, first.body)
	}
	before := o.count()
	again := send("responses", sent, "k1")
	if again.StatusCode != http.StatusCreated || again.Header.Get(rest.Replayed) != "true" || again.Header.Get("Location") != first.Header.Get("Location") || !bytes.Equal(again.body, first.body) {
		t.Errorf("sent again: %d %v\n%s\nbefore:\n%s", again.StatusCode, again.Header, again.body, first.body)
	}
	corrected := strings.Replace(sent, `"1":1`, `"1":3`, 1)
	if code := o.code(send("responses", corrected, "k1"), http.StatusUnprocessableEntity); code != "business-rule" {
		t.Errorf("another body: %s", code)
	}
	o.outcome(send("sessions", session, "k1"), http.StatusUnprocessableEntity)
	o.outcome(send("responses", sent, "two words"), http.StatusBadRequest)
	if o.count() != before {
		t.Errorf("%d versions more", o.count()-before)
	}

	// A retry that comes late undoes no correction.
	o.post("responses", corrected)
	before = o.count()
	late := send("responses", sent, "k1")
	if late.StatusCode != http.StatusCreated || late.Header.Get(rest.Replayed) != "true" || bytes.Contains(late.body, []byte(`"feedback"`)) || o.count() != before {
		t.Errorf("late: %d, %d versions more: %s", late.StatusCode, o.count()-before, late.body)
	}

	// What the caller no longer sees is not told from a memory.
	o.hides[o.of("QuestionnaireResponse")[0].Key] = true
	o.outcome(send("responses", sent, "k1"), http.StatusNotFound)
}

func TestARecordThatWasRefusedOrTriedLeavesItsIdempotencyKeyFree(t *testing.T) {
	o := newOffice(t).settle()
	if r := o.send(http.MethodPost, "/practice/sessions?dryRun=true", session, "Idempotency-Key", "k"); r.StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	wrong := strings.Replace(session, `"c1"`, `"nobody"`, 1)
	o.outcome(o.send(http.MethodPost, "/practice/sessions", wrong, "Idempotency-Key", "k"), http.StatusUnprocessableEntity)
	if r := o.send(http.MethodPost, "/practice/sessions", session, "Idempotency-Key", "k"); r.StatusCode != http.StatusCreated || r.Header.Get(rest.Replayed) != "" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestWhereAnIdempotencyKeyIsNotHeededItIsRefused(t *testing.T) {
	o := newOffice(t).settle()
	before := o.count()
	for name, c := range map[string]struct{ kinds, body, mediaType string }{
		"an array":       {"sessions", `[` + session + `]`, "application/json"},
		"lines":          {"sessions", session + "\n", ndjson[0]},
		"a process note": {"process-notes", `{"key":"n","client":"c1","text":"x"}`, "application/json"},
	} {
		r := o.send(http.MethodPost, "/practice/"+c.kinds, c.body, "Idempotency-Key", "k", "Content-Type", c.mediaType)
		if code := o.code(r, http.StatusBadRequest); code != "not-supported" {
			t.Errorf("%s: %s", name, code)
		}
	}
	if o.count() != before {
		t.Error("something of it was stored")
	}
}

// A client sees no Task that their answers gave rise to, and a therapist does.
func TestWhatIsToldAgainIsWhatItsCallerMaySee(t *testing.T) {
	c := newClinic(t)
	own := strings.Replace(phq9("own", "2026-02-02T10:40:00+01:00", "1111111130"), `,"therapist":"t1"`, "", 1)
	for who, body := range map[string]string{"ida": own, "mira": phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130")} {
		send := func() reply {
			return c.send(http.MethodPost, "/practice/responses", body, "Authorization", "Bearer "+who, "Idempotency-Key", "k")
		}
		first, before := send(), c.versions()
		again := send()
		if first.StatusCode != http.StatusCreated || again.StatusCode != http.StatusCreated || again.Header.Get(rest.Replayed) != "true" || c.versions() != before {
			t.Errorf("%s: %d %s\nagain: %d %s", who, first.StatusCode, first.body, again.StatusCode, again.body)
		}
		for _, res := range decode[told](t, again).Resources {
			if r := c.send(http.MethodGet, "/fhir/"+res.Reference, "", "Authorization", "Bearer "+who); r.StatusCode == http.StatusNotFound {
				t.Errorf("%s is told of %s and does not see it", who, res.Reference)
			}
		}
	}
}
