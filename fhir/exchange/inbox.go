package exchange

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/fhir/spec"
)

// Inbox takes referrals that come as FHIR messages. All fields are required.
type Inbox struct {
	Base   string // our own FHIR base
	Served *spec.Served
	Clock  fhir.Clock
	// Run serves a transaction; it is the router's Serve, which exists only after the
	// operations do.
	Run func(context.Context, *rest.Request) rest.Response
}

// Operation is $process-message.
func (b Inbox) Operation() rest.Operation {
	return rest.Operation{
		Paths: []string{"$process-message"}, Methods: []string{http.MethodPost},
		Definition: "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
		Parameters: []string{"async", "response-url"},
		Serve:      func(ctx context.Context, r *rest.Request, _ []string) (rest.Response, error) { return b.take(ctx, r) },
	}
}

// take stores what a message carries as the same package would be stored that comes
// as a transaction: through the caller's gate, all or nothing, each resource created
// unless the sender's identifier shows that it arrived before. So a message that is
// sent again changes nothing, and is answered as it was.
//
// Source: https://hl7.org/fhir/R4/messageheader-operation-process-message.html,
// https://hl7.org/fhir/R4/messaging.html
func (b Inbox) take(ctx context.Context, r *rest.Request) (rest.Response, error) {
	if r.Query.Get("async") == "true" || r.Query.Has("response-url") {
		return rest.Response{}, &fhir.Error{Code: fhir.NotSupported, Detail: "Messages are answered at once; leave out async and response-url."}
	}
	bundle, err := fhir.Parse(r.Body)
	if err != nil {
		return rest.Response{}, err
	}
	m, err := b.open(bundle)
	if err != nil {
		return rest.Response{}, err
	}
	tx, err := m.transaction()
	if err != nil {
		return rest.Response{}, err
	}
	resp := b.Run(ctx, &rest.Request{Method: http.MethodPost, Header: http.Header{}, Body: tx.Body(), Gate: r.Gate})
	if resp.Status != http.StatusOK {
		resp.Body = m.places(resp.Body)
		return resp, nil // what is wrong, as of any other request
	}
	done, err := fhir.Parse(resp.Body)
	if err != nil {
		return rest.Response{}, err
	}
	answer, err := b.answer(m, done)
	if err != nil {
		return rest.Response{}, err
	}
	return rest.Response{Status: http.StatusOK, Header: http.Header{}, Body: answer.Body()}, nil
}

// letter is a message that was opened.
type letter struct {
	header fhir.Node
	id     string // of the MessageHeader
	from   string // the sender's FHIR base
	served *spec.Served
	rs     []carriedIn
	left   map[string]string // what is not kept: fullUrl → type
}

// carriedIn is one resource of a message.
type carriedIn struct {
	fullURL string
	place   int // in the message
	r       fhir.Resource
	// system and value are the sender's own identifier of it.
	system, value string
}

