package state

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/inspect/score"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

// Memory is what web knows: the newest summary and the open requests of every
// page, the newest transition of every alarm, the heartbeats of every component.
// One mutex guards all of it; it is held for lookups and never while waiting.
type Memory struct {
	bounds  Bounds
	profile string
	watched func(page string) bool // must not wait
	// reports holds the whole reports; it has a mutex of its own.
	reports *cache

	mu         sync.Mutex
	pages      map[string]*entry           // under mu
	order      []*entry                    // under mu; oldest first, see entry.before
	bytes      int64                       // under mu; of all pages, at most bounds.Pages
	evicted    bool                        // under mu; there was no room for a page
	ailing     map[string]struct{}         // under mu; pages whose newest report is an error or over budget
	open       int                         // under mu; open requests of the pages in memory
	elsewhere  elsewhere                   // under mu; open requests of others
	alarms     map[string]libra.Transition // under mu; by alarm id
	alarmBytes int64                       // under mu; of all alarms, at most bounds.Alarms
	unlisted   unlisted                    // under mu; open alarms that are not in alarms
	openAlarms map[string][]string         // under mu; by page, the ids of its open alarms
	beats      heartbeats                  // under mu
	documents  documents                   // under mu
	changes    uint64                      // under mu; changes of pages so far
	// alarmChanges counts the changes of alarms, under mu.
	alarmChanges uint64
	caughtUp     bool // under mu; every report on the bus was seen once
	alarmed      bool // under mu; the same for alarms
}

// entry is what is known of one page. It belongs to memory.
type entry struct {
	id, url string
	last    time.Time // newest request or report, whichever is later
	Answers
	open     []openRequest
	sought   bool       // SQLite was asked for what the bus does not store; see seekGood
	step     event.Step // of the worker that has it; zero when none is known
	stepAt   time.Time  // when step was received or asked for, by our clock
	received time.Time  // when its last report was received, by our clock
	bytes    int64      // what it takes, by sizeNow
	// changed is the change of memory that changed it last.
	changed uint64
}

// before orders pages by their newest news, and by id where that is the same.
func (e *entry) before(last time.Time, id string) int {
	return cmp.Or(e.last.Compare(last), strings.Compare(e.id, id))
}

type openRequest struct {
	request event.Request // without its URL, which the page has; a watch is empty
	flow    string        // of the request
	stored  bool          // the bus has said that it is on disk; a published one may have been refused
	seen    time.Time     // when web learned of it, by our clock
}

// Summary is a report without its assets, and the request it answers. It is
// never changed once made, so that it can be read without the mutex.
type Summary struct {
	Request     string
	Traceparent string // of the request, "" where the trace begins with it
	At          time.Time
	Quarantined bool
	Score       *ShortScore   // nil unless the report is complete
	Budget      *event.Judged // nil where it was held against none
	Report      libra.Report  // Assets is nil
	bytes       int64         // what it takes, by size
}

// LastHeartbeat is the newest heartbeat of an instance.
type LastHeartbeat struct {
	Heartbeat event.Heartbeat
	At        time.Time // by our clock
}

// Bounds on what one message may leave in memory.
const (
	maxReasons    = 20
	maxReason     = 300
	maxOpenOfPage = 64
	maxStep       = 1000 // bytes of its texts
)

func newMemory(bounds Bounds, profile string, watched func(page string) bool) *Memory {
	return &Memory{
		bounds: bounds, profile: profile, watched: watched, reports: newCache(bounds.Reports),
		pages: map[string]*entry{}, ailing: map[string]struct{}{}, elsewhere: newElsewhere(bounds.Open),
		alarms: map[string]libra.Transition{}, unlisted: unlisted{}, openAlarms: map[string][]string{}, beats: newHeartbeats(bounds.Heartbeats), documents: newDocuments(bounds.Documents),
	}
}

