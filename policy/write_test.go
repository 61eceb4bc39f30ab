package policy_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"rapport/fhir"
	"rapport/policy"
)

func goal(t *testing.T, id, about, status string) fhir.Resource {
	return resource(t, fmt.Sprintf(`{"resourceType":"Goal","id":%q,"lifecycleStatus":%q,"subject":{"reference":"Patient/%s"}}`, id, status, about))
}

func TestWhoMayWriteWhat(t *testing.T) {
	for _, c := range []struct {
		name, what string
		i          fhir.Interaction
		body       string
		want       string // ok or an issue code
	}{
		{"mira", "changes a goal of her client", fhir.Update, `{"resourceType":"Goal","id":"anna-goal","lifecycleStatus":"completed","subject":{"reference":"Patient/anna"}}`, "ok"},
		{"mira", "makes a new one", fhir.Create, `{"resourceType":"Goal","id":"new","lifecycleStatus":"active","subject":{"reference":"Patient/anna"}}`, "ok"},
		{"mira", "makes one for another's client", fhir.Create, `{"resourceType":"Goal","id":"new","lifecycleStatus":"active","subject":{"reference":"Patient/bert"}}`, "forbidden"},
		{"mira", "makes one for two", fhir.Create, `{"resourceType":"Appointment","id":"new","status":"booked","participant":[{"actor":{"reference":"Patient/anna"}},{"actor":{"reference":"Patient/bert"}}]}`, "forbidden"},
		{"mira", "takes a goal over from another's client", fhir.Update, `{"resourceType":"Goal","id":"bert-goal","lifecycleStatus":"active","subject":{"reference":"Patient/anna"}}`, "not-found"},
		{"mira", "hands a goal to another's client", fhir.Update, `{"resourceType":"Goal","id":"anna-goal","lifecycleStatus":"active","subject":{"reference":"Patient/bert"}}`, "forbidden"},
		{"mira", "makes a goal about nobody", fhir.Create, `{"resourceType":"Goal","id":"new","lifecycleStatus":"active"}`, "forbidden"},
		{"mira", "ties herself to a client by the write that needs the tie", fhir.Create, `{"resourceType":"CareTeam","id":"new","status":"active","subject":{"reference":"Patient/bert"},"participant":[{"member":{"reference":"Practitioner/mira"}}]}`, "forbidden"},
		{"mira", "ties herself by an episode", fhir.Create, `{"resourceType":"EpisodeOfCare","id":"new","status":"active","patient":{"reference":"Patient/bert"},"careManager":{"reference":"Practitioner/mira"}}`, "forbidden"},
		{"mira", "hides whose it is in a contained resource", fhir.Create, `{"resourceType":"Goal","id":"new","lifecycleStatus":"active","subject":{"reference":"Patient/anna"},"contained":[{"resourceType":"Observation","id":"x","subject":{"reference":"Patient/bert"}}]}`, "forbidden"},
		{"mira", "changes the setting", fhir.Update, `{"resourceType":"Organization","id":"clinic","name":"mine"}`, "forbidden"},
		{"mira", "writes a process note as a resource", fhir.Create, `{"resourceType":"Observation","id":"new","status":"final","subject":{"reference":"Patient/anna"},"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSYTHPN"}]}}`, "forbidden"},
		{"mira", "writes the record", fhir.Create, `{"resourceType":"Provenance","id":"new","target":[{"reference":"Patient/anna"}]}`, "forbidden"},
		{"admin", "makes a client", fhir.Create, `{"resourceType":"Patient","id":"new"}`, "ok"},
		{"admin", "makes a goal", fhir.Create, `{"resourceType":"Goal","id":"new","subject":{"reference":"Patient/anna"}}`, "forbidden"},
		{"admin", "changes the setting", fhir.Update, `{"resourceType":"Organization","id":"clinic","name":"new"}`, "ok"},
		{"intake", "makes an appointment", fhir.Create, `{"resourceType":"Appointment","id":"new","status":"booked","participant":[{"actor":{"reference":"Patient/bert"}}]}`, "ok"},
		{"intake", "says why in an appointment", fhir.Create, `{"resourceType":"Appointment","id":"new","status":"booked","comment":"panic","participant":[{"actor":{"reference":"Patient/bert"}}]}`, "forbidden"},
		{"intake", "changes a request with a reason", fhir.Update, `{"resourceType":"ServiceRequest","id":"anna-request","status":"active","intent":"order","subject":{"reference":"Patient/anna"}}`, "not-found"},
		{"anna", "answers a questionnaire", fhir.Create, `{"resourceType":"QuestionnaireResponse","id":"new","status":"completed","subject":{"reference":"Patient/anna"},"source":{"reference":"Patient/anna"}}`, "ok"},
		{"anna", "changes her answer", fhir.Update, `{"resourceType":"QuestionnaireResponse","id":"anna-response","status":"amended","questionnaire":"http://q/phq-9","subject":{"reference":"Patient/anna"},"source":{"reference":"Patient/anna"}}`, "ok"},
		{"anna", "answers in another's name", fhir.Create, `{"resourceType":"QuestionnaireResponse","id":"new","status":"completed","subject":{"reference":"Patient/anna"},"source":{"reference":"Practitioner/mira"}}`, "forbidden"},
		{"anna", "answers for another", fhir.Create, `{"resourceType":"QuestionnaireResponse","id":"new","status":"completed","subject":{"reference":"Patient/bert"},"source":{"reference":"Patient/bert"}}`, "forbidden"},
		{"anna", "changes her goal", fhir.Update, `{"resourceType":"Goal","id":"anna-goal","lifecycleStatus":"completed","subject":{"reference":"Patient/anna"}}`, "forbidden"},
		{"ehr", "writes anything", fhir.Create, `{"resourceType":"Goal","id":"new","subject":{"reference":"Patient/anna"}}`, "forbidden"},
		{"hospital", "answers its task", fhir.Update, `{"resourceType":"Task","id":"anna-task","status":"completed","intent":"order","for":{"reference":"Patient/anna"},"focus":{"reference":"ServiceRequest/anna-request"},"requester":{"reference":"Organization/clinic"},"owner":{"reference":"Organization/hospital"}}`, "ok"},
		{"hospital", "gives its task to somebody else", fhir.Update, `{"resourceType":"Task","id":"anna-task","status":"completed","intent":"order","for":{"reference":"Patient/anna"},"focus":{"reference":"ServiceRequest/anna-request"},"requester":{"reference":"Organization/clinic"},"owner":{"reference":"Organization/elsewhere"}}`, "forbidden"},
		{"hospital", "points its task at another client", fhir.Update, `{"resourceType":"Task","id":"anna-task","status":"completed","intent":"order","for":{"reference":"Patient/bert"},"focus":{"reference":"ServiceRequest/anna-request"},"requester":{"reference":"Organization/clinic"},"owner":{"reference":"Organization/hospital"}}`, "forbidden"},
		{"hospital", "reports on who was referred", fhir.Create, `{"resourceType":"DocumentReference","id":"new","status":"current","subject":{"reference":"Patient/anna"}}`, "ok"},
		{"hospital", "reports on who was not", fhir.Create, `{"resourceType":"DocumentReference","id":"new","status":"current","subject":{"reference":"Patient/bert"}}`, "forbidden"},
		{"hospital", "changes the request", fhir.Update, `{"resourceType":"ServiceRequest","id":"anna-request","status":"revoked","intent":"order","subject":{"reference":"Patient/anna"}}`, "forbidden"},
		{"auditor", "writes the record", fhir.Create, `{"resourceType":"Provenance","id":"new","target":[{"reference":"Patient/anna"}]}`, "forbidden"},
		{"researcher", "writes anything", fhir.Create, `{"resourceType":"Goal","id":"new"}`, "forbidden"},
	} {
		t.Run(c.name+" "+c.what, func(t *testing.T) {
			p := open(t)
			p.load(world()...)
			r := resource(t, c.body)
			_, err := write(t.Context(), p.gate(c.name), c.i, r, fhir.Condition{})
			if got, _, _ := strings.Cut(told(err), " "); got != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if c.want == "ok" {
				return
			}
			if now, err := read(t.Context(), p.gate("import"), r.Key); err == nil && now.Version > 1 || err != nil && !fhir.Is(err, fhir.NotFound) {
				t.Errorf("left behind: %s, %v", now, err)
			}
		})
	}
}

