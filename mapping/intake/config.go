package intake

import (
	"context"

	"rapport/fhir"
	"rapport/mapping/instrument"
	"rapport/mapping/site"
)

// Config is everything a run needs. All but the optional fields must be set.
type Config struct {
	Gate   fhir.Gate     // of the integration principal, for the tenant
	Mapper Mapper        // native records → FHIR, with the tenant's ids
	Site   *site.Mapping // what the source's columns mean
	Source Source        // what was handed over
	Clock  fhir.Clock
	NewID  fhir.NewIDs // for the Provenance of the run

	// Tenant is whose rows are taken, as the site file tells tenants; rows of
	// another are rejected. "" takes all rows, for sources of one practice.
	Tenant string
	// Check validates a resource before it is written; optional. Its errors
	// quarantine the row.
	Check func(context.Context, fhir.Resource) error
	// Instruments are those whose Questionnaires are stored with the first response
	// to each, so that no response names one that is not there; optional, for whoever
	// has stored them already.
	Instruments *instrument.Library
	// Follow is run after each write that made a version, in its transaction.
	Follow []fhir.Follow
	// Agent is who started the run, for the Provenance; optional.
	Agent fhir.Key
	// Only takes no rows but these: replay of what was not stored, once its reason
	// is gone. Rows that they rest on are looked up and not written. Optional.
	Only map[site.Place]bool
	// Spill is the folder of the temporary file that keeps, sealed, what a large upload
	// must come back to; "": the system's. What a killed run left there is removed.
	Spill string
	// Progress is told now and then how far the run is; optional. Rows are counted
	// before the first is imported.
	Progress func(Progress)
	// Batch is how many resources a transaction holds; 0: 200.
	Batch int
}

// Progress is how far a run is.
type Progress struct {
	Table string
	Rows  int // of the table
	Done  int // of the run
	Total int // that there are
}

// every is how many rows pass between two calls of Progress.
const every = 1000
