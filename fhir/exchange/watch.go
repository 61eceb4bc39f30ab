package exchange

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"rapport/fhir"
)

// For so long a referral may go unanswered before its sender is reminded, where its
// Task.restriction.period has no end. As long again, and a Task says that somebody must
// act.
//
// A receiver that is asked and not told looks at the least once each business day
// (Gravity SDOH Clinical Care, polling): a day is the shortest that each can keep. What
// is pressing within hours is phoned as well; four of them show within one working day
// that nobody saw it. Three days span a weekend, two weeks an intake meeting that is
// held each week and was missed once.
const (
	WaitStat    = 4 * time.Hour
	WaitASAP    = 24 * time.Hour
	WaitUrgent  = 3 * 24 * time.Hour
	WaitRoutine = 14 * 24 * time.Hour
)

// For so long a referral may be on its way to the partner before its sender is told.
// Delivery goes on for [giveUp] whatever the priority: what presses is told sooner, not
// tried less.
const (
	AlarmStat    = 15 * time.Minute
	AlarmASAP    = time.Hour
	AlarmUrgent  = 4 * time.Hour
	AlarmRoutine = 24 * time.Hour
)

var waits = map[string]struct{ answer, arrival time.Duration }{
	"stat":    {WaitStat, AlarmStat},
	"asap":    {WaitASAP, AlarmASAP},
	"urgent":  {WaitUrgent, AlarmUrgent},
	"routine": {WaitRoutine, AlarmRoutine},
}

// open are the statuses in which something is still to come from the receiver.
var open = []string{"requested", "accepted", "in-progress", "on-hold"}

const (
	watchPage  = 100
	watchMost  = 1000 // in one run; the next goes on behind them
	watchEvery = time.Minute
)

// Watch reminds of referrals that we sent and that go unanswered, then has somebody
// act. It changes no referral. Each is told once for one deadline, however many
// processes watch and however often they start. All fields but Zone, Log
// and Most are required.
type Watch struct {
	Gate     fhir.Gate // of the principal gateway/courier
	Memos    fhir.Memos
	Partners []Partner
	Clock    fhir.Clock
	Zone     *time.Location // of the practice's calendar, by whose days a deadline ends; nil: UTC
	Log      *slog.Logger
	Most     int // referrals looked at in one run; 0: 1000

	mu    sync.Mutex
	after string // page of open referrals to go on behind
}

// Run looks every minute until ctx ends. It returns ctx's error.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if _, err := w.Once(ctx); err != nil && ctx.Err() == nil && w.Log != nil {
			w.Log.ErrorContext(ctx, "referrals could not be watched", "why", why(err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Once looks at so many open referrals at the most, going on where it stopped before, and
// returns how many reminders and Tasks it wrote. Of one that cannot be looked at it
// tells with the error, and goes on.
func (w *Watch) Once(ctx context.Context) (told int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var failed []error
	most := w.Most
	if most == 0 {
		most = watchMost
	}
	for seen := 0; seen < most; {
		tasks, next, err := w.page(ctx, fhir.Query{Type: "Task", Count: min(watchPage, most), After: w.after, Where: []fhir.Clause{
			{Param: "status", Kind: fhir.Token, Any: codes(open)},
			{Param: "code", Kind: fhir.Token, Any: []fhir.Operand{{System: "http://hl7.org/fhir/CodeSystem/task-code", HasSystem: true, Code: "fulfill"}}},
		}})
		if err != nil {
			w.after = ""
			return told, err
		}
		seen += len(tasks)
		for _, task := range tasks {
			n, err := w.look(ctx, task)
			if err != nil {
				failed = append(failed, err)
			}
			told += n
		}
		if w.after = next; next == "" {
			break
		}
	}
	if err := w.close(ctx); err != nil {
		failed = append(failed, err)
	}
	return told, errors.Join(failed...)
}

func (w *Watch) page(ctx context.Context, q fhir.Query) (rs []fhir.Resource, next string, err error) {
	err = w.Gate.View(ctx, fhir.Act{Interaction: fhir.SearchType, Type: q.Type}, func(in fhir.Reader) error {
		rs = nil
		set, err := in.Search(ctx, q)
		for _, e := range set.Entries {
			rs = append(rs, e.Resource)
		}
		next = set.Next
		return err
	})
	return rs, next, err
}

// overdue is what is late about a referral, and since when.
type overdue struct {
	kind string
	at   time.Time
	wait time.Duration // until somebody must act
}

// look tells what is overdue of one referral.
func (w *Watch) look(ctx context.Context, task fhir.Resource) (told int, err error) {
	late, to, err := w.late(ctx, task)
	if err != nil {
		return 0, err
	}
	now := w.Clock()
	for _, o := range late {
		n := notice{kind: o.kind, task: task, key: fhir.Instant(o.at)}
		for _, make := range []func(fhir.Node, time.Time) (fhir.Resource, error){n.reminder, n.escalation} {
			if now.Before(o.at) {
				break
			}
			r, err := make(to, now)
			if err != nil {
				return told, err
			}
			fresh, err := tell(ctx, w.Gate, r)
			if err != nil {
				return told, err
			}
			if fresh {
				told++
			}
			o.at = o.at.Add(o.wait)
		}
	}
	return told, nil
}

// late says what may be overdue of a referral of ours, nothing of others, and who
// should know.
func (w *Watch) late(ctx context.Context, task fhir.Resource) (late []overdue, to fhir.Node, err error) {
	l, err := ledgerOf(ctx, w.Memos, task.ID)
	if err != nil {
		return nil, to, err
	}
	wait := waits[priority(task)]
	err = w.Gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: task.Type, ID: task.ID}, func(in fhir.Reader) error {
		late = nil
		p, err := Referrals{Partners: w.Partners}.parties(ctx, in, task.Root(), nil)
		if err != nil || p.to == nil || p.from != nil || !isReferral(task.Root()) {
			return err
		}
		if to, err = responsible(ctx, in, task); err != nil {
			return err
		}
		end, bound := ending(task.Root(), cmp.Or(w.Zone, time.UTC))
		if task.Root().Get("status").Text() != "requested" {
			if bound {
				late = append(late, overdue{Unfinished, end, wait.answer})
			}
			return nil
		}
		since, err := requestedAt(ctx, in, task)
		if err != nil {
			return err
		}
		if l.Delivered == 0 {
			late = append(late, overdue{Undelivered, since.Add(wait.arrival), wait.arrival})
		}
		if !bound {
			end = since.Add(wait.answer)
		}
		late = append(late, overdue{Unanswered, end, wait.answer})
		return nil
	})
	return late, to, err
}

