package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"rapport/adapters/issuer"
	"rapport/policy"
)

type tokenCommand struct {
	where
	Role         string        `help:"therapist, admin, intake, patient, ehr, partner, researcher, auditor or integration." placeholder:"R"`
	Tenant       string        `help:"Tenant; default: the first one." placeholder:"T"`
	Practitioner string        `help:"Id of the Practitioner who asks." placeholder:"ID"`
	Patient      string        `help:"Id of the Patient who asks, or whose record is open." placeholder:"ID"`
	Client       string        `help:"A registered client, whose role and grants then hold." placeholder:"ID"`
	Scope        string        `help:"SMART scopes; default: all that the role has." placeholder:"S"`
	TTL          time.Duration `help:"How long it is good." name:"ttl"`
}

func (t tokenCommand) Run(ctx context.Context) error {
	cfg, err := t.load()
	if err != nil {
		return err
	}
	if !cfg.Development {
		return errors.New("tokens are printed on a development instance only; ask the configured issuer")
	}
	i, err := build(ctx, cfg, quiet(os.Stderr))
	if err != nil {
		return err
	}
	defer i.close()
	s, err := i.mint(ctx, issuer.Grant{
		Tenant: t.Tenant, Role: policy.Role(t.Role), Client: t.Client, Practitioner: t.Practitioner, Patient: t.Patient, Scope: t.Scope, TTL: t.TTL,
	})
	if err != nil {
		return err
	}
	fmt.Println(s)
	return nil
}

// mint prints a token for who owns the instance, for the first tenant if none is named.
func (i *instance) mint(ctx context.Context, g issuer.Grant) (string, error) {
	if g.Tenant == "" && g.Client == "" {
		g.Tenant = i.cfg.Tenants[0].ID
	}
	if g.Tenant != "" {
		if _, err := i.tenant(g.Tenant); err != nil {
			return "", err
		}
	}
	return i.issuer.Mint(ctx, g)
}
