package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"rapport/fhir"
	"rapport/fhir/bulk"
	"rapport/fhir/rest"
	"rapport/fhir/spec"
	"rapport/mapping"
	"rapport/mapping/deid"
	"rapport/mapping/research"
	"rapport/policy"
	"rapport/policy/keyring"
)

// exports makes what a tenant's bulk exports need.
func (i *instance) exports(t *tenant) (*bulk.Exports, error) {
	return bulk.New(bulk.Config{
		Tenant: t.ID, Base: i.cfg.URL + fhirPath, Folder: filepath.Join(i.cfg.Exports.Folder, t.ID),
		Keys: i.ring, Purpose: keyring.Export, Queue: t.raw, Memos: t.raw, Search: i.search, Served: spec.Capability(),
		Clock: i.clock, IDs: rand.Text, Grant: i.grant,
		GateFor: func(ctx context.Context, j bulk.Job) (fhir.Gate, error) {
			p, err := i.again(ctx, j)
			if err != nil {
				return nil, err
			}
			return i.guard.For(p), nil
		},
		Treatment: func(ctx context.Context, j bulk.Job) (bulk.Treatment, error) { return i.release(ctx, t, j) },
		Wake:      t.exporting, Limits: bulk.Limits{Keep: i.cfg.Exports.Keep}, Log: i.log,
	})
}

// exportOperations are the operations of a tenant's exports. Whoever makes them is told
// at once of one that was asked for here.
func (t *tenant) exportOperations() []rest.Operation {
	ops := t.exports.Operations()
	for n, op := range ops {
		ops[n].Serve = func(ctx context.Context, r *rest.Request, ids []string) (rest.Response, error) {
			resp, err := op.Serve(ctx, r, ids)
			if resp.Status == http.StatusAccepted {
				select {
				case t.exporting <- struct{}{}:
				default: // it has been told
				}
			}
			return resp, err
		}
	}
	return ops
}

// grant says who starts an export. A researcher gets what a treatment makes of it, and
// nothing else.
func (i *instance) grant(_ context.Context, r *rest.Request) (bulk.Grant, error) {
	p, ok := policy.PrincipalOf(r.Gate)
	if !ok {
		return bulk.Grant{}, &fhir.Error{Code: fhir.Forbidden, Detail: "Exports are for registered backends."}
	}
	// What the token was is over when the job runs.
	p.TokenID, p.Expires = "", time.Time{}
	data, err := json.Marshal(p)
	if err != nil {
		return bulk.Grant{}, err
	}
	return bulk.Grant{Owner: fmt.Sprintf("%q %q %q", p.Issuer, p.Client, p.Subject), Data: data, Treated: p.Role == policy.Researcher}, nil
}

// again returns who started a job, as far as configuration lets it be that now.
func (i *instance) again(ctx context.Context, j bulk.Job) (policy.Principal, error) {
	var p policy.Principal
	if err := json.Unmarshal(j.Grant.Data, &p); err != nil {
		return p, err
	}
	if p.Tenant != j.Tenant {
		return policy.Principal{}, &fhir.Error{Code: fhir.Forbidden, Detail: "The export is of another tenant."}
	}
	return i.verify.Again(ctx, p)
}

// release is the treatment of a researcher's export: a release of the project that its
// client works for.
func (i *instance) release(ctx context.Context, t *tenant, j bulk.Job) (bulk.Treatment, error) {
	p, err := i.again(ctx, j)
	if err != nil {
		return nil, err
	}
	n := slices.IndexFunc(i.cfg.Projects, func(pr Project) bool { return pr.Tenant == t.ID && slices.Contains(pr.Clients, p.Client) })
	if n < 0 {
		return nil, &fhir.Error{Code: fhir.Forbidden, Detail: "This client works for no research project here; whoever runs the gateway enters it under projects."}
	}
	project := i.cfg.Projects[n]
	definitions, err := i.definitions()
	if err != nil {
		return nil, err
	}
	return research.New(research.Config{
		Project: project.ID, Profile: project.Profile, K: project.K,
		Key: func(_ context.Context, name string) (deid.Key, error) {
			return i.ring.Hash(t.ID, keyring.Pseudonyms, "project", name), nil
		},
		Secrets: deid.Memoed{Memos: t.raw, Random: rand.Reader}, History: research.Memoed{Memos: t.raw},
		Instruments: i.library, Definitions: definitions, Stamp: j.Born.UTC().Truncate(24 * time.Hour),
	})
}

// definitions are the resources that say what this gateway's own codes, extensions and
// questionnaires are.
func (i *instance) definitions() ([]fhir.Resource, error) {
	rs, err := i.library.Definitions()
	if err != nil {
		return nil, err
	}
	for _, more := range []func() ([]fhir.Resource, error){mapping.Definitions, deid.Definitions} {
		ds, err := more()
		if err != nil {
			return nil, err
		}
		rs = append(rs, ds...)
	}
	return rs, nil
}
