package watchdog

import (
	"context"
	"time"

	"libra/pkg/libra"
)

// addNote keeps a note for telling, after those that wait already. When it
// returns, a restart knows of it.
func (o *outbox) addNote(n libra.Note) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.book.Notes) == maxWaiting {
		o.deps.Log.Error("too many notes wait for the bus, the oldest is dropped", "alarm", o.book.Notes[0].Alarm, "text", o.book.Notes[0].Text)
		o.book.Notes = o.book.Notes[1:]
	}
	o.book.Notes = append(o.book.Notes, n)
	o.file.keep(o.book)
	select {
	case o.noted <- struct{}{}:
	default:
	}
}

// runNotes tells notes, in order, until ctx ends.
func (o *outbox) runNotes(ctx context.Context) {
	for ctx.Err() == nil {
		n, ok := o.firstNote()
		if !ok {
			select {
			case <-ctx.Done():
			case <-o.noted:
			}
			continue
		}
		if err := o.deps.Bus.PublishNote(ctx, n); err != nil {
			o.deps.Log.Debug("bus did not take a note, trying again", "alarm", n.Alarm, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(4 * again):
			}
			continue
		}
		o.noteDone(n.ID)
	}
}

func (o *outbox) firstNote() (libra.Note, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.book.Notes) == 0 {
		return libra.Note{}, false
	}
	return o.book.Notes[0], true
}

func (o *outbox) noteDone(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.book.Notes) > 0 && o.book.Notes[0].ID == id {
		o.book.Notes = o.book.Notes[1:]
		o.file.keep(o.book)
	}
}