func TestALabelIsTakenOffByImportsAlone(t *testing.T) {
	labelled := `{"resourceType":"Condition","id":"c","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"NOPAT"}]},"subject":{"reference":"Patient/anna"},"code":{"text":"x"}}`
	for what, body := range map[string]string{
		"without meta":         `{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/anna"},"code":{"text":"y"}}`,
		"with other meta":      `{"resourceType":"Condition","id":"c","meta":{"tag":[{"code":"t"}]},"subject":{"reference":"Patient/anna"},"code":{"text":"y"}}`,
		"with another label":   `{"resourceType":"Condition","id":"c","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"U"}]},"subject":{"reference":"Patient/anna"},"code":{"text":"y"}}`,
		"with its like":        `{"resourceType":"Condition","id":"c","meta":{"security":[{"system":"urn:other","code":"NOPAT"}]},"subject":{"reference":"Patient/anna"},"code":{"text":"y"}}`,
		"with a list of none":  `{"resourceType":"Condition","id":"c","meta":{"security":[]},"subject":{"reference":"Patient/anna"},"code":{"text":"y"}}`,
		"with no object there": `{"resourceType":"Condition","id":"c","meta":{"versionId":"7"},"subject":{"reference":"Patient/anna"},"code":{"text":"y"}}`,
	} {
		t.Run(what, func(t *testing.T) {
			p := open(t)
			p.load(world()...)
			p.load(labelled)
			ctx := t.Context()
			w, err := put(ctx, p.gate("mira"), resource(t, body), fhir.Condition{})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(w.Resource.Body()), `"NOPAT"`) || w.Version != 2 {
				t.Errorf("stored as %s", w.Resource.Body())
			}
			_, err = read(ctx, p.gate("anna"), k("Condition/c"))
			refused(t, "the client from whom it is withheld", err, fhir.NotFound)
			if _, err := put(ctx, p.gate("import"), resource(t, body), fhir.Condition{}); err != nil {
				t.Fatal(err)
			}
			if _, err := read(ctx, p.gate("anna"), k("Condition/c")); what != "with its like" && err != nil {
				t.Errorf("after the import took it off: %v", err)
			}
		})
	}
}

