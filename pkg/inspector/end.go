package inspector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// An operator may end an inspection. Its context ends then, and it is reported as ended.
// What computes and looks at no context goes on; it ends with the process, once the
// report is published and the other pages are given back.
const (
	// endGrace is how long an inspection may take to end.
	endGrace = time.Second
	// handBack is how long the other pages of the process may take to be given back.
	handBack = 3 * time.Second
)

// errEnded is the cause why the context of an inspection ends.
var errEnded = errors.New("an operator ended the inspection")

// endBy ends the inspection, as an operator wants it; a second time does nothing.
func (w *worker) endBy(by string) {
	w.mu.Lock()
	first := !w.isEnded
	if first {
		w.isEnded, w.endedBy = true, event.Cut(by, 100)
	}
	w.mu.Unlock()
	if !first {
		return
	}
	w.log.Warn("an operator ends the inspection", "by", by, "url", w.job.Request.URL)
	w.stop(errEnded)
	select {
	case w.ends <- w:
	case <-w.stopped:
	}
}

// wasEnded reports whether an operator has ended the inspection.
func (w *worker) wasEnded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isEnded
}

// ended is the report of an inspection that an operator has ended.
func (w *worker) ended() *libra.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, text := failed(w.job.Request.URL), "ended by an operator"
	if w.endedBy != "" {
		text += " (" + w.endedBy + ")"
	}
	r.AddReason(libra.Reason{Code: libra.CodeEnded, Text: text, Remedy: "submit the page again"})
	return r
}

// publishEnded is the state after an operator has ended the inspection. Its context does not
// end: publish has a bound of its own.
func (w *worker) publishEnded(context.Context) state {
	w.report, w.poison = w.ended(), false
	return w.publish
}

// followEnds looks after inspections that are to end, until ctx ends, and then after those
// that it has. stuck is called with those that do not end.
func (i *Inspector) followEnds(ctx context.Context, stuck func(*worker)) {
	var waits sync.WaitGroup
	defer waits.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-i.ends:
			waits.Go(func() {
				select {
				case <-w.stopped:
				case <-time.After(endGrace):
					stuck(w)
				}
			})
		}
	}
}

// reportStuck publishes the report of a stuck inspection in place of its own goroutine, and
// acknowledges the request, so that no other inspector gets it.
func (w *worker) reportStuck(ctx context.Context) {
	w.mu.Lock()
	by := w.endedBy
	w.mu.Unlock()
	deputy := newWorker(w.Inspector, w.job)
	deputy.isEnded, deputy.endedBy, deputy.claimedAt = true, by, w.claimedAt
	deputy.follow(ctx, deputy.publishEnded)
}

// awaitHandBack waits, for handBack at most, until no inspection but the stuck ones is in progress.
func (i *Inspector) awaitHandBack() {
	for until := time.Now().Add(handBack); i.Running() > i.stuck.Load() && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
}

// errStuck is the error of Run when an inspection did not end.
func errStuck(w *worker) error {
	return fmt.Errorf("request %s, page %s, was ended by an operator and goes on %s later: this process ends, its other pages are given back", w.job.Request.ID, w.job.Request.URL, endGrace)
}
