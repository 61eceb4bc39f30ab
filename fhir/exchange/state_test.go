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

func TestARefusedStepNamesAllStepsThatAreAllowedAndNoOther(t *testing.T) {
	statuses := []string{"draft", "requested", "accepted", "rejected", "cancelled", "in-progress", "on-hold", "failed", "completed", "entered-in-error"}
	for _, from := range statuses {
		for _, to := range append(statuses, "received", "ready") {
			for _, by := range []Side{Sender, Receiver} {
				err := Check(from, to, by)
				if err == nil {
					continue
				}
				_, named, _ := strings.Cut(err.Error(), "can become ")
				if got, want := strings.TrimSuffix(named, "."), strings.Join(Next(from, by), ", "); got != want {
					t.Errorf("%s to %s by %d names %q, want %q: %v", from, to, by, got, want, err)
				}
			}
		}
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

// beside is which business status may be put beside which status, by whom, written
// down a second time.
const beside = `
draft: 2.0s
requested: 2.0s 5.2b
accepted: 3.0r 5.1.1r 5.1.2r 5.1.3r 5.2b
in-progress: 3.0r 5.1.1r 5.1.2r 5.1.3r 5.1.4r 5.2b
on-hold: 3.0r 5.1.1r 5.1.2r 5.1.3r 5.1.4r 5.2b
rejected: 4.0r
cancelled: 5.1.3r 6.0b
failed: 5.1.2r 5.1.3r 6.0b
completed: 5.1.4r 7.0r
entered-in-error:
`

func TestEveryBusinessStatusIsLegalExactlyWhereTheTableSaysSo(t *testing.T) {
	all := []string{"2.0", "3.0", "4.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.2", "6.0", "7.0", "9.9"}
	for line := range strings.Lines(strings.TrimSpace(beside)) {
		status, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		for _, code := range all {
			for by, mine := range map[Side]string{Sender: "s", Receiver: "r"} {
				want := slices.ContainsFunc(strings.Fields(list), func(f string) bool { return f == code+mine || f == code+"b" })
				err := CheckBusiness(status, code, by)
				if (err == nil) != want {
					t.Errorf("%s beside %s by %s: %v", code, status, mine, err)
				}
				if err == nil || code == "9.9" {
					continue
				}
				for _, f := range strings.Fields(list) {
					if c := f[:len(f)-1]; strings.HasSuffix(f, mine) && !strings.Contains(err.Error(), c) {
						t.Errorf("%s beside %s by %s: %v does not name %s", code, status, mine, err, c)
					}
				}
			}
		}
		if err := CheckBusiness(status, "", Receiver); err != nil {
			t.Errorf("none beside %s: %v", status, err)
		}
	}
}
