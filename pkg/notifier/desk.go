package notifier

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// desk knows what people have said: the rules, the silences, the
// acknowledgements. All channels ask it.
type desk struct {
	log     *slog.Logger
	minutes minutes
	shelf   *shelf        // for a start without a bus
	ready   chan struct{} // closed once the bus has told all notes

	mu       sync.Mutex
	rules    rules.File            // under mu
	caughtUp bool                  // under mu
	silences map[string]libra.Note // under mu; the newest of each silence
	acks     map[string]libra.Note // under mu; the newest of each alarm
}

func newDesk(shelf *shelf, f rules.File, log *slog.Logger) *desk {
	d := &desk{log: log, minutes: newMinutes(log), shelf: shelf, ready: make(chan struct{}), rules: f, silences: map[string]libra.Note{}, acks: map[string]libra.Note{}}
	for _, file := range shelf.files() {
		var notes []libra.Note
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &notes)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("cannot use the silences of before the restart, waiting for the bus", "file", file, "err", err)
		}
		for _, n := range notes {
			d.enter(n)
		}
	}
	return d
}

// enter takes a note up, unless a newer one is known. d.mu is held, or d new.
func (d *desk) enter(n libra.Note) (news bool) {
	where, key := d.acks, n.Alarm
	switch {
	case n.Kind == libra.Silenced && n.Silence != nil:
		where, key = d.silences, n.Silence.ID
	case n.Kind != libra.Acknowledged:
		return false
	}
	if old, ok := where[key]; ok && !n.At.After(old.At) {
		return false
	}
	where[key] = n
	return true
}

// note is told every note, some twice.
func (d *desk) note(n libra.Note) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.enter(n) && d.caughtUp {
		d.keep()
	}
}

// caught says that the bus has told all notes there are.
func (d *desk) caught() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.caughtUp {
		d.caughtUp = true
		close(d.ready)
		d.keep()
	}
}

// keep writes the notes for a start without a bus. d.mu is held.
func (d *desk) keep() {
	var notes []libra.Note
	old := time.Now().Add(-libra.LongestSilence)
	for _, list := range []map[string]libra.Note{d.silences, d.acks} {
		for key, n := range list {
			if n.At.Before(old) && (n.Silence == nil || n.Silence.Until.Before(time.Now())) {
				delete(list, key)
				continue
			}
			notes = append(notes, n)
		}
	}
	data, err := json.Marshal(notes)
	if err == nil {
		err = d.shelf.put(data)
	}
	if err != nil {
		d.log.Warn("cannot keep silences over a restart without a bus", "err", err)
	}
}

func (d *desk) setRules(f rules.File) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = f
}

func (d *desk) telling() rules.Telling {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rules.Telling
}

// about is what the desk contributes to circumstances.
func (d *desk) about(channel string, a libra.Alarm, now time.Time) circumstances {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := circumstances{now: now, routed: d.rules.Tells(channel, a), telling: d.rules.Telling}
	for _, n := range d.silences {
		if n.Silence.Covers(a, now) && (c.silence == nil || n.Silence.Until.After(c.silence.Until)) {
			c.silence = n.Silence
		}
	}
	ack, ok := d.acks[a.ID]
	c.acked = ok && !ack.At.Before(a.Since)
	return c
}
