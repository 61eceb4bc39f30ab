package research_test

import (
	"compress/bzip2"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping/deid"
	"rapport/mapping/research"
)

// bundle reads one of Synthea's bundles as resources with references between them,
// and all that identifies somebody in it.
func bundle(t *testing.T, path string, identifiers map[string]bool) (out []fhir.Resource) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(bzip2.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	root, err := fhir.ParseNode(b)
	if err != nil {
		t.Fatal(err)
	}
	resolved := map[string]string{}
	for e := range root.Get("entry").Elements() {
		r := e.Get("resource")
		resolved[e.Get("fullUrl").Text()] = r.Get("resourceType").Text() + "/" + r.Get("id").Text()
	}
	b = regexp.MustCompile(`"urn:uuid:[^"]+"`).ReplaceAllFunc(b, func(url []byte) []byte {
		if ref := resolved[string(url[1:len(url)-1])]; ref != "" {
			return []byte(`"` + ref + `"`)
		}
		return url
	})
	if root, err = fhir.ParseNode(b); err != nil {
		t.Fatal(err)
	}
	for e := range root.Get("entry").Elements() {
		n := e.Get("resource")
		if !slices.Contains([]string{"Patient", "Encounter", "Condition", "Observation"}, n.Get("resourceType").Text()) {
			continue
		}
		r, err := fhir.ResourceOf(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
		collect(n, "", identifiers)
		if r.Type == "Patient" {
			consent := fmt.Sprintf(`{"resourceType":"Consent","id":"research-%s","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"research"}]},
				"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentcategorycodes","code":"research"}]}],"patient":{"reference":"%s"},"provision":{"type":"permit"}}`, r.ID, r.Key)
			c, err := fhir.Parse([]byte(consent))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c)
		}
	}
	return out
}

// collect takes names, addresses, numbers, ids and displays.
func collect(n fhir.Node, under string, to map[string]bool) {
	take := func(s string) {
		if len([]rune(s)) >= 5 {
			to[s] = true
		}
	}
	switch n.Kind() {
	case fhir.Obj:
		for name, m := range n.Members() {
			switch name {
			case "id", "family", "given", "line", "city", "postalCode", "birthDate", "deceasedDateTime", "display":
				for x := range m.Elements() {
					if !strings.HasSuffix(under, "coding") {
						take(x.Text())
					}
				}
			case "value":
				if under == "identifier" || under == "telecom" {
					take(m.Text())
				}
			case "valueString":
				if under == "extension" && n.Get("url").Text() == "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName" {
					take(m.Text())
				}
			case "div":
				continue
			}
			collect(m, name, to)
		}
	case fhir.Arr:
		for m := range n.Elements() {
			collect(m, under, to)
		}
	}
}

func TestOfSyntheaAllTenLeaveAndNothingThatIdentifiesThem(t *testing.T) {
	dir := fixture.Path(t, "fixtures/synthea")
	files, err := filepath.Glob(filepath.Join(dir, "*.json.bz2"))
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), "0-") }) // hospitals, practitioners
	if err != nil || len(files) != 10 {
		t.Fatalf("%d bundles (%v)", len(files), err)
	}
	identifiers, byPatient := map[string]bool{}, 0
	var rs []fhir.Resource
	for _, f := range files {
		rs = append(rs, bundle(t, f, identifiers)...)
	}
	rs, byPatient = consenting(t, rs)
	if byPatient != len(files) || len(identifiers) < 3000 {
		t.Fatalf("%d of %d consent; %d identifiers are known", byPatient, len(files), len(identifiers))
	}
	v := validate.New(spec.R4())
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		// Ten are too few for eleven to be alike; who is alike is tested elsewhere.
		o := must(t)(run(t, newDesk().release(t, profiled(profile), func(c *research.Config) { c.K = 1 }), rs))
		for typ, least := range map[string]int{"Patient": len(files), "Encounter": len(of(rs, "Encounter")), "Condition": len(of(rs, "Condition")), "Observation": len(of(rs, "Observation")) * 9 / 10} {
			if n := len(of(o.resources, typ)); n < least {
				t.Errorf("%s: %d %ss leave of %d", profile, n, typ, len(of(rs, typ)))
			}
		}
		for _, r := range o.resources {
			if err := v.Check(t.Context(), r); err != nil {
				t.Fatalf("%s: %v\n%s", profile, err, r.Body())
			}
		}
		for _, hit := range hits(o.text(), identifiers) {
			t.Errorf("%s: %q leaves", profile, hit)
		}
	}
}

