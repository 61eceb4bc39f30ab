package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"rapport/fhir"
)

// onceFor is how long a request with an Idempotency-Key is known again.
const onceFor = 24 * time.Hour

var onceForm = regexp.MustCompile(`^[\x21-\x7e]{1,200}$`)

// Once is a write that is done once however often it is sent: the one with its
// Idempotency-Key that came first. What is kept of it is what it did, never a body: an
// answer that is told again is read again, by what the caller may see now.
//
// Source: draft-ietf-httpapi-idempotency-key-header
type Once struct {
	key    string
	digest string // of method, address, conditions and body
}

// OnceOf reads the Idempotency-Key of a request; nil if there is none. The same request is
// one of the same method, path, query, conditions and body.
//
// Errors: [fhir.Invalid] for a key that is none.
func OnceOf(r *Request) (*Once, error) {
	ks := r.Header.Values("Idempotency-Key")
	if len(ks) == 0 {
		return nil, nil
	}
	if len(ks) > 1 || !onceForm.MatchString(ks[0]) {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: "An Idempotency-Key is one value of up to 200 visible characters, such as a UUID."}
	}
	h := sha256.New()
	for _, s := range []string{r.Method, r.Path, r.Query.Encode(), r.Header.Get("If-Match"), r.Header.Get("If-None-Match"), r.Header.Get("If-None-Exist"), string(r.Body)} {
		h.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	return &Once{ks[0], hex.EncodeToString(h.Sum(nil))}, nil
}

// kept is what is remembered of a request.
type kept struct {
	Digest  string `json:"digest"`
	Results []Did  `json:"results"`
}

// Did is what one write did.
type Did struct {
	Status  int         `json:"status"`
	Key     string      `json:"key,omitempty"` // of the resource; "": it was about none
	Version int64       `json:"version,omitempty"`
	Effect  fhir.Effect `json:"effect,omitempty"`
}

// Recall returns what the request did that came first; false if this is it.
//
// Errors: [fhir.BusinessRule] when that was another request.
func (o *Once) Recall(ctx context.Context, tx fhir.Tx) ([]Did, bool, error) {
	b, err := tx.Recall(ctx, o.key)
	if err != nil || b == nil {
		return nil, false, err
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, false, err
	}
	if k.Digest != o.digest {
		return nil, false, &fhir.Error{Code: fhir.BusinessRule, Detail: "Another request was sent with this Idempotency-Key. Use a new key for each request."}
	}
	return k.Results, true, nil
}

// remember keeps what was done for who is told these answers.
func (o *Once) remember(ctx context.Context, tx fhir.Tx, rs ...Response) error {
	var ds []Did
	for _, r := range rs {
		d := Did{Status: r.Status}
		if !r.did.Key.IsZero() {
			d.Key, d.Version, d.Effect = r.did.Key.String(), r.did.Version, r.did.Effect
		}
		ds = append(ds, d)
	}
	return o.Remember(ctx, tx, ds...)
}

// Remember keeps what the request did, with its transaction, for [Once.Recall] to know it
// again within 24 hours.
func (o *Once) Remember(ctx context.Context, tx fhir.Tx, ds ...Did) error {
	b, err := json.Marshal(kept{Digest: o.digest, Results: ds})
	if err != nil {
		return err
	}
	return tx.Remember(ctx, o.key, b, onceFor)
}

// again tells a result of act, which tx is for, as far as the caller may see it now. Of
// a deletion there is nothing to see: it takes that the caller may still delete.
func (rt *Router) again(ctx context.Context, tx fhir.Tx, r *Request, act fhir.Act, d Did) (Response, error) {
	resp := Response{Status: d.Status, Header: http.Header{}}
	k, ok := fhir.ParseKey(d.Key)
	if act.Interaction == fhir.Delete {
		// Deleting what never was asks policy and changes nothing, even where the
		// resource is there again.
		if _, err := tx.Delete(ctx, fhir.Key{Type: act.Type, ID: rt.IDs()}, fhir.Condition{}); err != nil {
			return Response{}, err
		}
		return rt.deleted(r, fhir.Written{Head: fhir.Head{Key: k, Version: d.Version}, Effect: d.Effect}), nil
	}
	if !ok {
		return resp, nil
	}
	res, err := tx.As(fhir.Act{Interaction: fhir.VRead, Type: k.Type, ID: k.ID}).ReadVersion(ctx, k, d.Version)
	switch {
	case fhir.Is(err, fhir.Forbidden): // it may write and not read: it knows what it sent
		resp.Header.Set("ETag", etag(d.Version))
		resp.Header.Set("Location", rt.location(k, d.Version))
		return resp, nil
	case err != nil:
		return Response{}, err
	}
	resp.Header = versionHeader(res)
	resp.Header.Set("Location", rt.location(k, d.Version))
	resp.Body = prefers(r.Header).shown(fhir.Written{Head: fhir.Head{Key: k}, Effect: d.Effect, Resource: res})
	return resp, nil
}

func (rt *Router) location(k fhir.Key, version int64) string {
	return rt.Base + "/" + k.String() + "/_history/" + strconv.FormatInt(version, 10)
}

// Replayed is the header by which a caller tells an answer that was told before.
const Replayed = "Idempotent-Replayed"
