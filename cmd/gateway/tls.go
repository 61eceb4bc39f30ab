package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"rapport/fhir"
)

// TLS names the certificate and its key, as PEM files. Both are read again when they
// change, so that a renewal needs no restart.
type TLS struct {
	Certificate string `yaml:"certificate,omitempty"` // the server's, then its intermediates'
	Key         string `yaml:"key,omitempty"`
}

func (t TLS) on() bool { return t.Certificate != "" || t.Key != "" }

// certificates holds the pair in force. It is safe for concurrent use.
type certificates struct {
	files TLS
	clock fhir.Clock
	log   *slog.Logger
	now   atomic.Pointer[tls.Certificate]
	mark  string // of the files that were read last, good or not
}

// lookEvery is how often the files are looked at.
const lookEvery = 5 * time.Second

// openCertificates reads the pair; what cannot be served is an error at the start, not
// at the first caller.
func openCertificates(files TLS, clock fhir.Clock, log *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, clock: clock, log: log}
	c.mark = c.changed()
	return c, c.read()
}

func (c *certificates) read() error {
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		return fmt.Errorf("tls: %s: %w", c.files.Certificate, err)
	}
	if c.clock().After(pair.Leaf.NotAfter) {
		return fmt.Errorf("tls: %s: the certificate has expired on %s", c.files.Certificate, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	c.now.Store(&pair)
	return nil
}

// changed says what the files are like: it differs when one was written or replaced,
// also by a link that points elsewhere.
func (c *certificates) changed() string {
	mark := ""
	for _, name := range []string{c.files.Certificate, c.files.Key} {
		if fi, err := os.Stat(name); err == nil {
			mark += fmt.Sprintf("%d %d ", fi.ModTime().UnixNano(), fi.Size())
		}
	}
	return mark
}

// follow takes up what changed until ctx ends. A pair that does not fit, half of a
// renewal perhaps, leaves the one in force and is tried again when it changes.
func (c *certificates) follow(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		mark := c.changed()
		if mark == c.mark {
			continue
		}
		c.mark = mark
		if err := c.read(); err != nil {
			c.log.ErrorContext(ctx, "the new certificate cannot be used; the old one stays in force", "err", err)
			continue
		}
		c.log.InfoContext(ctx, "a new certificate is in force", "until", c.now.Load().Leaf.NotAfter)
	}
}

// config is what a listener needs.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil },
	}
}

// soon is how long before the end of a certificate somebody should know.
const soon = 14 * 24 * time.Hour

// check is the dependency that /readyz shows.
func (c *certificates) check(context.Context) error {
	left := c.now.Load().Leaf.NotAfter.Sub(c.clock())
	switch {
	case left <= 0:
		return errors.New("the certificate has expired; put a new one in its place")
	case left < soon:
		return fmt.Errorf("the certificate expires in %d days; put a new one in its place", int(left.Hours()/24))
	}
	return nil
}
