package inspector

import (
	"context"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// choose is how a page is inspected that its host admits and that has a slot; nil where
// it has to wait.
func (w *worker) choose() state {
	suspect := w.job.Attempt > 1 || w.job.Request.Release
	if !w.placed {
		w.placed = w.places.take()
	}
	switch {
	case w.placed && suspect:
		return w.inspectAlone
	case w.placed:
		return w.inspectHere
	case suspect: // it may end its inspector, and waits without having been looked at
		return nil
	}
	return w.inspectLight
}

// inspectLight fetches the page alone: one that is an error is reported, one that
// answers waits to be inspected whole.
func (w *worker) inspectLight(ctx context.Context) state {
	defer w.register()()
	w.begins(0) // for the rounds, it still waits
	w.progress(inspect.Progress{Step: libra.Fetching})
	page := w.page(ctx)
	page.Light, page.Follow, page.Asked, page.View = true, w.visit.follow, w.visit.asked, w.view
	w.busy()
	report := w.inspect(ctx, page, nothing, w.progress)
	w.busy = w.Inspector.busy.Begin()
	if ctx.Err() != nil {
		return w.retry
	}
	w.light.Add(1)
	if report.Outcome == libra.Error {
		w.report = report
		return w.publish
	}
	w.visit.end(report)
	return w.wait
}

// wait waits until the page may be inspected whole.
func (w *worker) wait(ctx context.Context) state {
	w.visit.abandon() // unless it has ended
	w.begins(0)
	w.progress(inspect.Progress{Step: libra.Waiting})
	ctx, cancel := context.WithTimeout(ctx, deferredWait)
	defer cancel()
	w.busy()
	err := w.places.wait(ctx, w.job.Round)
	w.busy = w.Inspector.busy.Begin()
	if err != nil {
		return w.deferAgain
	}
	w.placed = true
	return w.admit
}

// deferAgain gives back a page that has no place here.
func (w *worker) deferAgain(ctx context.Context) state { return w.giveBack(ctx, deferredPause) }

// unplace gives the worker's place back, if it has one.
func (w *worker) unplace() {
	if w.placed {
		w.placed = false
		w.places.leave()
	}
}
