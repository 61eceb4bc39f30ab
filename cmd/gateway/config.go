package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"rapport/adapters/issuer"
	"rapport/adapters/partner"
	"rapport/mapping/deid"
	"rapport/mapping/research"
	"rapport/policy"
	"rapport/policy/token"
)

// Config is the whole configuration: one YAML file, read strictly. Relative paths
// are relative to the folder of the file.
type Config struct {
	// Listen is the address to serve on; URL is what callers know it as, without a
	// slash at its end, and http://Listen by default.
	Listen string `yaml:"listen,omitempty"`
	URL    string `yaml:"url,omitempty"`
	// TLS is needed to listen on anything but loopback.
	TLS    TLS    `yaml:"tls,omitempty"`
	Limits Limits `yaml:"limits,omitempty"`
	// Origins are the web sites whose scripts may ask.
	Origins []string `yaml:"origins,omitempty"`
	// Development marks an instance with invented people: tokens may be minted, and
	// everything printed, at its command line.
	Development bool     `yaml:"development,omitempty"`
	Keyring     string   `yaml:"keyring"`
	Store       Store    `yaml:"store"`
	Audit       Audit    `yaml:"audit,omitempty"`
	Redis       string   `yaml:"redis,omitempty"`    // redis://host:port/db; without it the cache is in process
	Rules       string   `yaml:"rules,omitempty"`    // folder of Rego in place of the embedded rules
	Caseload    Caseload `yaml:"caseload,omitempty"` // how long a therapist's ties last
	Tenants     []Tenant `yaml:"tenants"`
	// Clients are the backends of the built-in issuer; Issuers are those in front.
	Clients  map[string]issuer.Client `yaml:"clients,omitempty"`
	Issuers  []token.Issuer           `yaml:"issuers,omitempty"`
	Partners []Partner                `yaml:"partners,omitempty"`
	Exports  Exports                  `yaml:"exports,omitempty"`
	// Projects are what researchers get releases for.
	Projects []Project `yaml:"projects,omitempty"`

	path string // the file it was read from
}

// Store says where data lies: one of SQLite and Postgres.
type Store struct {
	SQLite string `yaml:"sqlite,omitempty"` // file; process notes lie beside it, in a file of their own
	// Postgres is a connection string; PostgresFile a file that holds it, for who keeps
	// passwords out of configuration.
	Postgres     string `yaml:"postgres,omitempty"`
	PostgresFile string `yaml:"postgresFile,omitempty"`
}

// Limits bound what callers may take up.
type Limits struct {
	Body     int64         `yaml:"body,omitempty"`     // MiB of a request; default 16
	Time     time.Duration `yaml:"time,omitempty"`     // for one request; default 60s
	Requests int           `yaml:"requests,omitempty"` // worked on at the same time; default 512
}

// Audit says how records are kept.
type Audit struct {
	Folder string `yaml:"folder,omitempty"` // of the local journal; default audit
	Reads  string `yaml:"reads,omitempty"`  // journal (default) or synced: reads too wait for the disk
}

// Caseload says how long a therapist's ties last.
type Caseload struct {
	Grace time.Duration `yaml:"grace,omitempty"` // behind the end of an episode; default 30 days
}

const defaultGrace = 30 * 24 * time.Hour

// Tenant is one legal body whose data are kept apart from all others'.
type Tenant struct {
	ID string `yaml:"id"`
	// System is the URI under which the practice's own record numbers are unique;
	// default urn:rapport:<id>.
	System string `yaml:"system,omitempty"`
	// Zone is the time zone of the practice's calendar, "Europe/Zurich": by its days
	// questionnaires are due, and the deadlines of referrals end. Default UTC.
	Zone string `yaml:"zone,omitempty"`
	// Safety is what a client is told whose answer needs a person today: whom to turn to,
	// with numbers that are right where they live.
	Safety string `yaml:"safety,omitempty"`
	// Grace is for how many days after its due day a questionnaire is not overdue yet;
	// default 3.
	Grace int `yaml:"grace,omitempty"`
}

// Partner is an organisation that a tenant exchanges referrals with.
type Partner struct {
	Tenant         string `yaml:"tenant"`
	partner.Config `yaml:",inline"`
}

// Exports says where the files of bulk exports lie, sealed, and for how long.
type Exports struct {
	Folder string        `yaml:"folder,omitempty"` // default exports
	Keep   time.Duration `yaml:"keep,omitempty"`   // default 24h
}

