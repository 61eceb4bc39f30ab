package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"rapport/fhir"
)

// Way is how a package goes to a partner.
type Way string

// The ways. Auto takes what the partner's CapabilityStatement declares, in this order.
const (
	Auto        Way = "auto"
	Transaction Way = "transaction" // one transaction Bundle: all or nothing
	Message     Way = "message"     // one message Bundle to $process-message
	Creates     Way = "creates"     // one create for each resource of a type that it takes
)

// Ways lists what may be configured.
func Ways() []Way { return []Way{Auto, Transaction, Message, Creates} }

// statementFor is how long a partner's CapabilityStatement is believed.
const statementFor = 12 * time.Hour

// capability is what a partner's CapabilityStatement says that we act upon.
//
// Source: https://hl7.org/fhir/R4/capabilitystatement.html
type capability struct {
	Transaction bool             `json:"transaction,omitempty"`
	Message     bool             `json:"message,omitempty"`
	Types       map[string]takes `json:"types,omitempty"`
}

// takes says what a partner serves of one type.
type takes struct {
	Create bool     `json:"create,omitempty"`
	Update bool     `json:"update,omitempty"`
	Search bool     `json:"search,omitempty"`
	Once   bool     `json:"once,omitempty"` // conditional create
	Params []string `json:"params,omitempty"`
}

func (t takes) by(param string) bool { return t.Search && slices.Contains(t.Params, param) }

// capabilityOf reads a statement. Of several modes the server's counts.
func capabilityOf(statement fhir.Resource) (c capability, err error) {
	if statement.Type != "CapabilityStatement" {
		return c, &fhir.Error{Code: fhir.Invalid, Detail: "the partner's metadata is no CapabilityStatement; set delivery for it"}
	}
	c.Types = map[string]takes{}
	for rest := range statement.Root().Get("rest").Elements() {
		if m := rest.Get("mode").Text(); m != "" && m != "server" {
			continue
		}
		for i := range rest.Get("interaction").Elements() {
			c.Transaction = c.Transaction || i.Get("code").Text() == "transaction"
		}
		for o := range rest.Get("operation").Elements() {
			c.Message = c.Message || o.Get("name").Text() == "process-message"
		}
		for r := range rest.Get("resource").Elements() {
			var t takes
			for i := range r.Get("interaction").Elements() {
				switch i.Get("code").Text() {
				case "create":
					t.Create = true
				case "update":
					t.Update = true
				case "search-type":
					t.Search = true
				}
			}
			t.Once, _ = r.Get("conditionalCreate").Bool()
			for p := range r.Get("searchParam").Elements() {
				t.Params = append(t.Params, p.Get("name").Text())
			}
			if typ := r.Get("type").Text(); slices.Contains(carried, typ) {
				c.Types[typ] = t
			}
		}
	}
	for m := range statement.Root().Get("messaging").Elements() {
		c.Message = c.Message || m.Get("endpoint").Exists() || m.Get("supportedMessage").Exists()
	}
	return c, nil
}

// way returns the best that the statement declares.
func (c capability) way() (Way, error) {
	switch {
	case c.Transaction:
		return Transaction, nil
	case c.Message:
		return Message, nil
	case c.Types["DocumentReference"].Create:
		return Creates, nil
	}
	return "", &fhir.Error{Code: fhir.NotSupported, Detail: "the partner declares none of transaction, $process-message and DocumentReference.create; ask its operator what it takes"}
}

const statementSpace = "partner-statement"

// reach returns the way to a partner and what it declares; of a configured way but
// single creates nothing needs to be declared, and it is not asked.
func (c *Courier) reach(ctx context.Context, to Partner) (Way, capability, error) {
	if to.Delivery == Transaction || to.Delivery == Message {
		return to.Delivery, capability{}, nil
	}
	known, err := c.declared(ctx, to)
	if err != nil {
		return "", capability{}, err
	}
	if to.Delivery == Creates {
		return Creates, known, nil
	}
	way, err := known.way()
	if err != nil {
		return "", capability{}, err
	}
	return way, known, nil
}

// declared returns what a partner's own statement says, read again when it has grown
// old. A recorded one of the same product is not enough: each site turns on its own.
func (c *Courier) declared(ctx context.Context, to Partner) (capability, error) {
	known, m, err := recalled[capability](ctx, c.Memos, statementSpace, statementKey(to))
	if err != nil || known.Types != nil {
		return known, err
	}
	statement, err := c.Channel.Capabilities(ctx, to)
	if err != nil {
		return known, err
	}
	if known, err = capabilityOf(statement); err != nil {
		return known, err
	}
	return known, c.remember(ctx, m, known)
}

func (c *Courier) remember(ctx context.Context, m fhir.Memo, known capability) error {
	m.Expires = c.Clock().Add(statementFor)
	err := revised(ctx, c.Memos, m, known)
	if fhir.Is(err, fhir.Conflict) {
		return nil // another courier read it at the same moment
	}
	return err
}

// doubt has the statement read again next time: the partner refused what it declares.
func (c *Courier) doubt(ctx context.Context, to Partner) error {
	_, m, err := recalled[capability](ctx, c.Memos, statementSpace, statementKey(to))
	if err != nil || m.Version == 0 {
		return err
	}
	return c.remember(ctx, m, capability{})
}

func statementKey(p Partner) string {
	h := sha256.Sum256([]byte(p.Base))
	return p.Name + "/" + hex.EncodeToString(h[:8])
}

// carried are the types that a package may hold.
var carried = []string{
	"Patient", "Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "RelatedPerson", "Encounter", "EpisodeOfCare",
	"Condition", "Goal", "CarePlan", "Flag", "Observation", "QuestionnaireResponse", "Procedure", "Communication", "DiagnosticReport",
	"DocumentReference", "ServiceRequest", "Task",
}
