package notifier

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"libra/pkg/libra"
)

// notificationLog is what one channel remembers over kill -9, so that no
// notification is lost or sent twice: the bus holds the transitions that were
// not acknowledged, the log all others. Its bounds: Closed and Recent have
// maxLogged entries each, Open and Ahead have theirs in bytes (bound.go), Refused
// too (refused.go).
type notificationLog struct {
	file *mirror
	log  *slog.Logger

	mu sync.Mutex // guards all below
	logState
	groups map[string]time.Time // when the first alarm of a group was notified
	seen   recentIDs            // transitions that were sent or suppressed
	loaded bool                 // the file held everything: a transition that is not seen is new
	full   bool                 // suppressed alarms exceed maxOpenBytes: no other is suppressed
}

// logState is the part of a notification log that is in its file.
type logState struct {
	Serial uint64 `json:"serial"` // grows with every change
	// Open alarms by id, notified or suppressed.
	Open map[string]*entry `json:"open"`
	// Closed says when alarms were cleared, of the last ones.
	Closed map[string]time.Time `json:"closed"`
	// Recent are the ids of the last transitions that were sent or suppressed,
	// oldest first.
	Recent []string `json:"recent"`
	// Ahead says up to when transitions of an alarm came by the socket: older
	// ones from the bus are outdated.
	Ahead map[string]time.Time `json:"ahead"`
	// Begun is the message that is being sent, or may have been.
	Begun *message `json:"begun,omitempty"`
	// Refused are the last notifications that the provider refused for good, oldest
	// first.
	Refused []refusedNotification `json:"refused,omitempty"`
	// Upto is since when a consumer has to begin that the bus has lost.
	Upto time.Time `json:"upto"`
	// Began is when the channel was new: it was notified of no alarm that was
	// raised before. The zero time says that it is not known.
	Began time.Time `json:"began,omitzero"`
}

// entry is an alarm that is raised, as one channel knows it.
type entry struct {
	// Now is the newest raise that the channel has received.
	Now libra.Transition `json:"now"`
	// Notified is the id of the last raise that was sent, "" for none yet.
	Notified string `json:"told,omitempty"`
	// LastSent is when the channel last sent a message about it.
	LastSent time.Time `json:"word,omitzero"`
	// Suppressed says in words why Now was suppressed.
	Suppressed string `json:"why,omitempty"`
	// Post is the provider's name of the message that was sent.
	Post place `json:"post,omitzero"`
	// After is the id of the clear of the raise before, while that is being
	// sent.
	After string `json:"after,omitempty"`
}

// maxLogged bounds Closed and Recent.
const maxLogged = 1000

func loadNotificationLog(log *slog.Logger, file *mirror) *notificationLog {
	l := &notificationLog{file: file, log: log, groups: map[string]time.Time{}}
	for _, name := range file.files() {
		var found logState
		err := readFile(name, &found)
		switch {
		case err == nil && found.Serial >= l.Serial:
			l.logState, l.loaded = found, true
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			log.Warn("cannot read the notification log from before the restart, going on without", "file", name, "err", err)
		}
	}
	if l.Open == nil {
		l.Open = map[string]*entry{}
	}
	if l.Closed == nil {
		l.Closed = map[string]time.Time{}
	}
	if l.Ahead == nil {
		l.Ahead = map[string]time.Time{}
	}
	for _, id := range l.Recent {
		l.seen.add(id)
	}
	return l
}

// save makes the log outlive the process. l.mu is held.
func (l *notificationLog) save() {
	l.shrink()
	l.Serial++
	data, err := json.Marshal(l.logState)
	if err == nil {
		err = l.file.write(data)
	}
	if err != nil {
		l.loaded = false // a transition that is not in the file may have been sent
		l.log.Warn("cannot save the notification log", "err", err)
	}
}

// beginAt sets since when the consumer has to begin where the log does not know
// it yet, and returns it. The channel of a new log was notified of nothing before.
func (l *notificationLog) beginAt(at time.Time, isNew bool) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Upto.IsZero() {
		l.Upto = at
		if isNew {
			l.Began = at
		}
		l.save()
	}
	return l.Upto
}

// knows reports whether a transition was sent or suppressed.
func (l *notificationLog) knows(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen.has(id)
}

// suppressed counts the open alarms of which the newest raise is suppressed.
func (l *notificationLog) suppressed() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.Open {
		if e.Notified != e.Now.ID && l.seen.has(e.Now.ID) { // else it is being sent
			n++
		}
	}
	return n
}

// begun returns the message that a killed process was sending, or nil.
func (l *notificationLog) begun() *message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Begun
}

// begin notes before an attempt that m may have been sent, should this process
// end before it knows.
func (l *notificationLog) begin(m message) {
	m.Repeat = true
	l.setBegun(m)
}

// withdraw notes that an attempt has surely not arrived.
func (l *notificationLog) withdraw(m message) {
	if !m.Repeat {
		l.setBegun(m)
	}
}

func (l *notificationLog) setBegun(m message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Begun = &m
	l.save()
}

// record notes that the provider has accepted m.
func (l *notificationLog) record(m message, p place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Refused != "" {
		l.addRefused(m)
	}
	for _, n := range m.Notifications {
		if m.Kind != reminded {
			l.sent(n.Transition, m.at, p)
		} else if e := l.Open[n.Transition.Alarm.ID]; e != nil {
			e.LastSent = m.at
		}
	}
	l.Begun = nil
	l.save()
}

// sent notes that a transition was sent. l.mu is held.
func (l *notificationLog) sent(t libra.Transition, at time.Time, p place) {
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
	e.Notified, e.LastSent = t.ID, at
	if e.Now.ID == t.ID {
		e.Suppressed = ""
	}
	if e.Post == (place{}) {
		e.Post = p
	}
}

// handled notes that a transition was sent or suppressed. l.mu is held.
func (l *notificationLog) handled(t libra.Transition) {
	if !l.seen.has(t.ID) { // else it was suppressed before it was sent
		l.seen.add(t.ID)
		l.Recent = append(l.Recent, t.ID)
		l.Recent = l.Recent[max(0, len(l.Recent)-maxLogged):]
	}
	if t.At.After(l.Upto) && t.At.Before(time.Now()) { // a clock may have been wrong
		l.Upto = t.At
	}
}

// close notes that an alarm is over, unless it is raised again already. l.mu is
// held.
func (l *notificationLog) close(t libra.Transition) {
	if e := l.Open[t.Alarm.ID]; e != nil && e.After == t.ID {
		e.After = ""
	} else {
		delete(l.Open, t.Alarm.ID)
	}
	l.Closed[t.Alarm.ID] = t.At
	if len(l.Closed) <= maxLogged {
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

// recentIDs holds the last ids that were added, up to a bound.
type recentIDs struct {
	ids   map[string]bool
	order []string // oldest first
}

const maxRecentIDs = 10_000

func (m *recentIDs) has(id string) bool { return m.ids[id] }

func (m *recentIDs) add(id string) {
	if m.ids == nil {
		m.ids = map[string]bool{}
	}
	if m.ids[id] {
		return
	}
	if len(m.order) == maxRecentIDs {
		delete(m.ids, m.order[0])
		m.order = m.order[1:]
	}
	m.ids[id] = true
	m.order = append(m.order, id)
}
