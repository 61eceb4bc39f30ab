package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/goccy/go-yaml"

	"rapport/adapters/source"
	"rapport/mapping/intake"
	"rapport/policy"
)

type importCommand struct {
	where
	Tenant string `help:"Tenant that the rows belong to; default: the first one. On a development instance a new one is made." placeholder:"T"`
	Site   string `help:"Site mapping: a name that comes with the gateway, or a YAML file." required:"" placeholder:"NAME|FILE"`
	File   string `arg:"" type:"path" help:"Folder, .zip, .xlsx or .csv."`
}

// Run imports, and says what became of each row. It ends with an error when a row
// was not stored.
func (c importCommand) Run(ctx context.Context) error {
	cfg, err := c.loadFor(c.Tenant)
	if err != nil {
		return err
	}
	i, err := build(ctx, cfg, quiet(os.Stderr))
	if err != nil {
		return err
	}
	defer i.close()
	if c.Tenant == "" {
		c.Tenant = cfg.Tenants[0].ID
	}
	if err := i.prepare(ctx, c.Tenant); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(importGarbage)
	}
	m := newMeter(os.Stderr, i.clock)
	sum, err := i.importFrom(ctx, c.Tenant, c.Site, c.File, m.show)
	m.end()
	fmt.Print(sum)
	if err != nil {
		return fmt.Errorf("the import stopped; what is listed above stays, and running it again goes on from there: %w", err)
	}
	if !sum.Complete() {
		return fmt.Errorf("%d rows were not stored", sum.Failed)
	}
	return nil
}

// importGarbage is how much garbage an import lets lie, in percent of what it keeps, so
// that the process grows little beyond that. What it keeps is 8 to 40 bytes a row.
const importGarbage = 40

// loadFor is load that makes the tenant on a development instance.
func (w where) loadFor(tenant string) (*Config, error) {
	if w.Data != "" && tenant != "" {
		if err := developmentTenant(w.Data, tenant); err != nil {
			return nil, err
		}
	}
	return w.load()
}

// importFrom runs one import as gateway/import.
func (i *instance) importFrom(ctx context.Context, tenant, name, path string, tell func(intake.Progress)) (intake.Summary, error) {
	t, err := i.tenant(tenant)
	if err != nil {
		return intake.Summary{}, err
	}
	m, err := siteMapping(name)
	if err != nil {
		return intake.Summary{}, err
	}
	src, err := source.Open(path)
	if err != nil {
		return intake.Summary{}, err
	}
	defer src.Close()
	return intake.Run(ctx, intake.Config{
		Gate: i.guard.For(process(tenant, "import", policy.Integration)), Mapper: t.mapper, Site: m, Source: src,
		Clock: i.clock, NewID: ids, Tenant: tenant, Follow: t.follow, Progress: tell,
		Check: i.valid.Check, Spill: filepath.Dir(filepath.Clean(i.cfg.Audit.Folder)),
	})
}

// developmentTenant adds a tenant to the configuration of a development instance, which
// is made if it is not there.
func developmentTenant(dir, id string) error {
	path := filepath.Join(dir, configFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeDevelopment(dir, &Config{Tenants: []Tenant{{ID: id}}})
	}
	if err != nil {
		return err
	}
	c := &Config{path: path}
	if err := yaml.UnmarshalWithOptions(b, c, yaml.Strict()); err != nil {
		return placed(path, err)
	}
	for _, t := range c.Tenants {
		if t.ID == id {
			return nil
		}
	}
	c.Tenants = append(c.Tenants, Tenant{ID: id})
	return writeDevelopment(path, c)
}
