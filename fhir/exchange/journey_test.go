package exchange_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/policy"
)

func joined(t testing.TB, p *parts) (*world, *wire) {
	t.Helper()
	ch := &wire{}
	w := newWorld(t, p, ch)
	ch.world = w
	return w, ch
}

func TestAReferralTravelsAndItsAnswerComesBack(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()

	copies := w.copyOf(task)
	if len(copies) != 1 {
		t.Fatalf("the hospital has %d Tasks; dead: %+v", len(copies), w.clinic.works(true))
	}
	theirs := copies[0]
	for name, want := range map[string]string{"owner": "Organization/hospital-here", "requester": "Organization/clinic-here"} {
		if got := theirs.Root().At(name, "reference").Text(); got != want {
			t.Errorf("the copy's %s is %s", name, got)
		}
	}
	for typ, want := range map[string]int{"Patient": 1, "ServiceRequest": 1, "Goal": 1, "Practitioner": 1, "Organization": 2} {
		if got := w.hospital.find(typ, "", ""); len(got) != want {
			t.Errorf("the hospital has %d of %s, want %d", len(got), typ, want)
		}
	}
	sr := w.hospital.find("ServiceRequest", "", "")[0]
	if strings.Contains(string(sr.Body()), "e9") || !strings.Contains(string(sr.Body()), "masked") {
		t.Errorf("what was not sent is named: %s", sr.Body())
	}

	if a := w.hospital.step(theirs.Key, "accepted", ""); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	w.settle()
	if got := w.clinic.get(task.String()).Root().Get("status").Text(); got != "accepted" {
		t.Errorf("the clinic's Task is %s; dead: %+v", got, w.hospital.works(true))
	}
	w.hospital.put(`{"resourceType":"DocumentReference","id":"d1","status":"current","subject":` + string(theirs.Root().Get("for").Raw()) +
		`,"author":[{"reference":"Practitioner/nobody","display":"Dr. Alder"}],"content":[{"attachment":{"contentType":"text/plain","data":"SGVyZQ=="}}]}`)
	if a := w.hospital.step(theirs.Key, "completed", "DocumentReference/d1"); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	w.settle()
	back := w.clinic.get(task.String())
	out := back.Root().Get("output").Index(0).At("valueReference", "reference").Text()
	report := w.clinic.get(out)
	if back.Root().Get("status").Text() != "completed" || report.IsZero() || report.Root().At("subject", "reference").Text() != "Patient/p1" ||
		!strings.Contains(string(report.Body()), "Dr. Alder") {
		t.Errorf("Task %s, report %s; dead: %+v", back.Body(), report.Body(), w.hospital.works(true))
	}
	if n := len(w.clinic.works(true)) + len(w.hospital.works(true)); n != 0 {
		t.Errorf("%d works were given up", n)
	}
}

func TestEachStepAndEachDeliveryLeavesAProvenance(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "draft")
	w.clinic.step(task, "requested", "")
	w.settle()
	w.hospital.step(w.copyOf(task)[0].Key, "accepted", "")
	w.settle()
	for _, c := range []struct {
		*side
		task string
		want string
	}{
		{w.clinic, task.String(), "2 UPDATE Organization/clinic-here, 2 transmit Referral courier, 3 UPDATE Organization/hospital-here"},
		{w.hospital, w.copyOf(task)[0].Key.String(), "2 UPDATE Organization/hospital-here, 2 transmit Referral courier"},
	} {
		var got []string
		for _, p := range c.find("Provenance", "target", c.task) {
			target := p.Root().Get("target").Index(0).Get("reference").Text()
			who := p.Root().Get("agent").Index(0).Get("who")
			got = append(got, target[strings.LastIndex(target, "/")+1:]+" "+p.Root().At("activity", "coding").Index(0).Get("code").Text()+" "+
				who.Get("reference").Text()+who.Get("display").Text())
		}
		slices.Sort(got)
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, s, c.want)
		}
	}
}

func TestAnIllegalStepIsRefusedAndNamesTheLegalOnes(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.copyOf(task)[0].Key
	for _, c := range []struct {
		*side
		task   fhir.Key
		status string
		names  string
	}{
		{w.clinic, task, "accepted", "can become cancelled, entered-in-error"},          // the receiver's to say
		{w.hospital, theirs, "completed", "can become accepted, cancelled, rejected"},   // not before it is accepted
		{w.hospital, theirs, "entered-in-error", "can become accepted, cancelled, rej"}, // the sender's to say
		{w.hospital, theirs, "received", "can become accepted, cancelled, rejected"},
	} {
		a := c.step(c.task, c.status, "")
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(said(a), c.names) {
			t.Errorf("%s: %s: %d %s", c.name, c.status, a.Status, a.Body)
		}
	}
	w.hospital.step(theirs, "accepted", "")
	if a := w.hospital.step(theirs, "completed", ""); a.Status != http.StatusUnprocessableEntity || !strings.Contains(said(a), "output") {
		t.Errorf("completed with nothing to show: %d %s", a.Status, a.Body)
	}
}

