package state

import (
	"context"
	"errors"
	"time"

	"libra/pkg/libra"
	"libra/pkg/store"
)

// recall reads open alarms, notes, the board and watches from SQLite: all there is, until
// the bus has been read to its end, and then again. The bus may have lost its
// store, and forgets what was raised more than a month ago; where it has a
// newer one, that one stays. done says that this was the last time.
func (s *State) recall(ctx context.Context) (done bool) {
	_, alarmed := s.Memory.Ready()
	done = alarmed && s.Notes.IsComplete() && s.Board.complete.Load() && s.Watches.Ready() // before SQLite is read: what the bus lacks is there
	open, err := ofHistory(ctx, s, s.history.OpenAlarms)
	notes, noteErr := ofHistory(ctx, s, func(ctx context.Context) ([]libra.Note, error) {
		return s.history.Notes(ctx, "", store.Mark{}, recalled)
	})
	silences, silenceErr := ofHistory(ctx, s, func(ctx context.Context) ([]libra.Note, error) { return s.history.Silences(ctx, time.Now()) })
	watches, watchErr := ofHistory(ctx, s, s.history.Watches)
	for _, t := range open {
		s.onAlarm(t)
	}
	for _, n := range append(notes, silences...) {
		s.OnNote(n)
	}
	for _, w := range watches {
		s.OnWatch(w)
	}
	return done && errors.Join(err, noteErr, silenceErr, watchErr, s.recallBoard(ctx, done)) == nil
}
