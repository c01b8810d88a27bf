package web

import (
	"cmp"
	"slices"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// pageView is one page as memory knows it, copied out.
type pageView struct {
	id, url string
	last    time.Time
	asked   time.Time // of the newest open request
	open    int
	answers
	sought bool
	step   event.Step
	stepAt time.Time
}

func (e *entry) view() pageView {
	v := pageView{id: e.id, url: e.url, last: e.last, open: len(e.open), answers: e.answers, sought: e.sought, step: e.step, stepAt: e.stepAt}
	for _, o := range e.open {
		if o.asked.After(v.asked) {
			v.asked = o.asked
		}
	}
	return v
}

// page is the view in the outside's words, without the report.
func (v pageView) page() libra.Page {
	p := libra.Page{ID: v.id, URL: v.url, State: libra.Reported, Stale: v.stale(), ReasonList: v.reasons(v.id), Asked: v.asked}
	switch {
	case v.step.Step != "":
		p.State, p.Step = libra.Inspecting, v.step.Step
	case v.open > 0 || v.latest() == nil:
		p.State = libra.Queued
	case v.quarantined():
		p.State = libra.Quarantined
	}
	return p
}

// page copies out what is known of one page.
func (m *memory) page(id string) (pageView, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.pages[id]
	if e == nil {
		return pageView{}, false
	}
	return e.view(), true
}

// has says whether memory knows any of the pages.
func (m *memory) has(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pages[id] != nil
}

// list copies out pages with older news than a cursor, newest first. The zero
// cursor is before everything. more says that memory holds more of them.
func (m *memory) list(after cursor, limit int) (views []pageView, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := len(m.order)
	if !after.at.IsZero() {
		i = m.find(after.at, after.id)
	}
	for i--; i >= 0 && len(views) < limit; i-- {
		views = append(views, m.order[i].view())
	}
	return views, i >= 0
}

// alarmList copies out the alarms, as sortAlarms puts them.
func (m *memory) alarmList() (list []libra.Transition, caughtUp bool) {
	m.mu.Lock()
	for _, t := range m.alarms {
		list = append(list, t)
	}
	caughtUp = m.alarmed
	m.mu.Unlock()
	sortAlarms(list)
	return list, caughtUp
}

// sortAlarms puts the open ones first, of these the worst, and then the newest.
func sortAlarms(list []libra.Transition) {
	rank := func(t libra.Transition) int {
		if t.Alarm.State == libra.Raised {
			return 1 + t.Alarm.Severity.Rank()
		}
		return -1
	}
	slices.SortFunc(list, func(a, b libra.Transition) int {
		return cmp.Or(rank(b)-rank(a), b.At.Compare(a.At), cmp.Compare(a.Alarm.ID, b.Alarm.ID))
	})
}

// transitions copies out the newest transition of an alarm, or those of all
// where alarm is "", newest first, from after a place on.
func (m *memory) transitions(alarm string, after cursor, limit int) (list []libra.Transition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if alarm != "" {
		if t, ok := m.alarms[alarm]; ok && after.isAfter(t.At, t.ID) {
			list = append(list, t)
		}
		return list
	}
	type place struct {
		cursor
		alarm string
	}
	var places []place // they are smaller to sort
	for id, t := range m.alarms {
		if after.isAfter(t.At, t.ID) {
			places = append(places, place{cursor{t.At, t.ID}, id})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return b.compare(a.cursor) })
	for _, p := range places[:min(limit, len(places))] {
		list = append(list, m.alarms[p.alarm])
	}
	return list
}

// target is what an alarm is about; "" where it is not in memory.
func (m *memory) target(alarm string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alarms[alarm].Alarm.Target
}

// instances copies out the beats, by component and instance.
func (m *memory) instances() []heard {
	m.mu.Lock()
	list := make([]heard, 0, len(m.beats))
	for _, h := range m.beats {
		list = append(list, h)
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b heard) int {
		return cmp.Or(cmp.Compare(a.beat.Component, b.beat.Component), cmp.Compare(a.beat.Instance, b.beat.Instance))
	})
	return list
}

// counts is what /api/status counts.
type counts struct {
	Pages       int   `json:"pages"`         // in memory
	Open        int   `json:"open_requests"` // accepted, not yet reported
	Alarms      int   `json:"open_alarms"`
	Watched     int   `json:"watched_pages"`
	Streams     int   `json:"event_streams"` // clients of /api/events
	Reports     int   `json:"cached_reports"`
	ReportBytes int64 `json:"cached_report_bytes"`
}

func (m *memory) counts() counts {
	m.mu.Lock()
	c := counts{Pages: len(m.pages), Open: m.open}
	for _, t := range m.alarms {
		if t.Alarm.State == libra.Raised {
			c.Alarms++
		}
	}
	m.mu.Unlock()
	c.Reports, c.ReportBytes = m.reports.stats()
	return c
}

// ready says what was read whole from the bus at least once.
func (m *memory) ready() (reports, alarms bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.caughtUp, m.alarmed
}

func (m *memory) setCaughtUp() (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first, m.caughtUp = !m.caughtUp, true
	return first
}

func (m *memory) setAlarmed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarmed = true
}
