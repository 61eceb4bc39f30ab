package instrument

import "testing"

func TestEveryShippedInstrumentLoads(t *testing.T) {
	l, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, slug := range []string{"phq-9", "gad-7", "phq-2", "gad-2", "k10p", "k5", "sdq-pc101", "sdq-pc201", "sdq-py101", "sdq-py201", "sdq-yr101", "sdq-yr201"} {
		in := l.BySlug(slug)
		if in == nil {
			t.Errorf("%s is not there", slug)
			continue
		}
		if l.ByURL(in.Canonical()) != in || l.ByCode(in.Panel.System, in.Panel.Code) != in {
			t.Errorf("%s is not found by its URL and its code", slug)
		}
	}
}