// Project is a research project. Its clients have the role researcher; what they
// export is a de-identified release of it.
type Project struct {
	ID      string   `yaml:"id"` // pseudonyms are made for it: another id, other pseudonyms
	Tenant  string   `yaml:"tenant"`
	Clients []string `yaml:"clients"`           // ids of clients, here or of an issuer in front
	Profile string   `yaml:"profile,omitempty"` // expert (default) or safe-harbor
	K       int      `yaml:"k,omitempty"`       // people behind each combination that is told; default and least 11
}

// LoadConfig reads and checks a file. The error names everything that is wrong, a
// line each, with file and line where that can be told.
func LoadConfig(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := &Config{path: path}
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(c); err != nil {
		return nil, placed(path, err)
	}
	c.fill()
	return c, c.Check()
}

// placed says file, line and column of what is no configuration, and quotes none of it:
// the line may hold a password.
func placed(path string, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the file says nothing; the README shows what it may say", path)
	}
	var ye yaml.Error
	if errors.As(err, &ye) {
		if t := ye.GetToken(); t != nil && t.Position != nil {
			msg, _, _ := strings.Cut(ye.GetMessage(), "\n")
			return fmt.Errorf("%s:%d:%d: %s", path, t.Position.Line, t.Position.Column, msg)
		}
	}
	msg, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s: %s", path, msg)
}

// fill sets defaults and makes paths absolute.
func (c *Config) fill() {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.URL == "" {
		c.URL = c.scheme() + "://" + c.Listen
	}
	if c.Audit.Folder == "" {
		c.Audit.Folder = "audit"
	}
	if c.Exports.Folder == "" {
		c.Exports.Folder = "exports"
	}
	if c.Caseload.Grace == 0 {
		c.Caseload.Grace = defaultGrace
	}
	for i := range c.Tenants {
		if c.Tenants[i].System == "" {
			c.Tenants[i].System = ownSystem(c.Tenants[i].ID)
		}
	}
	dir := filepath.Dir(c.path)
	for _, p := range []*string{&c.Keyring, &c.Store.SQLite, &c.Store.PostgresFile, &c.Audit.Folder, &c.Rules, &c.TLS.Certificate, &c.TLS.Key, &c.Exports.Folder} {
		*p = beside(dir, *p)
	}
	for i := range c.Partners {
		c.Partners[i].Key = beside(dir, c.Partners[i].Key)
	}
	for i := range c.Issuers {
		c.Issuers[i].JWKSFile = beside(dir, c.Issuers[i].JWKSFile)
	}
	for id, cl := range c.Clients {
		cl.JWKSFile = beside(dir, cl.JWKSFile)
		c.Clients[id] = cl
	}
}

func (c *Config) scheme() string {
	if c.TLS.on() {
		return "https"
	}
	return "http"
}

func ownSystem(tenant string) string { return "urn:rapport:" + tenant }

func beside(dir, p string) string {
	if p == "" || filepath.IsAbs(p) || strings.HasPrefix(p, ":") {
		return p
	}
	return filepath.Join(dir, p)
}

var tenantForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Check says all that is wrong, before anything starts.
func (c *Config) Check() error {
	var errs []error
	say := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s: %s", c.path, field, fmt.Sprintf(format, args...)))
	}
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		say("listen", "must be host:port")
	case !loopback(host) && !c.TLS.on():
		say("listen", "plain HTTP is served on loopback only: name a certificate and its key under tls, or put a TLS proxy on this machine in front")
	}
	if c.TLS.on() && (c.TLS.Certificate == "" || c.TLS.Key == "") {
		say("tls", "name both a certificate and its key")
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.HasSuffix(c.URL, "/") {
		say("url", "must be an absolute URL without a slash at its end")
	} else if u.Scheme == "http" && !loopback(u.Hostname()) {
		say("url", "must be https where callers come from elsewhere")
	}
	if c.TLS.on() && strings.HasPrefix(c.URL, "http:") {
		say("url", "must be https: this gateway serves TLS")
	}
	if l := c.Limits; l.Body < 0 || l.Body > 1024 || l.Time < 0 || l.Requests < 0 {
		say("limits", "body is MiB up to 1024, time a duration, requests a number; none is negative")
	}
	for i, o := range c.Origins {
		if u, err := url.Parse(o); err != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) || u.Host == "" || u.Path != "" || u.RawQuery != "" || strings.Contains(o, "*") {
			say(fmt.Sprintf("origins[%d]", i), "is the origin of one web site, such as https://app.example.org, without a path")
		}
	}
	if c.Keyring == "" {
		say("keyring", "is missing; make one with: gateway keyring create FILE")
	}
	n := 0
	for _, s := range []string{c.Store.SQLite, c.Store.Postgres, c.Store.PostgresFile} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		say("store", "give one of sqlite, postgres, postgresFile")
	}
	if r := c.Audit.Reads; r != "" && r != "journal" && r != "synced" {
		say("audit.reads", "is journal or synced")
	}
	if c.Caseload.Grace < 0 {
		say("caseload.grace", "must not be negative")
	}
	known := map[string]bool{}
	for i, t := range c.Tenants {
		at := fmt.Sprintf("tenants[%d]", i)
		if !tenantForm.MatchString(t.ID) || t.ID == "system" {
			say(at+".id", "is 1 to 64 letters, digits, '.', '_' or '-', and not system")
		}
		if !strings.Contains(t.System, ":") {
			say(at+".system", "must be a URI")
		}
		if _, err := time.LoadLocation(t.Zone); err != nil {
			say(at+".zone", "is a time zone's name, such as Europe/Zurich")
		}
		if t.Grace < 0 {
			say(at+".grace", "must not be negative")
		}
		if known[t.ID] {
			say(at+".id", "there is a tenant of this id already")
		}
		known[t.ID] = true
	}
	if len(c.Tenants) == 0 && !c.Development {
		say("tenants", "name at least one")
	}
	for i, p := range c.Partners {
		at := fmt.Sprintf("partners[%d]", i)
		if !known[p.Tenant] {
			say(at+".tenant", "there is no such tenant")
		}
		if err := p.Validate(); err != nil {
			say(at, "%v", err)
		}
	}
	c.checkProjects(say, known)
	if c.ownIssuer() {
		if err := c.issuer().Validate(); err != nil {
			say("clients", "%v", err)
		}
	} else if len(c.Issuers) == 0 {
		say("issuers", "nobody could sign in: name an issuer in front, or clients of the built-in one")
	}
	if len(c.Issuers) > 0 {
		if err := (token.Config{Issuers: c.Issuers}).Validate(); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				errs = append(errs, fmt.Errorf("%s: %s", c.path, line))
			}
		}
	}
	return errors.Join(errs...)
}

// checkProjects says what is wrong with research projects. Each client works for one:
// what it exports must be of that one.
func (c *Config) checkProjects(say func(field, format string, args ...any), tenants map[string]bool) {
	if c.Exports.Keep < 0 {
		say("exports.keep", "must not be negative")
	}
	seen, works := map[string]bool{}, map[string]bool{}
	for i, p := range c.Projects {
		at := fmt.Sprintf("projects[%d]", i)
		if !tenantForm.MatchString(p.ID) || seen[p.Tenant+"/"+p.ID] {
			say(at+".id", "is 1 to 64 letters, digits, '.', '_' or '-', and another one for each project of a tenant")
		}
		seen[p.Tenant+"/"+p.ID] = true
		if !tenants[p.Tenant] {
			say(at+".tenant", "there is no such tenant")
		}
		if _, err := deid.Embedded(p.Profile); p.Profile != "" && err != nil {
			say(at+".profile", "%v", err)
		}
		if p.K != 0 && p.K < research.DefaultK {
			say(at+".k", "is %d or more", research.DefaultK)
		}
		if len(p.Clients) == 0 {
			say(at+".clients", "name at least one")
		}
		for _, id := range p.Clients {
			if works[p.Tenant+"/"+id] {
				say(at+".clients", "a client works for one project")
			}
			works[p.Tenant+"/"+id] = true
			if cl, here := c.Clients[id]; here && (cl.Role != policy.Researcher || cl.Tenant != p.Tenant) {
				say(at+".clients", "a client of a project has the role researcher, and the project's tenant")
			}
		}
	}
}

// ownIssuer reports whether the built-in issuer is there at all.
func (c *Config) ownIssuer() bool { return c.Development || len(c.Clients) > 0 }

func (c *Config) issuer() issuer.Config {
	return issuer.Config{URL: c.URL + issuerPath, Audience: c.URL + fhirPath, Clients: c.Clients}
}

const (
	fhirPath   = "/fhir"
	issuerPath = "/auth"
)

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
