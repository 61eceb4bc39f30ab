package audit

import (
	"context"
	"sync"
	"time"

	"rapport/policy"
)

// refusals counts requests without a valid token by source and minute, so that a
// flood costs one record a minute and the count stays exact.
type refusals struct {
	mu     sync.Mutex
	minute time.Time
	by     map[string]int
	more   int // from sources beyond the bound
}

const maxSources = 1000

// Refused counts one request without a valid token, from an address.
func (j *Journal) Refused(ctx context.Context, source string) {
	j.refused.mu.Lock()
	if j.refused.by == nil {
		j.refused.by, j.refused.minute = map[string]int{}, j.Clock().Truncate(time.Minute)
	}
	if _, known := j.refused.by[source]; known || len(j.refused.by) < maxSources {
		j.refused.by[source]++
	} else {
		j.refused.more++
	}
	j.refused.mu.Unlock()
}

// tellRefused records the counts of a minute that is over, or that the end of the
// process cuts short.
func (j *Journal) tellRefused(ctx context.Context, ending bool) {
	j.refused.mu.Lock()
	if j.refused.by == nil || !ending && j.Clock().Before(j.refused.minute.Add(time.Minute)) {
		j.refused.mu.Unlock()
		return
	}
	by, more, minute := j.refused.by, j.refused.more, j.refused.minute
	j.refused.by, j.refused.more = nil, 0
	j.refused.mu.Unlock()
	if more > 0 {
		by["others"] = more
	}
	for source, n := range by {
		r := policy.Record{ID: j.IDs(), At: minute, Tenant: System, Who: policy.Who{Subject: source},
			Interaction: "login", Decision: policy.Deny, Outcome: policy.Failure, Failure: "login", Reasons: []string{times(n)}}
		if err := j.Before(ctx, System, r); err != nil {
			j.Log.WarnContext(ctx, "refused requests could not be recorded", "err", err)
		}
	}
}
