package rest

import (
	"bytes"
	"context"
	"encoding/base64"
	"mime"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"rapport/fhir"
)

const (
	jsonPatchType = "application/json-patch+json"
	maxPatchSteps = 1000
	maxPatchCopy  = 1 << 20 // bytes that "copy" may add, all steps together
)

// patch: PATCH [base]/[type]/[id] or ?criteria with a JSON Patch (RFC 6902). The result
// is judged like the body of an update, in the transaction that read what it changes.
//
// Source: https://hl7.org/fhir/R4/http.html#patch
func (rt *Router) patch(r *Request, k fhir.Key) (*plan, error) {
	c, err := preconditions(r)
	if err != nil {
		return nil, err
	}
	steps, err := stepsOf(r)
	if err != nil {
		return nil, err
	}
	p := &plan{act: fhir.Act{Interaction: fhir.Patch, Type: k.Type, ID: k.ID}}
	if k.ID == "" {
		a, err := rt.aimed(r, k.Type)
		if err != nil {
			return nil, err
		}
		p.act.Query = a.query.Canonical()
		p.write = func(ctx context.Context, tx fhir.Tx, _ fhir.Resource) (Response, error) {
			found, err := a.find(ctx, tx)
			if err != nil {
				return Response{}, err
			}
			if found.IsZero() {
				return Response{}, fhir.Missing(fhir.Key{})
			}
			return rt.patched(ctx, tx, r, found.Key, steps, c)
		}
		return p, nil
	}
	if err := plain(r.Query); err != nil {
		return nil, err
	}
	p.write = func(ctx context.Context, tx fhir.Tx, _ fhir.Resource) (Response, error) {
		return rt.patched(ctx, tx, r, k, steps, c)
	}
	return p, nil
}

// patched reads, changes and writes. Reading is an act of its own: a patch tells by
// "test" what a resource holds, so that whoever may only write may not patch (A30).
func (rt *Router) patched(ctx context.Context, tx fhir.Tx, r *Request, k fhir.Key, steps jsonpatch.Patch, c fhir.Condition) (Response, error) {
	before, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}).Read(ctx, k)
	if err != nil {
		return Response{}, err
	}
	if c.IfMatch != 0 && c.IfMatch != before.Version {
		return Response{}, &fhir.Error{Code: fhir.Stale, Detail: "The resource has changed since the version that If-Match names. Read it again."}
	}
	body, err := steps.ApplyWithOptions(before.Body(), &jsonpatch.ApplyOptions{AccumulatedCopySizeLimit: maxPatchCopy})
	if err != nil {
		// Its text quotes the resource: it goes nowhere.
		return Response{}, &fhir.Error{Code: fhir.BusinessRule, Detail: "The patch cannot be applied to the resource as it is: a path is not there, or a test does not hold. Read the resource again."}
	}
	after, err := rt.content(ctx, bytes.TrimSpace(body), k.Type, nil)
	if err != nil {
		return Response{}, err
	}
	if after.ID != k.ID {
		return Response{}, fhir.Errorf(fhir.Invalid, k.Type+".id", "A patch may not change the id.")
	}
	return rt.put(ctx, tx.As(fhir.Act{Interaction: fhir.Patch, Type: k.Type, ID: k.ID}), r, after, fhir.Condition{IfMatch: before.Version})
}

// stepsOf reads the patch: the body as it is, or, in an entry of a Bundle, what a
// Binary holds.
func stepsOf(r *Request) (jsonpatch.Patch, error) {
	body := r.Body
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && t != jsonPatchType {
		return nil, &fhir.Error{Code: fhir.NotSupported, Detail: "Send a JSON Patch, as Content-Type: " + jsonPatchType + "."}
	}
	if b, err := fhir.Parse(body); err == nil && b.Type == "Binary" {
		if b.Root().Get("contentType").Text() != jsonPatchType {
			return nil, fhir.Errorf(fhir.NotSupported, "Binary.contentType", "Send a JSON Patch, as a Binary of contentType %s.", jsonPatchType)
		}
		if body, err = base64.StdEncoding.DecodeString(strings.TrimSpace(b.Root().Get("data").Text())); err != nil {
			return nil, fhir.Errorf(fhir.Value, "Binary.data", "The data is not base64.")
		}
	}
	if _, err := fhir.ParseNode(body); err != nil { // duplicate members, depth, UTF-8
		return nil, err
	}
	steps, err := jsonpatch.DecodePatch(body)
	if err != nil || len(steps) == 0 {
		return nil, &fhir.Error{Code: fhir.Structure, Detail: `A JSON Patch is an array of steps such as {"op":"replace","path":"/active","value":false}.`}
	}
	if len(steps) > maxPatchSteps {
		return nil, fhir.Errorf(fhir.TooLong, "", "A patch may have up to %d steps.", maxPatchSteps)
	}
	for _, s := range steps {
		switch s.Kind() {
		case "add", "remove", "replace", "move", "copy", "test":
		default:
			return nil, &fhir.Error{Code: fhir.Structure, Detail: "A step's op is add, remove, replace, move, copy or test."}
		}
	}
	return steps, nil
}
