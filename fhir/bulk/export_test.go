package bulk_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/bulk"
	"rapport/fhir/spec"
	"rapport/policy"
)

// reads lists what somebody finds by searching every type.
func (w *world) reads(as string) (keys []string) {
	w.Helper()
	for _, typ := range spec.Capability().Types {
		err := w.guard.For(who(as)).View(w.Context(), fhir.Act{Interaction: fhir.SearchType, Type: typ.Name}, func(in fhir.Reader) error {
			set, err := in.Search(w.Context(), fhir.Query{Type: typ.Name, Count: 10000})
			for _, e := range set.Entries {
				keys = append(keys, e.Key.String())
			}
			return err
		})
		if err != nil && !fhir.Is(err, fhir.Forbidden) {
			w.Fatal(err)
		}
	}
	slices.Sort(keys)
	return keys
}

func TestAnExportHoldsWhatItsCallerFindsAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	for _, as := range []string{"import", "ehr"} {
		want := w.reads(as)
		if got := w.export(as, "GET $export"); !slices.Equal(got, want) || len(want) < 6 {
			t.Errorf("%s exports %q, finds %q", as, got, want)
		}
	}
	ehr := w.export("ehr", "GET Patient/$export")
	if want := []string{"Consent/anna-patient-privacy", "Consent/anna-research", "Goal/anna-goal", "Observation/anna-score", "Patient/anna"}; !slices.Equal(ehr, want) {
		t.Errorf("of its patients the vendor gets %q", ehr)
	}
}

func TestAGroupsExportIsOfItsMembersOnceEachAndOfWhomItsCallerMayHave(t *testing.T) {
	onBoth(t, func(t *testing.T, newWorld func(...func(*bulk.Config)) *world) {
		w := newWorld()
		w.load(practice()...)
		got := w.export("import", "GET Group/arm/$export?_type=Patient,QuestionnaireResponse,Appointment")
		want := []string{"Appointment/couple", "Patient/anna", "Patient/bert", "QuestionnaireResponse/anna-response", "QuestionnaireResponse/bert-response"}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if got := w.export("ehr-group", "GET Group/arm/$export?_type=Patient,Goal"); !slices.Equal(got, []string{"Goal/anna-goal", "Patient/anna"}) {
			t.Errorf("the vendor gets %q", got)
		}
		if got := w.export("import", "GET Patient/$export?_type=Patient,QuestionnaireResponse,Appointment,Organization"); len(got) != 8 {
			t.Errorf("of all patients: %q", got)
		}
	})
}