func summarize(r event.Reported, profile string) *Summary {
	s := &Summary{Request: r.Request.ID, Traceparent: trace.Valid(r.Request.Traceparent), At: r.At, Quarantined: r.Quarantined, Budget: r.Budget, Report: r.Report}
	if full := score.OfReport(r.Report, profile); full != nil {
		s.Score = &ShortScore{full.Score, full.AtMost, full.Verdict}
	}
	s.Report.Assets = nil
	s.Report.Title = clipped(r.Report.Title, libra.MaxTitle)
	if s.Report.URL == r.Request.URL {
		s.Report.URL = r.Request.URL // one string, not two
	}
	if s.Report.FinalURL == s.Report.URL {
		s.Report.FinalURL = s.Report.URL
	}
	s.Report.ReasonList = bounded(r.Report.ReasonList)
	s.Report.Totals = knownTypes(r.Report.Totals)
	if r.Report.Repeat != nil {
		repeat := knownTypes(*r.Report.Repeat)
		s.Report.Repeat = &repeat
	}
	s.bytes = s.size()
	return s
}

// knownTypes is t with the types that there are: a forged report has any number.
func knownTypes(t libra.Totals) libra.Totals {
	all := t.ByType
	t.ByType = map[libra.ResourceType]libra.Size{}
	for _, kind := range libra.ResourceTypes() {
		if size, ok := all[kind]; ok {
			t.ByType[kind] = size
		}
	}
	return t
}

// of has the summary share the URL of its page. It is called before anybody else has
// the summary.
func (s *Summary) of(e *entry) *Summary {
	if s.Report.URL == e.url {
		if sameText(s.Report.FinalURL, s.Report.URL) {
			s.Report.FinalURL = e.url
		}
		s.Report.URL = e.url
	}
	return s
}

// clipped is the first bytes of a text; it does not keep the rest in memory.
func clipped(s string, most int) string {
	if len(s) > most {
		s = strings.Clone(s[:most])
	}
	return strings.ToValidUTF8(s, "")
}

// bounded keeps the first reasons, each cut to a length.
func bounded(l libra.ReasonList) libra.ReasonList {
	clip := func(s string) string { return clipped(s, maxReason) }
	kept := libra.ReasonList{Reasons: make([]string, 0, min(len(l.Reasons), maxReasons))}
	for _, s := range l.Reasons[:min(len(l.Reasons), maxReasons)] {
		kept.Reasons = append(kept.Reasons, clip(s))
	}
	for _, r := range l.Details[:min(len(l.Details), maxReasons)] {
		kept.Details = append(kept.Details, libra.Reason{Code: libra.Code(clip(string(r.Code))), Text: clip(r.Text), Remedy: clip(r.Remedy)})
	}
	return kept
}

// entryOf finds or makes a page. m.mu is held.
func (m *Memory) entryOf(id, url string) *entry {
	e := m.pages[id]
	if e == nil {
		e = &entry{id: id, url: url}
		m.pages[id] = e
		m.order = slices.Insert(m.order, m.find(e.last, id), e)
	}
	if e.url == "" {
		e.url = url
	}
	return e
}

// touch moves a page to where t puts it. m.mu is held.
func (m *Memory) touch(e *entry, t time.Time) {
	if !t.After(e.last) {
		return
	}
	from := m.find(e.last, e.id)
	m.order = slices.Delete(m.order, from, from+1)
	e.last = t
	m.order = slices.Insert(m.order, m.find(t, e.id), e)
}

// find is where a page with this time and id stands, or would. m.mu is held.
func (m *Memory) find(last time.Time, id string) int {
	i, _ := slices.BinarySearchFunc(m.order, last, func(e *entry, last time.Time) int { return e.before(last, id) })
	return i
}

// note notes that a page has changed, and what it takes now. m.mu is held.
func (m *Memory) note(e *entry) {
	m.changes++
	e.changed = m.changes
	now := e.sizeNow()
	m.bytes += now - e.bytes
	e.bytes = now
}

// trim drops the pages with the oldest news while all take more than their bound, and
// then some more, so that not every page that follows has to. A page with an open
// request goes after all others, because nothing else has its state at once, and a
// watched page after those: its trouble is counted. m.mu is held.
func (m *Memory) trim() {
	if m.bytes <= m.bounds.Pages {
		return
	}
	target := m.bounds.Pages - m.bounds.Pages/32
	for _, stays := range []func(e *entry) bool{
		func(e *entry) bool { return len(e.open) > 0 || m.watched(e.id) },
		func(e *entry) bool { return m.watched(e.id) },
		func(*entry) bool { return false },
	} {
		m.order = slices.DeleteFunc(m.order, func(e *entry) bool {
			if m.bytes <= target || stays(e) {
				return false
			}
			m.evict(e)
			return true
		})
	}
}

