package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"

	"rapport/fhir"
)

// treat makes what leaves of what was gathered. It is done as a whole or anew: what a
// treatment learned in its survey, and while it transformed, is in its memory alone.
// It reads the files that were gathered and not the store, so that it finds the same
// each time.
func (e *Exports) treat(ctx context.Context, k *kept) error {
	if e.Treatment == nil {
		return &fhir.Error{Code: fhir.Forbidden, Detail: "There is no treatment for what may leave only de-identified. Ask the practice."}
	}
	t, err := e.Treatment(ctx, k.Job)
	if err != nil {
		return err
	}
	if t == nil {
		return &fhir.Error{Code: fhir.Forbidden, Detail: "There is no treatment for what may leave only de-identified. Ask the practice."}
	}
	if err := t.Survey(ctx, e.all(ctx, k, raw)); err != nil {
		return err
	}
	if err := e.crashed("surveyed"); err != nil {
		return err
	}
	var types []string
	for _, f := range k.Files {
		if !slices.Contains(types, f.Type) && (len(k.Shown) == 0 || slices.Contains(k.Shown, f.Type)) {
			types = append(types, f.Type)
		}
	}
	made := 0
	for _, typ := range types {
		files, err := e.transform(ctx, k, t, typ, &made)
		if err != nil {
			return err
		}
		k.Files = append(k.Files, files...)
		if err := e.crashed("transformed"); err != nil {
			return err
		}
	}
	if err := e.attach(ctx, k, t); err != nil {
		return err
	}
	k.Stamp = t.Stamp().UTC()
	return nil
}

// all yields the resources of the job's files of a kind, of some types or of all.
func (e *Exports) all(ctx context.Context, k *kept, of kind) func(types ...string) iter.Seq2[fhir.Resource, error] {
	return func(types ...string) iter.Seq2[fhir.Resource, error] {
		return func(yield func(fhir.Resource, error) bool) {
			enough := errors.New("enough")
			for _, f := range k.Files {
				if f.Kind != of || len(types) > 0 && !slices.Contains(types, f.Type) {
					continue
				}
				err := e.lines(k.ID, f.Parts, func(line []byte) error {
					if err := ctx.Err(); err != nil {
						return err
					}
					r, err := fhir.Parse(line)
					if err == nil && !yield(r, nil) {
						return enough
					}
					return err
				})
				if errors.Is(err, enough) {
					return
				}
				if err != nil {
					yield(fhir.Resource{}, err)
					return
				}
			}
		}
	}
}

// transform writes what a treatment leaves of one type, ordered by the ids that it
// gave: they are pseudonyms, so the order tells nothing of the order in the store.
func (e *Exports) transform(ctx context.Context, k *kept, t Treatment, typ string, made *int) ([]file, error) {
	s := &sorter{e: e, job: k.ID, name: fmt.Sprintf("run-%d-%s", k.Run, typ), most: e.Limits.Sort}
	defer s.close()
	for r, err := range e.all(ctx, k, raw)(typ) {
		if err != nil {
			return nil, err
		}
		out, keep, err := t.Transform(ctx, r)
		if err != nil {
			return nil, err
		}
		if !keep {
			continue
		}
		if out.Type != typ || out.ID == "" {
			return nil, errors.New("bulk: a treatment returned a resource of another type, or without an id")
		}
		if err := s.add(out.ID, out.Body()); err != nil {
			return nil, err
		}
	}
	var files []file
	var w *writer
	end := func() error {
		if w == nil {
			return nil
		}
		p, err := w.sync()
		w.close()
		w = nil
		files[len(files)-1].Parts = []part{p}
		return err
	}
	err := s.sorted(func(line []byte) (err error) {
		if w != nil && files[len(files)-1].Bytes >= e.Limits.File {
			if err := end(); err != nil {
				return err
			}
		}
		if w == nil {
			if w, err = e.create(k.ID, fmt.Sprintf("out-%d-%d", k.Run, *made)); err != nil {
				return err
			}
			*made++
			files = append(files, file{Kind: output, Type: typ})
		}
		return files[len(files)-1].add(w, line)
	})
	if err != nil {
		if w != nil {
			w.close()
		}
		return nil, err
	}
	return files, end()
}

// attachedName is what a file that a treatment adds may be called: it comes to stand
// in a header and on the disk of whoever takes it.
var attachedName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// attach lets a treatment add its tables.
func (e *Exports) attach(ctx context.Context, k *kept, t Treatment) error {
	var files []file
	var open *attaching
	defer func() {
		if open != nil {
			open.w.close()
		}
	}()
	err := t.Attach(ctx, e.all(ctx, k, output), func(name, media string) (io.WriteCloser, error) {
		switch {
		case open != nil:
			return nil, errors.New("bulk: a treatment left a file open")
		case !attachedName.MatchString(name), slices.ContainsFunc(files, func(f file) bool { return f.Name == name }):
			return nil, errors.New("bulk: a treatment named a file in a way that is not allowed, or twice")
		}
		w, err := e.create(k.ID, fmt.Sprintf("table-%d-%d", k.Run, len(files)))
		if err != nil {
			return nil, err
		}
		open = &attaching{w: w, f: file{Kind: attached, Name: name, Media: media}, closed: func(f file) {
			files = append(files, f)
			open = nil
		}}
		return open, nil
	})
	if err != nil {
		return err
	}
	if open != nil {
		return errors.New("bulk: a treatment left a file open")
	}
	k.Files = append(k.Files, files...)
	return nil
}

// attaching is a file that a treatment writes.
type attaching struct {
	w      *writer
	f      file
	closed func(file)
}

// Write implements io.Writer.
func (a *attaching) Write(b []byte) (int, error) {
	a.f.Bytes += int64(len(b))
	return a.w.Write(b)
}

// Close implements io.Closer.
func (a *attaching) Close() error {
	p, err := a.w.sync()
	a.w.close()
	a.f.Parts = []part{p}
	a.closed(a.f)
	return err
}
