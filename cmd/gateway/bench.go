package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"rapport/adapters/issuer"
	"rapport/adapters/web"
	"rapport/fhir"
	"rapport/policy"
)

type benchCommand struct {
	Clients int           `help:"Connections at a time." default:"32"`
	Time    time.Duration `help:"How long each kind of request is made." default:"5s"`
	People  int           `help:"Clients of the invented practice." default:"1000"`
}

// Run measures a gateway on this machine as it is served, with authorisation, audit and
// validation on, and beside it the same web framework with nothing behind it, by the
// same loader. It works on a store of its own in a temporary folder.
func (b benchCommand) Run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "rapport-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := &side{dir: dir}
	at, _, err := addresses()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := makeDevelopment(dir, &Config{Listen: at, Tenants: []Tenant{{ID: firstTenant}}}); err != nil {
		return err
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	defer func() { _ = p.run.end(); p.i.close() }()
	ready := time.Since(began)

	people, scores, err := b.load(ctx, p.i)
	if err != nil {
		return err
	}
	token, err := p.i.mint(ctx, issuer.Grant{Role: policy.Integration, TTL: demoTTL})
	if err != nil {
		return err
	}
	body, err := p.i.read(ctx, scores[0])
	if err != nil {
		return err
	}
	bare, err := serveBare(body)
	if err != nil {
		return err
	}
	defer bare.Close()

	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(os.Stdout, "started in %.2f s; %d clients with 10 scores each; %d connections, %v each\n", ready.Seconds(), b.People, b.Clients, b.Time)
	fmt.Fprintln(w, "request\ta second\tp50 ms\tp99 ms\tfailed\t")
	for _, k := range []struct {
		name, at string
		request  func(n int) []byte
	}{
		{"bare gin", bare.Addr().String(), func(int) []byte { return get("/", "") }},
		{"read", p.i.cfg.Listen, func(n int) []byte { return get(fhirPath+"/"+scores[n%len(scores)].String(), token) }},
		{"search", p.i.cfg.Listen, func(n int) []byte {
			return get(fhirPath+"/Observation?patient="+people[n%len(people)].ID+"&code="+phq9+"&_sort=-date&_count=20", token)
		}},
		{"create", p.i.cfg.Listen, func(n int) []byte {
			return post(fhirPath+"/Observation", token, score(people[n%len(people)], n))
		}},
	} {
		r, err := b.measure(ctx, k.at, k.request)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%d\t\n", k.name, float64(len(r.took))/b.Time.Seconds(), r.at(50), r.at(99), r.failed)
	}
	return w.Flush()
}

// load fills the store through the gate.
func (b benchCommand) load(ctx context.Context, i *instance) (people, scores []fhir.Key, err error) {
	t, err := i.tenant(firstTenant)
	if err != nil {
		return nil, nil, err
	}
	gate := i.guard.For(process(t.ID, "bench", policy.Integration))
	for n := 0; n < b.People; n += 50 {
		err := gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
			people, scores = people[:n:n], scores[:10*n:10*n]
			put := func(r fhir.Resource) error {
				_, err := tx.As(fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}).Put(ctx, r, fhir.Condition{})
				return err
			}
			for m := n; m < min(n+50, b.People); m++ {
				k := fhir.Key{Type: "Patient", ID: "p" + strconv.Itoa(m)}
				r, err := fhir.NewResource(k).Set("birthDate", "1980-01-01").Resource()
				if err != nil {
					return err
				}
				if err := put(r); err != nil {
					return err
				}
				people = append(people, k)
				for o := range 10 {
					key := fhir.Key{Type: "Observation", ID: fmt.Sprintf("o%d-%d", m, o)}
					r, err := fhir.Parse(score(k, o))
					if err != nil {
						return err
					}
					if r, err = r.Stamp(key.ID, 1, i.clock()); err != nil {
						return err
					}
					if err := put(r); err != nil {
						return err
					}
					scores = append(scores, key)
				}
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return people, scores, nil
}

// score is a PHQ-9 total.
func score(of fhir.Key, n int) []byte {
	return fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],`+
		`"code":{"coding":[{"system":"http://loinc.org","code":"44261-6","display":"Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]"}]},"subject":{"reference":%q},`+
		`"effectiveDateTime":"2026-%02d-%02dT10:00:00Z","valueQuantity":{"value":%d,"unit":"{score}","system":"http://unitsofmeasure.org","code":"{score}"}}`,
		of, 1+n%12, 1+n%28, n%28)
}

// read is one resource's body, below the gate.
func (i *instance) read(ctx context.Context, k fhir.Key) (body []byte, err error) {
	gate := i.guard.For(process(firstTenant, "bench", policy.Integration))
	err = gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}, func(in fhir.Reader) error {
		r, err := in.Read(ctx, k)
		body = r.Body()
		return err
	})
	return body, err
}

// serveBare serves a body through the web framework alone: the ceiling.
func serveBare(body []byte) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = web.Server("", web.Bare(body)).Serve(l) }()
	return l, nil
}

func get(path, token string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " + token + "\r\n\r\n")
}

func post(path, token string, body []byte) []byte {
	head := "POST " + path + " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/fhir+json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return append([]byte(head), body...)
}

// result is what a run came to.
type result struct {
	took   []time.Duration
	failed int
}

func (r result) at(percent int) float64 {
	if len(r.took) == 0 {
		return 0
	}
	return float64(r.took[min(len(r.took)-1, len(r.took)*percent/100)].Microseconds()) / 1000
}

// measure sends requests over kept connections, the next as soon as an answer is read.
// It reads no more of an answer than where it ends, so that the loader costs little.
func (b benchCommand) measure(ctx context.Context, at string, request func(int) []byte) (out result, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.Time)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for c := range b.Clients {
		conn, e := net.Dial("tcp", at)
		if e != nil {
			return out, e
		}
		wg.Go(func() {
			defer conn.Close()
			var took []time.Duration
			failed, in := 0, bufio.NewReaderSize(conn, 1<<16)
			var e error
			for n := c; ctx.Err() == nil && e == nil; n += b.Clients {
				began := time.Now()
				var status int
				if _, e = conn.Write(request(n)); e == nil {
					status, e = skip(in)
				}
				took = append(took, time.Since(began))
				if status/100 != 2 {
					failed++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			out.took, out.failed = append(out.took, took...), out.failed+failed
			err = errors.Join(err, e)
		})
	}
	wg.Wait()
	slices.Sort(out.took)
	return out, err
}

// skip reads one answer to its end and returns its status.
func skip(in *bufio.Reader) (status int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil || len(line) < 12 {
		return 0, errors.Join(err, errors.New("no HTTP answer"))
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(strings.TrimSpace(string(value))); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	if !chunked {
		_, err = in.Discard(length)
		return status, err
	}
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 32)
		if err != nil {
			return 0, err
		}
		if _, err := in.Discard(int(n) + 2); err != nil || n == 0 {
			return status, err
		}
	}
}
