package exchange_test

import (
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// dead makes a referral whose delivery was given up.
func dead(t *testing.T, w *world, ch *wire) fhir.Key {
	t.Helper()
	ch.fault = func(bool) fault { return lostOnTheWay }
	task := w.clinic.referral("1", "requested")
	for range 200 {
		if _, err := w.clinic.courier.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Hour)
	}
	if len(w.clinic.works(true)) != 1 {
		t.Fatalf("given up: %+v", w.clinic.works(true))
	}
	return task
}

func TestADeadWorkIsRetriedAsItWasUnlessAskedOtherwise(t *testing.T) {
	p := newParts(t)
	for name, anew := range map[string]bool{"as it was": false, "anew": true} {
		t.Run(name, func(t *testing.T) {
			w, ch := joined(t, p)
			task := dead(t, w, ch)
			w.clinic.amend("Goal/g1", "Sleep", "Sleep better")
			w.clinic.put(`{"resourceType":"Condition","id":"late","code":{"text":"late"},"subject":{"reference":"Patient/p1"}}`)
			o := exchange.Outbox{Queue: w.clinic.store, Memos: w.clinic.store}
			items, err := o.List(t.Context(), exchange.Chosen{Partner: "hospital", Dead: true})
			if err != nil || len(items) != 1 || items[0].Do != exchange.Deliver || items[0].Task != task || items[0].Partner != "hospital" || !items[0].Dead {
				t.Fatalf("%+v, %v", items, err)
			}
			if err := o.Retry(t.Context(), items[0], anew); err != nil {
				t.Fatal(err)
			}
			ch.fault = nil
			w.settle()
			g := w.theirsOf("Goal/g1")
			if len(g) != 1 || g[0].Root().At("description", "text").Text() != "Sleep better" {
				t.Fatalf("in the end the hospital has %v; dead: %+v", g, w.clinic.works(true))
			}
			first := w.hospital.get(g[0].Key.String()+"/_history/1").Root().At("description", "text").Text()
			if want := map[bool]string{false: "Sleep", true: "Sleep better"}[anew]; first != want {
				t.Errorf("it went as %q, want %q", first, want)
			}
			if open := w.clinic.find("Task", "code", exchange.NoticeCodes+"|given-up"); len(open) != 1 || open[0].Root().Get("status").Text() != "cancelled" {
				t.Errorf("the staff's Task: %s", open[0].Body())
			}
		})
	}
}

func TestADroppedWorkIsNotDoneAndAnUnknownOneIsNamed(t *testing.T) {
	w, ch := joined(t, newParts(t))
	task := dead(t, w, ch)
	ch.fault = nil
	o := exchange.Outbox{Queue: w.clinic.store, Memos: w.clinic.store}
	if _, err := o.List(t.Context(), exchange.Chosen{IDs: []string{"deliver/nowhere@1"}}); !fhir.Is(err, fhir.NotFound) || !strings.Contains(err.Error(), "deliver/nowhere@1") {
		t.Errorf("%v", err)
	}
	items, err := o.List(t.Context(), exchange.Chosen{IDs: []string{"deliver/" + task.ID + "@1"}})
	if err != nil || len(items) != 1 {
		t.Fatalf("%+v, %v", items, err)
	}
	if err := o.Drop(t.Context(), items[0]); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if len(w.copyOf(task)) != 0 || len(w.clinic.works(true)) != 0 {
		t.Errorf("it was done all the same: %+v", w.clinic.works(true))
	}
	if err := o.Retry(t.Context(), items[0], false); !fhir.Is(err, fhir.NotFound) {
		t.Errorf("dropped and retried: %v", err)
	}
}