// ending is the first moment behind Task.restriction.period. A date has no zone: whoever
// set it meant a day of their own calendar.
//
// Source: https://hl7.org/fhir/R4/datatypes.html#Period (the end includes all of its day)
func ending(task fhir.Node, zone *time.Location) (time.Time, bool) {
	s := task.At("restriction", "period", "end").Text()
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	for layout, more := range map[string][3]int{time.DateOnly: {0, 0, 1}, "2006-01": {0, 1, 0}, "2006": {1, 0, 0}} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t.AddDate(more[0], more[1], more[2]), true // the day, month or year itself still counts
		}
	}
	return time.Time{}, false
}

// mostVersions bounds how far back a Task's beginning is looked for.
const mostVersions = 50

// requestedAt returns when a Task came to be requested.
func requestedAt(ctx context.Context, in fhir.Reader, task fhir.Resource) (time.Time, error) {
	at := task.Updated
	for v := task.Version - 1; v > 0 && v > task.Version-mostVersions; v-- {
		before, err := in.ReadVersion(ctx, task.Key, v)
		if fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Deleted) {
			break
		}
		if err != nil {
			return at, err
		}
		if before.Root().Get("status").Text() != "requested" {
			break
		}
		at = before.Updated
	}
	return at, nil
}

// close ends the Tasks about referrals of which nothing is overdue any more.
func (w *Watch) close(ctx context.Context) error {
	var after string
	for range watchMost / watchPage {
		tasks, next, err := w.page(ctx, fhir.Query{Type: "Task", Count: watchPage, After: after, Where: []fhir.Clause{
			{Param: "status", Kind: fhir.Token, Any: codes([]string{"requested"})},
			{Param: "code", Kind: fhir.Token, Any: []fhir.Operand{{System: NoticeCodes, HasSystem: true, Code: Unanswered},
				{System: NoticeCodes, HasSystem: true, Code: Unfinished}, {System: NoticeCodes, HasSystem: true, Code: Undelivered}}},
		}})
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if err := w.closeOne(ctx, t); err != nil {
				return err
			}
		}
		if after = next; next == "" {
			return nil
		}
	}
	return nil
}

func (w *Watch) closeOne(ctx context.Context, t fhir.Resource) error {
	k, _ := t.Root().Get("focus").Ref()
	var task fhir.Resource
	err := w.Gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}, func(in fhir.Reader) (err error) {
		task, err = readable(in.Read(ctx, k))
		return err
	})
	if err != nil {
		return err
	}
	if !task.IsZero() {
		late, _, err := w.late(ctx, task)
		if err != nil {
			return err
		}
		status, now := task.Root().Get("status").Text(), w.Clock()
		if slices.Contains(open, status) && slices.ContainsFunc(late, func(o overdue) bool {
			return t.Root().Get("code").HasCoding(NoticeCodes, o.kind) && !now.Before(o.at)
		}) {
			return nil
		}
	}
	return done(ctx, w.Gate, t.Key, "Nothing is overdue any more.")
}
