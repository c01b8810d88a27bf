package notifier

import (
	"maps"
	"strings"
	"time"

	"libra/pkg/libra"
)

// groupStage holds back the alarms that follow the first one of their group, for
// the time "group", so that they become one message. Alarms that pass at the
// same moment are in the same message already. The first alarm of a group of
// units waits for a moment, too: what stops one most often stops the others.
type groupStage struct {
	policy *policy
	nflog  *notificationLog
}

func (s groupStage) check(c candidate) *suppression {
	a, most := c.Now.Alarm, s.policy.notify().Group
	first, known := s.nflog.groups[a.Group]
	switch {
	case c.trigger != firstTime || a.Group == "" || first.Equal(c.now):
		return nil
	case known && c.now.Sub(first) < most:
		return &suppression{stage: "group"}
	case strings.HasPrefix(a.Group, libra.UnitsGroup) && c.now.Sub(c.Now.At).Abs() < min(together, most):
		return &suppression{stage: "group"}
	}
	return nil
}

// together is how far apart alarms of what was stopped at once are raised.
const together = time.Second

// start notes that a candidate has passed: the others of its group wait from now
// on. nflog.mu is held.
func (s groupStage) start(c candidate) {
	if g := c.Now.Alarm.Group; g != "" && c.trigger == firstTime {
		s.nflog.groups[g] = c.now
	}
}

// prune forgets groups that hold nothing back any more. nflog.mu is held.
func (s groupStage) prune(now time.Time) {
	maps.DeleteFunc(s.nflog.groups, func(_ string, at time.Time) bool { return now.Sub(at) > time.Hour })
}

// take returns how many of the waiting transitions become one message: one, or
// all of them where they are enough for a digest.
func (s groupStage) take(waiting int) int {
	if waiting >= s.policy.notify().Digest {
		return waiting
	}
	return 1
}
