package intake_test

import (
	"strings"
	"testing"
	"time"

	"rapport/fhir/store/storetest"
)

func TestWhatOtherRecordsReferToIsNotDeletedUnderThem(t *testing.T) {
	for name, c := range map[string]struct {
		rows map[string]string // that delete, by table
		want string            // of what stays; "" for nothing, and all is deleted
	}{
		"an episode alone":     {map[string]string{"episodes.csv": "E406"}, "2 Encounter, "},
		"a client alone":       {map[string]string{"clients.csv": "C402"}, "Consent"},
		"a practitioner alone": {map[string]string{"practitioners.csv": "P408"}, "2 Encounter"},
		"an intake of an episode of another record of the client": {map[string]string{"intakes.csv": "I403"}, "1 EpisodeOfCare"},
		"an intake alone":                             {map[string]string{"intakes.csv": "I400"}, "1 EpisodeOfCare, 1 QuestionnaireResponse"},
		"an intake with what it led to":               {map[string]string{"intakes.csv": "I403", "intake-episodes.csv": "E403", "iar-dst.csv": "IarDstIM03"}, ""},
		"a practitioner with their part in a contact": {map[string]string{"practitioners.csv": "P405", "service-contact-practitioners.csv": "SCPK405"}, ""},
		"a contact": {map[string]string{"service-contacts.csv": "S403"}, ""},
		"a client and an episode that stays itself": {map[string]string{"clients.csv": "C402", "episodes.csv": "E404"}, "1 Encounter"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, storetest.NewMemory(time.Now))
			h.take(t, uploadOf(t, "combined").write(t))
			before := current(t, h.store)
			sum := h.take(t, uploadOf(t, "combined-delete").only(c.rows).write(t))
			for table := range c.rows {
				if got := sum.Table(table); c.want == "" && got.Removed != 1 || c.want != "" && got.Quarantined != 1 {
					t.Errorf("%s: %+v", table, got)
				}
			}
			if c.want != "" {
				sameStore(t, current(t, h.store), before)
				if !strings.Contains(failures(sum), c.want) || !strings.Contains(failures(sum), "delete that in the same upload") {
					t.Errorf("%s", sum)
				}
			}
			if len(h.alarms) > 0 {
				t.Errorf("%q", h.alarms)
			}
		})
	}
}
