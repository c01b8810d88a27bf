package state

import (
	"container/list"
	"time"

	"libra/pkg/component"
)

// Document is the document of a page as its readers get it: made once, until something
// in it changes.
type Document struct {
	Body []byte
	Tag  string
	Zip  []byte // Body compressed with gzip; nil if that does not pay
}

// Edition says of what a document of a page is made: two of the same edition are equal.
// The zero value is of a page whose document may change by itself: while it waits for its
// inspection, and while web does not know everything.
type Edition struct{ page, alarms, watches uint64 }

// documents are those of the pages that were read last. It belongs to Memory.
type documents struct {
	most  int64
	bytes int64
	pages map[string]*list.Element // of *edited
	used  *list.List               // most recently used first
}

type edited struct {
	page string
	of   Edition
	Document
}

// What a document costs besides its bytes, and the largest that is kept.
const (
	documentOverhead = 320
	documentPart     = 16 // of documents.most
)

func (e *edited) size() int64 {
	return int64(cap(e.Body)+cap(e.Zip)) + text(e.page) + text(e.Tag) + documentOverhead
}

func newDocuments(most int64) documents {
	return documents{most: most, pages: map[string]*list.Element{}, used: list.New()}
}

func (d *documents) drop(e *list.Element) {
	item := d.used.Remove(e).(*edited)
	delete(d.pages, item.page)
	d.bytes -= item.size()
}

// Document is the document of a page, if it was made and nothing in it has changed;
// else the edition of one that is made now, for KeepDocument.
func (s *State) Document(id string) (doc Document, of Edition, ok bool) {
	if !s.calm(time.Now()) {
		return Document{}, Edition{}, false
	}
	watches := s.Watches.changes.Load()
	m := s.Memory
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.pages[id]
	if e == nil || len(e.open) > 0 || e.step.Step != "" || !m.caughtUp || !m.alarmed || len(m.unlisted) > 0 {
		return Document{}, Edition{}, false
	}
	of = Edition{e.changed, m.alarmChanges, watches}
	kept := m.documents.pages[id]
	if kept == nil {
		return Document{}, of, false
	}
	item := kept.Value.(*edited)
	if item.of != of {
		return Document{}, of, false
	}
	m.documents.used.MoveToFront(kept)
	return item.Document, of, true
}

// KeepDocument keeps a document that was made after Document gave its edition.
func (s *State) KeepDocument(id string, of Edition, doc Document) {
	item := &edited{id, of, doc}
	m := s.Memory
	m.mu.Lock()
	defer m.mu.Unlock()
	d := &m.documents
	if of == (Edition{}) || item.size() > d.most/documentPart {
		return
	}
	if old := d.pages[id]; old != nil {
		d.drop(old)
	}
	d.pages[id] = d.used.PushFront(item)
	d.bytes += item.size()
	for d.bytes > d.most {
		d.drop(d.used.Back())
	}
}

// calm reports whether nothing that a page's document says depends on the time: the
// bus, the history, the watchdog and an inspector are there, and everything was read.
func (s *State) calm(now time.Time) bool {
	if s.busPart().fault != "" || !s.Notes.IsComplete() || !s.Watches.Ready() {
		return false
	}
	if _, history := s.health.parts(); history.fault != "" && !s.recalled.Load() {
		return false
	}
	if unlisted, _ := s.Watches.Unlisted(); unlisted > 0 {
		return false
	}
	m := s.Memory
	m.mu.Lock()
	defer m.mu.Unlock()
	var watchdog, inspector bool
	for _, h := range m.beats.last {
		switch h.Heartbeat.Component {
		case component.Watchdog:
			watchdog = watchdog || s.arriving(h, now)
		case component.Inspector:
			inspector = inspector || s.arriving(h, now)
		case component.Bus:
			if stopped(h) {
				return false
			}
		}
	}
	return watchdog && inspector
}
