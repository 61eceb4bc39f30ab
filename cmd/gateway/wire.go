package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/uuid/v5"

	"rapport/adapters/issuer"
	"rapport/adapters/partner"
	"rapport/adapters/rediscache"
	"rapport/adapters/sqlstore"
	"rapport/adapters/web"
	"rapport/fhir"
	"rapport/fhir/bulk"
	"rapport/fhir/exchange"
	"rapport/fhir/questionnaire"
	"rapport/fhir/rest"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/validate"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/mapping/monitoring"
	"rapport/policy"
	"rapport/policy/audit"
	"rapport/policy/keyring"
	"rapport/policy/opa"
	"rapport/policy/token"
)

// instance is one gateway, put together: this file is where its parts meet.
//
//	web ─► token ─► guard ─► cache ─► sqlstore
//	        rest      └─► opa, audit
type instance struct {
	cfg     *Config
	log     *slog.Logger
	clock   fhir.Clock
	ring    *keyring.Ring
	db      *sqlstore.DB
	redis   *rediscache.Redis // nil: cached in process
	journal *audit.Journal
	guard   *policy.Guard
	library *instrument.Library
	valid   *validate.Validator
	search  *search.Engine
	issuer  *issuer.Issuer // nil: others issue tokens
	verify  *token.Verifier
	metrics *web.Metrics
	pair    *certificates // nil: plain HTTP
	// requests says whether each request leaves a line in the log.
	requests bool

	mu      sync.Mutex
	tenants map[string]*tenant
	closers []func()
}

// tenant is what an instance keeps for one tenant.
type tenant struct {
	Tenant
	store   store.Store // cached
	raw     store.Store
	mapper  *mapping.Mapper
	voiced  *instrument.Library // that speaks with the practice\'s voice
	rules   *monitoring.Rules   // of its calendar
	follow  []fhir.Follow
	router  *rest.Router
	wake    chan struct{} // for the courier
	exports *bulk.Exports
	// exporting is told that there may be an export to make.
	exporting chan struct{}
	// channel reaches the tenant's partners, with the tenant's keys alone.
	channel *partner.Channel
}

// ids makes the ids of new resources, records and works.
func ids() string { return uuid.Must(uuid.NewV7()).String() }

// build puts an instance together. It starts nothing that serves callers; see start.
func build(ctx context.Context, cfg *Config, log *slog.Logger) (i *instance, err error) {
	i = &instance{cfg: cfg, log: log, clock: time.Now, tenants: map[string]*tenant{}, metrics: web.NewMetrics()}
	defer func() {
		if err != nil {
			i.close()
		}
	}()
	if i.ring, err = keyring.Open(cfg.Keyring); err != nil {
		return i, err
	}
	if i.library, err = instrument.Load(); err != nil {
		return i, err
	}
	if i.search, err = search.New(spec.R4(), spec.Capability(), cfg.URL+fhirPath); err != nil {
		return i, err
	}
	i.valid = validate.New(spec.R4())
	if err = i.openStore(ctx); err != nil {
		return i, err
	}
	if err = i.openJournal(); err != nil {
		return i, err
	}
	if err = i.makeGuard(ctx); err != nil {
		return i, err
	}
	if err = i.makeTokens(); err != nil {
		return i, err
	}
	return i, nil
}

func (i *instance) openStore(ctx context.Context) (err error) {
	statements := i.metrics.Counter("store_statements_total", "SQL statements, by what they were for.", "origin")
	o := sqlstore.Options{Clock: i.clock, Log: i.log, Statement: statements}
	s := i.cfg.Store
	switch {
	case s.SQLite != "":
		i.db, err = sqlstore.OpenSQLite(ctx, s.SQLite, o)
	case s.Postgres != "":
		i.db, err = sqlstore.OpenPostgres(ctx, s.Postgres, o)
	default:
		var dsn []byte
		if dsn, err = os.ReadFile(s.PostgresFile); err != nil {
			return fmt.Errorf("store.postgresFile: %w", err)
		}
		i.db, err = sqlstore.OpenPostgres(ctx, strings.TrimSpace(string(dsn)), o)
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	i.onClose(func() { i.db.Close() })
	if i.cfg.Redis != "" {
		if i.redis, err = rediscache.Dial(i.cfg.Redis); err != nil {
			return err
		}
		i.onClose(func() { i.redis.Close() })
	}
	return nil
}

// auditKeys is the keyring as the journal asks for it.
type auditKeys struct{ *keyring.Ring }

func (k auditKeys) Seal(tenant string, plain, aad []byte) []byte {
	return k.Ring.Seal(tenant, keyring.AuditQuery, plain, aad)
}

func (i *instance) openJournal() (err error) {
	i.journal, err = audit.Open(audit.Config{
		Folder: i.cfg.Audit.Folder, Keys: auditKeys{i.ring}, Clock: i.clock, IDs: ids,
		Store:     func(_ context.Context, tenant string) (store.Store, error) { return i.db.Tenant(tenant) },
		SyncReads: i.cfg.Audit.Reads == "synced", Log: i.log,
	})
	if err != nil {
		return err
	}
	i.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := i.journal.Close(ctx); err != nil {
			i.log.Error("the audit journal was not closed in order", "err", err)
		}
	})
	return nil
}