// TestCanariesInEveryPlaceForTextDoNotLeave plants a word wherever a resource of the practice
// may hold text, and a picture, a narrative, contained resources, and extensions.
func TestCanariesInEveryPlaceForTextDoNotLeave(t *testing.T) {
	rs, _ := consenting(t, practice(t))
	planted := make([]fhir.Resource, 0, len(rs))
	n := 0
	for _, r := range rs {
		var m map[string]any
		if err := json.Unmarshal(r.Body(), &m); err != nil {
			t.Fatal(err)
		}
		n += plant(m, "")
		word := fmt.Sprintf("Kanari%d vogel", n)
		m["text"] = map[string]any{"status": "generated", "div": `<div xmlns="http://www.w3.org/1999/xhtml">` + word + `</div>`}
		m["contained"] = []any{map[string]any{"resourceType": "Basic", "id": "c", "code": map[string]any{"text": word}}}
		m["implicitRules"] = "http://kanari.example/vogel"
		m["extension"] = append(list(m["extension"]),
			map[string]any{"url": "http://kanari.example/x", "valueString": word},
			map[string]any{"url": "https://rapport.example/fhir/StructureDefinition/session-modality", "valueCode": "kanari-vogel"},
			map[string]any{"url": "https://rapport.example/fhir/StructureDefinition/response-instrument", "valueCanonical": "http://kanari.example/q"},
			map[string]any{"url": "http://kanari.example/photo", "valueAttachment": map[string]any{"url": "data:text/plain,Kanari%20vogel", "title": word}})
		m["identifier"] = []any{map[string]any{"system": "http://kanari.example", "value": word}}
		if r.Type == "QuestionnaireResponse" { // one there, not a list
			m["identifier"] = map[string]any{"value": word}
			items := list(m["item"])
			m["item"] = append(items, map[string]any{"linkId": "kanari-vogel", "text": word, "answer": []any{
				map[string]any{"valueString": word}, map[string]any{"valueAttachment": map[string]any{"data": "S2FuYXJp", "title": word}}, map[string]any{"valueUri": "data:,Kanari"}}})
			if last, ok := items[0].(map[string]any); ok {
				last["answer"] = []any{map[string]any{"valueString": word}}
			}
		}
		if slices.Contains([]string{"Patient", "Practitioner", "Organization"}, r.Type) {
			m["telecom"] = []any{map[string]any{"system": "phone", "value": word}}
			m["address"] = []any{map[string]any{"text": word, "city": word, "state": word}}
		}
		if r.Type == "Patient" {
			m["photo"] = []any{map[string]any{"data": "S2FuYXJp", "url": "data:image/png;base64,S2FuYXJp"}}
			m["link"] = []any{map[string]any{"other": map[string]any{"reference": "Patient/kanari", "display": word}, "type": "seealso"}}
		}
		meta, _ := m["meta"].(map[string]any)
		if meta == nil {
			meta = map[string]any{}
		}
		meta["source"], meta["tag"] = "urn:kanari", []any{map[string]any{"system": "urn:kanari", "code": "kanari"}}
		m["meta"] = meta
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		p, err := fhir.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		planted = append(planted, p)
	}
	if n < 5000 {
		t.Fatalf("only %d canaries in displays and texts", n)
	}
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		o := must(t)(run(t, newDesk().release(t, profiled(profile)), planted))
		if len(o.resources) < 500 {
			t.Errorf("only %d resources leave", len(o.resources))
		}
		low := strings.ToLower(o.text())
		for name, b := range o.files {
			if strings.HasSuffix(name, ".parquet") {
				low += strings.ToLower(string(b))
			}
		}
		for _, word := range []string{"kanari", "s2fuyxjp"} {
			if i := strings.Index(low, word); i >= 0 {
				t.Errorf("%s: a canary leaves: %s", profile, low[max(0, i-200):i+60])
			}
		}
	}
}

// plant puts a word into every display, text, title, note and description, and into
// every reference and concept that has none.
func plant(v any, under string) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for name, m := range v {
			switch name {
			case "display", "text", "title", "description", "name", "comment", "patientInstruction", "family", "unit":
				if _, ok := m.(string); ok {
					v[name] = "Kanari vogel"
					n++
					continue
				}
			}
			n += plant(m, name)
		}
		if v["reference"] != nil {
			v["display"], n = "Kanari vogel", n+1
		}
		if v["coding"] != nil {
			v["text"], n = "Kanari vogel", n+1
		}
		if v["code"] != nil && v["system"] != nil && v["value"] == nil {
			v["display"], v["version"], n = "Kanari vogel", "kanari", n+1
		}
	case []any:
		for _, m := range v {
			n += plant(m, under)
		}
	}
	return n
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
