package instrument

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"rapport/fhir"
)

var update = flag.Bool("update", false, "write what is said into testdata/words; read the difference before you keep it")

// Each archive is what one client answered, in the order of time, and what is said of
// the last of it. After the answers a line may say who gave them, and "unowned" that no
// therapist is known.
func TestWhatIsSaidOfAResponse(t *testing.T) {
	files, err := filepath.Glob("testdata/words/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d archives, %v", len(files), err)
	}
	d := NewDeriver(library(t))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newShelf()
			var last fhir.Resource
			for line := range strings.Lines(string(a.Files[0].Data)) {
				x := strings.Fields(line)
				p := placed{form: form{x[0], x[1], x[2], x[3], x[4]}}
				for _, more := range x[5:] {
					if p.unowned = more == "unowned"; !p.unowned {
						p.by = more
					}
				}
				last = p.resource(t, d)
				hand(t, d, s, last)
			}
			f, err := d.library.Feedback(context.Background(), s, last, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := &txtar.Archive{Comment: a.Comment, Files: a.Files[:1:1]}
			for _, said := range [][2]string{{"clinician", f.ForClinician}, {"client", f.ForClient}, {"safety", f.Safety}} {
				if gap.MatchString(said[1]) {
					t.Errorf("a name is left in %q", said[1])
				}
				if said[1] != "" {
					got.Files = append(got.Files, txtar.File{Name: said[0], Data: []byte(strings.ReplaceAll(said[1], ". ", ".\n") + "\n")})
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(a)), string(txtar.Format(got))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNobodyIsPromisedALookThatNobodyIsAskedFor(t *testing.T) {
	d := NewDeriver(library(t))
	s := newShelf()
	said := func(f form) string {
		t.Helper()
		qr := f.resource(t, d)
		hand(t, d, s, qr)
		a, err := d.library.Feedback(t.Context(), s, qr, nil)
		if err != nil {
			t.Fatal(err)
		}
		return a.ForClient
	}
	said(scored("a", "2026-01-05", 5))
	if got := said(scored("b", "2026-02-02", 17)); !strings.HasSuffix(got, "It is good that you said so. The therapist is told.") {
		t.Errorf("it waits for the therapist: %q", got)
	}
	s.close(t, form{id: "b"}) // by a person; the same deterioration asks for no other look
	if got := said(scored("c", "2026-03-02", 17)); !strings.HasSuffix(got, "It is good that you said so.") {
		t.Errorf("it was dealt with: %q", got)
	}
}

func TestAScoreThatIsNotShownIsNotSaidToLackAnswers(t *testing.T) {
	d := NewDeriver(library(t))
	f, err := d.library.Feedback(t.Context(), newShelf(), scored("a", "2026-01-05", 5).resource(t, d), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Scores = nil
	d.library.Tell(&f)
	if strings.Contains(f.ForClinician, "answered") || strings.Contains(f.ForClient, "left open") {
		t.Errorf("%q, %q", f.ForClinician, f.ForClient)
	}
}

// What a client reads names no disorder and no band, and says nobody who they are.
func TestWhatAClientReadsIsNoDiagnosis(t *testing.T) {
	l := library(t)
	var labels []string
	for _, in := range l.All() {
		labels = append(labels, in.Title)
		for _, s := range in.Scales {
			for _, b := range s.Bands {
				labels = append(labels, b.Label)
			}
		}
	}
	labels = append(labels, "depress", "anxi", "disorder", "diagnos", "sever", "symptom", "abnormal", "should", "must")
	files, _ := filepath.Glob("testdata/words/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files[1:] {
			text := " " + strings.ToLower(string(f.Data))
			for _, label := range labels {
				if f.Name != "clinician" && strings.Contains(text, " "+strings.ToLower(label)) && len(label) > 4 {
					t.Errorf("%s, %s: says %q", file, f.Name, label)
				}
			}
			for _, who := range []string{" c1", " t1", "patient/", "practitioner/", "2026"} {
				if strings.Contains(text, who) {
					t.Errorf("%s, %s: says %q", file, f.Name, who)
				}
			}
		}
	}
}

func TestEveryLanguageSaysEverything(t *testing.T) {
	for _, language := range languages() {
		w, err := readWords(language)
		if err != nil {
			t.Fatal(err)
		}
		if w.Language != language {
			t.Errorf("%s says that it is %s", language, w.Language)
		}
		if strings.ContainsAny(w.Safety, "0123456789") {
			t.Errorf("%s: the general safety text names a number", language)
		}
	}
	w, err := readWords("en")
	if err != nil {
		t.Fatal(err)
	}
	w.Client.SinceFirst.Recovery = ""
	if w.check("en.yaml") == nil {
		t.Error("a text that is missing is not seen")
	}
	if _, err := readWords("tlh"); !fhir.Is(err, fhir.Value) {
		t.Errorf("a language that does not ship: %v", err)
	}
}

func TestAPracticeSpeaksWithItsOwnVoice(t *testing.T) {
	l := library(t)
	own, err := l.With(Voice{Safety: "Call Mira on the house line."})
	if err != nil {
		t.Fatal(err)
	}
	qr := form{"r1", "phq-9", "2026-01-05", "completed", "000000001"}.resource(t, NewDeriver(l))
	for l, want := range map[*Library]string{own: "Call Mira on the house line.", l: l.words.Safety} {
		f, err := l.Feedback(context.Background(), newShelf(), qr, nil)
		if err != nil || f.Safety != want {
			t.Errorf("%q, %v", f.Safety, err)
		}
		f.Risks = nil
		if l.Tell(&f); f.Safety != "" || strings.Contains(f.ForClinician, "item 9") {
			t.Errorf("told of a risk that is not there: %+v", f)
		}
	}
	if _, err := l.With(Voice{Language: "tlh"}); err == nil {
		t.Error("a language that does not ship is taken")
	}
}
