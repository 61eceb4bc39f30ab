package web

import (
	"encoding/json"
	"net/http"
	"testing"

	"pgregory.net/rapid"
)

// odd values that a record may come to hold anywhere.
var oddities = []string{
	`null`, `true`, `0`, `-1`, `1.0`, `1e400`, `12345678901234567890.1`, `""`, `" "`, `"x"`, `"\u0000"`, `"2026-02-31"`, `"2026-03-05T10:30:00"`,
	`[]`, `{}`, `[[]]`, `["c1"]`, `{"reference":"Patient/1"}`, `{"reference":"Patient/../1"}`, `{"system":"urn:x:y","key":"1"}`, `{"key":""}`, `"c1"`, `"../../etc"`,
	`"<script>"`, `{"text":"y"}`, `"completed"`, `"entered-in-error"`, `"finished"`,
}

// mangle replaces, removes or adds something somewhere in a document.
func mangle(t *rapid.T, v any) any {
	odd := func() any { return json.RawMessage(rapid.SampledFrom(oddities).Draw(t, "odd")) }
	switch x := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(x))
		for name := range x {
			names = append(names, name)
		}
		if len(names) == 0 {
			return odd()
		}
		name := rapid.SampledFrom(names).Draw(t, "member")
		switch rapid.IntRange(0, 4).Draw(t, "how") {
		case 0:
			delete(x, name)
		case 1:
			x[name] = odd()
		case 2:
			x[rapid.SampledFrom([]string{"details", "types", "minutes", "techniques", "scores", "unscored", "goals", "phases", "x"}).Draw(t, "new")] = odd()
		default:
			x[name] = mangle(t, x[name])
		}
		return x
	case []any:
		if len(x) > 0 && rapid.Bool().Draw(t, "inside") {
			i := rapid.IntRange(0, len(x)-1).Draw(t, "item")
			x[i] = mangle(t, x[i])
			return x
		}
		return append(x, odd())
	}
	return odd()
}

func TestNoRecordHoweverMangledIsOurOwnFault(t *testing.T) {
	o := newOffice(t).settle()
	records := append([]struct{ kinds, body string }{
		{"sessions", session},
		{"responses", phq9("r1", "2026-02-02T11:00:00+01:00", "1111111111")},
		{"responses", `{"key":"r2","instrument":"phq-9","client":"c1","scores":{"total":9},"unscored":[]}`},
		{"goals", `{"key":"g1","client":"c1","description":"Sleep","status":"active","target":{"measure":{"system":"http://loinc.org","code":"44261-6"},"comparator":"<","value":10}}`},
		{"plans", `{"key":"p1","client":"c1","author":"t1","status":"active","summary":"First sleep.","phases":[{"phase":"acute","status":"active","frequency":{"times":1,"unit":"wk"},"techniques":["cognitive"]}]}`},
		{"consents", `{"key":"k1","client":"c1","status":"active","about":"privacy","decision":"permit","date":"2026-01-05","recipients":["hospital"],"purposes":["TREAT"],"labels":["PSY"],"types":["Observation"]}`},
		{"referrals", `{"key":"f1","client":"c1","direction":"out","from":"home","to":"hospital","status":"requested","reason":"Worse","consents":["k1"]}`},
	}, ground...)
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(records).Draw(t, "record")
		var doc any
		if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			b, err := json.Marshal(mangle(t, doc))
			if err != nil {
				t.Fatal(err)
			}
			if json.Unmarshal(b, &doc) != nil { // 1e400 is JSON and no float64
				doc = map[string]any{"key": "x"}
			}
			o.mu.Lock()
			before := o.count()
			o.mu.Unlock()
			got := o.send(http.MethodPost, "/practice/"+r.kinds, string(b))
			o.mu.Lock()
			after := o.count()
			o.mu.Unlock()
			if got.StatusCode >= 500 {
				t.Fatalf("%s %s: %d %s\n%s", r.kinds, b, got.StatusCode, got.body, o.log)
			}
			if got.StatusCode >= 400 && after != before {
				t.Fatalf("%s %s: refused with %d and %d versions kept", r.kinds, b, got.StatusCode, after-before)
			}
		}
	})
}