func TestAWithdrawnReferralEndsAtTheReceiverToo(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	if a := w.clinic.step(task, "cancelled", ""); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	w.settle()
	if got := w.copyOf(task)[0].Root().Get("status").Text(); got != "cancelled" {
		t.Errorf("the copy is %s; dead: %+v", got, w.clinic.works(true))
	}
	// One that was withdrawn before it went is never sent.
	task = w.clinic.referral("2", "requested")
	w.clinic.step(task, "cancelled", "")
	w.settle()
	if n := len(w.copyOf(task)); n != 0 || len(w.clinic.works(true)) != 0 {
		t.Errorf("%d copies, dead: %+v", n, w.clinic.works(true))
	}
}

func TestAConsentThatDeniesStopsTheReferralBeforeAnythingIsSent(t *testing.T) {
	p := newParts(t)
	for name, actor := range map[string]string{
		"everybody":    "",
		"the hospital": `,"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleClass","code":"PROV"}]},"reference":{"reference":"Organization/hospital-here"}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			w, ch := joined(t, p)
			sent := 0
			ch.fault = func(bool) fault { sent++; return none }
			w.clinic.put(`{"resourceType":"Patient","id":"p1"}`)
			w.clinic.put(`{"resourceType":"Consent","id":"c1","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
				`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IDSCL"}]}],"patient":{"reference":"Patient/p1"},"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"` +
				map[bool]string{true: "OPTOUT", false: "OPTIN"}[actor == ""] + `"}]},"provision":{"type":"deny"` + actor + `}}`)
			task := w.clinic.referral("1", "requested")
			w.settle()
			dead := w.clinic.works(true)
			if sent != 0 || len(w.copyOf(task)) != 0 || len(dead) != 1 || !strings.Contains(dead[0].Note, "consent or policy") {
				t.Errorf("%d requests were sent; dead: %+v", sent, dead)
			}
		})
	}
}

func TestADisclosureIsRecordedWithItsRecipient(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	org := fhir.Key{Type: "Organization", ID: "hospital-here"}
	if !slices.ContainsFunc(w.clinic.records.rs, func(r policy.Record) bool {
		return r.Recipient == org && r.Operation == "release" && r.Synced && slices.ContainsFunc(r.Touched, func(x policy.Touched) bool { return x.Key.String() == "Patient/p1" })
	}) {
		t.Error("no synced record says that the patient's record went to the hospital")
	}
}

