package notifier

import (
	"fmt"

	"libra/pkg/libra"
)

// silenceStage suppresses what a silence covers, whatever the channel was
// notified of before.
type silenceStage struct{ policy *policy }

func (s silenceStage) check(c candidate) *suppression {
	by, silenced := s.policy.book.Silenced(c.Now.Alarm, c.now)
	if !silenced {
		return nil
	}
	return &suppression{"silence", fmt.Sprintf("it was silenced by %s until %s: %s", by.By, libra.FormatTime(by.Until), by.Why)}
}
