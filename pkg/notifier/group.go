package notifier

import (
	"maps"
	"time"
)

// groupStage holds back the alarms that follow the first one of their group, for
// the time "group", so that they become one message. Alarms that pass at the
// same moment are in the same message already.
type groupStage struct {
	policy *policy
	nflog  *notificationLog
}

func (s groupStage) check(c candidate) *suppression {
	first, known := s.nflog.groups[c.Now.Alarm.Group]
	if c.trigger != firstTime || !known || first.Equal(c.now) || c.now.Sub(first) >= s.policy.notify().Group {
		return nil
	}
	return &suppression{stage: "group"}
}

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
