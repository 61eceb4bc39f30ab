package main

import (
	"context"
	"fmt"
	"os"

	"rapport/adapters/partner"
	"rapport/fhir"
	"rapport/policy/keyring"
	"rapport/policy/opa"
	"rapport/policy/token"
)

type checkCommand struct {
	Config string `help:"Configuration file." required:"" type:"path" placeholder:"FILE"`
}

// Run reads all that a start would read and opens nothing that others use: no store,
// no port.
func (c checkCommand) Run(ctx context.Context) error {
	cfg, err := LoadConfig(c.Config)
	if err != nil {
		return err
	}
	if _, err := keyring.Open(cfg.Keyring); err != nil {
		return fmt.Errorf("%s: keyring: %w", cfg.path, err)
	}
	for n, p := range cfg.Partners {
		if _, err := token.ReadSigningKey(p.Key); err != nil {
			return fmt.Errorf("%s: partners[%d].key: %w", cfg.path, n, err)
		}
	}
	rules := &opa.Engine{}
	files := opa.Embedded()
	if cfg.Rules != "" {
		files = os.DirFS(cfg.Rules)
	}
	if err := rules.Load(ctx, files); err != nil {
		return fmt.Errorf("%s: rules: %w", cfg.path, err)
	}
	fmt.Println(cfg.path + ": good")
	return nil
}

// assertion signs client assertions with the key in a file.
func assertion(file string, clock fhir.Clock) (partner.Assert, error) {
	key, err := token.ReadSigningKey(file)
	if err != nil {
		return nil, err
	}
	return func(client, audience string) (string, error) {
		return token.Assertion(key, client, audience, ids(), clock())
	}, nil
}
