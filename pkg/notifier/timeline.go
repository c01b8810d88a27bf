package notifier

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"libra/pkg/libra"
)

// timeline adds to each alarm's timeline which channel was notified, and when.
// It is for people who look back; what cannot be added is in the journal.
type timeline struct {
	log   *slog.Logger
	notes chan libra.Note
}

const (
	// maxQueuedNotes wait for a bus that does not answer.
	maxQueuedNotes = 500
	// maxNotesPerMessage are about one message.
	maxNotesPerMessage = 50
)

func newTimeline(log *slog.Logger) timeline {
	return timeline{log: log, notes: make(chan libra.Note, maxQueuedNotes)}
}

// add queues notes that channel has sent m. It does not block.
func (t timeline) add(channel string, m message) {
	if channel == journalName {
		return // nobody was notified
	}
	for i, n := range m.Notifications {
		if i == maxNotesPerMessage {
			return
		}
		what := string(n.Transition.Alarm.State)
		if m.Kind == reminded {
			what = "still open"
		}
		text := fmt.Sprintf("notified %s: %s", channel, what)
		if m.Refused != "" {
			text = fmt.Sprintf("%s refused the text of the notification %q, and got a notice without it: %s", channel, what, m.Refused)
		}
		if n := len(m.Notifications); n > 1 {
			text += fmt.Sprintf(", in a digest of %d", n)
		}
		if m.Repeat {
			text += ", possible repeat"
		}
		note := libra.Note{
			ID: fmt.Sprintf("told.%s.%s.%s", channel, m.Kind, n.Transition.ID), Kind: libra.Action, At: m.at.UTC(),
			By: "libra-notifier", Alarm: n.Transition.Alarm.ID, Text: text,
		}
		if m.Kind == reminded {
			note.ID += fmt.Sprint(".", m.at.Unix())
		}
		select {
		case t.notes <- note:
		default:
			return
		}
	}
}

// publish publishes the notes until ctx ends.
func (t timeline) publish(ctx context.Context, bus Bus) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-t.notes:
			for attempt := 1; bus.PublishNote(ctx, n) != nil && ctx.Err() == nil; attempt++ {
				if attempt == 10 {
					t.log.Info("cannot add to the alarm's timeline", "alarm", n.Alarm, "text", n.Text)
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
