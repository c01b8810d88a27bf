package notifier

import (
	"fmt"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// refusedNotification is a notification that the provider refuses for good,
// whatever else it accepts. It is set aside: a notice was sent in its place, and
// no attempt follows.
type refusedNotification struct {
	At     time.Time `json:"at"`
	Alarm  string    `json:"alarm"`
	Reason string    `json:"reason"`
}

// Bounds of what is remembered of refused notifications: 20 of them take less than
// 50 kB, should every character take four bytes.
const (
	maxRefused       = 20
	maxRefusedReason = 400 // characters
	maxRefusedAlarm  = 200 // characters
)

// refusedFor is how long a refused notification is an alarm, unless a test message
// arrives before.
const refusedFor = 24 * time.Hour

// addRefused remembers that the text of m was set aside. l.mu is held.
func (l *notificationLog) addRefused(m message) {
	for _, n := range m.Notifications {
		l.Refused = append(l.Refused, refusedNotification{m.at.UTC(), flat(n.Transition.Alarm.ID, maxRefusedAlarm), m.Refused})
	}
	l.Refused = l.Refused[max(0, len(l.Refused)-maxRefused):]
}

// forgetRefused ends the alarm about refused notifications: somebody has looked at
// the channel.
func (l *notificationLog) forgetRefused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.Refused) > 0 {
		l.Refused = nil
		l.save()
	}
}

// refused are the notifications that were set aside lately.
func (l *notificationLog) refused(now time.Time) []refusedNotification {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range l.Refused {
		if now.Sub(r.At) < refusedFor {
			return l.Refused[i:]
		}
	}
	return nil
}

// refusedTrouble is the alarm about notifications that a channel's provider
// refused for good. Its texts have nothing of theirs but the id of the alarm, or
// the provider might refuse it, too.
func (ch *channel) refusedTrouble(now time.Time) (t event.Trouble, ok bool) {
	list := ch.nflog.refused(now)
	if len(list) == 0 {
		return t, false
	}
	last := list[len(list)-1]
	count := libra.Several(len(list), "notification")
	if len(list) == maxRefused {
		count += " or more"
	}
	return event.Trouble{
		ID: "channel." + ch.name + ".refused", Target: "channel " + ch.name, Severity: libra.Minor, Runbook: "#channel",
		Summary:  "The channel " + ch.name + " refused the text of a notification",
		Evidence: fmt.Sprintf("%s refused, the last at %s, about the alarm %s: %s", count, libra.FormatTime(last.At), last.Alarm, last.Reason),
	}, true
}
