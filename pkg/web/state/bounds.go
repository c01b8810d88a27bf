package state

import (
	"unsafe"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// Bounds is what each part of the state may take, in bytes of heap: texts, structs and
// what maps and the allocator add to them. When a part is full, the oldest entries
// go; the refill from the bus at the start is bounded in the same way. The zero
// value of a field is its default. The defaults are 48 MB together:
//
//	Pages       17 MB  newest summaries, with URL, final URL and reasons; open requests
//	Reports     12 MB  whole reports, compressed (LIBRA_CACHE)
//	Watches      4 MB  then their URLs go, which memory or the bus has
//	Documents    3 MB  documents of the pages that were read last
//	Alarms       3 MB  cleared ones go first
//	Notes        3 MB  silences, acknowledgements and the newest notes
//	Board        1 MB  the newest notes on the board
//	Streams      2 MB  events that clients of /api/events have not read
//	Heartbeats   1 MB  the newest of every instance
//	Hosts        1 MB  those whose pages are not inspected as usual
//	Open         1 MB  which of the pages that are not in memory have open requests
type Bounds struct {
	Pages, Reports, Documents, Watches, Alarms, Notes, Board, Streams, Heartbeats, Hosts, Open int64
}

const mb = 1_000_000

// DefaultBounds are the bounds of libra-web.
func DefaultBounds() Bounds {
	return Bounds{
		Pages: 17 * mb, Reports: 12 * mb, Documents: 3 * mb, Watches: 4 * mb, Alarms: 3 * mb,
		Notes: 3 * mb, Board: 1 * mb, Streams: 2 * mb, Heartbeats: 1 * mb, Hosts: 1 * mb, Open: 1 * mb,
	}
}

func (b Bounds) withDefaults() Bounds {
	or := func(field *int64, value int64) {
		if *field == 0 {
			*field = value
		}
	}
	d := DefaultBounds()
	or(&b.Pages, d.Pages)
	or(&b.Reports, d.Reports)
	or(&b.Documents, d.Documents)
	or(&b.Watches, d.Watches)
	or(&b.Alarms, d.Alarms)
	or(&b.Notes, d.Notes)
	or(&b.Board, d.Board)
	or(&b.Streams, d.Streams)
	or(&b.Heartbeats, d.Heartbeats)
	or(&b.Hosts, d.Hosts)
	or(&b.Open, d.Open)
	return b
}

// Total is what all parts may take together.
func (b Bounds) Total() int64 {
	return b.Pages + b.Reports + b.Documents + b.Watches + b.Alarms + b.Notes + b.Board + b.Streams + b.Heartbeats + b.Hosts + b.Open
}

// Usage is what a part of the state takes, by the accounting that bounds it.
type Usage struct {
	Part         string
	Bytes, Bound int64
}

// Usage lists the parts of the state.
func (s *State) Usage() []Usage {
	b, m := s.cfg.Bounds, s.Memory
	_, reports := m.reports.stats()
	m.mu.Lock()
	list := []Usage{
		{"pages", m.bytes, b.Pages},
		{"alarms", m.alarmsTake(), b.Alarms},
		{"documents", m.documents.bytes, b.Documents},
		{"heartbeats", m.beats.bytes, b.Heartbeats},
		{"open", m.elsewhere.bytes(), b.Open},
	}
	m.mu.Unlock()
	return append(list, Usage{"reports", reports, b.Reports}, Usage{"watches", s.Watches.size(), b.Watches},
		Usage{"notes", s.Notes.size(), b.Notes}, Usage{"board", s.Board.size(), b.Board}, Usage{"streams", s.Hub.queued(), b.Streams}, Usage{"hosts", s.Hosts.size(), b.Hosts})
}

// What a slot of a map costs beside what it holds: maps are at least half full, and have
// a byte of control for each slot; a pointer in a slice costs twice its size while it grows.
const (
	slotFactor = 2
	pointer    = 8
)

// text is what a text takes: the allocator rounds sizes up, by an eighth at most, and
// to 16 bytes.
func text(s string) int64 {
	if s == "" {
		return 0
	}
	return int64(len(s)) + int64(len(s))/8 + 16
}

func structSize[T any]() int64 { return int64(unsafe.Sizeof(*new(T))) }

func texts(list []string) (n int64) {
	n = int64(cap(list)) * structSize[string]()
	for _, s := range list {
		n += text(s)
	}
	return n
}

func reasonsSize(l libra.ReasonList) int64 { return texts(l.Reasons) + detailsSize(l.Details) }

func detailsSize(list []libra.Reason) (n int64) {
	n = int64(cap(list)) * structSize[libra.Reason]()
	for _, r := range list {
		n += text(string(r.Code)) + text(r.Text) + text(r.Remedy)
	}
	return n
}

// totalsSize is what a table by type takes: a group of eight slots, as knownTypes leaves
// no more in it.
func totalsSize(t libra.Totals) int64 {
	const groupOf = 8
	n := int64(48)
	if len(t.ByType) > 0 {
		n += groupOf + groupOf*(structSize[libra.ResourceType]()+structSize[libra.Size]())
	}
	return n
}

// sameText reports whether two texts share their bytes.
func sameText(a, b string) bool {
	return len(a) == len(b) && unsafe.StringData(a) == unsafe.StringData(b)
}

// size is what a summary takes, without the URL, which it shares with its page.
func (s *Summary) size() int64 {
	r := &s.Report
	n := structSize[Summary]() + text(s.Request) + text(s.Traceparent) + text(r.Title) + text(string(r.Outcome)) + reasonsSize(r.ReasonList) + totalsSize(r.Totals)
	if !sameText(r.FinalURL, r.URL) {
		n += text(r.FinalURL)
	}
	if s.Score != nil {
		n += structSize[ShortScore]()
	}
	if r.ScriptsNotExecuted != nil {
		n += structSize[libra.Scripts]()
	}
	if r.Repeat != nil {
		n += structSize[libra.Totals]() + totalsSize(*r.Repeat)
	}
	if b := s.Budget; b != nil {
		n += structSize[event.Judged]() + texts(b.Over) + texts(b.Within) + int64(cap(b.OverLines))*structSize[event.OverLine]()
		for _, l := range b.OverLines {
			n += text(l.Kind) + text(l.Type) + text(l.Unit)
		}
	}
	return n
}

// sizeNow is what a page takes in memory.
func (e *entry) sizeNow() int64 {
	n := structSize[entry]() + text(e.id) + text(e.url)
	n += slotFactor*(structSize[string]()+pointer) + slotFactor*pointer // in Memory.pages and Memory.order
	n += slotFactor * structSize[string]()                              // it may be in Memory.ailing
	n += int64(cap(e.open)) * structSize[openRequest]()
	for _, o := range e.open {
		n += text(o.request.ID) + text(o.request.Client) + text(o.request.Label) + text(o.request.Traceparent) + text(o.flow)
	}
	n += text(e.step.Request) + text(e.step.Page) + text(string(e.step.Step)) + text(e.step.Inspector) + text(e.step.Why)
	for i, s := range [3]*Summary{e.Good, e.Bad, e.Complete} {
		if s == nil || i == 2 && s == e.Good { // the good one is mostly complete
			continue
		}
		n += s.bytes
		if !sameText(s.Report.URL, e.url) {
			n += text(s.Report.URL)
		}
	}
	return n
}

func alarmSize(t libra.Transition) int64 {
	a := t.Alarm
	n := slotFactor*(structSize[string]()+structSize[libra.Transition]()) + detailsSize(a.EvidenceDetails)
	for _, s := range []string{t.ID, t.Host, t.Traceparent, a.ID, string(a.Scope), a.Target, string(a.Severity), string(a.State), a.Summary, a.Evidence, a.Runbook, a.Page, a.Cause, a.Group} {
		n += text(s)
	}
	if a.Scope == libra.ScopePage { // the page's list of open alarms
		n += slotFactor*(structSize[string]()+structSize[[]string]()) + 4*structSize[string]() + text(a.ID)
	}
	return n
}

func noteSize(n libra.Note) int64 {
	size := slotFactor * structSize[libra.Note]()
	for _, s := range []string{n.ID, string(n.Kind), n.By, n.Text, n.Alarm, n.Page} {
		size += text(s)
	}
	if s := n.Silence; s != nil {
		size += structSize[libra.Silence]()
		for _, t := range []string{s.ID, s.By, s.Why, s.Match.Alarm, string(s.Match.Scope), s.Match.Target, string(s.Match.Severity)} {
			size += text(t)
		}
	}
	return size
}

func beatSize(b event.Heartbeat) int64 {
	n := slotFactor*(structSize[string]()+structSize[LastHeartbeat]()) + detailsSize(b.Details)
	for _, s := range []string{b.Component, b.Instance, b.Component, b.Instance, b.Version, b.Status} { // twice: in the key, too
		n += text(s)
	}
	n += int64(len(b.Counters)) * slotFactor * (structSize[string]() + 8)
	for name := range b.Counters {
		n += text(name)
	}
	n += int64(cap(b.Troubles)) * structSize[event.Trouble]()
	for _, t := range b.Troubles {
		n += text(t.ID) + text(t.Target) + text(t.Summary) + text(t.Evidence) + text(string(t.Severity)) + text(t.Runbook)
	}
	return n
}
