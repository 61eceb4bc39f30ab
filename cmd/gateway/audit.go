package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/policy"
	"rapport/policy/audit"
)

type auditCommand struct {
	List       auditList       `cmd:"" help:"Who did what, and to what."`
	Verify     auditVerify     `cmd:"" help:"Check the chains: nothing edited, missing, swapped, cut."`
	Checkpoint auditCheckpoint `cmd:"" help:"Print the ends of the chains, to be kept elsewhere."`
}

type auditList struct {
	where
	Tenant  string    `help:"Tenant; default: the first one. system: requests without a valid token." placeholder:"T"`
	Patient string    `help:"Only what is about this Patient." placeholder:"ID"`
	Since   time.Time `help:"Only from this instant on." placeholder:"INSTANT"`
	Denied  bool      `help:"Only what was denied."`
	JSON    bool      `help:"One record a line, whole." name:"json"`
}

func (a auditList) Run(ctx context.Context) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.close()
	st, err := i.auditStore(&a.Tenant)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	if !a.JSON {
		fmt.Fprintln(w, "WHEN\tWHO\tROLE\tWHAT\tON\tDECISION\tBECAUSE")
	}
	for sel := (store.Entries{Since: a.Since, Max: 1000}); ; {
		es, next, err := st.Entries(ctx, sel)
		if err != nil {
			return err
		}
		for _, e := range es {
			var r policy.Record
			if err := json.Unmarshal(e.Body, &r); err != nil {
				return fmt.Errorf("record %s cannot be read; run: gateway audit verify", e.ID)
			}
			if a.Denied && r.Decision != policy.Deny || a.Patient != "" && !slices.ContainsFunc(r.Patients, func(k fhir.Key) bool { return k == fhir.Key{Type: "Patient", ID: a.Patient} }) {
				continue
			}
			if a.JSON {
				fmt.Fprintf(os.Stdout, "%s\n", e.Body)
				continue
			}
			fmt.Fprintln(w, row(r))
		}
		if next == "" {
			return w.Flush()
		}
		sel.After = next
	}
}

// row is a record for people: who, what, to what, and why.
func row(r policy.Record) string {
	who := r.Who.Subject
	if !r.Who.User.IsZero() {
		who = r.Who.User.String()
	}
	on := make([]string, 0, 4)
	for n, t := range r.Touched {
		if n == 3 {
			on = append(on, fmt.Sprintf("and %d more", len(r.Touched)-n))
			break
		}
		on = append(on, fmt.Sprintf("%s@%d", t.Key, t.Version))
	}
	if len(on) == 0 {
		on = append(on, strings.TrimSuffix(r.Type+"/"+r.Target, "/"))
	}
	what := string(r.Interaction)
	if !r.Derived.IsZero() {
		what += " derived"
	}
	if !r.Recipient.IsZero() {
		what += " to " + r.Recipient.String()
	}
	because := strings.Join(r.Reasons, " ")
	if r.Failure != "" {
		because = strings.TrimSpace(because + " (" + r.Failure + ")")
	}
	return strings.Join([]string{r.At.UTC().Format("2006-01-02T15:04:05.000Z"), who, string(r.Who.Role), what, strings.Join(on, " "), string(r.Decision), because}, "\t")
}

type auditVerify struct {
	where
	Tenant string `help:"One tenant only; default: every one." placeholder:"T"`
	Anchor string `help:"What audit checkpoint printed, kept elsewhere since." type:"existingfile" placeholder:"FILE"`
}

func (a auditVerify) Run(ctx context.Context) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.close()
	var anchor *audit.Anchor
	if a.Anchor != "" {
		b, err := os.ReadFile(a.Anchor)
		if err != nil {
			return err
		}
		anchor = &audit.Anchor{}
		if err := json.Unmarshal(b, anchor); err != nil {
			return fmt.Errorf("%s is not what audit checkpoint prints: %w", a.Anchor, err)
		}
		if a.Tenant == "" {
			a.Tenant = anchor.Tenant
		}
	}
	ts := append(i.tenantIDs(), audit.System)
	if a.Tenant != "" {
		ts = []string{a.Tenant}
	}
	faults := 0
	for _, id := range ts {
		st, err := i.auditStore(&id)
		if err != nil {
			return err
		}
		r, err := audit.Verify(ctx, st, auditKeys{i.ring}, id, anchor)
		if err != nil {
			return err
		}
		faults += tell(r)
	}
	local := audit.Report{Tenant: "local journal"}
	if err := audit.VerifyLocal(i.cfg.Audit.Folder, &local); err != nil {
		return err
	}
	faults += tell(local)
	if faults > 0 {
		return fmt.Errorf("%d faults: the journal was tampered with or damaged", faults)
	}
	return nil
}

func tell(r audit.Report) int {
	switch {
	case r.Local > 0:
		fmt.Printf("%s: %d records whole\n", r.Tenant, r.Local)
	default:
		fmt.Printf("%s: %d records sealed and whole, %d of the last moments not yet sealed\n", r.Tenant, r.Sealed, r.Unsealed)
	}
	for _, f := range r.Faults {
		fmt.Printf("%s: FAULT %s\n", r.Tenant, f)
	}
	return len(r.Faults)
}

type auditCheckpoint struct {
	where
	Tenant string `help:"Tenant; default: the first one." placeholder:"T"`
}

func (a auditCheckpoint) Run(ctx context.Context) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.close()
	st, err := i.auditStore(&a.Tenant)
	if err != nil {
		return err
	}
	anchor, err := audit.Checkpoint(ctx, st, a.Tenant)
	if err != nil {
		return err
	}
	// On one line: a signature is over the bytes of its statement as they are.
	return json.NewEncoder(os.Stdout).Encode(anchor)
}

// open puts together, for a command of an auditor, what is needed to read.
func (w where) open(ctx context.Context) (*instance, error) {
	cfg, err := w.load()
	if err != nil {
		return nil, err
	}
	return build(ctx, cfg, quiet(os.Stderr))
}

func (i *instance) tenantIDs() (out []string) {
	for _, t := range i.cfg.Tenants {
		out = append(out, t.ID)
	}
	return out
}

// auditStore returns the store of a tenant's records; "" becomes the first tenant.
func (i *instance) auditStore(id *string) (store.Store, error) {
	if *id == "" {
		*id = i.cfg.Tenants[0].ID
	}
	if *id != audit.System && !slices.Contains(i.tenantIDs(), *id) {
		return nil, errors.New("there is no such tenant")
	}
	return i.db.Tenant(*id)
}
