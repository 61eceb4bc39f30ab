package instrument

import (
	"testing"

	"pgregory.net/rapid"

	"rapport/fhir/path"
)

// Whatever is answered, FHIRPath gives what the scorer gives, or nothing.
func TestTheExpressionsAgreeWithTheScorer(t *testing.T) {
	for _, in := range library(t).All() {
		var exprs []*path.Expr
		for _, s := range in.Scales {
			exprs = append(exprs, path.MustCompile(in.Expression(s)))
		}
		t.Run(in.Slug, rapid.MakeCheck(func(t *rapid.T) {
			a := drawn(t, in)
			s, err := in.ScoreAnswers(a)
			if err != nil {
				t.Fatal(err)
			}
			qr, err := in.Response(a, Occasion{})
			if err != nil {
				t.Fatal(err)
			}
			for i, sc := range s.Scales {
				got, err := exprs[i].Eval(nil, qr.Root())
				switch {
				case err != nil:
					t.Fatal(err)
				case sc.Value == nil && len(got) > 0, sc.Value != nil && len(got) != 1:
					t.Fatalf("%s: %d items, want %v", sc.Slug, len(got), sc.Value)
				case sc.Value != nil:
					same, err := path.MustCompile("toDecimal() = "+sc.Value.String()).On(nil, got[0])
					if b, _ := same.Bool(); err != nil || !b {
						t.Fatalf("%s: %v, want %s", sc.Slug, got[0].Value(), sc.Value)
					}
				}
			}
		}))
	}
}
