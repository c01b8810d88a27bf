package notifier

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"libra/pkg/libra"
)

// ledger is what one channel must remember over kill -9, so that nothing is
// lost or told twice. The bus holds what was not handed over yet; everything
// that was is here. The channel's mutex guards it.
type ledger struct {
	Serial uint64 `json:"serial"` // grows with every change
	// Open alarms by id, told or withheld.
	Open map[string]*entry `json:"open"`
	// Closed says when alarms were cleared, of late.
	Closed map[string]time.Time `json:"closed"`
	// Recent are the ids of transitions that were told, or withheld, of late,
	// oldest first.
	Recent []string `json:"recent"`
	// Ahead says up to when transitions of an alarm came by the socket: what
	// the bus brings of it from before has been overtaken.
	Ahead map[string]time.Time `json:"ahead"`
	// Begun is what is being told.
	Begun *message `json:"begun,omitempty"`
	// Upto is since when a consumer has to begin that the bus has lost.
	Upto time.Time `json:"upto"`

	groups map[string]time.Time // when a group's first alarm was told
	seen   memory
	shelf  *shelf
	loaded bool // what it holds is all that was
	log    *slog.Logger
}

// mostKept bounds Closed and Recent in the file.
const mostKept = 1000

func loadLedger(log *slog.Logger, shelf *shelf) *ledger {
	l := &ledger{}
	for _, file := range shelf.files() {
		var found ledger
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &found)
		}
		switch {
		case err == nil && found.Serial >= l.Serial:
			found.loaded = true
			l = &found
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			log.Warn("cannot use what was told before the restart, going on without", "file", file, "err", err)
		}
	}
	l.shelf, l.log = shelf, log
	if l.Open == nil {
		l.Open = map[string]*entry{}
	}
	if l.Closed == nil {
		l.Closed = map[string]time.Time{}
	}
	if l.Ahead == nil {
		l.Ahead = map[string]time.Time{}
	}
	l.groups = map[string]time.Time{}
	for _, id := range l.Recent {
		l.seen.add(id)
	}
	return l
}

// keep has it outlive the process.
func (l *ledger) keep() {
	l.Serial++
	data, err := json.Marshal(l)
	if err == nil {
		err = l.shelf.put(data)
	}
	if err != nil {
		l.loaded = false // a repeat cannot be told from news any more
		l.log.Warn("cannot keep what was told over a restart", "err", err)
	}
}

// stale says that a delivery is no news. By the bus everything comes in order;
// what came by the socket meanwhile was newer.
func (l *ledger) stale(d delivery) bool {
	t := d.Transition
	ahead, ok := l.Ahead[t.Alarm.ID]
	switch {
	case d.Direct:
		l.Ahead[t.Alarm.ID] = t.At
	case ok && t.At.Before(ahead):
		return true
	case ok:
		delete(l.Ahead, t.Alarm.ID) // the bus has caught up
	}
	return l.seen.has(t.ID)
}

// handled notes that a delivery needs nobody's attention any more.
func (l *ledger) handled(t libra.Transition) {
	l.seen.add(t.ID)
	if l.Recent = append(l.Recent, t.ID); len(l.Recent) > mostKept {
		l.Recent = slices.Delete(l.Recent, 0, len(l.Recent)-mostKept)
	}
	if t.At.After(l.Upto) && t.At.Before(time.Now()) { // a clock may have been wrong
		l.Upto = t.At
	}
}

// told notes that the provider has taken a delivery.
func (l *ledger) told(d delivery, at time.Time, p place) {
	t := d.Transition
	l.handled(t)
	if t.Alarm.State == libra.Cleared {
		l.close(t)
		return
	}
	e := l.Open[t.Alarm.ID]
	switch {
	case e == nil:
		e = &entry{Now: t}
		l.Open[t.Alarm.ID] = e
	case e.After != "" && e.Now.ID != t.ID:
		return // of an earlier raise, which is over
	}
	e.Told, e.Word = t.ID, at
	if e.Now.ID == t.ID {
		e.Why = ""
	}
	if e.Post == (place{}) {
		e.Post = p
	}
}

// close notes that an alarm is over, unless it is raised again already.
func (l *ledger) close(t libra.Transition) {
	if e := l.Open[t.Alarm.ID]; e != nil && e.After == t.ID {
		e.After = ""
	} else {
		delete(l.Open, t.Alarm.ID)
	}
	l.Closed[t.Alarm.ID] = t.At
	if len(l.Closed) <= mostKept {
		return
	}
	oldest := t.Alarm.ID
	for id, at := range l.Closed {
		if at.Before(l.Closed[oldest]) {
			oldest = id
		}
	}
	delete(l.Closed, oldest)
}

// cause is circumstances.cause of a.
func (l *ledger) cause(a libra.Alarm) *time.Time {
	if a.Cause == "" || a.Cause == a.ID {
		return nil
	}
	if l.Open[a.Cause] != nil {
		return &time.Time{}
	}
	if at, ok := l.Closed[a.Cause]; ok {
		return &at
	}
	return nil
}

// explains counts what is withheld because of the alarm.
func (l *ledger) explains(alarm string) (n int) {
	for _, e := range l.Open {
		if e.Told == "" && e.Now.Alarm.Cause == alarm {
			n++
		}
	}
	return n
}

// memory holds the last ids that were added, up to a bound.
type memory struct {
	ids   map[string]bool
	order []string // oldest first
}

const remembered = 10_000

func (m *memory) has(id string) bool { return m.ids[id] }

func (m *memory) add(id string) {
	if m.ids == nil {
		m.ids = map[string]bool{}
	}
	if m.ids[id] {
		return
	}
	if len(m.order) == remembered {
		delete(m.ids, m.order[0])
		m.order = m.order[1:]
	}
	m.ids[id] = true
	m.order = append(m.order, id)
}
