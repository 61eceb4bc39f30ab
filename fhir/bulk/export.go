package bulk

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/fhir/search"
	"rapport/fhir/spec"
)

// Kind of the works by which jobs are run.
const Kind = "export"

// Grant is who starts a job, as far as it must be kept to make the gate again.
type Grant struct {
	Owner   string // equal for requests of the same client of the same issuer, and for no others
	Data    []byte // for Config.GateFor; kept with the job, so no secret
	Treated bool   // only what a Treatment makes of it may leave: research
}

// Sealer seals what lies on disk; *keyring.Ring is one.
type Sealer interface {
	Seal(tenant, purpose string, plaintext, aad []byte) []byte
	Open(tenant, purpose string, sealed, aad []byte) ([]byte, error)
}

// Config is what Exports of one tenant need. Fields are required unless said otherwise.
type Config struct {
	Tenant string
	Base   string // absolute URL of the FHIR base, without a trailing slash
	// Folder holds the files, sealed, each job in a folder of its own. Processes that
	// share the store share it.
	Folder  string
	Keys    Sealer
	Purpose string // of the keys: keyring.Export
	Queue   fhir.Queue
	Memos   fhir.Memos
	Search  *search.Engine
	Served  *spec.Served
	Clock   fhir.Clock
	// IDs makes ids that cannot be guessed: at least 128 random bits.
	IDs fhir.NewIDs
	// Grant says who asks.
	Grant func(ctx context.Context, r *rest.Request) (Grant, error)
	// GateFor makes the gate of a job again from its Grant, for a job that runs apart
	// from any request. It refuses with [fhir.Forbidden] where the client is known no
	// more or may do less than when it asked; consents are the gate's own business.
	GateFor func(ctx context.Context, j Job) (fhir.Gate, error)
	// Treatment makes the treatment of a job whose Grant says that it needs one. nil:
	// such jobs fail.
	Treatment func(ctx context.Context, j Job) (Treatment, error)
	Wake      <-chan struct{} // there may be work now; nil: looked for every few seconds
	Limits    Limits
	Log       *slog.Logger // nil: none. Gets job ids and codes, never content
}

// Limits of jobs; the zero value of each stands for the one that is named.
type Limits struct {
	Open, OpenOfOne int           // jobs at the same time, of all and of one owner: 16, 3
	Keep            time.Duration // files stay for: 24 h
	Lock            time.Duration // a job whose process died is taken up again after: 30 s
	Page            int           // resources of one look into the store: 500
	Checkpoint      int64         // bytes between two points from which to go on: 8 MiB
	File            int64         // bytes after which a new file begins: 256 MiB
	Sort            int           // bytes sorted in memory: 16 MiB
}

func (l *Limits) fill() {
	or := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	or(&l.Open, 16)
	or(&l.OpenOfOne, 3)
	or(&l.Page, 500)
	or(&l.Sort, 16<<20)
	if l.Keep == 0 {
		l.Keep = 24 * time.Hour
	}
	if l.Lock == 0 {
		l.Lock = 30 * time.Second
	}
	if l.Checkpoint == 0 {
		l.Checkpoint = 8 << 20
	}
	if l.File == 0 {
		l.File = 256 << 20
	}
}

// Exports serves and runs one tenant's exports. It is safe for concurrent use.
type Exports struct {
	Config
	root *os.Root
	// crashed, in tests alone, ends the process at a point by its name.
	crashed func(point string) error
}

// New returns Exports, and makes the folder if there is none. Close it.
func New(c Config) (*Exports, error) {
	switch {
	case c.Tenant == "", c.Folder == "", c.Keys == nil, c.Purpose == "", c.Queue == nil, c.Memos == nil, c.Search == nil, c.Served == nil,
		c.Clock == nil, c.IDs == nil, c.Grant == nil, c.GateFor == nil:
		return nil, errors.New("bulk: Config lacks a required field")
	}
	c.Limits.fill()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(c.Folder)
	if err != nil {
		return nil, err
	}
	return &Exports{Config: c, root: root, crashed: func(string) error { return nil }}, nil
}

// Close lets go of the folder.
func (e *Exports) Close() error { return e.root.Close() }

const (
	statusPath = "$export-status"
	filePath   = "$export-file"
)

// Operations are what a rest.Router must serve.
func (e *Exports) Operations() []rest.Operation {
	get, post := http.MethodGet, http.MethodPost
	return []rest.Operation{
		{Paths: []string{"$export"}, Methods: []string{get, post}, Parameters: parameters, Async: true, Serve: e.startSystem,
			Definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"},
		{Paths: []string{"Patient/$export"}, Methods: []string{get, post}, Parameters: parameters, Async: true, Serve: e.startPatients,
			Definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"},
		{Paths: []string{"Group/{}/$export"}, Methods: []string{get, post}, Parameters: parameters, Async: true, Serve: e.startGroup,
			Definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"},
		{Paths: []string{statusPath + "/{}"}, Methods: []string{get}, Serve: e.status},
		{Paths: []string{statusPath + "/{}"}, Methods: []string{http.MethodDelete}, Serve: e.cancel},
		{Paths: []string{filePath + "/{}/{}"}, Methods: []string{get}, Serve: e.download},
	}
}
