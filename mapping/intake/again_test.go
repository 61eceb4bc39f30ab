package intake_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store/storetest"
	"rapport/mapping/intake"
	"rapport/mapping/site"
	"rapport/policy"
)

const asked = `site: asked
version: 1
title: asked
system: urn:x:practice
timezone: Europe/Zurich
source: {encoding: utf-8, delimiter: comma, null: [""]}
tables:
  organisations:
    columns: [organisation]
    key: organisation
    emit: [{kind: organisation, fields: {name: organisation}}]
  clients:
    columns: [client]
    key: client
    emit: [{kind: client, fields: {active: {const: true}}}]
  referrals:
    columns: [referral, client, from, to]
    key: referral
    emit:
      - kind: referral
        fields:
          client: {ref: client, by: client}
          direction: {const: out}
          from: {ref: organisation, by: from}
          to: {ref: organisation, by: to}
          status: {const: requested}
  exercises:
    columns: [exercise, client]
    key: exercise
    emit:
      - kind: exercise
        fields:
          client: {ref: client, by: client}
          exercise: {const: breathing}
          status: {const: requested}
`

func TestWhatWasAnsweredMeanwhileIsNotSetBackByAnImport(t *testing.T) {
	h := newHouse(t, storetest.NewMemory(time.Now))
	m, err := site.Parse("asked.yaml", []byte(asked))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"clients.csv": "client\nC1\n", "organisations.csv": "organisation\nclinic\nhospital\n", "referrals.csv": "referral,client,from,to\nR1,C1,clinic,hospital\n",
		"exercises.csv": "exercise,client\nX1,C1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	take := func() {
		t.Helper()
		c := config(t, h.as(policy.Integration), m, dir, "PHN999")
		c.NewID = rand.Text
		if sum, err := intake.Run(context.Background(), c); err != nil || !sum.Complete() {
			t.Fatalf("%v %s", err, sum)
		}
	}
	take()
	var tasks []fhir.Key
	for _, r := range current(t, h.store) {
		if r.Type != "Task" || r.Root().Get("status").Text() != "requested" {
			continue
		}
		tasks = append(tasks, r.Key)
		accepted, err := r.Apply(fhir.Replace(r.Root().Get("status"), []byte(`"accepted"`)))
		if err != nil {
			t.Fatal(err)
		}
		err = h.as(policy.Integration).Update(context.Background(), fhir.Act{Interaction: fhir.Update, Type: "Task", ID: r.ID}, func(tx fhir.Tx) error {
			_, err := tx.Put(context.Background(), accepted, fhir.Condition{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(tasks) != 2 {
		t.Fatalf("%d Tasks wait for an answer, want the referral's and the exercise's", len(tasks))
	}
	take()
	for _, k := range tasks {
		if got := current(t, h.store)[k].Root().Get("status").Text(); got != "accepted" {
			t.Errorf("%s is %s again", k, got)
		}
	}
}
