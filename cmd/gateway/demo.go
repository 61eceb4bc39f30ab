package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type demoCommand struct {
	Once  bool   `help:"End when the story is told; the exit code says whether every step held."`
	Keep  string `help:"Keep the two instances in DIR/clinic and DIR/hospital, and the research data in DIR/research." type:"path" placeholder:"DIR"`
	Redis string `help:"Use this Redis as cache." placeholder:"URL"`
}

// Run plays a practice, a hospital and a vendor of electronic records. All of it is the
// product as it is served: two gateways on loopback, spoken to over HTTP.
func (d demoCommand) Run(ctx context.Context) error {
	dir, err := d.folder()
	if err != nil {
		return err
	}
	if d.Keep == "" {
		defer os.RemoveAll(dir)
	}
	s := &story{out: os.Stdout, dir: dir, redis: d.Redis, gone: d.Once && d.Keep == "", kept: d.Keep != ""}
	defer s.close()
	began := time.Now()
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.tell(ctx); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\nEvery step held, in %.1f s.\n", time.Since(began).Seconds())
	if d.Keep != "" {
		fmt.Fprintf(s.out, "Kept: %s and %s; use each as --data.\n", s.clinic.dir, s.hospital.dir)
	}
	if d.Once {
		return nil
	}
	fmt.Fprintf(s.out, "Both gateways stay up; the commands above work as they stand. Ctrl-C ends them.\n")
	return s.stay(ctx)
}

func (d demoCommand) folder() (string, error) {
	if d.Keep == "" {
		return os.MkdirTemp("", "rapport-demo-")
	}
	for _, sub := range []string{"clinic", "hospital", "research"} {
		if _, err := os.Stat(filepath.Join(d.Keep, sub)); err == nil {
			return "", fmt.Errorf("%s is there already; give an empty folder to --keep", filepath.Join(d.Keep, sub))
		}
	}
	return d.Keep, os.MkdirAll(d.Keep, 0o700)
}

// story is the demo while it is told.
type story struct {
	out              io.Writer
	dir, redis       string
	gone             bool // when it is told nothing stays that commands could show
	kept             bool // the folder stays when it ends
	clinic, hospital *side
	cast
}

// step is one part of the story. do returns what happened and the commands that show it.
type step struct {
	name, title string
	do          func(context.Context) (tale, error)
}

// tale is what a step has to tell.
type tale struct {
	happened []string
	show     []string
}

func (t *tale) say(format string, args ...any) {
	t.happened = append(t.happened, fmt.Sprintf(format, args...))
}
func (t *tale) see(format string, args ...any) { t.show = append(t.show, fmt.Sprintf(format, args...)) }

// tell runs the steps in their order and stops at the first that does not hold.
func (s *story) tell(ctx context.Context) error {
	fmt.Fprintf(s.out, "Rapport, a FHIR R4 gateway for psychotherapy. Everyone here is invented.\n\n")
	fmt.Fprintf(s.out, "  the clinic    %s\n  the hospital  %s\n\n", s.clinic.i.cfg.URL, s.hospital.i.cfg.URL)
	if !s.gone {
		fmt.Fprintf(s.out, "Lines with $ are commands to try; gateway is this program:\n  $ alias gateway=%s\n", program())
	}
	for _, st := range s.steps() {
		t, err := st.do(ctx)
		if err != nil {
			return fmt.Errorf("step %s (%s) did not hold: %w", st.name, st.title, err)
		}
		fmt.Fprintf(s.out, "\n%s. %s\n", st.name, st.title)
		for _, line := range t.happened {
			fmt.Fprintf(s.out, "   %s\n", line)
		}
		if s.gone {
			continue
		}
		for _, line := range t.show {
			fmt.Fprintf(s.out, "   $ %s\n", line)
		}
	}
	return nil
}

func (s *story) steps() []step {
	return []step{
		{"a", "The clinic imports the export of its practice system", s.imports},
		{"b", "A therapist records a session and a questionnaire", s.records},
		{"c", "A referral goes to the hospital and comes back answered", s.refers},
		{"d", "A vendor of electronic records reads outcomes, of its own clients alone", s.reads},
		{"e", "A university gets research data that name nobody", s.studies},
		{"f", "All of it is in the audit journal", s.audits},
	}
}

// program is how the commands that are shown call this one.
func program() string {
	p, err := os.Executable()
	if err != nil || strings.ContainsAny(p, " '\"") {
		return "'go run ./cmd/gateway'"
	}
	return p
}

// stay serves until ctx ends.
func (s *story) stay(ctx context.Context) error {
	done := make(chan error, 2)
	for _, p := range []*side{s.clinic, s.hospital} {
		go func() { done <- p.run.wait(ctx) }()
	}
	err := errors.Join(<-done, <-done)
	s.clinic.run, s.hospital.run = nil, nil
	return err
}

func (s *story) close() {
	for _, p := range []*side{s.clinic, s.hospital} {
		if p == nil {
			continue
		}
		if p.run != nil {
			_ = p.run.end()
		}
		if p.i != nil {
			p.i.close()
		}
	}
}