func TestAPartnerBringsNoTaskInAnothersName(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	other := w.hospital.guard.For(policy.Principal{Tenant: w.hospital.tenant, Issuer: "test", Subject: "third", Client: "third", Role: policy.Partner,
		Grants: []fhir.Key{{Type: "Organization", ID: "third"}}, Scopes: all("system"), Purpose: "TREAT"})
	bundle := `{"resourceType":"Bundle","type":"transaction","entry":[
		{"fullUrl":"urn:uuid:6f2a8a2e-0000-4000-8000-000000000001","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},
		{"resource":{"resourceType":"Task","identifier":[{"system":"http://clinic.example/fhir/Task","value":"t1"}],"status":"requested","intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}]},
			"focus":{"reference":"ServiceRequest/x"},"for":{"reference":"urn:uuid:6f2a8a2e-0000-4000-8000-000000000001"}},"request":{"method":"POST","url":"Task"}}]}`
	a := w.hospital.serve(other, http.MethodPost, "", nil, []byte(bundle))
	if a.Status != http.StatusUnprocessableEntity || !strings.Contains(said(a), "comes from that partner alone") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestACourierWhoseLeaseRanOutTellsNothingOld(t *testing.T) {
	w, ch := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.copyOf(task)[0].Key
	w.hospital.step(theirs, "accepted", "")
	w.hospital.step(theirs, "on-hold", "")
	w.settle()
	w.hospital.step(theirs, "in-progress", "")
	w.settle()
	// The work of «on-hold» once more, as by a courier that had slept.
	old := fhir.Work{ID: "answer/again", Lane: "x", Kind: exchange.Kind, Body: []byte(`{"do":"answer","task":"` + theirs.ID + `","version":3,"partner":"clinic"}`)}
	err := w.hospital.staff.Update(context.Background(), fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error { return tx.Enqueue(context.Background(), old) })
	if err != nil {
		t.Fatal(err)
	}
	wrote := false
	ch.fault = func(write bool) fault { wrote = wrote || write; return none }
	w.settle()
	if got := w.clinic.get(task.String()).Root().Get("status").Text(); got != "in-progress" || wrote {
		t.Errorf("the clinic's Task is %s, written: %v", got, wrote)
	}
}

func TestTheCourierIsWokenWhenThereIsWork(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	select {
	case <-w.clinic.wake:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody was woken")
	}
	if n, err := w.clinic.courier.Once(t.Context()); n != 1 || err != nil {
		t.Errorf("%d works, %v", n, err)
	}
}

func TestAnAnswerThatMeetsAnotherWriteIsBroughtAgain(t *testing.T) {
	w, ch := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	w.hospital.step(w.copyOf(task)[0].Key, "accepted", "")
	ch.fault = func(write bool) fault {
		if write { // the clinic changes its Task after it was read and before it is written
			ch.fault = nil
			o := fhir.NewObject()
			for name, v := range w.clinic.get(task.String()).Root().Members() {
				o.Set(name, v)
			}
			w.clinic.put(string(o.Set("description", "Call first.").JSON()))
		}
		return none
	}
	w.settle()
	got := w.clinic.get(task.String()).Root()
	if got.Get("status").Text() != "accepted" || got.Get("description").Text() != "Call first." || len(w.hospital.works(true)) != 0 {
		t.Errorf("status %s, description %s; dead: %+v", got.Get("status").Text(), got.Get("description").Text(), w.hospital.works(true))
	}
}

func TestWorkIsGivenUpByItsAgeAndNotByAttempts(t *testing.T) {
	w, ch := joined(t, newParts(t))
	ch.fault = func(bool) fault { return lostOnTheWay }
	task := w.clinic.referral("1", "requested")
	for range 80 {
		if _, err := w.clinic.courier.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(50 * time.Minute)
	}
	if n := len(w.clinic.works(true)); n != 0 {
		t.Fatalf("given up after %v", 80*50*time.Minute)
	}
	ch.fault = nil
	w.settle()
	if n := len(w.copyOf(task)); n != 1 {
		t.Fatalf("%d copies", n)
	}
	ch.fault = func(bool) fault { return lostOnTheWay }
	w.clinic.step(task, "cancelled", "")
	for range 90 {
		if _, err := w.clinic.courier.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(50 * time.Minute)
	}
	dead := w.clinic.works(true)
	if len(dead) != 2 || !strings.HasPrefix(dead[0].ID, "withdraw/") || !strings.HasPrefix(dead[1].ID, "correct/hospital/ServiceRequest/") || !strings.Contains(dead[0].Note, "cannot be reached") {
		t.Errorf("after more than three days: %+v", dead)
	}
}

// A63, as far as a referral goes.
func TestWhatMustNotBeDisclosedStaysHere(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.put(`{"resourceType":"Patient","id":"p1"}`)
	label := func(id, code string) string {
		return `{"resourceType":"Goal","id":"` + id + `","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"` + code + `"}]},"lifecycleStatus":"active","description":{"text":"` + id + `"},"subject":{"reference":"Patient/p1"}}`
	}
	w.clinic.put(label("sent", "PSY"))
	for _, code := range []string{"NODSCLCD", "NOAUTH", "42CFRPart2"} {
		w.clinic.put(label("kept-"+code, code))
	}
	if a := w.clinic.serve(w.clinic.staff, http.MethodPut, "Goal/kept-note", nil, []byte(label("kept-note", "PSYTHPN"))); a.Status/100 == 2 {
		t.Errorf("a psychotherapy note is kept as an ordinary resource: %d", a.Status)
	}
	w.clinic.put(`{"resourceType":"Condition","id":"wrong","verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"entered-in-error"}]},"code":{"text":"kept-wrong"},"subject":{"reference":"Patient/p1"}}`)
	task := w.clinic.referral("1", "draft")
	sr := w.clinic.get("ServiceRequest/sr1")
	o := fhir.NewObject()
	for name, v := range sr.Root().Members() {
		o.Set(name, v)
	}
	w.clinic.put(string(o.Set("supportingInfo", []fhir.Key{{Type: "Goal", ID: "kept-NODSCLCD"}, {Type: "Goal", ID: "sent"}}).JSON()))
	w.clinic.step(task, "requested", "")
	w.settle()
	found := false
	for _, typ := range []string{"Goal", "Condition", "ServiceRequest", "Task", "Patient", "Consent"} {
		for _, r := range w.hospital.find(typ, "", "") {
			if strings.Contains(string(r.Body()), "kept-") {
				t.Errorf("the hospital has %s", r.Body())
			}
			found = found || strings.Contains(string(r.Body()), `"text":"sent"`)
		}
	}
	if !found {
		t.Error("what may go did not")
	}
	if n := w.hospital.find("ServiceRequest", "", "")[0].Root().Get("supportingInfo").Len(); n != 2 {
		t.Errorf("%d references to what goes along and to what is withheld, want 2", n)
	}
}