func TestAKickOffIsAskedInTheFormOfTheSpecification(t *testing.T) {
	w := newWorld(t, func(c *bulk.Config) { c.Limits.OpenOfOne, c.Limits.Open = 100, 100 })
	w.load(practice()...)
	lenient := []string{"Prefer", "respond-async, handling=lenient", "Accept", "application/fhir+json"}
	params := func(s string) string { return `{"resourceType":"Parameters","parameter":[` + s + `]}` }
	for _, c := range []struct {
		name, as, line, body string
		header               []string
		want                 int
	}{
		{"system", "import", "GET $export", "", async, 202},
		{"patients", "import", "GET Patient/$export", "", async, 202},
		{"group", "import", "GET Group/arm/$export", "", async, 202},
		{"by POST without a body", "import", "POST $export", "", async, 202},
		{"by POST", "import", "POST Patient/$export", params(`{"name":"_type","valueString":"Patient,Goal"},{"name":"_since","valueInstant":"2026-01-01T00:00:00Z"}`), async, 202},
		{"preference and more", "import", "GET $export", "", []string{"Prefer", "handling=strict; respond-async", "Accept", "*/*"}, 202},
		{"without Accept", "import", "GET $export", "", []string{"Prefer", "respond-async"}, 202},
		{"format as FHIR NDJSON", "import", "GET $export?_outputFormat=application/fhir%2Bndjson", "", async, 202},
		{"format with a plus as it stands", "import", "GET $export?_outputFormat=application/fhir+ndjson", "", async, 202},
		{"format as NDJSON", "import", "GET $export?_outputFormat=application/ndjson", "", async, 202},
		{"format in short", "import", "GET $export?_outputFormat=ndjson", "", async, 202},
		{"since", "import", "GET $export?_since=2026-01-01T00:00:00%2B02:00", "", async, 202},
		{"types", "import", "GET $export?_type=Patient,Goal", "", async, 202},
		{"types, one by one", "import", "GET $export?_type=Patient&_type=Goal", "", async, 202},
		{"some patients", "import", "POST Group/arm/$export", params(`{"name":"patient","valueReference":{"reference":"Patient/anna"}}`), async, 202},

		{"synchronously", "import", "GET $export", "", []string{"Accept", "application/fhir+json"}, 400},
		{"for XML", "import", "GET $export", "", []string{"Prefer", "respond-async", "Accept", "application/fhir+xml"}, 400},
		{"in another format", "import", "GET $export?_outputFormat=text/csv", "", async, 400},
		{"since a day", "import", "GET $export?_since=2026-01-01", "", async, 400},
		{"of a type that there is not", "import", "GET $export?_type=Starship", "", async, 400},
		{"with a filter", "import", "GET $export?_typeFilter=Goal%3Flifecycle-status%3Dactive", "", async, 400},
		{"of some elements", "import", "GET $export?_elements=id", "", async, 400},
		{"with associated data", "import", "GET $export?includeAssociatedData=LatestProvenanceResources", "", async, 400},
		{"until", "import", "GET $export?_until=2026-01-01T00:00:00Z", "", async, 400},
		{"with a parameter that there is not", "import", "GET $export?_foo=1", "", lenient, 400},
		{"of patients and a type about none", "import", "GET Patient/$export?_type=ValueSet", "", async, 400},
		{"of a patient by the URL", "import", "GET Patient/$export?patient=Patient/anna", "", async, 400},
		{"of a patient who is not in the Group", "import", "POST Group/arm/$export", params(`{"name":"patient","valueReference":{"reference":"Patient/cara"}}`), async, 400},
		{"of a patient who is not there", "import", "POST Group/arm/$export", params(`{"name":"patient","valueReference":{"reference":"Patient/nobody"}}`), async, 400},
		{"of a patient at system level", "import", "POST $export", params(`{"name":"patient","valueReference":{"reference":"Patient/anna"}}`), async, 400},
		{"by POST, of a Patient", "import", "POST $export", `{"resourceType":"Patient"}`, async, 400},
		{"by POST and URL", "import", "POST $export?_type=Goal", "", async, 400},
		{"of a Group that is not there", "import", "GET Group/none/$export", "", async, 404},
		{"of a Group that is not for the caller", "ehr", "GET Group/arm/$export", "", async, 404},
		{"by HEAD", "import", "HEAD $export", "", async, 405},
		{"by a therapist", "mira", "GET $export", "", async, 403},
		{"by administration", "admin", "GET Patient/$export", "", async, 403},
		{"by administration, without Prefer", "admin", "GET $export", "", nil, 403},
		{"by a therapist, of a Group", "mira", "GET Group/arm/$export", "", async, 403},
		{"for research since", "researcher", "GET $export?_since=2026-01-01T00:00:00Z", "", async, 400},

		{"leniently, with a filter", "import", "GET $export?_typeFilter=Goal%3Flifecycle-status%3Dactive", "", lenient, 202},
		{"leniently, of some elements", "import", "GET $export?_elements=id", "", lenient, 202},
		{"leniently, of a type that there is not", "import", "GET $export?_type=Patient,Starship", "", lenient, 202},
		{"leniently, of nothing", "import", "GET $export?_type=Starship", "", lenient, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.ask(c.as, c.line, c.body, c.header...)
			if r.Status != c.want {
				t.Errorf("%d, want %d: %s", r.Status, c.want, r.Body)
			}
			at := r.Header.Get("Content-Location")
			if c.want == 202 && !strings.HasPrefix(at, base+"/$export-status/") || c.want != 202 && (at != "" || !strings.Contains(string(r.Body), "OperationOutcome")) {
				t.Errorf("Content-Location %q, body %s", at, r.Body)
			}
		})
	}
}

