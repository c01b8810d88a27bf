package watchdog

import (
	"context"
	"time"

	"libra/pkg/libra"
)

// addNote queues a note, after those that are pending. When it returns, the note
// is saved.
func (p *publisher) addNote(n libra.Note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Notes) == maxPending {
		p.deps.Log.Error("too many notes are pending, the oldest is dropped", "alarm", p.state.Notes[0].Alarm, "text", p.state.Notes[0].Text)
		p.state.Notes = p.state.Notes[1:]
	}
	p.state.Notes = append(p.state.Notes, n)
	p.file.save(p.state)
	select {
	case p.wakeNotes <- struct{}{}:
	default:
	}
}

// runNotes publishes notes, in order, until ctx ends.
func (p *publisher) runNotes(ctx context.Context) {
	for ctx.Err() == nil {
		n, ok := p.firstNote()
		if !ok {
			select {
			case <-ctx.Done():
			case <-p.wakeNotes:
			}
			continue
		}
		if err := p.deps.Bus.PublishNote(ctx, n); err != nil {
			p.deps.Log.Debug("cannot publish a note, retrying", "alarm", n.Alarm, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(4 * retryPause):
			}
			continue
		}
		p.noteDone(n.ID)
	}
}

func (p *publisher) firstNote() (libra.Note, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Notes) == 0 {
		return libra.Note{}, false
	}
	return p.state.Notes[0], true
}

func (p *publisher) noteDone(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Notes) > 0 && p.state.Notes[0].ID == id {
		p.state.Notes = p.state.Notes[1:]
		p.file.save(p.state)
	}
}
