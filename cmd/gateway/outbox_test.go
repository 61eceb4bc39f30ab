package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/fhir/store"
	"rapport/policy"
)

// The commands of the outbox work beside a server that has the store open, and leave
// a record each.
func TestTheOutboxIsListedRetriedAndDroppedBesideARunningServer(t *testing.T) {
	gateway := theGateway(t)
	dir := t.TempDir()
	i := instanceIn(t, dir, nil)
	ctx := t.Context()
	tn, err := i.tenant("one")
	if err != nil {
		t.Fatal(err)
	}
	give := func(id, partner string, dead bool) {
		t.Helper()
		err := i.guard.For(process("one", "test", policy.Integration)).Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
			return tx.Enqueue(ctx, fhir.Work{ID: "deliver/" + id + "@1", Lane: id, Kind: exchange.Kind,
				Body: fmt.Appendf(nil, `{"do":"deliver","task":%q,"version":1,"partner":%q}`, id, partner)})
		})
		if err != nil {
			t.Fatal(err)
		}
		if !dead {
			return
		}
		ws, err := tn.raw.Lease(ctx, exchange.Kind, 100, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range ws {
			o := fhir.Outcome{Retry: w.Due}
			if w.ID == "deliver/"+id+"@1" {
				o = fhir.Outcome{Dead: true, Note: "transient: the partner cannot be reached"}
			}
			if err := tn.raw.Finish(ctx, w, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n, partner := range []string{"alder", "alder", "birch", "birch"} {
		give(fmt.Sprint("task-", n), partner, true)
	}
	give("task-4", "alder", false)
	run := func(stdin string, args ...string) (string, error) {
		cmd := exec.Command(gateway, append([]string{"outbox", args[0], "--data", dir, "--tenant", "one"}, args[1:]...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	works := func(dead bool) (ids string) {
		ws, err := tn.raw.Works(ctx, dead, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range ws {
			ids += strings.TrimSuffix(strings.TrimPrefix(w.ID, "deliver/task-"), "@1")
		}
		return ids
	}
	for _, c := range []struct {
		stdin string
		args  string
		fails bool
		says  string // of the answer
		queue string // waiting, then dead
	}{
		{"", "list", false, "deliver/task-4@1", "4 0123"},
		{"", "list --dead --partner birch", false, "the partner cannot be reached", "4 0123"},
		{"", "retry", true, "--all-dead", "4 0123"},
		{"", "retry deliver/nowhere@1", true, "deliver/nowhere@1", "4 0123"},
		{"", "retry deliver/task-1@1", false, "deliver/task-1@1 set going again", "14 023"},
		{"", "retry --partner birch --current", false, "deliver/task-3@1 set going again", "1234 0"},
		{"no\n", "drop --all-dead", true, "nothing was dropped", "1234 0"},
		{"", "drop deliver/task-4@1 --yes", false, "deliver/task-4@1 dropped", "123 0"},
		{"drop\n", "drop --all-dead", false, "deliver/task-0@1 dropped", "123 "},
		{"", "drop --all-dead", false, "nothing to drop", "123 "},
	} {
		out, err := run(c.stdin, strings.Fields(c.args)...)
		if (err != nil) != c.fails || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v, says %q", c.args, err, out)
		}
		if got := works(false) + " " + works(true); got != c.queue {
			t.Errorf("%s: the queue holds %q, want %q", c.args, got, c.queue)
		}
	}
	// Each left its record, with who and about which Task.
	acts := map[string]int{}
	for sel := (store.Entries{Max: 1000}); ; {
		es, next, err := tn.raw.Entries(context.Background(), sel)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			var r policy.Record
			if err := json.Unmarshal(e.Body, &r); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(r.Operation, "outbox-") {
				if !strings.HasPrefix(r.Who.Subject, "gateway/outbox/") {
					t.Errorf("%s was done by %s", r.Operation, r.Who.Subject)
				}
				acts[strings.TrimSuffix(r.Operation+" "+r.Target, " ")]++
			}
		}
		if next == "" {
			break
		}
		sel.After = next
	}
	for _, want := range []string{"outbox-list", "outbox-retry task-1", "outbox-retry task-2", "outbox-retry task-3", "outbox-drop task-4", "outbox-drop task-0"} {
		if acts[want] == 0 {
			t.Errorf("no record of %s: %v", want, acts)
		}
	}
}