func (i *instance) makeGuard(ctx context.Context) error {
	rules := &opa.Engine{}
	files := opa.Embedded()
	if i.cfg.Rules != "" {
		files = os.DirFS(i.cfg.Rules)
	}
	if err := rules.Load(ctx, files); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	alarm := i.metrics.Counter("policy_alarms_total", "Answers of the store that held more than the caller may see; each is a fault.", "check")
	var err error
	i.guard, err = policy.NewGuard(policy.Config{
		Store: func(id string) (store.Store, error) {
			t, err := i.tenant(id)
			if err != nil {
				return nil, err
			}
			return t.store, nil
		},
		Engine: rules, Recorder: i.journal, Index: i.search.Index, Keys: i.ring, Clock: i.clock, IDs: ids,
		Grace: i.cfg.Caseload.Grace,
		Narrow: func(typ string, ps []policy.Param) ([]fhir.Clause, error) {
			vs := url.Values{}
			for _, p := range ps {
				vs.Add(p.Name, p.Value)
			}
			return i.search.Narrow(typ, vs)
		},
		Match: i.search.Match,
		Notes: func(tenant string) (policy.NoteStore, error) { return i.db.Notes(tenant) },
		Alarm: alarm,
	})
	return err
}

func (i *instance) makeTokens() (err error) {
	issuers := i.cfg.Issuers
	if i.cfg.ownIssuer() {
		i.issuer, err = issuer.New(i.cfg.issuer(), issuer.Options{
			Ring: i.ring, Clock: i.clock, IDs: ids, Known: i.known, Development: i.cfg.Development, Log: i.log,
			Memos: func(tenant string) (fhir.Memos, error) { return i.db.Tenant(tenant) },
		})
		if err != nil {
			return err
		}
		issuers = append([]token.Issuer{i.issuer.Trust()}, issuers...)
	}
	i.verify, err = token.New(token.Config{Issuers: issuers}, token.Options{
		Clock: i.clock, Ring: i.ring, Known: i.known, Log: i.log, Resolver: i,
		Tenant: func(id string) bool { _, err := i.tenant(id); return err == nil },
	})
	return err
}

// known reports whether a scope may name a type, and a parameter of it.
func (i *instance) known(typ, param string) bool {
	t, ok := spec.Capability().Type(typ)
	if !ok || param == "" {
		return ok
	}
	_, ok = t.Param(param)
	return ok
}

// tenant returns what is kept for a tenant; an error for one that is not served.
func (i *instance) tenant(id string) (*tenant, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if t, ok := i.tenants[id]; ok {
		return t, nil
	}
	for _, t := range i.cfg.Tenants {
		if t.ID == id {
			return i.openTenant(t)
		}
	}
	return nil, &fhir.Error{Code: fhir.NotFound, Detail: "there is no such tenant"}
}

func (i *instance) openTenant(c Tenant) (*tenant, error) {
	raw, err := i.db.Tenant(c.ID)
	if err != nil {
		return nil, err
	}
	t := &tenant{Tenant: c, raw: raw, wake: make(chan struct{}, 1), exporting: make(chan struct{}, 1)}
	cache := rediscache.Wrap(raw, rediscache.Config{Tenant: c.ID, Redis: i.redis, Keys: i.ring, Clock: i.clock, Log: i.log})
	i.closers = append(i.closers, cache.Close) // under i.mu
	t.store = cache
	_, key := i.ring.Key(c.ID, keyring.IDs)
	if t.mapper, err = mapping.New(mapping.Config{IDKey: key, System: c.System, Instruments: i.library}); err != nil {
		return nil, err
	}
	if t.voiced, err = i.library.With(instrument.Voice{Safety: c.Safety}); err != nil {
		return nil, fmt.Errorf("tenant %s: %w", c.ID, err)
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: zone: %w", c.ID, err)
	}
	t.rules = &monitoring.Rules{Library: i.library, Zone: zone, Grace: c.Grace}
	var cs []partner.Config
	for _, p := range i.cfg.Partners {
		if p.Tenant == c.ID {
			cs = append(cs, p.Config)
		}
	}
	t.channel, err = partner.New(cs, func(p partner.Config) (partner.Assert, error) { return assertion(p.Key, i.clock) }, i.clock)
	if err != nil {
		return nil, err
	}
	forms := &questionnaire.Checker{}
	scored := func(url string) bool { return i.library.ByURL(url) != nil }
	t.follow = []fhir.Follow{forms.Follow(scored), fhir.Deriving(instrument.NewDeriver(i.library)), i.referrals(t)}
	t.follow = append(t.follow, t.mapper.Follow()...)
	if t.exports, err = i.exports(t); err != nil {
		return nil, fmt.Errorf("exports: %w", err)
	}
	i.closers = append(i.closers, func() { t.exports.Close() })
	t.router = i.route(t.follow, t.exportOperations()...)
	i.tenants[c.ID] = t
	return t, nil
}

