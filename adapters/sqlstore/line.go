package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
)

// line is where closures wait for the one writer that there is at a time, which runs
// them in groups.
type line struct {
	log   *slog.Logger
	queue chan *job
	idle  sync.WaitGroup

	mu     sync.RWMutex // held shared while a job is queued, so that none comes after the last
	closed bool
}

// How much may wait for the writer, and how many closures share one commit.
const (
	maxQueued = 1024
	maxGroup  = 256
)

// group is a transaction in which closures run one after the other.
type group interface {
	session
	begin() error
	save() error // what comes now can be taken back by itself
	keep() error // it stays with the rest
	takeBack() error
	lost() bool    // nothing of the transaction can be kept
	commit() error // errUnknown: it may have taken place
	undo()
	fault(error) error
}

// errUnknown is a commit whose answer was lost.
var errUnknown = errors.New("it is not known whether the commit took place")

// newLine starts the writer. open returns what one group runs in.
func newLine(log *slog.Logger, open func() group, end func()) *line {
	l := &line{log: log, queue: make(chan *job, maxQueued)}
	l.idle.Go(func() {
		defer end()
		for first := range l.queue {
			l.run(open(), first)
		}
	})
	return l
}

// job is a closure that waits for the writer.
type job struct {
	ctx   context.Context
	f     func(session) error
	state atomic.Int32 // waiting, started, given up
	done  chan struct{}
	err   error
	panic any
}

const (
	waiting int32 = iota
	started
	givenUp
)

// update queues f and waits for what its group came to.
func (l *line) update(ctx context.Context, f func(session) error) error {
	if err := over(ctx); err != nil {
		return err
	}
	j := &job{ctx: ctx, f: f, done: make(chan struct{})}
	if err := l.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, givenUp) {
			return over(ctx)
		}
		<-j.done // it runs or ran: what it came to must be told
	}
	if j.panic != nil {
		panic(j.panic)
	}
	return j.err
}

func (l *line) enqueue(ctx context.Context, j *job) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return errClosed
	}
	select {
	case l.queue <- j:
		return nil
	case <-ctx.Done():
		return over(ctx)
	}
}

// close lets what is queued finish.
func (l *line) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	l.idle.Wait()
}

// run runs a closure and whatever waits behind it, each in a savepoint of one
// transaction, and tells nobody anything before the one commit.
func (l *line) run(g group, first *job) {
	var ran []*job
	defer func() {
		for _, j := range ran {
			close(j.done)
		}
	}()
	defer g.undo()
	if !first.state.CompareAndSwap(waiting, started) {
		return
	}
	ran = append(ran, first)
	if err := g.begin(); err != nil {
		first.err = g.fault(err)
		return
	}
	ok := attempt(g, first)
	for ok && len(ran) < maxGroup {
		next := l.waits()
		if next == nil {
			break
		}
		if next.state.CompareAndSwap(waiting, started) {
			ran = append(ran, next)
			ok = attempt(g, next)
		}
	}
	if ok {
		err := g.commit()
		if err == nil {
			return
		}
		if errors.Is(err, errUnknown) {
			for _, j := range ran {
				j.err = g.fault(err)
			}
			return
		}
		l.log.Warn("a group of writes could not be committed; each is tried again by itself", "writes", len(ran), "err", err)
	}
	g.undo()
	for _, j := range ran {
		alone(g, j)
	}
}

// waits returns the next job, nil if none waits now.
func (l *line) waits() *job {
	select {
	case j := <-l.queue: // nil once the queue is closed and empty
		return j
	default:
		return nil
	}
}

// attempt runs a job in a savepoint and keeps what it says. It returns false if the
// whole transaction is lost.
func attempt(g group, j *job) (ok bool) {
	if j.err = over(j.ctx); j.err != nil {
		return true
	}
	defer func() {
		if p := recover(); p != nil {
			j.panic, ok = p, false
		}
	}()
	if err := g.save(); err != nil {
		j.err = g.fault(err)
		return false
	}
	if j.err = j.f(g); j.err == nil && !g.lost() {
		j.err = g.fault(g.keep())
		return j.err == nil
	}
	j.err = g.fault(j.err)
	return !g.lost() && g.takeBack() == nil
}

// alone runs a job in a transaction of its own, after its group was lost.
func alone(g group, j *job) {
	j.err, j.panic = nil, nil
	defer g.undo()
	if err := g.begin(); err != nil {
		j.err = g.fault(err)
		return
	}
	if ok := attempt(g, j); !ok {
		if j.err == nil && j.panic == nil {
			j.err = g.fault(errLost)
		}
		return
	}
	if err := g.commit(); err != nil {
		j.err = g.fault(err)
	}
}

// errLost is a transaction that ended though nobody was told why.
var errLost = errors.New("the transaction was lost")
