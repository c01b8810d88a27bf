package notifier

import (
	"time"

	"libra/pkg/libra"
)

// dedupStage suppresses what the channel was notified of already, unless it is
// time for a reminder: the interval of the alarm's severity is over, and nobody
// has acknowledged it since it was raised.
type dedupStage struct{ policy *policy }

func (s dedupStage) check(c candidate) *suppression {
	if c.trigger != unchanged {
		return nil
	}
	interval := s.policy.notify().Remind[c.Now.Alarm.Severity]
	_, acknowledged := s.policy.book.Acknowledged(c.Now.Alarm)
	if interval > 0 && c.now.Sub(c.LastSent) >= interval && !acknowledged {
		return nil
	}
	return &suppression{stage: "deduplicate"}
}

// dropsClear reports whether the clear of an alarm needs no notification: there
// was none that it was raised, and the first stages had a reason for that as it
// cleared, or have it now. That it waited for others of its group is no such
// reason. e is nil for an alarm that the log does not know any more, or never did:
// its clear is dropped where it was raised before the channel was there, where it
// would not have been routed here, or is silenced. nflog.mu is held.
func (p *pipeline) dropsClear(e *entry, clear libra.Transition, now time.Time) bool {
	if e == nil {
		c := candidate{&entry{Now: clear}, firstTime, now}
		return clear.Alarm.Since.Before(p.nflog.Began) || p.route.check(c) != nil || p.silence.check(c) != nil
	}
	if e.Notified != "" {
		return false
	}
	for _, at := range []time.Time{clear.At, now} {
		if s := p.check(candidate{e, firstTime, at}); s != nil && s.reason != "" {
			return true
		}
	}
	return false
}
