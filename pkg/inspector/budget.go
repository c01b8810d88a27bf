package inspector

import (
	"context"
	"slices"

	"libra/pkg/event"
	"libra/pkg/inspect/budget"
	"libra/pkg/libra"
)

// checkBudget checks the report against the budget of the watch that requested it;
// nil where there is no budget, or no page to check.
func (w *worker) checkBudget(ctx context.Context) *event.Judged {
	watch := w.job.Request.Watch
	if watch == nil || watch.Budget == nil || w.report.Outcome == libra.Error {
		return nil
	}
	budgets, err := budget.Parse("budget", watch.Budget)
	if err != nil { // web has accepted it, so that only another version of Libra can be at fault
		w.log.Error("cannot read the watch's budget, the page is not checked against it", "err", err)
		return nil
	}
	var last *libra.Report
	if slices.ContainsFunc(budgets, func(b budget.Budget) bool { return len(b.Deltas) > 0 }) {
		last = w.lastComplete(ctx)
	}
	result := budget.Check(budgets, *w.report, last)
	judged := &event.Judged{Lines: len(result.Lines), Over: []string{}}
	for _, line := range result.Lines {
		if line.Over > 0 {
			judged.Over = append(judged.Over, line.String())
			judged.OverLines = append(judged.OverLines, event.OverLine{
				Kind: string(line.Kind), Type: line.Type, Unit: line.Unit, Budgeted: line.Budgeted, Actual: line.Actual, Over: line.Over,
			})
		} else if len(judged.Within) < event.MostWithin {
			judged.Within = append(judged.Within, line.String())
		}
	}
	return judged
}

// lastComplete is the page's newest report on the bus if it is complete, or
// nil; growth cannot be computed without it.
func (w *worker) lastComplete(ctx context.Context) *libra.Report {
	last, err := w.conn.LastReport(ctx, w.job.Request.Page)
	if err != nil || !last.Report.Sound() {
		return nil
	}
	return &last.Report
}
