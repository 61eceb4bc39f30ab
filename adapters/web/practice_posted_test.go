package web

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAnArrayIsCutIntoItsElementsAndNothingElse(t *testing.T) {
	value := rapid.SampledFrom([]string{`{}`, `{"a":[1,{"b":"],["}]}`, `7`, `"x\"]"`, `null`, `[[],[1]]`, `{"key":"ü"}`, `-1e5`})
	blank := rapid.SampledFrom([]string{"", " ", "\n", "\t \r\n"})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(value, 0, 8).Draw(t, "elements")
		var parts []string
		for _, v := range want {
			parts = append(parts, blank.Draw(t, "before")+v+blank.Draw(t, "behind"))
		}
		text := blank.Draw(t, "before") + "[" + strings.Join(parts, ",") + "]" + blank.Draw(t, "behind")
		got, err := elementsOf([]byte(text))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %v, %d elements", text, err, len(got))
		}
		for i, b := range got {
			if string(b.json) != want[i] || b.line != 0 {
				t.Fatalf("element %d of %q is %q", i, text, b.json)
			}
		}
		// A piece of it is refused whole; more behind it, too.
		trimmed := strings.TrimRight(text, " \t\r\n")
		for _, broken := range []string{trimmed[:len(trimmed)-1], trimmed + "]", trimmed + "{}"} {
			if _, err := elementsOf([]byte(broken)); err == nil {
				t.Fatalf("%q is taken", broken)
			}
		}
	})
}

func TestLinesKeepTheirNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.SampledFrom([]string{"", " \t", "\r", "{}", `{"a":1}`, `  {"b":` + "\r"})).Draw(t, "lines")
		text := []byte(strings.Join(lines, "\n"))
		for _, b := range linesOf(text) {
			if got := strings.TrimSpace(lines[b.line-1]); got != string(b.json) || got == "" {
				t.Fatalf("line %d is %q, told %q", b.line, got, b.json)
			}
		}
		n := 0
		for _, l := range lines {
			if strings.TrimSpace(l) != "" {
				n++
			}
		}
		if len(linesOf(text)) != n {
			t.Fatalf("%d of %d lines", len(linesOf(text)), n)
		}
	})
}

func FuzzAnythingPostedAsAnArrayIsRefusedOrCutIntoValues(f *testing.F) {
	for _, s := range []string{`[]`, `[1,2]`, `[{"a":[]}]x`, `[,]`, `[1`, "[\xff]", `[1 2]`, `[]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		bodies, err := elementsOf(text)
		if err != nil {
			return
		}
		for _, b := range bodies {
			if !json.Valid(b.json) || !bytes.Contains(text, b.json) {
				t.Errorf("%q is none of %q", b.json, text)
			}
		}
	})
}
