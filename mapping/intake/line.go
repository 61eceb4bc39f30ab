package intake

import "context"

// ahead is how many rows are read and mapped ahead of those that are stored.
const ahead = 256

// line stores behind what is read: what is put into it is done one by one, in
// order, while the next is made. So outcomes, ledger and batch belong to the one
// who stores, and rows and their look-ups to the one who reads; what the reader of
// the next table finds is settled, since each table has a line of its own.
type line struct {
	ctx  context.Context // of the reader; ends when storing fails
	stop context.CancelFunc
	work chan func(context.Context) error
	err  chan error
}

func begin(ctx context.Context) *line {
	l := &line{work: make(chan func(context.Context) error, ahead), err: make(chan error, 1)}
	l.ctx, l.stop = context.WithCancel(ctx)
	go func() {
		var err error
		for f := range l.work {
			if err == nil {
				if err = f(ctx); err != nil {
					l.stop()
				}
			}
		}
		l.err <- err
	}()
	return l
}

// put hands on what is to be done. The error is that of the context.
func (l *line) put(f func(context.Context) error) error {
	select {
	case l.work <- f:
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

// end waits until all is done. The first to fail is told.
func (l *line) end(err error) error {
	close(l.work)
	stored := <-l.err
	l.stop()
	if stored != nil {
		return stored
	}
	return err
}