// evict forgets a page but for how many requests of it are open. The caller takes it
// off m.order. m.mu is held.
func (m *Memory) evict(e *entry) {
	m.evicted = true
	m.bytes -= e.bytes
	m.open -= len(e.open)
	m.elsewhere.add(e.id, len(e.open), true)
	delete(m.pages, e.id)
	delete(m.ailing, e.id)
}

// Evicted reports whether memory had no room for a page. Bus and SQLite have those.
func (m *Memory) Evicted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.evicted
}

// report takes in a report, and reports whether it was news and whether it is the
// one that the page shows now. The bus delivers again after a disturbance, and
// SQLite may know less than memory.
func (m *Memory) report(r event.Reported) (news, shown bool) {
	sum := summarize(r, m.profile)
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entryOf(r.Request.Page, r.Request.URL)
	m.answered(e, r)
	e.received = time.Now()
	defer m.trim()
	defer m.note(e) // first
	if !e.take(sum.of(e)) {
		return false, false
	}
	if e.step.Request == r.Request.ID {
		e.step, e.stepAt = event.Step{}, time.Time{}
	}
	m.mark(e)
	shown = e.Shown() == sum
	m.touch(e, sum.At)
	return true, shown
}

// answered takes a request off the page's open ones. What else its flow had
// asked by then was refused by the bus, where it has one open request for a
// page at most; web gets it all the same. m.mu is held.
func (m *Memory) answered(e *entry, r event.Reported) {
	was := len(e.open)
	flow := r.Request.Flow()
	e.open = slices.DeleteFunc(e.open, func(o openRequest) bool {
		if o.request.ID == r.Request.ID || o.flow == flow && o.request.Asked.Before(r.At) {
			m.open--
			return true
		}
		return false
	})
	if len(e.open) == was {
		m.elsewhere.remove(e.id)
	}
}

// request takes in a request that was published, and may be stored, and reports whether
// it was news.
func (m *Memory) request(r event.Request, stored bool, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entryOf(r.Page, r.URL)
	defer m.trim()
	defer m.note(e) // first
	if i := slices.IndexFunc(e.open, func(o openRequest) bool { return o.request.ID == r.ID }); i >= 0 {
		e.open[i].stored = e.open[i].stored || stored
		return false
	}
	if e.Answers.to(r.ID) || len(e.open) >= maxOpenOfPage {
		return false
	}
	kept := openRequest{r, r.Flow(), stored, now}
	kept.request.Traceparent = trace.Valid(r.Traceparent)
	if kept.request.URL = ""; r.Watch != nil {
		kept.request.Watch = &event.Watch{}
	}
	e.open = append(e.open, kept)
	m.open++
	m.elsewhere.remove(r.Page) // it may have been counted there
	m.touch(e, r.Asked)
	return true
}

// refused takes a request off that was published and not stored.
func (m *Memory) refused(r event.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.pages[r.Page]
	if e == nil {
		return
	}
	defer m.note(e)
	e.open = slices.DeleteFunc(e.open, func(o openRequest) bool {
		if o.request.ID == r.ID && !o.stored {
			m.open--
			return true
		}
		return false
	})
}

// OldestOpen is when the oldest open request of a flow, or with "" of any, was asked; the
// zero time without one.
func (m *Memory) OldestOpen(flow string) (oldest time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.order {
		for _, o := range e.open {
			if (flow == "" || o.flow == flow) && (oldest.IsZero() || o.request.Asked.Before(oldest)) {
				oldest = o.request.Asked
			}
		}
	}
	return oldest
}

// PageOfReport is the page whose newest report answers a request.
func (m *Memory) PageOfReport(request string) (page string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.order {
		if latest := e.Latest(); latest != nil && latest.Request == request {
			return e.id, true
		}
	}
	return "", false
}

// step takes in how far a worker is.
func (m *Memory) step(s event.Step, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.pages[s.Page]
	if e == nil || e.Answers.to(s.Request) {
		return // no request for it is known, or the step is late
	}
	if len(s.Request)+len(s.Page)+len(s.Step)+len(s.Inspector)+len(s.Why) > maxStep {
		return // no inspector sends that
	}
	s.Page = e.id
	e.step, e.stepAt = s, now
	m.note(e)
	m.trim()
}

