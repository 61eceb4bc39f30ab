package storetest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// faultVariable names the promise that the store under test breaks in a child process.
const faultVariable = "STORETEST_FAULT"

func TestTheSuitePassesOnTheSmallestStoreThatKeepsTheContract(t *testing.T) {
	open := func(now fhir.Clock) store.Store {
		m := newMemory(now)
		m.fault = os.Getenv(faultVariable)
		return m
	}
	Run(t, func(*testing.T) store.Store { return open(time.Now) })
	RunClock(t, func(_ *testing.T, clock fhir.Clock) store.Store { return open(clock) })
}

func TestEachBrokenPromiseTurnsTheSuiteRed(t *testing.T) {
	for fault, theme := range map[string]string{
		"total of hidden":    "queries",
		"includes of hidden": "queries",
		"cursor by id":       "pages",
		"snapshot":           "races",
		"keeps what failed":  "transactions",
		"lanes overtake":     "outbox",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestTheSuitePasses.*/^"+theme+"$", "-test.failfast", "-rapid.nofailfile")
			cmd.Env = append(os.Environ(), faultVariable+"="+fault)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestTheSuitePasses") {
				t.Errorf("the suite said nothing (%v): %s", err, out)
			}
		})
	}
}
