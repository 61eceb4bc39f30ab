package main

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// hochschule is the researchers' client, project what they work on.
const (
	hochschule = "hochschule"
	project    = "mood-over-therapy"
)

// studies is the researchers' step: one request, and what may leave comes back as tables
// and as FHIR.
func (s *story) studies(ctx context.Context) (t tale, err error) {
	r, err := signIn(ctx, s.clinic.i.cfg.URL, s.clinic.i.issuer.TokenURL(), hochschule, "system/*.rs", s.researchKey)
	if err != nil {
		return t, err
	}
	if a, err := r.do(ctx, http.MethodGet, fhirPath+"/Patient", nil); err != nil || a.status != http.StatusForbidden {
		return t, fmt.Errorf("a researcher who searches is answered %d, %v", a.status, err)
	}
	m, err := r.export(ctx, "$export")
	if err != nil {
		return t, err
	}
	folder := filepath.Join(s.dir, "research")
	if err := m.save(ctx, r, folder); err != nil {
		return t, err
	}
	report, err := os.ReadFile(filepath.Join(folder, "disclosure.json"))
	if err != nil {
		return t, err
	}
	var told struct {
		K      int `json:"k"`
		People int `json:"people"`
	}
	if err := json.Unmarshal(report, &told); err != nil {
		return t, err
	}
	t.say("A researcher may search nothing. One $export gave a release of %d files: FHIR, tables as CSV and Parquet, a data dictionary, a report on disclosure.", len(m.files()))
	t.say("Dates are shifted person by person, pseudonyms are this project's alone, no text left. %d people who agreed to research are in it, each among at least %d alike.",
		told.People, told.K)
	if s.kept {
		t.say("It lies in %s.", folder)
	}
	t.see("ls %s", folder)
	t.see("head -3 %s", filepath.Join(folder, "scores.csv"))
	return t, nil
}

// manifest is what an export answers with when it is done.
type manifest struct {
	Output    []file `json:"output"`
	Extension struct {
		Attachments []file `json:"attachments"` // tables, dictionary, report
	} `json:"extension"`
}

type file struct {
	URL string `json:"url"`
}

func (m manifest) files() []file { return append(m.Output, m.Extension.Attachments...) }

// export asks for a bulk export and waits until it is done.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html
func (c *caller) export(ctx context.Context, what string) (m manifest, err error) {
	began, err := c.do(ctx, http.MethodGet, fhirPath+"/"+what, nil, "Prefer", "respond-async")
	if err != nil {
		return m, err
	}
	if began.status != http.StatusAccepted {
		return m, fmt.Errorf("%s answered %d: %s", what, began.status, began.body)
	}
	at, err := url.Parse(began.header.Get("Content-Location"))
	if err != nil {
		return m, err
	}
	err = eventually(ctx, time.Minute, func() (bool, error) {
		a, err := c.do(ctx, http.MethodGet, at.Path, nil)
		switch {
		case err != nil:
			return false, err
		case a.status == http.StatusAccepted:
			return false, nil
		case a.status != http.StatusOK:
			return false, fmt.Errorf("the export ended with %d: %s", a.status, a.body)
		}
		return true, json.Unmarshal(a.body, &m)
	})
	return m, err
}

// save brings the files of an export to a folder.
func (m manifest) save(ctx context.Context, c *caller, folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, o := range m.files() {
		u, err := url.Parse(o.URL)
		if err != nil {
			return err
		}
		a, err := c.do(ctx, http.MethodGet, u.Path, nil, "Accept", "application/fhir+ndjson, */*")
		if err != nil {
			return err
		}
		_, named, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
		if err != nil || a.status != http.StatusOK {
			return fmt.Errorf("a file of the export answered %d: %w", a.status, err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(named["filename"])), a.body, 0o600); err != nil {
			return err
		}
	}
	return nil
}
