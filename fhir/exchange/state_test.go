package exchange

import (
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
)

// legal is domain knowledge written down a second time, as a reader would: every
// step that is allowed, with whose it is (s, r, or b for both).
const legal = `
- draft s
- requested s
draft requested s
draft cancelled s
draft entered-in-error s
requested accepted r
requested rejected r
requested cancelled b
requested entered-in-error s
accepted in-progress r
accepted on-hold r
accepted completed r
accepted failed r
accepted cancelled b
accepted entered-in-error s
in-progress on-hold r
in-progress completed r
in-progress failed r
in-progress cancelled r
in-progress entered-in-error s
on-hold in-progress r
on-hold completed r
on-hold failed r
on-hold cancelled r
on-hold entered-in-error s
rejected entered-in-error s
cancelled entered-in-error s
failed entered-in-error s
completed entered-in-error s
`

func TestEveryPairOfStatusesIsLegalExactlyWhereTheTableSaysSo(t *testing.T) {
	type step struct {
		from, to string
		by       Side
	}
	allowed := map[step]bool{}
	for line := range strings.Lines(legal) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		from := strings.TrimPrefix(f[0], "-")
		if f[2] != "r" {
			allowed[step{from, f[1], Sender}] = true
		}
		if f[2] != "s" {
			allowed[step{from, f[1], Receiver}] = true
		}
	}
	statuses := []string{"draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed", "completed", "entered-in-error"}
	for _, from := range append([]string{""}, statuses...) {
		for _, to := range statuses {
			for _, by := range []Side{Sender, Receiver} {
				err := Check(from, to, by)
				want := allowed[step{from, to, by}] || from == to && slices.Contains(statuses, from)
				if (err == nil) != want {
					t.Errorf("%q to %q by %d: %v", from, to, by, err)
				}
				if err != nil && !fhir.Is(err, fhir.BusinessRule) {
					t.Errorf("%q to %q: %v is no business rule", from, to, err)
				}
			}
		}
	}
}

func TestARefusedStepNamesTheStepsThatAreAllowed(t *testing.T) {
	err := Check("requested", "completed", Receiver)
	if err == nil || !strings.Contains(err.Error(), "accepted, rejected") && !strings.Contains(err.Error(), "accepted, cancelled, rejected") {
		t.Errorf("%v", err)
	}
}

func TestACompletedTaskNeedsAnOutputAndARejectedOneAReason(t *testing.T) {
	for json, want := range map[string]bool{
		`{"status":"completed"}`:                               false,
		`{"status":"completed","output":[{}]}`:                 true,
		`{"status":"rejected"}`:                                false,
		`{"status":"rejected","statusReason":{"text":"full"}}`: true,
		`{"status":"failed"}`:                                  false,
		`{"status":"accepted"}`:                                true,
	} {
		n, err := fhir.ParseNode([]byte(json))
		if err != nil {
			t.Fatal(err)
		}
		if err := guard(n); (err == nil) != want {
			t.Errorf("%s: %v", json, err)
		}
	}
}
