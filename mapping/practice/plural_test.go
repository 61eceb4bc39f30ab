package practice

import "testing"

func TestEveryKindHasAPluralOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range Kinds() {
		p := Plural(kind)
		if back, ok := FromPlural(p); !ok || back != kind || p == kind || seen[p] {
			t.Errorf("%s: %s, and back %s", kind, p, back)
		}
		seen[p] = true
	}
	for kind, want := range map[string]string{"session": "sessions", "notebook-entry": "notebook-entries", "supervision": "supervisions", "sessions": "", "": ""} {
		if got := Plural(kind); got != want {
			t.Errorf("%q: %q", kind, got)
		}
	}
	for _, none := range []string{"session", "notebook-entrys", "Sessions", "s", "", "notebookentries"} {
		if kind, ok := FromPlural(none); ok {
			t.Errorf("%q is the plural of %s", none, kind)
		}
	}
}
