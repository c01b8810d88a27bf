package state

import (
	"cmp"
	"slices"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// OpenBySeverity counts the alarms that are raised.
func (m *Memory) OpenBySeverity() map[libra.Severity]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	open := map[libra.Severity]int{}
	for _, t := range m.alarms {
		if t.Alarm.State == libra.Raised {
			open[t.Alarm.Severity]++
		}
	}
	for _, a := range m.unlisted {
		open[a.severity]++
	}
	return open
}

// Cursor is the place of the page in the list.
func (v PageView) Cursor() Cursor { return Cursor{At: v.last, ID: v.ID} }

// PageView is one page as memory knows it, copied out.
type PageView struct {
	ID, URL string
	last    time.Time
	asked   time.Time // of the newest open request
	Open    int
	Answers
	sought bool
	Step   event.Step
	stepAt time.Time
}

func (e *entry) view() PageView {
	v := PageView{ID: e.id, URL: e.url, last: e.last, Open: len(e.open), Answers: e.Answers, sought: e.sought, Step: e.step, stepAt: e.stepAt}
	for _, o := range e.open {
		if o.request.Asked.After(v.asked) {
			v.asked = o.request.Asked
		}
	}
	return v
}

// Page is the view as the API has it, without the report.
func (v PageView) Page() libra.Page {
	p := libra.Page{ID: v.ID, URL: v.URL, State: libra.Reported, Stale: v.stale(), ReasonList: v.reasons(v.ID), Asked: v.asked}
	switch {
	case v.Step.Step != "":
		p.State, p.Step, p.StepWhy = libra.Inspecting, v.Step.Step, v.Step.Why
	case v.Open > 0 || v.Latest() == nil:
		p.State = libra.Queued
	case v.Quarantined():
		p.State = libra.Quarantined
	}
	return p
}

// Page copies out what is known of one page.
func (m *Memory) Page(id string) (PageView, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.pages[id]
	if e == nil {
		return PageView{}, false
	}
	return e.view(), true
}

// has reports whether memory knows the page.
func (m *Memory) has(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pages[id] != nil
}

// List copies out pages with older news than a cursor, newest first, without those
// that skip reports. The zero cursor is before everything. more says that memory
// holds more of them.
func (m *Memory) List(after Cursor, limit int, skip func(id string) bool) (views []PageView, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := len(m.order)
	if !after.At.IsZero() {
		i = m.find(after.At, after.ID)
	}
	for i--; i >= 0; i-- {
		if skip(m.order[i].id) {
			continue
		}
		if len(views) == limit {
			return views, true
		}
		views = append(views, m.order[i].view())
	}
	return views, false
}

// AlarmList copies out the alarms, as sortAlarms puts them.
func (m *Memory) AlarmList() (list []libra.Transition, caughtUp bool) {
	m.mu.Lock()
	for _, t := range m.alarms {
		list = append(list, t)
	}
	caughtUp = m.alarmed
	m.mu.Unlock()
	SortAlarms(list)
	return list, caughtUp
}

// SortAlarms puts the open ones first, of these the worst, and then the newest.
func SortAlarms(list []libra.Transition) {
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

// Transitions copies out the newest transition of an alarm, or those of all
// where alarm is "", newest first, from after a place on.
func (m *Memory) Transitions(alarm string, after Cursor, limit int) (list []libra.Transition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if alarm != "" {
		if t, ok := m.alarms[alarm]; ok && after.isAfter(t.At, t.ID) {
			list = append(list, t)
		}
		return list
	}
	type place struct {
		Cursor
		alarm string
	}
	var places []place // they are smaller to sort
	for id, t := range m.alarms {
		if after.isAfter(t.At, t.ID) {
			places = append(places, place{Cursor{At: t.At, ID: t.ID}, id})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return b.Compare(a.Cursor) })
	for _, p := range places[:min(limit, len(places))] {
		list = append(list, m.alarms[p.alarm])
	}
	return list
}

// Target is what an alarm is about; "" where it is not in memory.
func (m *Memory) Target(alarm string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alarms[alarm].Alarm.Target
}

// Instances copies out the newest heartbeats, by component and instance.
func (m *Memory) Instances() []LastHeartbeat {
	m.mu.Lock()
	list := make([]LastHeartbeat, 0, len(m.beats.last))
	for _, h := range m.beats.last {
		list = append(list, h)
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b LastHeartbeat) int {
		return cmp.Or(cmp.Compare(a.Heartbeat.Component, b.Heartbeat.Component), cmp.Compare(a.Heartbeat.Instance, b.Heartbeat.Instance))
	})
	return list
}

// instancesOf copies out the newest heartbeats of a component, for what every read
// asks.
func (m *Memory) instancesOf(name string) (list []LastHeartbeat) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.beats.last {
		if h.Heartbeat.Component == name {
			list = append(list, h)
		}
	}
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

// Counts counts what memory holds.
func (m *Memory) Counts() counts {
	m.mu.Lock()
	c := counts{Pages: len(m.pages), Open: m.open + m.elsewhere.count(), Alarms: len(m.unlisted)}
	for _, t := range m.alarms {
		if t.Alarm.State == libra.Raised {
			c.Alarms++
		}
	}
	m.mu.Unlock()
	c.Reports, c.ReportBytes = m.reports.stats()
	return c
}

// Ready says what was read whole from the bus at least once.
func (m *Memory) Ready() (reports, alarms bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.caughtUp, m.alarmed
}

func (m *Memory) setCaughtUp() (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first, m.caughtUp = !m.caughtUp, true
	return first
}

func (m *Memory) setAlarmed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarmed = true
}