func TestABatchStartsNoExport(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	for _, url := range []string{"$export", "Patient/$export", "Group/arm/$export"} {
		r := w.ask("import", "POST ", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"`+url+`"}}]}`, async...)
		b, err := fhir.Parse(r.Body)
		if err != nil || b.Root().Get("entry").Index(0).At("response", "status").Text() != "400" {
			t.Errorf("%s: %d %s", url, r.Status, r.Body)
		}
	}
	if n, err := w.exports.Once(t.Context()); n != 0 || err != nil {
		t.Errorf("%d jobs, %v", n, err)
	}
}

func TestWhatALenientCallerIsSparedStandsInTheErrorFile(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	r := w.ask("ehr", "GET $export?_type=Patient,QuestionnaireResponse,Starship&_elements=id", "", "Prefer", "respond-async,handling=lenient")
	w.work()
	m := w.manifest("ehr", r.Header.Get("Content-Location"))
	got := w.lines("ehr", m.Error)
	text := strings.Join(got, "\n")
	for _, want := range []string{"_elements", "_type names"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing is said of %s: %s", want, text)
		}
	}
	if got := w.keys("ehr", m); !slices.Equal(got, []string{"Patient/anna"}) {
		t.Errorf("%q", got)
	}
}

func TestAJobFromItsStatusToItsEnd(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	status := w.start("import", "GET $export?_type=Patient,Goal")
	r := w.ask("import", "GET "+status, "")
	if p := r.Header.Get("X-Progress"); r.Status != 202 || p == "" || len(p) > 100 || r.Header.Get("Retry-After") == "" || len(r.Body) > 0 {
		t.Errorf("while it waits: %d %v %s", r.Status, r.Header, r.Body)
	}
	w.work()
	r = w.ask("import", "GET "+status, "")
	if _, err := time.Parse(http.TimeFormat, r.Header.Get("Expires")); r.Status != 200 || err != nil || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("when done: %d %v", r.Status, r.Header)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"transactionTime", "request", "requiresAccessToken", "output", "error", "deleted"} {
		if all[name] == nil {
			t.Errorf("the manifest lacks %s: %s", name, r.Body)
		}
	}
	m := w.manifest("import", status)
	if m.Request != base+"/$export?_type=Patient%2CGoal" || !m.RequiresAccessToken || len(m.Output) != 2 || m.Output[0].Type != "Patient" || m.Output[0].Count != 3 {
		t.Errorf("%+v", m)
	}
	file := w.ask("import", "GET "+m.Output[0].URL, "")
	if file.Header.Get("Content-Type") != "application/fhir+ndjson" || !strings.Contains(file.Header.Get("Content-Disposition"), "Patient") {
		t.Errorf("%v", file.Header)
	}
	for _, l := range w.lines("import", m.Output) {
		if strings.ContainsAny(l, "\r") {
			t.Errorf("a line that is not one: %q", l)
		}
	}
	if r := w.ask("import", "DELETE "+status, ""); r.Status != 202 {
		t.Errorf("DELETE: %d %s", r.Status, r.Body)
	}
	for _, line := range []string{"GET " + status, "DELETE " + status, "GET " + m.Output[0].URL} {
		if r := w.ask("import", line, ""); r.Status != 404 || !strings.Contains(string(r.Body), "OperationOutcome") {
			t.Errorf("%s after DELETE: %d %s", line, r.Status, r.Body)
		}
	}
	if left := w.files(); len(left) > 0 {
		t.Errorf("on disk there are still %q", left)
	}
}

func TestAFileComesCompressedToWhoTakesIt(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	status := w.start("import", "GET $export?_type=Patient")
	w.work()
	file := w.manifest("import", status).Output[0]
	want := w.take("import", file)
	for accept, zipped := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "*": true, "deflate, *;q=0.1": true,
		"": false, "br": false, "gzip;q=0": false, "*, gzip; q=0.0": false, "*;q=0": false, "gzipped": false,
	} {
		r := w.ask("import", "GET "+file.URL, "", "Accept-Encoding", accept)
		var b bytes.Buffer
		if err := r.Stream(&b); err != nil {
			t.Fatal(err)
		}
		got := b.String()
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(&b)
			if err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			if got = string(all); !zipped {
				t.Errorf("%q gets gzip", accept)
			}
		} else if zipped {
			t.Errorf("%q gets none", accept)
		}
		if got != want || r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q gets %q, %v", accept, got, r.Header)
		}
	}
}

func TestAJobBelongsToWhoStartedItAndToNobodyElse(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	status := w.start("ehr", "GET $export")
	w.work()
	m := w.manifest("ehr", status)
	for _, as := range []string{"ehr-2", "import"} {
		for _, line := range []string{"GET " + status, "DELETE " + status, "GET " + m.Output[0].URL} {
			got := w.ask(as, line, "")
			want := w.ask(as, strings.ReplaceAll(line, strings.TrimPrefix(status, base+"/$export-status/"), "no-such-job"), "")
			if got.Status != 404 || got.Status != want.Status || string(got.Body) != string(want.Body) || len(got.Header) != len(want.Header) {
				t.Errorf("%s: %s: %d %s, of no job %d %s", as, line, got.Status, got.Body, want.Status, want.Body)
			}
		}
	}
	if r := w.ask("mira", "GET "+status, ""); r.Status != 403 {
		t.Errorf("a therapist gets %d", r.Status)
	}
	for _, n := range []string{"99", "00", "-1", "0.", "x"} {
		if r := w.ask("ehr", "GET "+strings.Replace(status, "status", "file", 1)+"/"+n, ""); r.Status != 404 {
			t.Errorf("file %s: %d", n, r.Status)
		}
	}
	if len(w.keys("ehr", m)) == 0 {
		t.Error("its owner gets nothing")
	}
}

func TestTooManyJobsAreToWait(t *testing.T) {
	w := newWorld(t, func(c *bulk.Config) { c.Limits.OpenOfOne, c.Limits.Open = 2, 3 })
	w.load(practice()...)
	first := w.start("import", "GET $export?_type=Goal")
	w.start("import", "GET $export?_type=Goal")
	r := w.ask("import", "GET $export", "", async...)
	if r.Status != 429 || r.Header.Get("Retry-After") == "" {
		t.Errorf("a third: %d %v", r.Status, r.Header)
	}
	w.start("ehr", "GET $export?_type=Goal")
	if r := w.ask("ehr-2", "GET $export", "", async...); r.Status != 429 {
		t.Errorf("of all: %d", r.Status)
	}
	if r := w.ask("import", "DELETE "+first, ""); r.Status != 202 {
		t.Fatal(r.Status)
	}
	w.start("import", "GET $export?_type=Goal")
	w.work()
	w.start("import", "GET $export?_type=Goal")
}

func TestFilesExpire(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	status := w.start("import", "GET $export")
	w.work()
	m := w.manifest("import", status)
	w.move(25 * time.Hour)
	for _, line := range []string{"GET " + status, "GET " + m.Output[0].URL} {
		if r := w.ask("import", line, ""); r.Status != 404 {
			t.Errorf("%s a day later: %d", line, r.Status)
		}
	}
	w.work()
	if left := w.files(); len(left) > 0 {
		t.Errorf("on disk there are still %q", left)
	}
}

// Every file is recorded, on disk, before it can be had, and each time that it is taken.
func TestFilesAreRecordedBeforeTheyAreThereAndWhenTheyAreTaken(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	status := w.start("ehr", "GET $export?_type=Patient,Goal")
	id := strings.TrimPrefix(status, base+"/$export-status/")
	of := func() (named []policy.Record, touched []string) {
		for _, r := range w.records.kept {
			if r.Interaction != fhir.Export {
				continue
			}
			if !r.Synced || r.Who.Client != "ehr" {
				t.Errorf("%+v", r)
			}
			if r.Target == id {
				named = append(named, r)
			}
			for _, x := range r.Touched {
				touched = append(touched, x.Key.String())
			}
		}
		return named, touched
	}
	var before int
	w.exports.CrashAt(func(point string) error {
		if point == "recorded" {
			named, touched := of()
			before = len(named)
			if !slices.Contains(touched, "Patient/anna") || !slices.Contains(touched, "Goal/anna-goal") {
				t.Errorf("recorded are %q", touched)
			}
			if r := w.ask("ehr", "GET "+strings.Replace(status, "status", "file", 1)+"/0", ""); r.Status != 404 {
				t.Errorf("the file can be had already: %d", r.Status)
			}
		}
		return nil
	})
	w.work()
	if before != 2 {
		t.Errorf("%d files are recorded, want 2", before)
	}
	m := w.manifest("ehr", status)
	named, _ := of()
	w.take("ehr", m.Output[0])
	if after, _ := of(); len(after) != len(named)+1 {
		t.Errorf("%d records of the job, then %d", len(named), len(after))
	}
}
