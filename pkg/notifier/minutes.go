package notifier

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"libra/pkg/libra"
)

// minutes put into each alarm's timeline who was told of it, and when. They
// are for people who look back: what cannot be put down is in the journal.
type minutes struct {
	log   *slog.Logger
	notes chan libra.Note
}

// mostMinutes are kept for a bus that does not answer, and mostInDigest are of
// one message.
const (
	mostMinutes  = 500
	mostInDigest = 50
)

func newMinutes(log *slog.Logger) minutes {
	return minutes{log: log, notes: make(chan libra.Note, mostMinutes)}
}

// take puts down what channel was told; it waits for nobody.
func (t minutes) take(channel string, m message) {
	if channel == journalName {
		return // that is nobody
	}
	for i, d := range m.Deliveries {
		if i == mostInDigest {
			return
		}
		what := string(d.Transition.Alarm.State)
		if m.Kind == reminded {
			what = "still open"
		}
		text := fmt.Sprintf("told %s: %s", channel, what)
		if n := len(m.Deliveries); n > 1 {
			text += fmt.Sprintf(", in a message of %d", n)
		}
		if m.Repeat {
			text += ", possibly for the second time"
		}
		n := libra.Note{
			ID: fmt.Sprintf("told.%s.%s.%s", channel, m.Kind, d.Transition.ID), Kind: libra.Action, At: m.at.UTC(),
			By: "libra-notifier", Alarm: d.Transition.Alarm.ID, Text: text,
		}
		if m.Kind == reminded {
			n.ID += fmt.Sprint(".", m.at.Unix())
		}
		select {
		case t.notes <- n:
		default:
			return
		}
	}
}

// publish puts the minutes on the bus until ctx ends.
func (t minutes) publish(ctx context.Context, bus Bus) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-t.notes:
			for attempt := 1; bus.PublishNote(ctx, n) != nil && ctx.Err() == nil; attempt++ {
				if attempt == 10 {
					t.log.Info("not put into the alarm's timeline", "alarm", n.Alarm, "told", n.Text)
					break
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}
	}
}