func TestALabelPutOnHidesAtOnceWhateverItsOldVersionsSay(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	if _, err := read(ctx, p.gate("anna"), k("Goal/anna-goal")); err != nil {
		t.Fatal(err)
	}
	p.load(`{"resourceType":"Goal","id":"anna-goal","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"NOPAT"}]},"subject":{"reference":"Patient/anna"}}`)
	_, err := read(ctx, p.gate("anna"), k("Goal/anna-goal"))
	refused(t, "read", err, fhir.NotFound)
	_, err = vread(ctx, p.gate("anna"), k("Goal/anna-goal"), 1)
	refused(t, "the version before", err, fhir.NotFound)
	_, err = history(ctx, p.gate("anna"), k("Goal/anna-goal"))
	refused(t, "history", err, fhir.NotFound)
	set, err := find(ctx, p.gate("anna"), p.query("Goal?_total=accurate"))
	if err != nil || len(set.Entries) != 0 || *set.Total != 0 {
		t.Errorf("search: %d entries, %v", len(set.Entries), err)
	}
}

func TestAHiddenDuplicateLooksLikeNoMatch(t *testing.T) {
	p := open(t)
	p.load(world()...)
	p.load(`{"resourceType":"Goal","id":"berts","identifier":[{"system":"urn:g","value":"1"}],"subject":{"reference":"Patient/bert"}}`)
	ctx := t.Context()
	q := p.query("Goal?identifier=urn:g|1")
	body := `{"resourceType":"Goal","id":%q,"identifier":[{"system":"urn:g","value":"1"}],"subject":{"reference":"Patient/anna"}}`
	w, err := create(ctx, p.gate("mira"), resource(t, fmt.Sprintf(body, "first")), fhir.Condition{IfNoneExist: &q})
	if err != nil || w.Effect != fhir.Created {
		t.Fatalf("the first: effect %d, %v", w.Effect, err)
	}
	w, err = create(ctx, p.gate("mira"), resource(t, fmt.Sprintf(body, "second")), fhir.Condition{IfNoneExist: &q})
	if err != nil || w.Effect != fhir.Existing || w.Key != k("Goal/first") {
		t.Errorf("the second: %s effect %d, %v", w.Key, w.Effect, err)
	}
	p.load(fmt.Sprintf(body, "third"))
	_, err = create(ctx, p.gate("mira"), resource(t, fmt.Sprintf(body, "fourth")), fhir.Condition{IfNoneExist: &q})
	refused(t, "two visible matches", err, fhir.Multiple)
}