func (i *instance) restConfig(follow []fhir.Follow) rest.Config {
	return rest.Config{
		Base: i.cfg.URL + fhirPath, Served: spec.Capability(), Search: i.search, Validate: i.valid, Follow: follow,
		IDs: ids, Clock: i.clock, Software: software(), Security: i.security, Log: i.log,
	}
}

// route makes a tenant's router, with the operations whose work lies elsewhere.
func (i *instance) route(follow []fhir.Follow, more ...rest.Operation) *rest.Router {
	c := i.restConfig(follow)
	var router *rest.Router
	inbox := exchange.Inbox{Base: c.Base, Served: c.Served, Clock: i.clock, Run: func(ctx context.Context, r *rest.Request) rest.Response { return router.Serve(ctx, r) }}
	summaries := exchange.Summaries{Base: c.Base, Clock: i.clock}
	c.Operations = append(more, inbox.Operation(), summaries.Operation())
	router = rest.New(c)
	return router
}

// partners lists those of a tenant.
func (i *instance) partners(tenant string) (out []exchange.Partner) {
	for _, p := range i.cfg.Partners {
		if p.Tenant == tenant {
			out = append(out, p.Partner())
		}
	}
	return out
}

// referrals is the Follow of a tenant's referrals.
func (i *instance) referrals(t *tenant) fhir.Follow {
	r := exchange.Referrals{Partners: i.partners(t.ID), Wake: t.wake}
	return r.Follow
}

// Resolve implements token.Resolver below the gate: who signs in has no rights yet.
func (i *instance) Resolve(ctx context.Context, id string, p token.Person) (k fhir.Key, err error) {
	t, err := i.tenant(id)
	if err != nil {
		return fhir.Key{}, err
	}
	q := fhir.Query{Type: p.Type, Count: 2, Where: []fhir.Clause{{Param: "identifier", Kind: fhir.Token,
		Any: []fhir.Operand{{System: p.System, HasSystem: true, Code: p.Value}}}}}
	err = t.store.View(ctx, func(r store.Reader) error {
		page, err := r.Find(ctx, fhir.Omniscient(), q)
		switch {
		case err != nil:
			return err
		case len(page.Found) == 0:
			return fhir.Missing(fhir.Key{})
		case len(page.Found) > 1:
			return &fhir.Error{Code: fhir.Multiple, Detail: "several resources have the identifier of this person"}
		}
		k = page.Found[0].Key
		return nil
	})
	return k, err
}

// process is the principal of one of the gateway's own processes.
func process(tenant, name string, role policy.Role) policy.Principal {
	return policy.Principal{
		Tenant: tenant, Issuer: "gateway", Subject: "gateway/" + name, Client: "gateway/" + name, Role: role, Purpose: "TREAT",
		Scopes: []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}},
	}
}

// handler is everything that is served over HTTP.
func (i *instance) handler() http.Handler {
	c := web.Config{
		Router: func(id string) (*rest.Router, error) {
			t, err := i.tenant(id)
			if err != nil {
				return nil, err
			}
			return t.router, nil
		},
		Metadata: i.metadata(),
		Gates:    i.guard, Verify: i.verify, Practice: i.practice(), Refused: i.journal.Refused,
		Health: i.health(), Metrics: i.metrics, Log: i.log,
		Limits: web.Limits{Body: i.cfg.Limits.Body << 20, Time: i.cfg.Limits.Time, Requests: i.cfg.Limits.Requests}, Origins: i.cfg.Origins,
	}
	if i.requests {
		c.IDs = ids
	}
	if i.issuer != nil {
		c.Mounts = map[string]http.Handler{issuerPath + "/": i.issuer.Handler()}
		c.SMART = i.smart
	}
	return web.New(c)
}

func (i *instance) onClose(f func()) { i.closers = append(i.closers, f) }

// close undoes build, last first.
func (i *instance) close() {
	for n := len(i.closers) - 1; n >= 0; n-- {
		i.closers[n]()
	}
	i.closers = nil
}

// health lists what the instance depends on.
func (i *instance) health() []web.Dependency {
	ds := []web.Dependency{
		{Name: "store", Vital: true, Check: func(ctx context.Context) error {
			if err := i.db.Ping(ctx); err != nil {
				return errors.New("does not answer")
			}
			return nil
		}},
		{Name: "keyring", Vital: true, Check: func(context.Context) error {
			if _, err := os.Stat(filepath.Clean(i.cfg.Keyring)); err != nil {
				return errors.New("the file is gone; this process goes on, the next start fails")
			}
			return nil
		}},
		{Name: "policy", Vital: true, Check: func(context.Context) error {
			if i.guard.Engine.Rules() == nil {
				return errors.New("no rules are in force")
			}
			return nil
		}},
	}
	if i.pair != nil {
		ds = append(ds, web.Dependency{Name: "certificate", Check: i.pair.check})
	}
	if i.redis != nil {
		ds = append(ds, web.Dependency{Name: "redis", Check: i.redis.Ping})
	}
	return ds
}
