package notifier

import "time"

// stage is a filter of the pipeline, one for each channel. It returns nil to
// pass a candidate on to the next stage, or why it suppresses it. A stage
// changes nothing. nflog.mu is held.
type stage interface {
	check(c candidate) *suppression
}

// candidate is an open alarm that a channel may be notified of now.
type candidate struct {
	*entry
	trigger trigger
	now     time.Time
}

// trigger is why a channel may be notified of an alarm.
type trigger string

const (
	// firstTime: the channel has sent nothing about the alarm yet.
	firstTime trigger = "first time"
	// changed: it has, and the alarm has been raised again since.
	changed trigger = "changed"
	// unchanged: it has, and nothing has happened since: it may need a reminder.
	unchanged trigger = "unchanged"
)

func newCandidate(e *entry, now time.Time) candidate {
	c := candidate{e, changed, now}
	switch e.Notified {
	case "":
		c.trigger = firstTime
	case e.Now.ID:
		c.trigger = unchanged
	}
	return c
}

// suppression is why a stage held a notification back.
type suppression struct {
	stage string
	// reason completes "it": "was silenced by …". "" means that people need not
	// know it, and that the notification is sent even if the alarm is over.
	reason string
}
