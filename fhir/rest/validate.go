package rest

import (
	"context"
	"net/http"

	"rapport/fhir"
)

// validate: POST [base]/[type]/$validate with a resource or Parameters, and
// GET or POST [base]/[type]/[id]/$validate. The answer is 200 whatever the verdict.
// Nothing is looked up for it but, where an id is given, that resource, by what the
// caller may see: no reference is followed, no profile fetched.
//
// Source: https://hl7.org/fhir/R4/resource-operation-validate.html
func (rt *Router) validate(r *Request, k fhir.Key) (*plan, error) {
	if r.Method != http.MethodPost {
		if err := plain(r.Query); err != nil {
			return nil, err
		}
		return &plan{
			act: fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID, Operation: "$validate"},
			look: func(ctx context.Context, in fhir.Reader) (Response, error) {
				res, err := in.Read(ctx, k)
				if err != nil {
					return Response{}, err
				}
				return rt.verdict(ctx, res, ""), nil
			},
		}, nil
	}
	body, mode, profile, err := subject(r)
	if err != nil {
		return nil, err
	}
	switch {
	case mode != "" && mode != "create" && mode != "update":
		return nil, &fhir.Error{Code: fhir.NotSupported, Detail: "The modes create and update are served: what a deletion would break is not told."}
	case profile != "":
		return nil, &fhir.Error{Code: fhir.NotSupported, Detail: "A resource is judged by the specification and the profiles that it claims in meta.profile; leave the parameter profile out."}
	}
	res, parsed := fhir.Parse(body)
	return &plan{
		act: fhir.Act{Interaction: fhir.Capabilities, Type: k.Type, Operation: "$validate"},
		look: func(ctx context.Context, _ fhir.Reader) (Response, error) {
			switch {
			case parsed != nil:
				return judged(Outcome(parsed)), nil
			case res.Type != k.Type:
				return judged(Outcome(fhir.Errorf(fhir.Invalid, "resourceType", "The URL says %s and the body something else; they must agree.", k.Type))), nil
			case k.ID != "" && res.ID != k.ID:
				return judged(Outcome(fhir.Errorf(fhir.Invalid, k.Type+".id", "The id in the body must be there and equal the one in the URL."))), nil
			}
			return rt.verdict(ctx, res, mode), nil
		},
	}, nil
}

// subject reads what is to be validated, and how.
func subject(r *Request) (body []byte, mode, profile string, err error) {
	mode, profile = r.Query.Get("mode"), r.Query.Get("profile")
	for name := range r.Query {
		if name != "mode" && name != "profile" && name != "_format" && name != "_pretty" {
			return nil, "", "", fhir.Errorf(fhir.NotSupported, "", "The parameter %s is not served on $validate; leave it out.", printable(name))
		}
	}
	body = r.Body
	if p, err := fhir.ParseNode(r.Body); err == nil && p.Get("resourceType").Text() == "Parameters" {
		body = nil
		for n := range p.Get("parameter").Elements() {
			switch n.Get("name").Text() {
			case "resource":
				body = n.Get("resource").Raw()
			case "mode":
				mode = n.Get("valueCode").Text()
			case "profile":
				profile = n.Get("valueUri").Text() + n.Get("valueCanonical").Text()
			}
		}
		if len(body) == 0 {
			return nil, "", "", fhir.Errorf(fhir.Required, "Parameters.parameter", "Name the resource to validate in the parameter resource.")
		}
	}
	return body, mode, profile, nil
}

func (rt *Router) verdict(ctx context.Context, res fhir.Resource, mode string) Response {
	issues := rt.Validate.Resource(ctx, res)
	if mode == "update" && res.ID == "" {
		issues = append(issues, fhir.Errorf(fhir.Required, res.Type+".id", "An update needs the id of the resource that it is of."))
	}
	if len(issues) == 0 {
		return judged(told("No problem was found."))
	}
	return judged(Outcome(fhir.Errors(issues)))
}

func judged(body []byte) Response {
	return Response{Status: http.StatusOK, Header: http.Header{}, Body: body}
}
