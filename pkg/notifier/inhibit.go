package notifier

import (
	"fmt"
	"time"

	"libra/pkg/libra"
)

// inhibitStage suppresses an alarm while another one explains it: its cause,
// while that is raised, and for the time "settle" after it has cleared. Changes
// of an alarm that the channel was notified of already pass.
type inhibitStage struct {
	policy *policy
	nflog  *notificationLog
}

func (s inhibitStage) check(c candidate) *suppression {
	raised, cleared := s.nflog.causeOf(c.Now.Alarm)
	settling := c.trigger == firstTime && !cleared.IsZero() && c.now.Sub(cleared) < s.policy.notify().Settle
	if c.trigger == changed || !raised && !settling {
		return nil
	}
	return &suppression{"inhibit", fmt.Sprintf("it was inhibited by the alarm %s", c.Now.Alarm.Cause)}
}

// causeOf reports whether the alarm that explains a is raised, and else when it
// was cleared: the zero time where nothing explains a. l.mu is held.
func (l *notificationLog) causeOf(a libra.Alarm) (raised bool, cleared time.Time) {
	if a.Cause == "" || a.Cause == a.ID {
		return false, time.Time{}
	}
	if l.Open[a.Cause] != nil {
		return true, time.Time{}
	}
	return false, l.Closed[a.Cause]
}

// inhibited counts the open alarms that are suppressed because of another one, by
// the id of that. l.mu is held.
func (l *notificationLog) inhibited() map[string]int {
	counts := map[string]int{}
	for _, e := range l.Open {
		if cause := e.Now.Alarm.Cause; cause != "" && e.Notified == "" {
			counts[cause]++
		}
	}
	return counts
}
