package intake_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/policy"
)

// Two clients let a vendor see them for whatever purpose. C401 refused reporting at
// one intake and agreed to it everywhere else; C402 agreed everywhere.
func TestOneRefusalAmongAClientsIntakesAndEpisodesDenies(t *testing.T) {
	u := uploadOf(t, "combined")
	set := func(table, client, value string) {
		at, who := slices.Index(u[table][0], "client_consent"), slices.Index(u[table][0], "client_key")
		for _, r := range u[table][1:] {
			if r[who] == client {
				r[at] = value
			}
		}
	}
	for _, table := range []string{"intakes.csv", "episodes.csv"} {
		set(table, "C401", "1")
		set(table, "C402", "1")
	}
	set("intakes.csv", "C401", "2")
	intakes, episodes := upload{}, maps.Clone(u)
	for _, name := range []string{"metadata.csv", "organisations.csv", "clients.csv", "intakes.csv", "iar-dst.csv"} {
		intakes[name] = u[name]
	}
	delete(episodes, "intakes.csv")
	delete(episodes, "iar-dst.csv")
	for name, paths := range map[string][]string{
		"intakes first":  {intakes.write(t), episodes.write(t)},
		"episodes first": {episodes.write(t), intakes.write(t)},
	} {
		t.Run(name, func(t *testing.T) {
			now, h := after(t, paths...)
			who := map[string]fhir.Key{} // business key → resource
			for _, typ := range []string{"Patient", "Organization"} {
				for k, r := range now {
					if v := text(r.Root(), "identifier", 0, "value"); k.Type == typ {
						who[v[strings.LastIndex(v, "|")+1:]] = k
					}
				}
			}
			for _, client := range []string{"C401", "C402"} {
				res, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Consent","id":"%s","status":"active",
					"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
					"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"%s"},
					"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTIN"}]}}`, client, who[client]))
				if err == nil {
					err = h.as(policy.Integration).Update(context.Background(), fhir.Act{Interaction: fhir.Update, Type: res.Type, ID: res.ID}, func(tx fhir.Tx) error {
						_, err := tx.Put(context.Background(), res, fhir.Condition{})
						return err
					})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			sees := func(purpose, client string) bool {
				g := h.guard.For(policy.Principal{
					Tenant: "PHN999", Subject: "vendor", Role: policy.EHR, Purpose: purpose, Grants: []fhir.Key{who["PHN999:IntakeTreatment01"]},
					Scopes: []policy.Scope{{Context: "system", Type: "*", Read: true, Search: true}},
				})
				k := who[client]
				err := g.View(context.Background(), fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}, func(in fhir.Reader) error {
					_, err := in.Read(context.Background(), k)
					return err
				})
				if err != nil && !absent(err) {
					t.Fatal(err)
				}
				return err == nil
			}
			for _, c := range []struct {
				purpose, client string
				want            bool
			}{{"HPRGRP", "C401", false}, {"HPRGRP", "C402", true}, {"TREAT", "C401", true}, {"TREAT", "C402", true}} {
				if got := sees(c.purpose, c.client); got != c.want {
					t.Errorf("%s is seen for %s: %v", c.client, c.purpose, got)
				}
			}
		})
	}
}

func absent(err error) bool { return fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Deleted) }
