package web

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"strings"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// targets refuses a record that refers to what is not there, or what the caller
// may not know of: the same to it. An import may leave references open, since what
// they mean may come with the next file; whoever posts one record has mistyped.
func (j *job) targets(ctx context.Context, in fhir.Tx, rs []fhir.Resource) error {
	own := map[fhir.Key]bool{}
	for _, r := range rs {
		own[r.Key] = true
	}
	named := references(j.record)
	var wrong fhir.Errors
	for _, r := range rs {
		for k, at := range meant(r) {
			if own[k] {
				continue
			}
			own[k] = true // asked once
			_, err := in.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}).Read(ctx, k)
			if fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Deleted) {
				if pointer := j.pointer(named, k); pointer != "" {
					at = pointer
				}
				wrong = append(wrong, fhir.Errorf(fhir.BusinessRule, at, "refers to a record that is not there or not visible to you; post that first"))
				continue
			}
			if err != nil && !fhir.Is(err, fhir.Forbidden) { // a type that the caller never reads: the gate's business
				return err
			}
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
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

// pointer finds the place in the record that a missing resource was named at, ""
// if it was none.
func (j *job) pointer(named []reference, k fhir.Key) string {
	for _, n := range named {
		if n.ref.Stored == k {
			return n.at
		}
		system := n.ref.System
		if system == "" {
			system = practice.OriginOf(j.record).System
		}
		for _, kind := range practice.Kinds() {
			if n.ref.Key != "" && j.mapper.KeyOf(practice.SourceKey{Kind: kind, System: system, Key: n.ref.Key}) == k {
				return n.at
			}
		}
	}
	return ""
}

// reference is one that a record makes, with its JSON Pointer.
type reference struct {
	ref practice.Ref
	at  string
}

func references(rec practice.Record) (out []reference) {
	var walk func(v reflect.Value, at string)
	walk = func(v reflect.Value, at string) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem(), at)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), fmt.Sprintf("%s/%d", at, i))
			}
		case reflect.Struct:
			if r, ok := v.Interface().(practice.Ref); ok {
				if !r.IsZero() {
					out = append(out, reference{r, at})
				}
				return
			}
			for i := range v.NumField() {
				f := v.Type().Field(i)
				if !f.IsExported() {
					continue
				}
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if f.Anonymous && name == "" {
					walk(v.Field(i), at)
				} else {
					walk(v.Field(i), at+"/"+name)
				}
			}
		}
	}
	walk(reflect.ValueOf(rec), "")
	return out
}
