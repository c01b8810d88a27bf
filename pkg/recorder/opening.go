package recorder

import (
	"context"
	"errors"
	"time"

	"libra/pkg/store"
)

// opening is one attempt to open the database. It reads all of it, which may
// take minutes, so no loop waits for its end in one round.
type opening struct {
	done   chan struct{} // closed when the others are set
	writer *store.Writer
	err    error
}

// errOpening says that the database is still being opened: try again.
var errOpening = errors.New("the database is still being opened")

// openWait is how long one round waits for an opening under way.
const openWait = 500 * time.Millisecond

// open opens the database if it is not open. Of those that wait for one opening
// a single one gets its error.
func (r *Recorder) open(ctx context.Context) error {
	r.mu.Lock()
	if r.writer != nil {
		r.mu.Unlock()
		return nil
	}
	if r.opening == nil {
		r.opening = r.beginOpening(ctx)
	}
	o := r.opening
	r.mu.Unlock()
	wait := time.NewTimer(openWait)
	defer wait.Stop()
	select {
	case <-o.done:
		return r.endOpening(o)
	case <-wait.C:
		return errOpening
	}
}

func (r *Recorder) beginOpening(ctx context.Context) *opening {
	o := &opening{done: make(chan struct{})}
	go func() {
		o.writer, o.err = r.openStore(ctx, r.cfg.Path)
		close(o.done)
	}()
	return o
}

// endOpening adopts the result of o, unless another caller has.
func (r *Recorder) endOpening(o *opening) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opening != o {
		return errOpening
	}
	r.opening = nil
	if o.err == nil {
		r.writer = o.writer
		r.opened++
	}
	return o.err
}

// close is for the end, when the context of an opening has ended, too.
func (r *Recorder) close() {
	r.mu.Lock()
	o := r.opening
	r.mu.Unlock()
	if o != nil {
		<-o.done
		_ = r.endOpening(o) // its error does not matter any more
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closeWriter()
}

// closeWriter closes the database, so that the next write opens it again. Callers
// hold mu.
func (r *Recorder) closeWriter() {
	if r.writer != nil {
		if err := r.writer.Close(); err != nil {
			r.log.Warn("close database", "err", err)
		}
		r.writer = nil
	}
}
