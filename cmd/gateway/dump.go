package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/store"
)

type dumpCommand struct {
	where
	Tenant string `help:"One tenant only; default: every one." placeholder:"T"`
}

// Run prints all current resources, one a line. It goes below the gate and writes no
// audit record, which is why it is refused where real people's data may lie. Process
// notes are not resources and are kept elsewhere: they are not in it.
func (d dumpCommand) Run(ctx context.Context) error {
	cfg, err := d.load()
	if err != nil {
		return err
	}
	if !cfg.Development {
		return errors.New("dump goes round policy and audit, so it works on a development instance only; use FHIR search")
	}
	i, err := build(ctx, cfg, quiet(os.Stderr))
	if err != nil {
		return err
	}
	defer i.close()
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	for _, t := range cfg.Tenants {
		if d.Tenant != "" && d.Tenant != t.ID {
			continue
		}
		if err := i.dump(ctx, t.ID, out); err != nil {
			return err
		}
	}
	return out.Flush()
}

const dumpPage = 500

func (i *instance) dump(ctx context.Context, id string, w io.Writer) error {
	t, err := i.tenant(id)
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, typ := range spec.Capability().Types {
		q := fhir.Query{Type: typ.Name, Count: dumpPage, Sort: []fhir.Order{{Param: "_id"}}}
		for more := true; more; {
			var next string
			err := t.raw.View(ctx, func(r store.Reader) error { // may run again
				page, err := r.Find(ctx, fhir.Omniscient(), q)
				if err != nil {
					return err
				}
				refs := make([]store.Ref, len(page.Found))
				for n, f := range page.Found {
					refs[n] = store.Ref{Key: f.Key, Version: f.Version}
				}
				rs, err := r.Bodies(ctx, refs...)
				if err != nil {
					return err
				}
				lines.Reset()
				for _, r := range rs {
					// A body may stand on many lines; but for white space it is as it came.
					if err := json.Compact(&lines, r.Body()); err != nil {
						return err
					}
					lines.WriteByte('\n')
				}
				next = page.Next
				return nil
			})
			if err == nil {
				_, err = lines.WriteTo(w)
			}
			q.After, more = next, next != ""
			if err != nil {
				return err
			}
		}
	}
	return nil
}
