package rest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
	"rapport/fhir/fixture"
)

// exampleFiles lists HL7's example resources.
func exampleFiles(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(fixture.Path(t, "fixtures/r4-examples"), "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatal("there are no examples", err)
	}
	return names
}

// held is a resource as it was stored, with its index.
type held struct {
	fhir.Resource
	index []fhir.Index
}

// fill puts the examples of the types that are served into a place.
func fill(t testing.TB, p *place) map[string][]held {
	t.Helper()
	out := map[string][]held{}
	for _, name := range exampleFiles(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Served.Type(r.Type); !ok || r.ID == "" {
			continue
		}
		resp := p.ask(t, "PUT "+r.Key.String(), nil, string(b))
		if resp.Status != http.StatusCreated {
			continue // some examples break their own rules
		}
		stored, err := fhir.Parse(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		ix, err := p.Search.Index(stored)
		if err != nil {
			t.Fatal(err)
		}
		out[r.Type] = append(out[r.Type], held{stored, ix})
	}
	return out
}

// questions are searches that an index entry suggests, as name and value.
func questions(x fhir.Index) (out [][2]string) {
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`, `,`, `\,`, `$`, `\$`).Replace
	ask := func(name, value string) { out = append(out, [2]string{name, value}) }
	switch x.Kind {
	case fhir.Token:
		if x.Code != "" {
			ask(x.Param, escape(x.Code))
			ask(x.Param, "|"+escape(x.Code))
			ask(x.Param+":not", escape(x.Code))
		}
		if x.System != "" {
			ask(x.Param, escape(x.System)+"|")
			ask(x.Param, escape(x.System)+"|"+escape(x.Code))
		}
	case fhir.Reference:
		if x.URL != "" {
			ask(x.Param, escape(x.URL))
			break
		}
		ask(x.Param, x.Ref.String())
		ask(x.Param, x.Ref.ID)
	case fhir.String:
		for _, s := range []string{x.Text, string([]rune(x.Text)[:1+len([]rune(x.Text))/2]), string([]rune(x.Text)[len([]rune(x.Text))/2:])} {
			ask(x.Param+":exact", escape(s))
			if fhir.Fold(s) != "" {
				ask(x.Param, escape(s))
				ask(x.Param+":contains", escape(s))
			}
		}
	case fhir.URI:
		ask(x.Param, escape(x.Code))
	case fhir.Date:
		for _, us := range []int64{x.Low, x.High} {
			if us == math.MinInt64 || us == math.MaxInt64 {
				continue
			}
			at := time.UnixMicro(us).UTC()
			for i, layout := range []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04:05.000000Z"} {
				ask(x.Param, []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"}[(i+int(us/1e6)%8+8)%8]+at.Format(layout))
				ask(x.Param, at.Format(layout))
			}
		}
	}
	ask(x.Param+":missing", "true")
	return out
}

// A store's SQL and Match are two statements of one rule: they find the same.
func TestASearchFindsWhatMatchesByItself(t *testing.T) {
	p := newPlace(t, engineOf(t))
	all := fill(t, p)
	asked, found := 0, 0
	for _, typ := range p.Served.Types {
		seen := map[[2]string]bool{}
		for _, h := range all[typ.Name] {
			for _, x := range h.index {
				for _, q := range questions(x) {
					if seen[q] || len(q[1]) > 200 {
						continue
					}
					seen[q] = true
					vs := url.Values{q[0]: {q[1]}, "_count": {"1000"}, "_sort": {"_id"}}
					req, err := p.Search.Parse(typ.Name, vs, false)
					if err != nil {
						t.Fatalf("%s?%s: %v", typ.Name, vs.Encode(), err)
					}
					var want []string
					for _, o := range all[typ.Name] {
						if p.Search.Match(req.Query.Where, o.Resource, o.index) {
							want = append(want, o.ID)
						}
					}
					slices.Sort(want)
					got := ids(t, p, "GET "+typ.Name+"?"+vs.Encode())
					if d := cmp.Diff(want, got); d != "" {
						t.Errorf("%s?%s=%s (-match +store)\n%s", typ.Name, q[0], q[1], d)
					}
					asked++
					found += len(got)
				}
			}
		}
	}
	t.Logf("%d searches found %d resources", asked, found)
	if asked < 1000 || found < asked {
		t.Errorf("%d searches found %d resources: too few to say anything", asked, found)
	}
}

func ids(t testing.TB, p *place, line string) (out []string) {
	t.Helper()
	resp := p.ask(t, line, nil, "")
	if resp.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", line, resp.Status, resp.Body)
	}
	var b struct {
		Entry []struct{ Resource struct{ ID string } }
	}
	if err := json.Unmarshal(resp.Body, &b); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", line, err))
	}
	for _, e := range b.Entry {
		out = append(out, e.Resource.ID)
	}
	slices.Sort(out)
	return out
}