func TestConditionalCreatesAtOnceMakeOne(t *testing.T) {
	p := open(t)
	p.load(world()...)
	q := p.query("Goal?identifier=urn:g|1")
	var wg sync.WaitGroup
	var mu sync.Mutex
	effects := map[fhir.Effect]int{}
	for i := range 20 {
		wg.Go(func() {
			r := resource(t, fmt.Sprintf(`{"resourceType":"Goal","id":"g%d","identifier":[{"system":"urn:g","value":"1"}],"subject":{"reference":"Patient/anna"}}`, i))
			w, err := create(t.Context(), p.gate("mira"), r, fhir.Condition{IfNoneExist: &q})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			effects[w.Effect]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if effects[fhir.Created] != 1 || effects[fhir.Existing] != 19 {
		t.Errorf("effects %v", effects)
	}
}

func TestTheSameContentMakesNoVersionAndAnotherVersionIsStale(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx, g := t.Context(), p.gate("mira")
	r := goal(t, "anna-goal", "anna", "completed")
	if w, err := put(ctx, g, r, fhir.Condition{SkipUnchanged: true}); err != nil || w.Effect != fhir.Updated || w.Version != 2 {
		t.Errorf("changed: version %d, %v", w.Version, err)
	}
	if w, err := put(ctx, g, r, fhir.Condition{SkipUnchanged: true}); err != nil || w.Effect != fhir.Unchanged || w.Version != 2 || p.log.last().Touched[0].How != policy.WasSame {
		t.Errorf("the same: version %d, %v", w.Version, err)
	}
	_, err := put(ctx, g, r, fhir.Condition{IfMatch: 1})
	refused(t, "on an old version", err, fhir.Stale)
	_, err = create(ctx, p.gate("import"), goal(t, "bert-goal", "bert", "x"), fhir.Condition{MustCreate: true})
	refused(t, "an id in use", err, fhir.Duplicate)
	// A record that nobody may change is there all the same.
	for n, day := range []string{"2026-03-01", "2026-03-02"} {
		_, err = create(ctx, p.gate("import"), resource(t, `{"resourceType":"Provenance","id":"once","target":[{"reference":"Goal/bert-goal"}],"recorded":"`+day+`T10:00:00Z","agent":[{"who":{"display":"Device"}}]}`), fhir.Condition{MustCreate: true})
		if n == 0 && err != nil {
			t.Fatal(err)
		}
	}
	refused(t, "a record that is there", err, fhir.Duplicate)
}

func TestATransactionThatFailsLeavesNothingButItsRecords(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	before := p.log.count()
	err := p.gate("mira").Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
		if _, err := tx.As(fhir.Act{Interaction: fhir.Create, Type: "Goal"}).Put(ctx, goal(t, "one", "anna", "active"), fhir.Condition{}); err != nil {
			return err
		}
		_, err := tx.As(fhir.Act{Interaction: fhir.Create, Type: "Goal"}).Put(ctx, goal(t, "two", "bert", "active"), fhir.Condition{})
		return err
	})
	refused(t, "one entry about another's client", err, fhir.Forbidden)
	_, err = read(ctx, p.gate("import"), k("Goal/one"))
	refused(t, "the entry before it", err, fhir.NotFound)
	if n := p.log.count() - before; n < 3 {
		t.Errorf("%d records of a transaction of two entries and a read", n)
	}
}

func TestConditionsOnAnyVersionTellNothingOfWhatIsHidden(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx, mira, every := t.Context(), p.gate("mira"), p.gate("import")
	remove := func(g fhir.Gate, id string, c fhir.Condition) (err error) {
		return g.Update(ctx, fhir.Act{Interaction: fhir.Delete, Type: "Goal", ID: id}, func(tx fhir.Tx) error {
			_, err := tx.Delete(ctx, k("Goal/"+id), c)
			return err
		})
	}
	p.load(string(goal(t, "gone", "anna", "active").Body()))
	if err := remove(every, "gone", fhir.Condition{}); err != nil {
		t.Fatal(err)
	}
	there, absent := fhir.Condition{IfMatchAny: true}, fhir.Condition{IfNoneMatchAny: true}
	for _, id := range []string{"bert-goal", "free", "gone"} { // hidden, never there, no longer there
		_, err := put(ctx, mira, goal(t, id, "anna", "active"), there)
		refused(t, "update "+id+" if it is there", err, fhir.NotFound)
		_, err = put(ctx, mira, goal(t, id, "anna", "active"), absent)
		refused(t, "update "+id+" if it is not there", err, fhir.NotFound)
		refused(t, "delete "+id+" if it is there", remove(mira, id, there), fhir.Stale)
	}
	for _, id := range []string{"free", "gone"} {
		_, err := put(ctx, every, goal(t, id, "anna", "active"), there)
		refused(t, "update "+id+" if it is there, seeing everything", err, fhir.Stale)
	}
	for name, g := range map[string]fhir.Gate{"mira": mira, "import": every} {
		_, err := put(ctx, g, goal(t, "anna-goal", "anna", "completed"), absent)
		refused(t, name+" updates what is there if it is not", err, fhir.Stale)
		if _, err := put(ctx, g, goal(t, "anna-goal", "anna", "completed"), there); err != nil {
			t.Errorf("%s updates what is there: %v", name, err)
		}
	}
	if w, err := put(ctx, every, goal(t, "gone", "anna", "active"), absent); err != nil || w.Effect != fhir.Created {
		t.Errorf("making again what is gone: effect %d, %v", w.Effect, err)
	}
}
