package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"rapport/adapters/web"
	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/fhir/store"
	"rapport/mapping/monitoring"
	"rapport/policy"
)

type serveCommand struct {
	where
	Listen string `help:"Address to listen on, in place of the configured one." placeholder:"HOST:PORT"`
}

func (s serveCommand) Run(ctx context.Context) error {
	cfg, err := s.load()
	if err != nil {
		return err
	}
	if s.Listen != "" {
		cfg.serveAt(s.Listen)
		if err := cfg.Check(); err != nil {
			return err
		}
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	i, err := build(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer i.close()
	i.requests = true
	run, err := i.start(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("FHIR      %s\npractice  %s/practice\nhealth    %s/readyz\n", cfg.URL+fhirPath, cfg.URL, cfg.URL)
	if i.issuer != nil {
		fmt.Printf("tokens    %s\n", i.issuer.TokenURL())
	}
	return run.wait(ctx)
}

// running is an instance that serves.
type running struct {
	server *http.Server
	failed chan error
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// A stop takes no longer than ten seconds: service managers kill after that.
const (
	drainTime    = 7 * time.Second // for requests under way
	restTime     = 2 * time.Second // then for the work behind them
	refreshEvery = 5 * time.Second
	monitorEvery = time.Hour // what is due changes by the day; each look is on record
)

// start listens, sets the background work going, and serves until wait returns.
func (i *instance) start(ctx context.Context) (*running, error) {
	l, err := net.Listen("tcp", i.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", i.cfg.Listen, err)
	}
	if err := i.cfg.keepAddress(); err != nil {
		l.Close()
		return nil, err
	}
	for _, t := range i.cfg.Tenants {
		if err := i.prepare(ctx, t.ID); err != nil {
			l.Close()
			return nil, fmt.Errorf("tenant %s: %w", t.ID, err)
		}
	}
	if i.cfg.TLS.on() {
		if i.pair, err = openCertificates(i.cfg.TLS, i.clock, i.log); err != nil {
			l.Close()
			return nil, err
		}
	}
	r := &running{server: web.Server(i.cfg.Listen, i.handler()), failed: make(chan error, 1)}
	bg, stop := context.WithCancel(store.Background(context.WithoutCancel(ctx)))
	r.stop = stop
	if i.pair != nil {
		r.work.Go(func() { i.pair.follow(bg, lookEvery) })
	}
	for _, c := range i.cfg.Tenants {
		t, err := i.tenant(c.ID)
		if err != nil {
			stop()
			l.Close()
			return nil, err
		}
		r.work.Go(func() { i.refresh(bg, t) })
		r.work.Go(func() { _ = t.exports.Run(bg) }) // ends with bg
		r.work.Go(func() { i.monitor(bg, t) })
		if courier := i.courier(t); courier != nil {
			r.work.Go(func() { _ = courier.Run(bg) }) // ends with bg
			watch := &exchange.Watch{Gate: courier.Gate, Memos: courier.Memos, Partners: courier.Partners, Clock: i.clock, Zone: t.rules.Zone, Log: i.log}
			r.work.Go(func() { _ = watch.Run(bg) })
		}
	}
	if i.pair != nil {
		r.server.TLSConfig = i.pair.config()
		go func() { r.failed <- r.server.ServeTLS(l, "", "") }()
	} else {
		go func() { r.failed <- r.server.Serve(l) }()
	}
	return r, nil
}

// wait serves until ctx ends, then drains.
func (r *running) wait(ctx context.Context) error {
	select {
	case err := <-r.failed:
		r.end()
		return err
	case <-ctx.Done():
		return r.end()
	}
}

// end answers what is under way, for so long, and stops the background work.
func (r *running) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := r.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = r.server.Close()
	}
	r.stop()
	rested := make(chan struct{})
	go func() { r.work.Wait(); close(rested) }()
	select {
	case <-rested:
	case <-time.After(restTime): // it is kept in the store and goes on at the next start
	}
	return err
}

// refresh computes consents anew that begin or end by the clock.
func (i *instance) refresh(ctx context.Context, t *tenant) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		if _, err := i.guard.Refresh(ctx, t.ID); err != nil && ctx.Err() == nil {
			i.log.WarnContext(ctx, "consents could not be brought up to date", "tenant", t.ID, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// monitor raises Tasks for questionnaires that are overdue, and puts them to rest.
func (i *instance) monitor(ctx context.Context, t *tenant) {
	m := &monitoring.Monitor{Rules: t.rules, Gate: i.guard.For(process(t.ID, "monitor", policy.Integration)), Clock: i.clock, Follow: t.follow}
	tick := time.NewTicker(monitorEvery)
	defer tick.Stop()
	for {
		if _, err := m.Once(ctx); err != nil && ctx.Err() == nil {
			i.log.WarnContext(ctx, "what is overdue could not be looked at", "tenant", t.ID, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// prepare gives a tenant what every tenant has: the Questionnaires and code systems of
// the instruments, and the definitions of what resources here say beyond R4. What is
// there already makes no version.
func (i *instance) prepare(ctx context.Context, id string) error {
	if _, err := i.tenant(id); err != nil {
		return err
	}
	rs, err := i.definitions()
	if err != nil {
		return err
	}
	gate := i.guard.For(process(id, "setup", policy.Integration))
	return gate.Update(store.Background(ctx), fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
		for _, r := range rs {
			a := fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}
			if _, err := tx.As(a).Put(ctx, r, fhir.Condition{SkipUnchanged: true}); err != nil {
				return err
			}
		}
		return nil
	})
}

// courier carries a tenant's referrals; nil where it has no partners.
func (i *instance) courier(t *tenant) *exchange.Courier {
	partners := i.partners(t.ID)
	if len(partners) == 0 {
		return nil
	}
	p := process(t.ID, "courier", policy.Integration)
	return &exchange.Courier{
		Gate: i.guard.For(p), Release: i.guard.Release(p), Queue: t.raw, Memos: t.raw, Feed: t.raw, Channel: t.channel,
		Partners: partners, Base: i.cfg.URL + fhirPath, Clock: i.clock, Wake: t.wake, Log: i.log,
	}
}

// quiet is the log of commands that answer at the terminal.
func quiet(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
