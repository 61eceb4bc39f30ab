package exchange_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// mortal is a courier's process: at a step that is drawn it ends, just before or just
// after the step has had its effect, and nothing that it would do then happens.
type mortal struct {
	mu    sync.Mutex
	left  int // steps to live; negative: for ever
	after bool
	dead  bool
}

var errDead = errors.New("the process has ended")

// step does f unless the process ends before it.
func (m *mortal) step(f func() error) error {
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return errDead
	}
	last := m.left == 0
	m.left--
	m.dead = last
	m.mu.Unlock()
	if last && !m.after {
		return errDead
	}
	if err := f(); err != nil || !last {
		return err
	}
	return errDead
}

// once lets a side's courier run in a process that may end.
func (s *side) once(ctx context.Context, m *mortal) error {
	c := *s.courier
	c.Gate, c.Queue, c.Memos, c.Channel = mortalGate{c.Gate, m}, mortalQueue{c.Queue, m}, mortalMemos{c.Memos, m}, mortalChannel{c.Channel, m}
	release := c.Release
	c.Release = func(ctx context.Context, to fhir.Key, rs []fhir.Resource) (out []fhir.Resource, err error) {
		err = m.step(func() (err error) { out, err = release(ctx, to, rs); return err })
		return out, err
	}
	_, err := c.Once(ctx)
	if m.dead {
		return nil
	}
	return err
}

type mortalGate struct {
	fhir.Gate
	*mortal
}

func (g mortalGate) View(ctx context.Context, a fhir.Act, f func(fhir.Reader) error) error {
	return g.step(func() error { return g.Gate.View(ctx, a, f) })
}

func (g mortalGate) Update(ctx context.Context, a fhir.Act, f func(fhir.Tx) error) error {
	return g.step(func() error { return g.Gate.Update(ctx, a, f) })
}

type mortalQueue struct {
	fhir.Queue
	*mortal
}

func (q mortalQueue) Lease(ctx context.Context, kind string, n int, d time.Duration) (ws []fhir.Work, err error) {
	err = q.step(func() (err error) { ws, err = q.Queue.Lease(ctx, kind, n, d); return err })
	if err != nil {
		ws = nil
	}
	return ws, err
}

func (q mortalQueue) Finish(ctx context.Context, w fhir.Work, o fhir.Outcome) error {
	return q.step(func() error { return q.Queue.Finish(ctx, w, o) })
}

type mortalMemos struct {
	fhir.Memos
	*mortal
}

func (m mortalMemos) SetMemo(ctx context.Context, v fhir.Memo) error {
	return m.step(func() error { return m.Memos.SetMemo(ctx, v) })
}

type mortalChannel struct {
	exchange.Channel
	*mortal
}

func (c mortalChannel) Transact(ctx context.Context, to exchange.Partner, b fhir.Resource) (r fhir.Resource, err error) {
	err = c.step(func() (err error) { r, err = c.Channel.Transact(ctx, to, b); return err })
	return r, err
}

func (c mortalChannel) Put(ctx context.Context, at exchange.Partner, b fhir.Resource, ifMatch int64) (r fhir.Resource, err error) {
	err = c.step(func() (err error) { r, err = c.Channel.Put(ctx, at, b, ifMatch); return err })
	return r, err
}
