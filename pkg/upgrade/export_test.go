package upgrade

import (
	"context"
	"io"

	"libra/pkg/component"
)

// Counts are figures for tests: answers and failed ones, pages and those without an answer,
// refused messages.
type Counts struct{ Answers, Failed, Pages, Silent, Refused int64 }

func (c Counts) figures() figures { return figures{c.Answers, c.Failed, c.Pages, c.Silent, c.Refused} }

// Rise judges the figures at the end of a time against those at its begin, and against what
// is usual.
func Rise(usual, from, now Counts) error {
	return health{usual: usual.figures()}.rise(health{answered: from.figures()}, health{answered: now.figures()})
}

// Answers counts the answers in metrics.
func Answers(metrics io.Reader) (answers, failed int64, err error) {
	var h health
	err = h.countAnswers(metrics)
	return h.answered.answers, h.answered.failed, err
}

// WayBack judges whether the release "old" can use the history after one with that schema.
func WayBack(ctx context.Context, cfg Config, to *component.Schema) error {
	return newUpgrader(cfg).wayBack(ctx, "old", orUnknown(to))
}
