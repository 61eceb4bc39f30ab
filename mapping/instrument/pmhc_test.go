package instrument

import (
	"archive/zip"
	"encoding/csv"
	"fmt"
	"path"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
)

// rows reads a table of an upload of the Australian data set.
func rows(t *testing.T, upload, table string) (out []map[string]string) {
	t.Helper()
	z, err := zip.OpenReader(fixture.Path(t, "fixtures/pmhc-v4/example-files/"+upload))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if path.Base(f.Name) != table {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		lines, err := csv.NewReader(r).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines[1:] {
			row := map[string]string{}
			for i, name := range lines[0] {
				row[name] = line[i]
			}
			out = append(out, row)
		}
	}
	return out
}

// answersOf reads item columns; 9 (99 for days) is not stated, and 8 in the SDQ
// is an item that was not asked.
func answersOf(row map[string]string, prefix string, items []*Item) Answers {
	a := Answers{}
	for _, it := range items {
		v := row[prefix+"_item"+it.Link]
		if v == "9" && it.Answers != "" || v == "99" || v == "8" && strings.HasPrefix(it.Answers, "sdq-") {
			continue
		}
		a[it.Link] = v
	}
	return a
}

func TestTheScoresOfTheAustralianExampleUploadsAreTheOnesTheirItemsGive(t *testing.T) {
	l := library(t)
	columns := map[string]string{
		"emotional": "sdq_emotional_symptoms", "conduct": "sdq_conduct_problem", "hyperactivity": "sdq_hyperactivity",
		"peer": "sdq_peer_problem", "prosocial": "sdq_prosocial", "total": "sdq_total", "impact": "sdq_impact",
	}
	seen := map[string]int{}
	for _, upload := range []string{"PMHC-4-0-treatment.zip", "PMHC-4-0-combined.zip"} {
		for _, table := range []string{"k10p", "k5", "sdq"} {
			for n, row := range rows(t, upload, table+".csv") {
				in, scores := l.BySlug(table), map[string]string{"total": table + "_score"}
				if table == "sdq" {
					in, scores = l.BySlug("sdq-"+strings.ToLower(row["sdq_version"])), columns
				}
				t.Run(fmt.Sprintf("%s %s row %d", upload, table, n+2), func(t *testing.T) {
					seen[table]++
					stated := map[string]Points{}
					for slug, column := range scores {
						p, ok, err := ParseStated(row[column], "99")
						if err != nil {
							t.Fatal(err)
						}
						if ok {
							stated[slug] = p
						}
					}
					qr, err := in.Response(answersOf(row, table, in.Items), Occasion{Subject: fhir.Key{Type: "Patient", ID: "p"}, Stated: stated})
					if err != nil {
						t.Fatal(err)
					}
					s, err := in.Score(qr)
					if err != nil {
						t.Fatal(err)
					}
					for _, sc := range s.Scales {
						if _, told := stated[sc.Slug]; (sc.Value != nil) != told {
							t.Errorf("%s: %v, stated %v", sc.Slug, sc.Value, told)
						}
					}
				})
			}
		}
	}
	for table, least := range map[string]int{"k10p": 10, "k5": 20, "sdq": 42} {
		if seen[table] < least {
			t.Errorf("%d rows of %s were checked, want at least %d", seen[table], table, least)
		}
	}
}

func TestTheResponsesOfOthersScoreAsTheyState(t *testing.T) {
	l := library(t)
	in := l.BySlug("phq-9")
	if in.Item("/44260-8") != in.Item("9") || in.Item("PHQ-9.9") != in.Item("9") {
		t.Fatal("items are not found under the names of US Core and of the German guide")
	}
	qr := parse(t, `{"resourceType":"QuestionnaireResponse","id":"other","status":"completed",
		"questionnaire":"http://hl7.org/fhir/us/core/Questionnaire/phq-9-example",
		"item":[`+strings.Join(usCoreItems("LA6570-1", "LA6570-1", "LA6570-1", "LA6570-1", "LA6569-3", "LA6569-3", "LA6570-1", "LA6568-5", "LA6568-5"), ",")+`,
		{"linkId":"/44261-6","answer":[{"valueDecimal":12}]}]}`)
	if l.ByURL(qr.Root().Get("questionnaire").Text()) != in {
		t.Fatal("US Core's Questionnaire is not known as the PHQ-9")
	}
	s, err := in.Score(qr)
	if err != nil {
		t.Fatal(err)
	}
	if v := s.Total().Value; v == nil || v.Cmp(PointsOf(12)) != 0 {
		t.Errorf("total is %v, its authors state 12", v)
	}
}

func usCoreItems(codes ...string) (out []string) {
	links := []string{"44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8"}
	for i, c := range codes {
		out = append(out, fmt.Sprintf(`{"linkId":"/%s","answer":[{"valueCoding":{"system":"http://loinc.org","code":"%s"}}]}`, links[i], c))
	}
	return out
}

func parse(t testing.TB, body string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
