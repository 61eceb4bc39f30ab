package web

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"rapport/mapping/trajectory"
	"rapport/policy"
)

// trajectory is a client's address.
func (c *clinic) trajectory(client string) string {
	return "/practice/clients/" + c.mapper.ID("Patient", ofPractice, client).ID + "/trajectory"
}

// fared is a clinic where a client's scores went down.
func fared(t *testing.T) *clinic {
	c := newClinic(t)
	for _, r := range []string{
		phq9("r1", "2026-01-12T10:40:00+01:00", "2222222202"),
		phq9("r2", "2026-02-02T10:40:00+01:00", "2222211100"),
		phq9("r3", "2026-03-02T10:40:00+01:00", "1111000000"),
	} {
		c.as("mira", http.MethodPost, "/practice/responses", r, http.StatusCreated)
	}
	c.as("mira", http.MethodPost, "/practice/plans", `{"key":"p1","client":"c1","episode":"e1","author":"t1","status":"active","title":"Plan","summary":"First sleep.","start":"2026-01-05",`+
		`"adjustments":[{"date":"2026-02-09","reason":"Weekly again.","changed":["frequency"],"agreed":["client","therapist"]}],`+
		`"phases":[{"phase":"assessment","status":"completed","start":"2026-01-05","end":"2026-01-19"},{"phase":"acute","status":"active","start":"2026-01-19","monitoring":[{"instrument":"phq-9","every":4,"unit":"wk"},{"instrument":"alliance","every":1,"unit":"wk"}]}]}`, http.StatusCreated)
	c.as("mira", http.MethodPost, "/practice/sessions", `{"key":"s9","client":"c1","episode":"e1","practitioners":[{"practitioner":"t1"}],"status":"noshow","start":"2026-02-16T10:00:00+01:00","minutes":50}`, http.StatusCreated)
	return c
}

func TestATrajectoryIsToldAndDrawn(t *testing.T) {
	c := fared(t)
	r := c.as("mira", http.MethodGet, c.trajectory("c1"), "", http.StatusOK)
	got := decode[trajectory.Trajectory](t, r)
	if len(got.Series) != 1 || len(got.Series[0].Points) != 3 || len(got.Phases) != 2 || len(got.Adjustments) != 1 || len(got.NoShows) != 1 ||
		!strings.Contains(got.Story, "Did not come on 16 February 2026.") || !strings.Contains(got.Story, "The plan was adjusted on 9 February 2026: Weekly again.") {
		t.Errorf("%s", r.body)
	}
	r = c.as("mira", http.MethodGet, c.trajectory("c1")+".svg?instrument=phq-9", "", http.StatusOK)
	if ct, csp := r.Header.Get("Content-Type"), r.Header.Get("Content-Security-Policy"); ct != "image/svg+xml" || csp != "default-src 'none'; frame-ancestors 'none'; sandbox" || r.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%s, %s", ct, csp)
	}
	for dec := xml.NewDecoder(strings.NewReader(string(r.body))); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{`role="img"`, "<title ", "did not come", "plan adjusted", "Acute", "Weekly again."} {
		if !strings.Contains(string(r.body), s) {
			t.Errorf("the picture lacks %q", s)
		}
	}
	if s := string(r.body); strings.Contains(s, "Ott") || strings.Contains(s, "script") || strings.Contains(s, "style") {
		t.Error("the picture names somebody, or runs something")
	}
}

func TestWhatThePlanOfAPracticeAsksForIsDue(t *testing.T) {
	c := fared(t)
	got := decode[dueList](t, c.as("mira", http.MethodGet, "/practice/due?therapist=me", "", http.StatusOK))
	if len(got.Items) != 1 || got.Items[0].Instrument != "alliance" || got.Items[0].Due != "2026-01-19" || got.Items[0].Phase != "acute" {
		t.Errorf("%+v", got.Items)
	}
}

func TestAnUnknownClientAndAnInvisibleOneAreAnsweredAlike(t *testing.T) {
	c := fared(t)
	for _, ext := range []string{"", ".svg", "?instrument=phq-9"} {
		hidden := c.as("jon", http.MethodGet, c.trajectory("c1")+ext, "", http.StatusNotFound)
		unknown := c.as("jon", http.MethodGet, "/practice/clients/nobody/trajectory"+ext, "", http.StatusNotFound)
		key := c.as("mira", http.MethodGet, "/practice/clients/c1/trajectory"+ext, "", http.StatusNotFound)
		if string(hidden.body) != string(unknown.body) || string(hidden.body) != string(key.body) {
			t.Errorf("%s\n%s", hidden.body, unknown.body)
		}
		c.as("admin", http.MethodGet, c.trajectory("c1")+ext, "", http.StatusForbidden)
		c.as("admin", http.MethodGet, "/practice/clients/nobody/trajectory"+ext, "", http.StatusForbidden)
		c.as("ida", http.MethodGet, c.trajectory("c1")+ext, "", http.StatusOK)
		c.as("ida", http.MethodGet, c.trajectory("c2")+ext, "", http.StatusNotFound)
	}
	c.as("mira", http.MethodGet, c.trajectory("c1")+"?instrument=none", "", http.StatusBadRequest)
	c.as("mira", http.MethodGet, c.trajectory("c1")+"?from=2026", "", http.StatusBadRequest)
	c.outcome(c.send(http.MethodGet, c.trajectory("c1")+".svg", "", "Accept", "application/json"), http.StatusNotAcceptable)
	c.outcome(c.send(http.MethodGet, c.trajectory("c1"), "", "Accept", "image/svg+xml"), http.StatusNotAcceptable)
	if r := c.send(http.MethodGet, c.trajectory("c1")+".svg", "", "Accept", "text/html, image/*;q=0.8"); r.StatusCode != http.StatusOK {
		t.Errorf("%d", r.StatusCode)
	}
}

func TestReadingATrajectoryIsOnRecord(t *testing.T) {
	c := fared(t)
	c.record.rs = nil
	c.as("mira", http.MethodGet, c.trajectory("c1"), "", http.StatusOK)
	c.as("jon", http.MethodGet, c.trajectory("c1"), "", http.StatusNotFound)
	if len(c.record.rs) != 2 || c.record.rs[0].Outcome != policy.Success || len(c.record.rs[0].Touched) < 8 || c.record.rs[1].Decision != policy.Deny {
		t.Errorf("%+v", c.record.rs)
	}
}
