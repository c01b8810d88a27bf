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
	"libra/pkg/notes"
	"libra/pkg/rules"
)

// desk knows what people have said: the rules, the silences, the
// acknowledgements. All channels ask it.
type desk struct {
	log     *slog.Logger
	minutes minutes
	book    *notes.Book
	shelf   *shelf // the book, for a start without a bus

	mu    sync.Mutex
	rules rules.File // under mu
}

func newDesk(shelf *shelf, f rules.File, log *slog.Logger) *desk {
	d := &desk{log: log, minutes: newMinutes(log), book: notes.New(0), shelf: shelf, rules: f}
	for _, file := range shelf.files() {
		var list []libra.Note
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &list)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("cannot use the silences of before the restart, waiting for the bus", "file", file, "err", err)
		}
		for _, n := range list {
			d.book.Add(n)
		}
	}
	return d
}

// note adds a note from the bus. One goroutine calls note and caught.
func (d *desk) note(n libra.Note) {
	if d.book.Add(n) && d.book.IsComplete() {
		d.keep()
	}
}

// caught says that the bus has delivered all notes there are.
func (d *desk) caught() {
	if d.book.IsComplete() {
		return
	}
	d.book.MarkComplete()
	d.keep()
}

// keep writes the book for a start without a bus.
func (d *desk) keep() {
	d.book.Prune(time.Now())
	data, err := json.Marshal(d.book.Notes())
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
	c := circumstances{now: now, routed: d.rules.Tells(channel, a), telling: d.rules.Telling}
	d.mu.Unlock()
	if s, ok := d.book.Silenced(a, now); ok {
		c.silence = &s
	}
	_, c.acked = d.book.Acknowledged(a)
	return c
}
