package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rapport/adapters/issuer"
	"rapport/policy"
	"rapport/testdata"
)

// The whole way that a practice goes: import, what is due, the picture.
func TestAPracticeSeesWhatIsDueAndHowAClientFares(t *testing.T) {
	i := instanceIn(t, t.TempDir(), func(c *Config) {
		c.Tenants = []Tenant{{ID: clinicTenant, System: "https://lindental.example/records", Zone: "Europe/Zurich", Safety: "Ring the practice's own line, 555 0100."}}
	})
	folder := filepath.Join(t.TempDir(), "export")
	if err := os.CopyFS(folder, testdata.Practice()); err != nil {
		t.Fatal(err)
	}
	if sum, err := i.importFrom(t.Context(), clinicTenant, practiceSite, folder, nil); err != nil || !sum.Complete() {
		t.Fatalf("%v\n%s", err, sum)
	}
	mint := func(g issuer.Grant) *caller {
		return &caller{base: i.cfg.URL, token: must(i.mint(t.Context(), g))}
	}
	all := mint(issuer.Grant{Role: policy.Integration})
	episode := must(all.find(t.Context(), "EpisodeOfCare?status=active&_sort=identifier&_count=1"))[0]
	doctor, _ := episode.Root().Get("careManager").Ref()
	client, _ := episode.Root().Get("patient").Ref()
	therapist, nobody := mint(issuer.Grant{Role: policy.Therapist, Practitioner: doctor.ID}), mint(issuer.Grant{Role: policy.Therapist, Practitioner: ids()})

	// The practice's export ends in the past; this plan does not.
	var planned json.RawMessage
	if err := therapist.post(t.Context(), "/practice/plans", object{"key": "m-plan", "client": to(client), "episode": to(episode.Key), "author": to(doctor), "status": "active",
		"phases": []object{{"phase": "consolidation", "status": "active", "start": time.Now().AddDate(0, -2, 0).Format(time.DateOnly),
			"monitoring": []object{{"instrument": "phq-9", "every": 2, "unit": "wk"}}}}}, &planned); err != nil {
		t.Fatal(err)
	}
	var due struct {
		Items []json.RawMessage `json:"items"`
	}
	list := func(c *caller) int {
		a := must(c.do(t.Context(), http.MethodGet, "/practice/due", nil))
		if err := json.Unmarshal(a.body, &due); a.status != http.StatusOK || err != nil {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return len(due.Items)
	}
	if list(therapist) == 0 || list(nobody) != 0 {
		t.Errorf("due: %d for the therapist, %d for a stranger", list(therapist), list(nobody))
	}
	tn := must(i.tenant(clinicTenant))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { i.monitor(ctx, tn); close(done) }()
	count := func() int {
		return len(must(all.find(t.Context(), "Task?code=https://rapport.example/fhir/CodeSystem/follow-up|questionnaire-overdue&_count=1000")))
	}
	if err := eventually(t.Context(), time.Minute, func() (bool, error) { return count() > 0, nil }); err != nil {
		t.Error("no Task was raised for what is overdue")
	}
	stop()
	<-done
	path := "/practice/clients/" + client.ID + "/trajectory"
	a := must(therapist.do(t.Context(), http.MethodGet, path, nil))
	if a.status != http.StatusOK || !strings.Contains(string(a.body), "phq-9") {
		t.Errorf("%d %s", a.status, a.body)
	}
	picture := must(therapist.do(t.Context(), http.MethodGet, path+".svg", nil, "Accept", "image/svg+xml"))
	if picture.status != http.StatusOK || !strings.Contains(string(picture.body), "<desc") || picture.header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("%d %v", picture.status, picture.header)
	}
	for _, suffix := range []string{"", ".svg"} {
		got := must(nobody.do(t.Context(), http.MethodGet, "/practice/clients/"+client.ID+"/trajectory"+suffix, nil))
		want := must(nobody.do(t.Context(), http.MethodGet, "/practice/clients/"+ids()+"/trajectory"+suffix, nil))
		if !same(got, want) || got.status != http.StatusNotFound {
			t.Errorf("a stranger: %d %s", got.status, got.body)
		}
	}
	// The practice's own words reach the client whose answer needs a person.
	answers := object{}
	for n := range 10 {
		answers[strconv.Itoa(n+1)] = 1
	}
	var told json.RawMessage
	err := therapist.post(t.Context(), "/practice/responses", object{"key": "m-1", "instrument": "phq-9", "client": to(client), "episode": to(episode.Key),
		"authored": time.Now().Add(-time.Hour).Format(time.RFC3339), "answeredBy": "client", "answers": answers}, &told)
	if err != nil || !strings.Contains(string(told), "555 0100") {
		t.Errorf("%v %s", err, told)
	}
}
