package web

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// targets refuses a record that refers to what is not there, or what the caller may
// not know of: the same to it. An import may leave references open, since what they
// mean may come with the next file; whoever posts one record has mistyped. What is
// there must be about the client whom the record is about. What refers to a session that
// has not taken place is told of.
func (j *job) targets(ctx context.Context, in fhir.Tx, rs []fhir.Resource) (pending []issue, err error) {
	named := references(j.record)
	var wrong fhir.Errors
	said := map[string]bool{}
	say := func(k fhir.Key, whose []fhir.Key, path string, what func(at string) *fhir.Error) {
		for _, at := range j.places(named, k, whose, path) {
			if !said[at] {
				said[at] = true
				wrong = append(wrong, what(at))
			}
		}
	}
	about := map[fhir.Key][]fhir.Key{} // what is there, and about whom
	told := map[fhir.Key]bool{}        // there is nothing more to say of it
	for _, r := range rs {
		told[r.Key] = true
	}
	for _, r := range rs {
		for k, at := range meant(r) {
			if _, known := about[k]; known || told[k] {
				continue
			}
			res, err := j.target(ctx, in, named, k)
			switch {
			case fhir.Is(err, fhir.NotFound), fhir.Is(err, fhir.Deleted):
				told[k] = true
				say(k, nil, at, nobodys)
			case fhir.Is(err, fhir.Forbidden): // a type that the caller never reads: the gate's business
				about[k] = nil
			case err != nil:
				return nil, err
			default:
				about[k] = j.About(res)
				if res.Type != k.Type {
					pending = append(pending, issueOf(outstanding(j.places(named, k, nil, at))))
				}
			}
		}
	}
	for _, r := range rs {
		whose := j.About(r)
		if len(whose) == 0 || slices.ContainsFunc(whose, func(p fhir.Key) bool { return told[p] && p != r.Key }) {
			continue
		}
		for k, at := range meant(r) {
			if told[k] || len(about[k]) == 0 || slices.ContainsFunc(about[k], func(p fhir.Key) bool { return slices.Contains(whose, p) }) {
				continue
			}
			say(k, whose, at, anothers)
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return pending, nil
}

// target reads what the record refers to. A session that has not taken place, or did not,
// stands as an Appointment: what a client answers before it may name it, and what was
// answered stays as it was when the client did not come.
func (j *job) target(ctx context.Context, in fhir.Tx, named []reference, k fhir.Key) (fhir.Resource, error) {
	read := func(k fhir.Key) (fhir.Resource, error) {
		return in.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}).Read(ctx, k)
	}
	res, err := read(k)
	if k.Type != "Encounter" || !fhir.Is(err, fhir.NotFound) && !fhir.Is(err, fhir.Deleted) {
		return res, err
	}
	for _, n := range named {
		if session := j.source("session", n.ref); n.ref.Key != "" && j.mapper.KeyOf(session) == k {
			if planned, err := read(j.mapper.AppointmentOf(session)); !fhir.Unseen(err) {
				return planned, err
			}
		}
	}
	return res, err
}

func outstanding(at []string) *fhir.Error {
	e := fhir.Errorf(fhir.BusinessRule, "", "names a session that has not taken place, and so an Encounter that is not there. It leads to the session as soon as that is posted as finished.")
	e.At, e.Warn = at, true
	return e
}

func nobodys(at string) *fhir.Error {
	return fhir.Errorf(fhir.BusinessRule, at, "refers to a record that is not there or not visible to you; post that first")
}

func anothers(at string) *fhir.Error {
	return fhir.Errorf(fhir.BusinessRule, at, "refers to a record of another client; name one of the client whom this record is about")
}

// meant yields the resources that one refers to, in document order, each with the
// FHIRPath of the first reference.
func meant(r fhir.Resource) iter.Seq2[fhir.Key, string] {
	return func(yield func(fhir.Key, string) bool) {
		var walk func(n fhir.Node, at string) bool
		walk = func(n fhir.Node, at string) bool {
			switch n.Kind() {
			case fhir.Obj:
				if k, ok := n.Ref(); ok && !yield(k, at) {
					return false
				}
				for name, v := range n.Members() {
					if !walk(v, at+"."+name) {
						return false
					}
				}
			case fhir.Arr:
				i := 0
				for v := range n.Elements() {
					if !walk(v, fmt.Sprintf("%s[%d]", at, i)) {
						return false
					}
					i++
				}
			}
			return true
		}
		walk(r.Root(), r.Type)
	}
}

// places finds where the record names a resource, as JSON Pointers; the path in what
// became of the record where it does not. whose says for which of a record's clients.
func (j *job) places(named []reference, k fhir.Key, whose []fhir.Key, path string) (out []string) {
	for _, n := range named {
		if j.means(n.ref, k) && (len(whose) == 0 || slices.ContainsFunc(whose, func(p fhir.Key) bool { return j.means(n.client, p) })) {
			out = append(out, n.at)
		}
	}
	if len(out) == 0 {
		return []string{path}
	}
	return out
}

// placed tells what is said of an element that refers to something at the places in the
// record where it does; r is the resource that it is said of.
func (j *job) placed(err error, r fhir.Resource) error {
	var several fhir.Errors
	var e *fhir.Error
	if errors.As(err, &several) || !errors.As(err, &e) {
		return err
	}
	named := references(j.record)
	var at []string
	for k, path := range meant(r) {
		if slices.Contains(e.At, path) {
			at = append(at, j.places(named, k, nil, path)...)
		}
	}
	if len(at) == 0 {
		return err
	}
	slices.Sort(at)
	c := *e
	c.At = slices.Compact(at)
	return &c
}

// means reports whether a reference of the record leads to a resource.
func (j *job) means(ref practice.Ref, k fhir.Key) bool {
	if !ref.Stored.IsZero() || ref.Key == "" {
		return ref.Stored == k
	}
	return slices.ContainsFunc(practice.Kinds(), func(kind string) bool { return j.mapper.KeyOf(j.source(kind, ref)) == k })
}

// source is the record of a kind that a reference names by its key.
func (j *job) source(kind string, ref practice.Ref) practice.SourceKey {
	system := ref.System
	if system == "" {
		system = practice.OriginOf(j.record).System
	}
	return practice.SourceKey{Kind: kind, System: system, Key: ref.Key}
}

// reference is one that a record makes, with its JSON Pointer and the client whom the
// part of the record is about that makes it.
type reference struct {
	ref    practice.Ref
	at     string
	client practice.Ref
}

func references(rec practice.Record) (out []reference) {
	var walk func(v reflect.Value, at string, client practice.Ref)
	walk = func(v reflect.Value, at string, client practice.Ref) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem(), at, client)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), fmt.Sprintf("%s/%d", at, i), client)
			}
		case reflect.Struct:
			if r, ok := v.Interface().(practice.Ref); ok {
				if !r.IsZero() {
					out = append(out, reference{r, at, client})
				}
				return
			}
			if c := v.FieldByName("Client"); c.IsValid() {
				client, _ = c.Interface().(practice.Ref)
			}
			for i := range v.NumField() {
				f := v.Type().Field(i)
				if !f.IsExported() {
					continue
				}
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if f.Anonymous && name == "" {
					walk(v.Field(i), at, client)
				} else {
					walk(v.Field(i), at+"/"+name, client)
				}
			}
		}
	}
	walk(reflect.ValueOf(rec), "", practice.Ref{})
	return out
}
