package validate

import (
	"context"
	"sync"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// MaxIssues is how many issues one validation reports; a last one then says that
// there may be more.
const MaxIssues = 50

// Validator judges resources by the base definitions. It is immutable to its
// callers and safe for concurrent use; what it works out of the definitions it
// keeps, type by type, from the first time.
type Validator struct {
	defs      *spec.Definitions
	resources map[string]bool
	mu        sync.Mutex
	shapes    map[*spec.Element]*shape
	byType    sync.Map // resource type → *shape
}

// New returns a Validator of the given definitions.
func New(defs *spec.Definitions) *Validator {
	v := &Validator{defs: defs, resources: map[string]bool{}, shapes: map[*spec.Element]*shape{}}
	for _, t := range defs.ResourceTypes() {
		v.resources[t] = true
	}
	return v
}

// Resource returns what is wrong with r, in document order, at most [MaxIssues]
// and a closing one; nil when nothing is. Issues with Warn set do not make r
// invalid. Each names its elements by FHIRPath and says what would be right; none
// quotes r, so that its texts may be logged.
//
// The work is bounded by the size of r. When ctx is done it ends with an issue
// of code [fhir.Timeout].
func (v *Validator) Resource(ctx context.Context, r fhir.Resource) []*fhir.Error {
	if r.IsZero() {
		return []*fhir.Error{fhir.Errorf(fhir.Structure, "", "There is no resource; send one.")}
	}
	w := walk{v: v, ctx: ctx, body: r.Body()}
	w.resource(r.Root(), inner)
	return w.issues
}

// walk is one validation: where it stands and what it has found.
type walk struct {
	v      *Validator
	ctx    context.Context
	body   []byte
	path   []step
	steps  [24]step // what path begins in; most resources are no deeper
	issues []*fhir.Error
	full   bool
	// container is the resource that the contained ones of the current place stand
	// in, and that "#" refers to; bundled says that a Bundle is around it.
	container fhir.Node
	bundled   bool
}

// step is one part of the path: a member, or an item of one (name "").
type step struct {
	name  string
	index int
}

// Check is [Validator.Resource] for whoever only asks whether r may be kept: the
// issues that make it invalid, as [fhir.Errors]; nil where there are none.
func (v *Validator) Check(ctx context.Context, r fhir.Resource) error {
	var es fhir.Errors
	for _, e := range v.Resource(ctx, r) {
		if !e.Warn {
			es = append(es, e)
		}
	}
	if len(es) == 0 {
		return nil
	}
	return es
}
