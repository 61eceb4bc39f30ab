package bulk

import (
	"context"
	"io"
	"iter"
	"time"

	"rapport/fhir"
)

// Treatment shapes an export for a kind of recipient: de-identification for research.
// One serves one job, and is used by one goroutine at a time.
//
// A job that was interrupted makes its Treatment anew and asks it again from the
// Survey on, so the same job and the same data must come to the same output.
type Treatment interface {
	// Survey reads what would leave, before anything is written, and may refuse the
	// release: the Detail of its *fhir.Error is told to the caller. all yields the
	// resources of the types named, of every type of the export without any, as often
	// as it is called.
	Survey(ctx context.Context, all func(types ...string) iter.Seq2[fhir.Resource, error]) error
	// Transform rewrites a resource; keep false drops it. The id of out is the pseudonym
	// by which the lines of a file are ordered.
	Transform(ctx context.Context, r fhir.Resource) (out fhir.Resource, keep bool, err error)
	// Attach writes further files (tables, dictionary, report) from what was transformed,
	// which all yields. A name is a plain file name without source data; each file is
	// closed before the next is created.
	Attach(ctx context.Context, all func(types ...string) iter.Seq2[fhir.Resource, error], create func(name, mediaType string) (io.WriteCloser, error)) error
	// Stamp is the time that the manifest gives instead of the true ones.
	Stamp() time.Time
}
