package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
)

// standing lists what there is of a business key, its parts included, with its status.
func (o *office) standing(key string) (out []string) {
	for _, typ := range []string{"Encounter", "Appointment", "Procedure"} {
		for _, r := range o.of(typ) {
			id := r.Root().Get("identifier").Index(0).Get("value").Text()
			if id == key || strings.HasPrefix(id, key+"#") {
				out = append(out, typ+" "+r.Root().Get("status").Text())
			}
		}
	}
	return out
}

func TestASessionStandsAsOneThingWhateverItWasBefore(t *testing.T) {
	o := newOffice(t).settle()
	status := []string{"finished", "noshow", "booked", "entered-in-error"}
	as := map[string][]string{
		"finished": {"Encounter finished", "Procedure completed"},
		"noshow":   {"Appointment noshow"}, "booked": {"Appointment booked"},
	}
	mistaken := map[string][]string{"Encounter": {"Encounter entered-in-error", "Procedure entered-in-error"}, "Appointment": {"Appointment entered-in-error"}}
	for _, first := range status {
		for _, second := range status {
			for _, third := range status {
				key, was := fmt.Sprintf("%s/%s/%s", first, second, third), "Encounter"
				for _, now := range []string{first, second, third} {
					o.post("sessions", fmt.Sprintf(`{"key":%q,"client":"c1","status":%q,"start":"2026-02-02T10:00:00+01:00","end":"2026-02-02T10:50:00+01:00","techniques":["cognitive"]}`, key, now))
					want := as[now]
					if now == "entered-in-error" {
						want = mistaken[was]
					}
					was, _, _ = strings.Cut(want[0], " ")
					if got := o.standing(key); !slices.Equal(got, want) {
						t.Errorf("%s: once it is %s there stand %v, want %v", key, now, got, want)
					}
				}
			}
		}
	}
}

func TestANoShowThatIsAnErrorStaysAnAppointmentAndIsOneByTheSecondTime(t *testing.T) {
	o := newOffice(t).settle()
	noshow := strings.Replace(strings.Replace(session, "finished", "noshow", 1), `,"techniques":["cognitive","exposure"]`, "", 1)
	mistake := strings.Replace(noshow, `"noshow"`, `"entered-in-error","correctedBecause":"Another client was meant."`, 1)
	o.post("sessions", noshow)
	if got := o.post("sessions", mistake); got.Outcome != "updated" || !slices.Equal(got.types(), []string{"Appointment updated"}) {
		t.Errorf("the first time: %+v", got)
	}
	if got := o.post("sessions", mistake); got.Outcome != "unchanged" || !slices.Equal(got.types(), []string{"Appointment unchanged"}) {
		t.Errorf("the second time: %+v", got)
	}
	if strings.Contains(string(o.of("Appointment")[0].Body()), "Another client") {
		t.Error("those who make appointments read why it was corrected")
	}
}

func TestInAWorkshopAnErrorStaysWhatEachClientHadOfIt(t *testing.T) {
	o := newOffice(t).settle()
	o.post("clients", `{"key":"c2","name":{"family":"Lohmann"}}`)
	workshop := `{"key":"w1","practitioners":[{"practitioner":"t1"}],"start":"2026-02-02T10:00:00+01:00","techniques":["cognitive"],"clients":[{"client":"c1","status":"finished"},{"client":"c2","status":"noshow"}]}`
	o.post("workshops", workshop)
	o.post("workshops", strings.NewReplacer(`"finished"`, `"entered-in-error"`, `"noshow"`, `"entered-in-error"`).Replace(workshop))
	var got []string
	for _, typ := range []string{"Encounter", "Appointment", "Procedure"} {
		for _, r := range o.of(typ) {
			if r.Root().Get("status").Text() == "entered-in-error" {
				got = append(got, typ+" of "+o.whom(r).String())
			}
		}
	}
	c1, c2 := o.mapper.ID("Patient", "urn:practice:test", "c1"), o.mapper.ID("Patient", "urn:practice:test", "c2")
	if want := []string{"Encounter of " + c1.String(), "Appointment of " + c2.String(), "Procedure of " + c1.String()}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := len(o.of("Encounter")); n != 2 { // one is of the ground
		t.Errorf("%d Encounters", n)
	}
}

// whom tells the client of an Encounter, Procedure or Appointment.
func (o *office) whom(r fhir.Resource) fhir.Key {
	if k, ok := r.Root().Get("subject").Ref(); ok {
		return k
	}
	for p := range r.Root().Get("participant").Elements() {
		if k, ok := p.Get("actor").Ref(); ok && k.Type == "Patient" {
			return k
		}
	}
	return fhir.Key{}
}
