package inspector

import (
	"context"
	"strings"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// previousWait bounds the wait for a page's previous report: an inspection needs
// none.
const previousWait = 500 * time.Millisecond

// previous is the page's newest report, where its assets may be reused: a server
// answers a request for an unchanged image, font or medium with 304, without a
// body. A server that does so wrongly must not keep a wrong size alive, so the
// first inspection of a day (UTC) fetches everything, and all sizes of a report
// were measured on its day.
func (w *worker) previous(ctx context.Context) *libra.Report {
	ctx, cancel := context.WithTimeout(ctx, previousWait)
	defer cancel()
	last := w.lastComplete(ctx)
	if last == nil || !sameDay(last.Started, time.Now()) {
		return nil
	}
	return last
}

// page is what to inspect. A guess that https is meant is over once https has
// answered: that it does not answer any more is then a fault of the page.
func (w *worker) page(ctx context.Context) inspect.Page {
	p := inspect.Page{URL: w.job.Request.URL, SchemeGuessed: w.job.Request.SchemeGuessed}
	if p.SchemeGuessed {
		ctx, cancel := context.WithTimeout(ctx, previousWait)
		defer cancel()
		if last, err := w.conn.LastReport(ctx, w.job.Request.Page); err == nil && strings.HasPrefix(last.Report.FinalURL, "https://") {
			p.SchemeGuessed = false
		}
	}
	return p
}

func sameDay(a, b time.Time) bool {
	const day = 24 * time.Hour
	return a.UTC().Truncate(day).Equal(b.UTC().Truncate(day))
}