// idle notes that nobody worked on the page at a moment. A step received since
// then knows better.
func (m *Memory) idle(page string, then time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.pages[page]; e != nil && !e.stepAt.After(then) {
		e.step, e.stepAt = event.Step{}, then
		m.note(e)
	}
}

// leave notes that an inspector, silent since a time, is not known to work on any
// page whose last step came before it was missed.
func (m *Memory) leave(inspector string, silentSince time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.order {
		if e.step.Inspector == inspector && e.step.Step != "" && !e.stepAt.After(silentSince.Add(leaveAfter)) {
			e.step, e.stepAt = event.Step{}, time.Now()
			m.note(e)
		}
	}
}

// leaveAfter is by how much a step may be newer than the last heartbeat of its worker.
const leaveAfter = 500 * time.Millisecond

// resync sets the open requests right, from how many the bus had of each page
// at a moment when everything seen before then was on it. It returns pages
// with requests that memory does not know and has room for.
func (m *Memory) resync(onBus map[string]int, then time.Time) (unknown []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.elsewhere.reset()
	for id, n := range onBus {
		e := m.pages[id]
		if e != nil && (len(e.open) >= n || !e.received.Before(then)) {
			continue // known, or answered meanwhile
		}
		if e != nil {
			n -= len(e.open)
		}
		evicted := was.evicted(id)
		m.elsewhere.add(id, n, evicted)
		if !evicted {
			unknown = append(unknown, id)
		}
	}
	for _, e := range m.order {
		if len(e.open) == 0 || onBus[e.id] > 0 {
			continue // some are open: their reports take them off
		}
		e.open = slices.DeleteFunc(e.open, func(o openRequest) bool {
			if o.seen.Before(then) {
				m.open--
				return true
			}
			return false
		})
		m.note(e)
	}
	return unknown
}

// settled notes that a page has no open request on the bus.
func (m *Memory) settled(page string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.elsewhere.forget(page)
}

// AlarmOf is the newest transition of an alarm. caughtUp says that every alarm
// on the bus was seen.
func (m *Memory) AlarmOf(id string) (t libra.Transition, known, caughtUp bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, known = m.alarms[id]
	return t, known, m.alarmed
}

// AlarmsOf lists the open alarms about a page, the oldest first.
func (m *Memory) AlarmsOf(page string) (list []libra.Alarm) {
	m.mu.Lock()
	for _, id := range m.openAlarms[page] {
		list = append(list, m.alarms[id].Alarm)
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b libra.Alarm) int { return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID)) })
	return list
}

// pageOf is the id of the page that an alarm is about, "" for others.
func pageOf(a libra.Alarm) string {
	if a.Scope != libra.ScopePage {
		return ""
	}
	if a.Page != "" {
		return a.Page
	}
	return libra.PageID(a.Target)
}

// beat takes in a heartbeat.
func (m *Memory) beat(b event.Heartbeat, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beats.take(b, now)
}

// forget drops instances that have been silent since before a time, and are not
// missed: no alarm is raised about them, and another one of the component is newer. Those
// that libra.target does not start are dropped when they have been silent since extraBefore.
func (m *Memory) forget(before, extraBefore time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	newest := map[string]time.Time{}
	for _, h := range m.beats.last {
		if name := h.Heartbeat.Component; h.At.After(newest[name]) {
			newest[name] = h.At
		}
	}
	for key, h := range m.beats.last {
		b := h.Heartbeat
		missed := m.alarms[alarmAbout(unitName(b.Component, b.Instance))].Alarm.State == libra.Raised
		old := h.At.Before(before) && h.At.Before(newest[b.Component])
		if (old || extra(b) && h.At.Before(extraBefore)) && !missed {
			m.beats.drop(key)
		}
	}
}

// extra reports whether libra.target does not start the instance: people have.
func extra(b event.Heartbeat) bool {
	c, known := component.Find(b.Component)
	n, err := strconv.Atoi(b.Instance)
	return known && (c.Optional || c.Instances > 0 && err == nil && n > c.Instances)
}
