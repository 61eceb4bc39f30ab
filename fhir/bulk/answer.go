package bulk

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/fhir/rest"
)

// own returns a job to whom it belongs. A job of somebody else's answers as one that
// does not exist (attack case A43). The gate is asked each time: whoever may not export
// any more gets neither a status nor a file, and each answer is recorded.
func (e *Exports) own(ctx context.Context, r *rest.Request, id string) (*kept, error) {
	g, err := e.Grant(ctx, r)
	if err != nil {
		return nil, err
	}
	k, err := e.load(ctx, id)
	if err != nil {
		return nil, err
	}
	none := k == nil || k.Grant.Owner != g.Owner || k.Grant.Treated != g.Treated || k.Phase == cancelled || !e.Clock().Before(k.Expires)
	j := Job{Grant: g}
	err = r.Gate.View(ctx, j.act("", id), func(fhir.Reader) error {
		if none {
			return fhir.Missing(fhir.Key{})
		}
		return nil
	})
	return k, err
}

// status: GET of the Content-Location of a kick-off.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html#bulk-data-status-request
func (e *Exports) status(ctx context.Context, r *rest.Request, ids []string) (rest.Response, error) {
	k, err := e.own(ctx, r, ids[0])
	if err != nil {
		return rest.Response{}, err
	}
	h := http.Header{}
	switch k.Phase {
	case complete:
		h.Set("Expires", k.Expires.UTC().Format(http.TimeFormat))
		h.Set("Content-Type", "application/json")
		return rest.Response{Status: http.StatusOK, Header: h, Body: e.manifest(k)}, nil
	case failed:
		return rest.Response{}, &fhir.Error{Code: k.Failure.Code, Detail: k.Failure.Detail}
	}
	h.Set("X-Progress", k.progress())
	h.Set("Retry-After", retryAfter(e.Clock().Sub(k.Born)))
	return rest.Response{Status: http.StatusAccepted, Header: h}, nil
}

// progress is told in less than 100 characters. How much was read tells, with what leaves of
// it, how much was withheld.
func (k *kept) progress() string {
	switch {
	case k.Grant.Treated && k.Phase == gathering && k.Step < len(k.Types) && len(k.Members) == 0:
		return fmt.Sprintf("reading, at type %d of %d", k.Step+1, len(k.Types))
	case k.Grant.Treated && k.Phase == gathering:
		return "reading"
	case k.Grant.Treated && k.Phase == treating:
		return "preparing what leaves"
	case k.Phase == gathering && k.Step < len(k.Types) && len(k.Members) == 0:
		return fmt.Sprintf("%d resources read, at type %d of %d", k.Read, k.Step+1, len(k.Types))
	case k.Phase == treating:
		return fmt.Sprintf("%d resources read, preparing what leaves", k.Read)
	case k.Phase == waiting:
		return "waiting"
	}
	return fmt.Sprintf("%d resources read", k.Read)
}

// retryAfter grows with the age of a job: who asks for much waits anyway.
func retryAfter(age time.Duration) string {
	return strconv.Itoa(min(max(int(age/(10*time.Second)), 1), 30))
}

// manifest says which files there are.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html#response---output-manifest
func (e *Exports) manifest(k *kept) []byte {
	at := k.At
	if k.Grant.Treated {
		at = k.Stamp
	}
	lists := map[kind][]*fhir.Object{}
	for n, f := range k.Files {
		o := fhir.NewObject()
		switch f.Kind {
		case raw:
			continue
		case attached:
			o.Set("name", f.Name).Set("contentType", f.Media)
		case output:
			o.Set("type", f.Type)
		case outcomes:
			o.Set("type", "OperationOutcome")
		case gone:
			o.Set("type", "Bundle")
		}
		o.Set("url", e.Base+"/"+filePath+"/"+k.ID+"/"+strconv.Itoa(n))
		if f.Kind != attached {
			o.Set("count", f.Count)
		}
		lists[f.Kind] = append(lists[f.Kind], o.Set("fileSize", f.Bytes))
	}
	list := func(k kind) rawJSON {
		b := []byte{'['}
		for n, o := range lists[k] {
			if n > 0 {
				b = append(b, ',')
			}
			b = append(b, o.JSON()...)
		}
		return append(b, ']')
	}
	var b bytes.Buffer
	head := fhir.NewObject().Set("transactionTime", fhir.Instant(at)).Set("request", k.Request).Set("requiresAccessToken", true).JSON()
	b.Write(head[:len(head)-1])
	fmt.Fprintf(&b, `,"output":%s,"error":%s,"deleted":%s`, list(output), list(outcomes), list(gone))
	if len(lists[attached]) > 0 {
		fmt.Fprintf(&b, `,"extension":{"attachments":%s}`, list(attached))
	}
	b.WriteByte('}')
	return b.Bytes()
}

type rawJSON []byte

// cancel: DELETE of the Content-Location, while a job runs or when it is done.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html#bulk-data-delete-request
func (e *Exports) cancel(ctx context.Context, r *rest.Request, ids []string) (rest.Response, error) {
	k, err := e.own(ctx, r, ids[0])
	if err != nil {
		return rest.Response{}, err
	}
	if err := e.change(ctx, k.ID, func(k *kept) error {
		k.Phase, k.Files = cancelled, nil
		return nil
	}); err != nil {
		return rest.Response{}, err
	}
	// Whoever runs it stops at the next point at which it writes down how far it got.
	if err := e.root.RemoveAll(k.ID); err != nil {
		return rest.Response{}, err
	}
	if err := e.closed(ctx, k.ID, e.Clock().Add(e.Limits.Keep)); err != nil {
		return rest.Response{}, err
	}
	return rest.Response{Status: http.StatusAccepted, Header: http.Header{}}, nil
}