func (b Inbox) open(bundle fhir.Resource) (*letter, error) {
	root := bundle.Root()
	if bundle.Type != "Bundle" || root.Get("type").Text() != "message" {
		return nil, fhir.Errorf(fhir.Invalid, "Bundle.type", "A message is a Bundle of type message.")
	}
	if n := root.Get("entry").Len(); n > maxCarried {
		return nil, fhir.Errorf(fhir.TooLong, "Bundle.entry", "A message may carry up to %d resources.", maxCarried)
	}
	h := root.Get("entry").Index(0).Get("resource")
	if h.Get("resourceType").Text() != "MessageHeader" {
		return nil, fhir.Errorf(fhir.Invalid, "Bundle.entry[0].resource", "The first entry of a message is its MessageHeader.")
	}
	event := h.Get("eventCoding")
	if strings.TrimSuffix(event.Get("system").Text(), "/") != eventSystem || event.Get("code").Text() != eventCode || h.Get("response").Exists() {
		return nil, fhir.Errorf(fhir.NotSupported, "MessageHeader.event", "The messages that are taken here are patient referrals, event %s of %s.", eventCode, eventSystem)
	}
	m := &letter{header: h, id: h.Get("id").Text(), served: b.Served, left: map[string]string{}}
	if m.id == "" {
		m.id = strings.TrimPrefix(root.Get("entry").Index(0).Get("fullUrl").Text(), "urn:uuid:")
	}
	if !fhir.ValidID(m.id) {
		return nil, fhir.Errorf(fhir.Required, "MessageHeader.id", "A message needs the id by which it is known when it comes again.")
	}
	m.from = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(h.At("source", "endpoint").Text(), "/"), "/$process-message"), "/")
	if !strings.Contains(m.from, ":") {
		return nil, fhir.Errorf(fhir.Required, "MessageHeader.source.endpoint", "A message says from which FHIR base it comes, as an absolute URL.")
	}
	if !b.addressed(h) {
		return nil, fhir.Errorf(fhir.Invalid, "MessageHeader.destination", "The message is addressed to another endpoint than %s.", b.Base)
	}
	i := 0
	for e := range root.Get("entry").Elements() {
		if i++; i == 1 {
			continue
		}
		if err := m.unpack(e, i-1); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// maxCarried bounds what one message may carry.
const maxCarried = 1000

// addressed reports whether a message is for us, or for nobody in particular.
func (b Inbox) addressed(header fhir.Node) bool {
	named := false
	for d := range header.Get("destination").Elements() {
		endpoint := d.Get("endpoint").Text()
		named = named || endpoint != ""
		if endpoint == b.Base || strings.HasPrefix(endpoint, b.Base+"/") {
			return true
		}
	}
	return !named
}

// unpack takes one entry. A document within the message is kept whole, as the
// attachment of a DocumentReference; what is not kept here, and what could not be
// recognised when it comes again, is left out and named in the answer.
func (m *letter) unpack(e fhir.Node, place int) error {
	n := e.Get("resource")
	typ := n.Get("resourceType").Text()
	url := e.Get("fullUrl").Text()
	if typ == "" {
		return nil
	}
	t, served := m.served.Type(typ)
	if !served || !t.ConditionalCreate || !t.Allows(fhir.Create) || typ == "Provenance" {
		if typ != "Bundle" || n.Get("type").Text() != "document" {
			m.left[url] = typ
			return nil
		}
	}
	r, err := fhir.ResourceOf(n)
	if err != nil {
		return err
	}
	c := carriedIn{fullURL: url, place: place, r: r, system: m.from + "/" + typ, value: r.ID}
	if strings.HasPrefix(url, "http") && strings.HasSuffix(url, "/"+r.Key.String()) && r.ID != "" {
		c.system = strings.TrimSuffix(url, "/"+r.ID)
	}
	for id := range n.Get("identifier").Elements() {
		if id.Get("system").Text() == m.from+"/"+typ {
			c.system, c.value = m.from+"/"+typ, id.Get("value").Text()
		}
	}
	if c.value == "" {
		c.value = strings.TrimPrefix(url, "urn:uuid:")
	}
	if c.value == "" {
		return fhir.Errorf(fhir.Required, "Bundle.entry.fullUrl", "Each resource of a message has a fullUrl or an id, by which it is known when it comes again.")
	}
	m.rs = append(m.rs, c)
	return nil
}

// transaction writes what the message carries as a transaction.
func (m *letter) transaction() (fhir.Resource, error) {
	slices.SortStableFunc(m.rs, func(a, b carriedIn) int { return turn(a.r.Type) - turn(b.r.Type) })
	var entries []*fhir.Object
	for _, c := range m.rs {
		o, typ, err := m.entry(c)
		if err != nil {
			return fhir.Resource{}, err
		}
		entries = append(entries, fhir.NewObject().
			Set("fullUrl", c.fullURL).
			Set("resource", o).
			Set("request", fhir.NewObject().
				Set("method", http.MethodPost).
				Set("url", typ).
				Set("ifNoneExist", identified(m.known(c, typ)).Encode())))
	}
	return fhir.NewResource(fhir.Key{Type: "Bundle"}).Set("type", "transaction").Set("entry", entries).Resource()
}

// known returns the search value by which a resource is recognised, the same as in
// the sender's transactions.
func (m *letter) known(c carriedIn, typ string) string {
	var tokens []string
	if typ == "Organization" {
		for id := range c.r.Root().Get("identifier").Elements() {
			if s, v := id.Get("system").Text(), id.Get("value").Text(); s != "" && v != "" && s != c.system {
				tokens = append(tokens, token(s, v))
			}
		}
	}
	if len(tokens) == 0 {
		tokens = []string{token(c.system, c.value)}
	}
	return strings.Join(tokens, ",")
}

// entry rewrites a resource: without the id of another server, with the sender's
// identifier, and with references to what is kept.
func (m *letter) entry(c carriedIn) (*fhir.Object, string, error) {
	ours := fhir.NewObject().Set("system", c.system).Set("value", c.value)
	if c.r.Type == "Bundle" {
		return m.document(c, ours), "DocumentReference", nil
	}
	r := c.r
	if edits := m.lost(r.Root(), rootOf(c.fullURL, r.Key), nil); len(edits) > 0 {
		var err error
		if r, err = r.Apply(edits...); err != nil {
			return nil, "", err
		}
	}
	o := fhir.NewObject()
	wrote := false
	for name, v := range r.Root().Members() {
		switch name {
		case "id":
		case "meta":
			o.Set(name, metaOf(v))
		case "identifier":
			wrote = true
			if v.Kind() == fhir.Obj {
				o.Set(name, ours)
				continue
			}
			var list []any
			for id := range v.Elements() {
				if id.Get("system").Text() != c.system {
					list = append(list, id)
				}
			}
			o.Set(name, append(list, ours))
		default:
			o.Set(name, v)
		}
	}
	if !wrote {
		if r.Type == "QuestionnaireResponse" {
			o.Set("identifier", ours)
		} else {
			o.Set("identifier", []*fhir.Object{ours})
		}
	}
	return o, r.Type, nil
}

// document keeps a document Bundle as it came.
func (m *letter) document(c carriedIn, ours *fhir.Object) *fhir.Object {
	composition := c.r.Root().Get("entry").Index(0).Get("resource")
	o := fhir.NewResource(fhir.Key{Type: "DocumentReference"}).
		Set("meta", fhir.NewObject().Set("security", c.r.Root().At("meta").Get("security"))).
		Set("identifier", []*fhir.Object{ours}).
		Set("status", "current")
	if t := composition.Get("type"); t.Exists() {
		o.Set("type", t)
	}
	for _, x := range m.rs {
		if x.r.Type == "ServiceRequest" {
			subject := x.r.Root().At("subject", "reference").Text()
			if _, relative := fhir.ParseKey(subject); relative {
				subject = rootOf(x.fullURL, x.r.Key) + subject
			}
			o.Set("subject", fhir.NewObject().Set("reference", subject))
			break
		}
	}
	return o.Set("description", composition.Get("title").Text()).
		Set("content", []*fhir.Object{fhir.NewObject().Set("attachment", fhir.NewObject().
			Set("contentType", "application/fhir+json").
			Set("data", base64.StdEncoding.EncodeToString(c.r.Body())))})
}
