package notifier

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/notes"
	"libra/pkg/rules"
)

// policy is what people decided about notifications: the rules in force, and
// the silences and acknowledgements. All channels share it.
type policy struct {
	log  *slog.Logger
	book *notes.Book
	file *mirror // the book, for a start without a bus

	mu    sync.Mutex
	rules rules.File // under mu
}

func newPolicy(file *mirror, f rules.File, log *slog.Logger) *policy {
	p := &policy{log: log, book: notes.New(0), file: file, rules: f}
	for _, name := range file.files() {
		var list []libra.Note
		err := readFile(name, &list)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("cannot read the silences from before the restart, waiting for the bus", "file", name, "err", err)
		}
		for _, n := range list {
			p.book.Add(n)
		}
	}
	return p
}

// addNote adds a note from the bus. One goroutine calls addNote and markComplete.
func (p *policy) addNote(n libra.Note) {
	if p.book.Add(n) && p.book.IsComplete() {
		p.save()
	}
}

// markComplete says that the bus has delivered all notes that it stores.
func (p *policy) markComplete() {
	if p.book.IsComplete() {
		return
	}
	p.book.MarkComplete()
	p.save()
}

// save writes the book for a start without a bus.
func (p *policy) save() {
	p.book.Prune(time.Now())
	data, err := json.Marshal(p.book.Notes())
	if err == nil {
		err = p.file.write(data)
	}
	if err != nil {
		p.log.Warn("cannot save silences for a restart without a bus", "err", err)
	}
}

func (p *policy) setRules(f rules.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = f
}

// notify returns the section of that name of the rules in force.
func (p *policy) notify() rules.Notify {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules.Notify
}

// routesInForce lists the routes, none as an empty list.
func (p *policy) routesInForce() []event.Route {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []event.Route{}
	for _, r := range p.rules.Routes {
		list = append(list, event.Route{Scope: r.Scope, Severity: r.Severity, Alarm: r.Alarm, Target: r.Target, Channels: r.Channels})
	}
	return list
}

// routes reports whether a route leads alarm a to a channel.
func (p *policy) routes(channel string, a libra.Alarm) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules.RoutesTo(channel, a)
}
