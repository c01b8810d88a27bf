package inspector

import (
	"context"
	"time"

	"libra/pkg/libra"
)

// previousWait bounds the wait for a page's previous report: a page is weighed
// as well without it.
const previousWait = 500 * time.Millisecond

// previous is the page's newest report where it may stand for what has not
// changed since: images, fonts and media whose server says so with a 304 are
// not sent again. A server that says so wrongly must not keep a wrong weight
// alive, so the first inspection of a day (UTC) asks for everything, and all
// weights of a report were measured on its day.
func (w *worker) previous(ctx context.Context) *libra.Report {
	ctx, cancel := context.WithTimeout(ctx, previousWait)
	defer cancel()
	last := w.lastComplete(ctx)
	if last == nil || !sameDay(last.Started, time.Now()) {
		return nil
	}
	return last
}

func sameDay(a, b time.Time) bool {
	const day = 24 * time.Hour
	return a.UTC().Truncate(day).Equal(b.UTC().Truncate(day))
}
