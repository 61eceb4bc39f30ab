package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"rapport/policy/keyring"
)

// firstTenant is that of a new development instance.
const firstTenant = "practice"

// The files of a development instance.
const (
	configFile  = "gateway.yaml"
	keyringFile = "keyring.yaml"
	addressFile = "address" // what the instance was last served as
)

// Development reads the configuration of the instance in a folder, and makes both
// where there are none yet.
func Development(dir string) (*Config, error) {
	path := filepath.Join(dir, configFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		err := makeDevelopment(dir, &Config{Tenants: []Tenant{{ID: firstTenant}}})
		if err != nil {
			return nil, fmt.Errorf("development instance: %w", err)
		}
	}
	c, err := LoadConfig(path)
	if err != nil {
		return nil, err
	}
	// Tokens are for the address that the instance is served at.
	if b, err := os.ReadFile(filepath.Join(dir, addressFile)); err == nil {
		c.serveAt(strings.TrimSpace(string(b)))
	}
	return c, nil
}

// makeDevelopment writes the files of a new instance: c, completed with what every
// development instance has.
func makeDevelopment(dir string, c *Config) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	c.Development, c.Keyring = true, keyringFile
	if c.Store == (Store{}) {
		c.Store.SQLite = "rapport.db"
	}
	if _, err := keyring.Create(filepath.Join(dir, keyringFile)); err != nil {
		return err
	}
	return writeDevelopment(filepath.Join(dir, configFile), c)
}

func writeDevelopment(path string, c *Config) error {
	b, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	head := "# A development instance of Rapport: invented people only. Its keyring lies beside it.\n"
	return os.WriteFile(path, append([]byte(head), b...), 0o600)
}

// serveAt sets the address that the instance listens at and is known as.
func (c *Config) serveAt(listen string) {
	if listen != "" && listen != c.Listen {
		c.Listen, c.URL = listen, c.scheme()+"://"+listen
	}
}

// keepAddress remembers, for a development instance, where it is served.
func (c *Config) keepAddress() error {
	if !c.Development {
		return nil
	}
	return os.WriteFile(filepath.Join(filepath.Dir(c.path), addressFile), []byte(c.Listen+"\n"), 0o600)
}
