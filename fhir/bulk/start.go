package bulk

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/rest"
)

func (e *Exports) startSystem(ctx context.Context, r *rest.Request, _ []string) (rest.Response, error) {
	return e.start(ctx, r, System, "")
}

func (e *Exports) startPatients(ctx context.Context, r *rest.Request, _ []string) (rest.Response, error) {
	return e.start(ctx, r, Patients, "")
}

func (e *Exports) startGroup(ctx context.Context, r *rest.Request, ids []string) (rest.Response, error) {
	return e.start(ctx, r, Group, ids[0])
}

// start takes an export up: it is decided whether the caller may export at all, the job
// is written down, and then the work is queued. What is written down and not queued
// runs never, and nobody was told of it.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html#bulk-data-kick-off-request
func (e *Exports) start(ctx context.Context, r *rest.Request, level Level, group string) (rest.Response, error) {
	if r.Method == http.MethodHead {
		return rest.Response{}, &fhir.Error{Code: fhir.NotAllowed, Detail: "An export is started by GET or POST."}
	}
	g, err := e.Grant(ctx, r)
	if err != nil {
		return rest.Response{}, err
	}
	j := Job{ID: e.IDs(), Tenant: e.Tenant, Grant: g, Level: level, Group: group, Born: e.Clock().UTC()}
	act := j.act("", "")
	if level == Group {
		act = j.act("Group", group)
	}
	var members []fhir.Key
	var o order
	err = r.Gate.View(ctx, act, func(in fhir.Reader) (err error) {
		// Whether the caller may export at all is told first, what is wrong with the request
		// next, what there is last.
		if o, err = e.ask(r, level, group); err != nil {
			return err
		}
		if g.Treated && (!o.since.IsZero() || o.patients != nil) {
			return &fhir.Error{Code: fhir.NotSupported, Detail: "A de-identified export is a release as a whole: without _since and without patient."}
		}
		members, err = e.members(ctx, in, o)
		return err
	})
	if err != nil {
		return rest.Response{}, err
	}
	j.Types, j.Since = o.types, o.since
	if g.Treated && o.named {
		j.Shown, j.Types = o.types, e.every(level)
	}
	k := &kept{state: state{Job: j, Request: o.request, Named: o.named, Notes: o.notes, Phase: waiting, Expires: j.Born.Add(runsFor + e.Limits.Keep)}}
	if g.Treated {
		k.Request = e.Base + "/$export" // the path names a Group by our id, which leaves with no release
		if o.named {
			k.Request += "?_type=" + url.QueryEscape(strings.Join(o.types, ","))
		}
	}
	if err := e.enlist(ctx, j, k.Expires); err != nil {
		return rest.Response{}, err
	}
	if err := e.begin(ctx, r.Gate, k, members); err != nil {
		// The list forgets it again; if it cannot, the sweep does when it has expired.
		_ = e.closed(context.WithoutCancel(ctx), j.ID, e.Clock())
		return rest.Response{}, err
	}
	h := http.Header{}
	h.Set("Content-Location", e.Base+"/"+statusPath+"/"+j.ID)
	return rest.Response{Status: http.StatusAccepted, Header: h}, nil
}

// members lists the patients that an export is confined to; nil: all. Of a Group the
// gate shows those alone whom the caller may export; a patient that was asked for and
// is not among them might as well not exist.
func (e *Exports) members(ctx context.Context, in fhir.Reader, o order) (members []fhir.Key, err error) {
	if o.level == System {
		return nil, nil
	}
	missing := &fhir.Error{Code: fhir.Invalid, Detail: "patient names one that is not in this export.", At: []string{"Parameters.parameter"}}
	if o.level == Group {
		g, err := in.Read(ctx, fhir.Key{Type: "Group", ID: o.group})
		if err != nil {
			return nil, err
		}
		members = []fhir.Key{} // a Group without members is not everybody
		for m := range g.Root().Get("member").Elements() {
			if k, ok := m.Get("entity").Ref(); ok && k.Type == "Patient" {
				members = append(members, k)
			}
		}
		slices.SortFunc(members, fhir.Key.Compare)
		members = slices.Compact(members)
	}
	if o.patients == nil {
		return members, nil
	}
	for _, p := range o.patients {
		if o.level == Group {
			if _, ok := slices.BinarySearchFunc(members, p, fhir.Key.Compare); !ok {
				return nil, missing
			}
			continue
		}
		switch _, err := in.Read(ctx, p); {
		case fhir.Is(err, fhir.NotFound), fhir.Is(err, fhir.Deleted):
			return nil, missing
		case err != nil:
			return nil, err
		}
	}
	return o.patients, nil
}

// begin writes a job down and queues its work.
func (e *Exports) begin(ctx context.Context, g fhir.Gate, k *kept, members []fhir.Key) error {
	if err := e.root.Mkdir(k.ID, 0o700); err != nil {
		return err
	}
	if members != nil {
		w, err := e.create(k.ID, "members")
		if err != nil {
			return err
		}
		defer w.close()
		for _, m := range members {
			if _, err := w.Write([]byte(m.ID + "\n")); err != nil {
				return err
			}
		}
		p, err := w.sync()
		if err != nil {
			return err
		}
		k.Members = []part{p}
	}
	if err := e.settled(k.ID); err != nil {
		return err
	}
	if err := e.save(ctx, k); err != nil {
		return err
	}
	return g.Update(ctx, k.act("", ""), func(tx fhir.Tx) error {
		return tx.Enqueue(ctx, fhir.Work{ID: "export/" + k.ID, Lane: "export/" + k.ID, Kind: Kind, Body: []byte(k.ID)})
	})
}

// settled brings the names in a job's folder, and of the folder itself, to disk.
func (e *Exports) settled(job string) error {
	for _, name := range []string{job, "."} {
		d, err := e.root.Open(name)
		if err != nil {
			return err
		}
		err = d.Sync()
		d.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
