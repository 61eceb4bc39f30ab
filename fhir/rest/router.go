package rest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
)

// Config is what a Router needs. All fields but Follow, Operations, Security and Log are required.
type Config struct {
	Base     string // absolute URL of the FHIR base, without a trailing slash
	Served   *spec.Served
	Search   *search.Engine
	Validate *validate.Validator
	Follow   []fhir.Follow // what comes of each write, in its transaction
	// Operations are those whose work lies in other packages.
	Operations []Operation
	IDs        fhir.NewIDs
	Clock      fhir.Clock
	Software   string              // name and version for the CapabilityStatement
	Security   func() *fhir.Object // rest.security of the CapabilityStatement; nil: none
	Log        *slog.Logger        // nil: none. Gets codes and keys, never content
}

// Router serves FHIR requests. It is safe for concurrent use.
type Router struct {
	Config
	metadata []byte
}

// New returns a router.
func New(c Config) *Router {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	rt := &Router{Config: c}
	rt.metadata = rt.capabilities()
	return rt
}

// Request is one FHIR request. Path is below the base and decoded, without a
// leading slash: "Patient/1". Gate is the caller's.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
	Gate   fhir.Gate
}

// Response is the answer. Body is FHIR JSON, unless Header names another
// Content-Type; nil with statuses that have none.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Stream, in place of Body, writes what is too large to hold. Its error comes too
	// late for a status: the transport breaks the connection off.
	Stream func(w io.Writer) error
	did    fhir.Written // what a write did, without the resource; zero: nothing
}

// plan is a request made ready. Exactly one of look and write is set.
type plan struct {
	act   fhir.Act
	look  func(ctx context.Context, in fhir.Reader) (Response, error)
	write func(ctx context.Context, tx fhir.Tx, r fhir.Resource) (Response, error)
	// body is what write gets: in a transaction, after its links were resolved.
	body fhir.Resource
	// aim is what a conditional update is of, made what it makes where nothing is met.
	aim  *aim
	made fhir.Key
}

// Serve answers one request. It never panics for what a caller sent.
func (rt *Router) Serve(ctx context.Context, r *Request) Response {
	resp, err := rt.serve(ctx, r)
	if err != nil {
		return rt.fail(ctx, err)
	}
	if r.Method == http.MethodHead {
		resp.Body, resp.Stream = nil, nil
	}
	return resp
}

func (rt *Router) serve(ctx context.Context, r *Request) (Response, error) {
	if r.Path == "metadata" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return Response{Status: http.StatusOK, Header: http.Header{}, Body: rt.metadata}, nil
	}
	if op, ids, ok := rt.operation(r); ok {
		return rt.operate(ctx, r, op, ids)
	}
	if r.Path == "" && r.Method == http.MethodPost {
		return rt.bundle(ctx, r)
	}
	p, err := rt.prepare(ctx, r, nil)
	if err != nil {
		return Response{}, err
	}
	return rt.run(ctx, r, p)
}

func (rt *Router) run(ctx context.Context, r *Request, p *plan) (resp Response, err error) {
	if p.look != nil {
		err = r.Gate.View(ctx, p.act, func(in fhir.Reader) (err error) {
			resp, err = p.look(ctx, in)
			return err
		})
		return resp, err
	}
	o, err := OnceOf(r)
	if err != nil {
		return Response{}, err
	}
	err = r.Gate.Update(ctx, p.act, func(tx fhir.Tx) (err error) {
		if o == nil {
			resp, err = p.write(ctx, tx, p.body)
			return err
		}
		before, done, err := o.Recall(ctx, tx)
		if err != nil {
			return err
		}
		if done {
			if resp, err = rt.again(ctx, tx, r, p.act, before[0]); err == nil {
				resp.Header.Set(Replayed, "true")
			}
			return err
		}
		if resp, err = p.write(ctx, tx, p.body); err != nil {
			return err
		}
		return o.remember(ctx, tx, resp)
	})
	return resp, err
}

func (rt *Router) fail(ctx context.Context, err error) Response {
	err = InTime(ctx, err)
	if fhir.CodeOf(err) == fhir.Exception {
		rt.Log.ErrorContext(ctx, "request failed", "err", err)
	}
	return Failure(err)
}

