package main

import (
	"net/http"
	"testing"

	"rapport/fhir"
	"rapport/fhir/rest"
)

func TestTheStatementToEverybodyNamesEveryOperationThatATenantServes(t *testing.T) {
	i := instanceIn(t, t.TempDir(), nil)
	tn, err := i.tenant("one")
	if err != nil {
		t.Fatal(err)
	}
	own, err := fhir.Parse(tn.router.Serve(t.Context(), &rest.Request{Method: http.MethodGet, Path: "metadata"}).Body)
	if err != nil {
		t.Fatal(err)
	}
	public, err := fhir.Parse(i.metadata())
	if err != nil {
		t.Fatal(err)
	}
	if !public.Root().Get("rest").Same(own.Root().Get("rest")) {
		t.Error("it says something else than a tenant's own")
	}
	named := map[string]bool{}
	for op := range public.Root().Get("rest").Index(0).Get("operation").Elements() {
		named[op.Get("name").Text()] = true
	}
	if !named["export"] || !named["process-message"] {
		t.Errorf("on the system it names %v", named)
	}
}
