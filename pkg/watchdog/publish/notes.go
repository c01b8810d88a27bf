package publish

import (
	"context"
	"time"

	"libra/pkg/libra"
)

// AddNote queues a note, after those that are pending. When it returns, the note
// is saved.
func (p *Publisher) AddNote(n libra.Note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Notes) == maxPending {
		p.log.Error("too many notes are pending, the oldest is dropped", "alarm", p.state.Notes[0].Alarm, "text", p.state.Notes[0].Text)
		p.state.Notes = p.state.Notes[1:]
	}
	p.state.Notes = append(p.state.Notes, n)
	p.file.Save(p.state)
	select {
	case p.wakeNotes <- struct{}{}:
	default:
	}
}

// RunNotes publishes notes, in order, until ctx ends.
func (p *Publisher) RunNotes(ctx context.Context) {
	for ctx.Err() == nil {
		n, ok := p.firstNote()
		if !ok {
			select {
			case <-ctx.Done():
			case <-p.wakeNotes:
			}
			continue
		}
		if err := p.bus.PublishNote(ctx, n); err != nil {
			p.log.Debug("cannot publish a note, retrying", "alarm", n.Alarm, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(4 * retryPause):
			}
			continue
		}
		p.noteDone(n.ID)
	}
}

func (p *Publisher) firstNote() (libra.Note, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Notes) == 0 {
		return libra.Note{}, false
	}
	return p.state.Notes[0], true
}

func (p *Publisher) noteDone(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Notes) > 0 && p.state.Notes[0].ID == id {
		p.state.Notes = p.state.Notes[1:]
		p.file.Save(p.state)
	}
}
