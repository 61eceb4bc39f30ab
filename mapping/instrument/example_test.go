package instrument

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
)

// worked is an example-*.yaml: answers and what others say they come to.
type worked struct {
	Source    string            `yaml:"source"`
	Answers   map[string]string `yaml:"answers"`
	Scores    map[string]Points `yaml:"scores"`
	Bands     map[string]string `yaml:"bands"`
	None      []string          `yaml:"none"` // scales without a value
	Estimated []string          `yaml:"estimated"`
	Risks     []string          `yaml:"risks"`
}

func library(t testing.TB) *Library {
	t.Helper()
	l, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// eachExample runs f on every worked example that ships.
func eachExample(t *testing.T, f func(t *testing.T, in *Instrument, w worked)) {
	l, seen := library(t), map[string]int{}
	err := fs.WalkDir(shipped, "files", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(path.Base(p), "example-") {
			return err
		}
		src, err := shipped.ReadFile(p)
		if err != nil {
			return err
		}
		var w worked
		if err := decode(p, src, &w); err != nil {
			return err
		}
		slug := path.Base(path.Dir(p))
		seen[slug]++
		t.Run(strings.TrimPrefix(p, "files/"), func(t *testing.T) { f(t, l.BySlug(slug), w) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range l.All() {
		if seen[in.Slug] == 0 {
			t.Errorf("%s has no worked example", in.Slug)
		}
	}
}

func TestEveryWorkedExampleScoresAsItsSourceSays(t *testing.T) {
	eachExample(t, func(t *testing.T, in *Instrument, w worked) {
		if w.Source == "" {
			t.Error("an example names its source")
		}
		s, err := in.ScoreAnswers(w.Answers)
		if err != nil {
			t.Fatal(err)
		}
		for slug, want := range w.Scores {
			if sc := s.Of(slug); sc.Value == nil || sc.Value.Cmp(want) != 0 {
				t.Errorf("%s = %v, want %s", slug, sc.Value, want)
			}
		}
		for slug, want := range w.Bands {
			if sc := s.Of(slug); sc.Band == nil || sc.Band.Slug != want {
				t.Errorf("%s lies in %v, want %s", slug, sc.Band, want)
			}
		}
		for _, slug := range w.None {
			if sc := s.Of(slug); sc.Scale == nil || sc.Value != nil || sc.Band != nil {
				t.Errorf("%s = %v, want none", slug, sc.Value)
			}
		}
		for _, sc := range s.Scales {
			if want := slices.Contains(w.Estimated, sc.Slug); sc.Estimated != want {
				t.Errorf("%s: estimated is %v", sc.Slug, sc.Estimated)
			}
		}
		for _, r := range in.Risks {
			if want := slices.Contains(w.Risks, r.Slug); s.Fired(r.Slug) != want {
				t.Errorf("risk %s: fired is %v", r.Slug, s.Fired(r.Slug))
			}
		}
	})
}