// prepare tells what is asked for and makes it ready. links is nil but for
// entries of a transaction.
func (rt *Router) prepare(ctx context.Context, r *Request, links *links) (*plan, error) {
	if err := format(r); err != nil {
		return nil, err
	}
	if r.Path == "_history" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && slices.Contains(rt.Served.System, fhir.HistorySystem) {
		return rt.histories(r, "")
	}
	seg := strings.Split(r.Path, "/")
	typ := seg[0]
	served, ok := rt.Served.Type(typ)
	if !ok {
		if strings.HasPrefix(typ, "$") || strings.HasPrefix(typ, "_") {
			return nil, fhir.Errorf(fhir.NotSupported, "", "%s is not served on the whole system; /metadata lists what is.", printable(typ))
		}
		return nil, &fhir.Error{Code: fhir.NotFound, Detail: "There is no such resource type here; /metadata lists those that are served."}
	}
	id := ""
	if len(seg) > 1 {
		id = seg[1]
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	shape := method
	switch {
	case len(seg) == 1:
	case len(seg) == 2 && id == "_search":
		id, shape = "", shape+" search"
	case len(seg) == 2 && id == "_history":
		id, shape = "", shape+" histories"
	case len(seg) == 2 && id == "$validate":
		id, shape = "", shape+" $validate"
	case len(seg) == 3 && fhir.ValidID(id) && (seg[2] == "$everything" || seg[2] == "$validate"):
		shape += " " + seg[2]
	case len(seg) == 2 && strings.HasPrefix(id, "$") || strings.HasPrefix(id, "_"):
		return nil, fhir.Errorf(fhir.NotSupported, "", "This operation is not served on %s; /metadata lists those that are.", typ)
	case !fhir.ValidID(id):
		return nil, fhir.Missing(fhir.Key{})
	case len(seg) == 2:
		shape += " id"
	case len(seg) == 3 && seg[2] == "_history":
		shape += " history"
	case len(seg) == 4 && seg[2] == "_history":
		shape += " version"
	default:
		return nil, fhir.Missing(fhir.Key{})
	}
	k := fhir.Key{Type: typ, ID: id}
	var p *plan
	var err error
	switch shape {
	case "GET":
		p, err = rt.search(r, typ)
	case "POST search":
		p, err = rt.posted(r, typ)
	case "PUT":
		p, err = rt.conditionalUpdate(ctx, r, typ, links)
	case "DELETE":
		p, err = rt.conditionalDelete(r, typ)
	case "PATCH", "PATCH id":
		p, err = rt.patch(r, k)
	case "GET histories":
		p, err = rt.histories(r, typ)
	case "POST":
		p, err = rt.create(ctx, r, typ, links)
	case "GET $everything", "POST $everything":
		p, err = rt.everything(r, k)
	case "POST $validate", "GET $validate":
		p, err = rt.validate(r, k)
	case "GET id":
		p, err = rt.read(r, k)
	case "PUT id":
		p, err = rt.update(ctx, r, k, links)
	case "DELETE id":
		p, err = rt.delete(r, k)
	case "GET history":
		p, err = rt.history(r, k)
	case "GET version":
		p, err = rt.vread(r, k, seg[3])
	default:
		return nil, notServed(typ)
	}
	if err != nil {
		return nil, err
	}
	if p.act.Operation == "" && p.act.Interaction != fhir.HistorySystem && !served.Allows(p.act.Interaction) {
		return nil, notServed(typ)
	}
	return p, nil
}

func notServed(typ string) error {
	return fhir.Errorf(fhir.NotAllowed, "", "This interaction is not served for %s; /metadata lists those that are.", typ)
}

// format accepts what we can answer in: JSON.
func format(r *Request) error {
	f := strings.ReplaceAll(r.Query.Get("_format"), " ", "+") // a + that was not escaped
	if f == "" || f == "json" || strings.HasPrefix(f, "application/json") || strings.HasPrefix(f, "application/fhir+json") {
		return nil
	}
	return &fhir.Error{Code: fhir.NotSupported, Detail: "Only JSON is served: ask for _format=json or Accept: application/fhir+json."}
}

// plain refuses parameters that the interaction does not know: one that is
// silently ignored could have been meant to narrow the answer.
func plain(vs url.Values) error {
	for name := range vs {
		if name != "_format" && name != "_pretty" {
			return fhir.Errorf(fhir.NotSupported, "", "The parameter %s is not served here; leave it out.", printable(name))
		}
	}
	return nil
}

// printable keeps what a caller sent from carrying control characters or
// content into an error: only short names of letters, digits, - _ : . $ pass.
func printable(s string) string {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_:.$", c) {
			return "given"
		}
	}
	if len(s) > 40 {
		return "given"
	}
	return s
}
