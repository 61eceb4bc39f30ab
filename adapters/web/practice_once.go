package web

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/mapping/practice"
)

// onceOf reads the Idempotency-Key of a request with one record; nil if there is none.
// Where it could not be heeded it is refused: whoever sends it counts on it.
func onceOf(g *gin.Context, kind string, in posted) (*rest.Once, error) {
	if len(g.Request.Header.Values("Idempotency-Key")) == 0 {
		return nil, nil
	}
	switch {
	case in.several:
		return nil, &fhir.Error{Code: fhir.NotSupported, Detail: "Several records are many requests and take no Idempotency-Key; leave it out, or send each record by itself. A record that is sent again as it was changes nothing."}
	case kind == processNote: // what is remembered of requests lies where notes have no place
		return nil, &fhir.Error{Code: fhir.NotSupported, Detail: "A process note takes no Idempotency-Key; leave it out. A note that is sent again as it was changes nothing."}
	}
	return rest.OnceOf(&rest.Request{
		Method: g.Request.Method, Path: "practice/" + practice.Plural(kind), Query: g.Request.URL.Query(), Header: g.Request.Header, Body: in.bodies[0].json,
	})
}

// storeOnce stores the record, unless a request with its Idempotency-Key did so before:
// a late retry does not undo what was corrected since.
func (j *job) storeOnce(ctx context.Context, tx fhir.Tx, rs []fhir.Resource) (r receipt, err error) {
	if j.once == nil {
		return j.store(ctx, tx, rs)
	}
	before, done, err := j.once.Recall(ctx, tx)
	if err != nil {
		return r, err
	}
	if done {
		return j.again(ctx, tx, before)
	}
	if r, err = j.store(ctx, tx, rs); err != nil {
		return r, err
	}
	return r, j.once.Remember(ctx, tx, r.did()...)
}

// did is what is remembered of a receipt: no content.
func (r receipt) did() (ds []rest.Did) {
	status := http.StatusOK
	if r.Outcome == created {
		status = http.StatusCreated
	}
	for _, k := range r.Resources {
		ds = append(ds, rest.Did{Status: status, Key: k.Reference, Version: k.version, Effect: k.effect})
	}
	return ds
}

// again answers what a request did, as far as the caller may see it now: the record itself
// must be theirs to see, unless they are of those who write and never read.
func (j *job) again(ctx context.Context, tx fhir.Tx, before []rest.Did) (r receipt, err error) {
	r.replayed = true
	var ws []fhir.Written
	for i, d := range before {
		k, _ := fhir.ParseKey(d.Key)
		w := fhir.Written{Head: fhir.Head{Key: k, Version: d.Version}, Effect: d.Effect}
		if d.Effect != fhir.Removed {
			_, err := tx.As(fhir.Act{Interaction: fhir.VRead, Type: k.Type, ID: k.ID}).ReadVersion(ctx, k, d.Version)
			switch {
			case fhir.Is(err, fhir.Forbidden), err == nil:
			case i > 0 && fhir.Unseen(err): // what came of it, and is not theirs to see
				continue
			default:
				return receipt{}, err
			}
		}
		ws = append(ws, w)
		r.Resources = append(r.Resources, keptOf(w))
	}
	if r.Outcome = outcomeOf(ws, nil); r.Outcome == created && before[0].Status != http.StatusCreated {
		r.Outcome = updated // it took the place of something
	}
	if _, ok := j.record.(*practice.Response); ok {
		r.Feedback, err = j.toldAgain(ctx, tx, ws[0])
	}
	return r, err
}

// toldAgain is the feedback of a response that stands as it was sent; nil: it was changed
// since, or is not for the caller to read.
func (j *job) toldAgain(ctx context.Context, tx fhir.Tx, w fhir.Written) (*assessment, error) {
	now, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: w.Key.Type, ID: w.Key.ID}).Read(ctx, w.Key)
	if fhir.Unseen(err) || err == nil && now.Version != w.Version {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return j.assess(ctx, tx, now, nil)
}
