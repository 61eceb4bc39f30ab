package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/mapping/site"
)

type mapCommand struct {
	Check mapCheckCommand `cmd:"" help:"Say what is wrong in a site file, with line and column, or what it would read."`
}

type mapCheckCommand struct {
	File string `arg:"" help:"Site file, or the name of one that comes with the gateway." placeholder:"FILE"`
}

// Run tells every fault at once, one a line as file:line:col, so that editors find
// them; then it ends with an error. Nothing is imported.
func (c mapCheckCommand) Run() error { return c.check(os.Stdout) }

func (c mapCheckCommand) check(w io.Writer) error {
	m, err := siteMapping(c.File)
	var faults site.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			fmt.Fprintln(w, f)
		}
		what := "1 fault"
		if len(faults) > 1 {
			what = fmt.Sprintf("%d faults", len(faults))
		}
		return fmt.Errorf("%s: %s; correct what each line says and check again. Nothing is imported by a file with a fault", c.File, what)
	}
	if err != nil {
		return err
	}
	describe(w, m)
	return nil
}

// describe says what a mapping reads, in the order in which it does.
func describe(w io.Writer, m *site.Mapping) {
	fmt.Fprintf(w, "%s: right in every part\n", m.Version)
	if m.Title != "" {
		fmt.Fprintf(w, "%s\n", m.Title)
	}
	fmt.Fprintf(w, "keys are unique in %s\n", m.System)
	switch {
	case m.Zone != nil:
		fmt.Fprintf(w, "times of day are those of %s\n", m.Zone)
	case m.Times:
		fmt.Fprintln(w, "timezone is unknown: of times of day only the dates are written")
	}
	for _, t := range m.Tables {
		fmt.Fprintf(w, "\n%s.csv, by %s\n", t.Name, t.KeyColumns())
		line := func(what string, list ...string) {
			if len(list) > 0 {
				fmt.Fprintf(w, "  %-9s %s\n", what, strings.Join(list, ", "))
			}
		}
		if t.Sheet != "" {
			line("sheet", t.Sheet)
		}
		switch {
		case t.About:
			line("gives", "nothing; describes the upload")
		case len(t.Emits) == 0:
			line("gives", "no record by itself; its rows go into those of others")
		default:
			line("gives", t.Emits...)
		}
		var finds []string
		for _, r := range t.Relation {
			if !slices.Contains(finds, r.Table) {
				finds = append(finds, r.Table)
			}
		}
		line("finds", finds...)
		var read, optional []string
		ignored := t.Ignored()
		for _, c := range t.Columns {
			if slices.Contains(ignored, c) {
				continue
			}
			read = append(read, c)
			if t.Optional(c) {
				optional = append(optional, c)
			}
		}
		line("reads", read...)
		line("optional", optional...)
		line("never", ignored...)
		line("checks", t.Checks()...)
		if t.Delete != nil {
			line("deletes", "some of its rows take back what was told before")
		}
	}
}

// siteMapping is an embedded one by its name, or that of a file.
func siteMapping(name string) (*site.Mapping, error) {
	if strings.ContainsAny(name, `./\`) {
		return site.Load(name)
	}
	m, err := site.Embedded(name)
	if fhir.Is(err, fhir.NotFound) {
		if _, there := os.Stat(name); there == nil {
			return site.Load(name)
		}
	}
	return m, err
}