// download: GET of one of the manifest's files, with a token of the client that asked
// for it.
func (e *Exports) download(ctx context.Context, r *rest.Request, ids []string) (rest.Response, error) {
	k, err := e.own(ctx, r, ids[0])
	if err != nil {
		return rest.Response{}, err
	}
	n, err := strconv.Atoi(ids[1])
	if err != nil || k.Phase != complete || n < 0 || n >= len(k.Files) || k.Files[n].Kind == raw || strconv.Itoa(n) != ids[1] {
		return rest.Response{}, fhir.Missing(fhir.Key{})
	}
	f := k.Files[n]
	if err := e.still(ctx, r.Gate, k, f); err != nil {
		return rest.Response{}, err
	}
	h := http.Header{}
	h.Set("Content-Type", "application/fhir+ndjson")
	name := fmt.Sprintf("%s.%03d.ndjson", f.Type, n)
	switch f.Kind {
	case attached:
		name = f.Name
		h.Set("Content-Type", f.Media)
	case outcomes:
		name = fmt.Sprintf("OperationOutcome.%03d.ndjson", n)
	case gone:
		name = fmt.Sprintf("deleted.%03d.ndjson", n)
	}
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Vary", "Accept-Encoding")
	zip := zips(r.Header.Values("Accept-Encoding"))
	if zip {
		h.Set("Content-Encoding", "gzip")
	}
	return rest.Response{Status: http.StatusOK, Header: h, Stream: func(w io.Writer) error {
		in := e.read(k.ID, f.Parts)
		defer in.close()
		if !zip {
			_, err := io.Copy(w, in)
			return err
		}
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return err
		}
		if _, err := io.Copy(z, in); err != nil {
			return err // without an end, so that nobody takes it for whole
		}
		return z.Close()
	}}, nil
}

// zips reports whether a caller takes gzip: by its name, else by «*».
//
// Source: RFC 9110, section 12.5.3
func zips(headers []string) bool {
	other := false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		takes := err != nil || q > 0 // no weight is 1
		switch coding {
		case "gzip", "x-gzip":
			return takes
		case "*":
			other = takes
		}
	}
	return other
}

// still asks the gate whether all that a file was made of may leave now: consents and
// grants change between an export and its download. What was deleted since stays in the
// file, as it stays with whoever took it yesterday. A file of which something may not
// leave any more is not given at all, since lines that are missing would say whose.
func (e *Exports) still(ctx context.Context, g fhir.Gate, k *kept, f file) error {
	parts := [][]part{f.Keys}
	if k.Grant.Treated {
		parts = nil
		for _, src := range k.Files {
			if src.Kind == raw && (f.Kind == attached || f.Type == src.Type) {
				parts = append(parts, src.Keys)
			}
		}
	}
	var ks []fhir.Key
	check := func() error {
		if len(ks) == 0 {
			return nil
		}
		defer func() { ks = ks[:0] }()
		return ask(ctx, g, k, e.Limits.Page, ks)
	}
	for _, ps := range parts {
		err := e.lines(k.ID, ps, func(line []byte) error {
			key, ok := fhir.ParseKey(string(line))
			if !ok {
				return errShort
			}
			if len(ks) == looks*e.Limits.Page || len(ks) > 0 && ks[0].Type != key.Type {
				if err := check(); err != nil {
					return err
				}
			}
			ks = append(ks, key)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return check()
}

// looks is how many looks into the store share one view, and so one record.
const looks = 20

// ask refuses when one of some resources of a type may not leave any more.
func ask(ctx context.Context, g fhir.Gate, k *kept, page int, ks []fhir.Key) error {
	err := g.View(ctx, k.act(ks[0].Type, ""), func(in fhir.Reader) error {
		for some := range slices.Chunk(ks, page) {
			if err := visible(ctx, in, some); err != nil {
				return err
			}
		}
		return nil
	})
	if fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Forbidden) {
		return &fhir.Error{Code: fhir.Deleted, Detail: "Since this export was made, something in this file has ceased to be yours to have. Start a new export."}
	}
	return err
}

// visible looks for all at once, and one by one only if some are not found.
func visible(ctx context.Context, in fhir.Reader, ks []fhir.Key) error {
	byID := fhir.Clause{Param: "_id", Kind: fhir.Special}
	for _, key := range ks {
		byID.Any = append(byID.Any, fhir.Operand{Code: key.ID})
	}
	set, err := in.Search(ctx, fhir.Query{Type: ks[0].Type, Where: []fhir.Clause{byID}, Total: true})
	if err != nil || set.Total != nil && *set.Total == len(ks) {
		return err
	}
	for _, key := range ks {
		if key.Type == "Group" { // reading one tells of its members, not whether it may leave whole
			return fhir.Missing(key)
		}
		if _, err := in.Read(ctx, key); err != nil && !fhir.Is(err, fhir.Deleted) {
			return err
		}
	}
	return nil
}
