package policy

import (
	"time"

	"rapport/fhir"
)

// partnerType is the type of an actor in relations that a referral makes. It is
// none of FHIR's: being asked to treat someone must not make an organisation's own
// backend see them, so that tie is kept apart from managing a client.
const partnerType = "Partner"

// asPartner is an Organization in its quality as a partner.
func asPartner(org fhir.Key) fhir.Key { return fhir.Key{Type: partnerType, ID: org.ID} }

// relationsOf returns the ties between actors and patients that one resource
// makes. A therapist's caseload and a backend's clients are nothing else.
//
//   - EpisodeOfCare: careManager, managingOrganization, and the episode itself, on
//     which the others depend.
//   - Encounter: participant, in the encounter's episodes; without one until its end.
//   - CareTeam: participants that are practitioners, until it ends.
//   - Patient: managingOrganization.
//   - Group of persons: the group itself, as what a backend may be granted.
//   - Task for a patient: owner and requester, in their quality as partners.
//
// Patient.generalPractitioner makes none: a family doctor outside is not treating
// here.
func relationsOf(r fhir.Resource, at time.Time) (rs []fhir.Relation) {
	root := r.Root()
	tie := func(actor fhir.Key, patient fhir.Key, episode fhir.Key, ended time.Time) {
		rs = append(rs, fhir.Relation{Actor: actor, Patient: patient, Episode: episode, Ended: ended})
	}
	switch r.Type {
	case "EpisodeOfCare":
		p, ok := root.Get("patient").Ref()
		if !ok || p.Type != "Patient" || r.ID == "" || root.Get("status").Text() == "entered-in-error" {
			return nil
		}
		tie(r.Key, p, fhir.Key{}, ended(root, at, "finished", "cancelled"))
		if k, ok := root.Get("careManager").Ref(); ok && practitioner(k) {
			tie(k, p, r.Key, time.Time{})
		}
		if k, ok := root.Get("managingOrganization").Ref(); ok && k.Type == "Organization" {
			tie(k, p, r.Key, time.Time{})
		}
	case "Encounter":
		p, ok := root.Get("subject").Ref()
		switch root.Get("status").Text() {
		case "cancelled", "entered-in-error":
			return nil
		}
		if !ok || p.Type != "Patient" {
			return nil
		}
		var episodes []fhir.Key
		references(root, []string{"episodeOfCare"}, func(k fhir.Key) {
			if k.Type == "EpisodeOfCare" {
				episodes = append(episodes, k)
			}
		})
		references(root, []string{"participant", "individual"}, func(k fhir.Key) {
			if !practitioner(k) {
				return
			}
			for _, e := range episodes {
				tie(k, p, e, time.Time{})
			}
			if len(episodes) == 0 {
				tie(k, p, fhir.Key{}, ended(root, at, "finished"))
			}
		})
	case "CareTeam":
		p, ok := root.Get("subject").Ref()
		if !ok || p.Type != "Patient" || root.Get("status").Text() == "entered-in-error" {
			return nil
		}
		end := ended(root, at, "inactive", "suspended")
		for m := range root.Get("participant").Elements() {
			if k, ok := m.Get("member").Ref(); ok && practitioner(k) {
				e := end
				if mine := ended(m, at); !mine.IsZero() && (e.IsZero() || mine.Before(e)) {
					e = mine
				}
				tie(k, p, fhir.Key{}, e)
			}
		}
	case "Patient":
		if k, ok := root.Get("managingOrganization").Ref(); ok && k.Type == "Organization" && r.ID != "" {
			tie(k, r.Key, fhir.Key{}, time.Time{})
		}
	case "Group":
		if actual, _ := root.Get("actual").Bool(); !actual || r.ID == "" {
			return nil
		}
		for m := range root.Get("member").Elements() {
			k, ok := m.Get("entity").Ref()
			if inactive, _ := m.Get("inactive").Bool(); ok && k.Type == "Patient" && !inactive {
				tie(r.Key, k, fhir.Key{}, ended(m, at))
			}
		}
	case "Task":
		p, ok := root.Get("for").Ref()
		if !ok || p.Type != "Patient" {
			return nil
		}
		end := time.Time{}
		switch root.Get("status").Text() {
		case "draft", "entered-in-error":
			return nil
		case "rejected", "cancelled", "failed", "completed":
			end = at
		}
		for _, name := range []string{"owner", "requester"} {
			if k, ok := root.Get(name).Ref(); ok && k.Type == "Organization" {
				tie(asPartner(k), p, fhir.Key{}, end)
			}
		}
	}
	return rs
}

func practitioner(k fhir.Key) bool { return k.Type == "Practitioner" || k.Type == "PractitionerRole" }

// ended returns when something with a period and perhaps a status is over, zero
// while that is not known. What says that it is over and not since when ends at
// the time of writing.
func ended(n fhir.Node, at time.Time, over ...string) time.Time {
	_, end, ok := moments(n.Get("period").Get("end").Text())
	for _, s := range over {
		if n.Get("status").Text() == s {
			if !ok || at.Before(end) {
				return at
			}
			return end
		}
	}
	if ok {
		return end
	}
	return time.Time{}
}
