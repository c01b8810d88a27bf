package state

import (
	"cmp"
	"slices"
	"time"

	"libra/pkg/libra"
)

// unlisted are the open alarms for which there was no room, by id. SQLite has them.
type unlisted map[string]struct {
	severity libra.Severity
	since    time.Time // when it was dropped
}

// Of unlisted alarms: how many are counted, and what one takes.
const (
	mostUnlisted = 5000
	unlistedSize = slotFactor*(16+16+24) + 64
)

// alarm takes in a transition and reports whether it was news.
func (m *Memory) alarm(t libra.Transition) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was, known := m.alarms[t.Alarm.ID]
	if known && (was.ID == t.ID || t.At.Before(was.At)) {
		return false
	}
	if known {
		m.alarmBytes -= alarmSize(was)
	}
	m.alarmChanges++
	delete(m.unlisted, t.Alarm.ID)
	m.alarms[t.Alarm.ID] = t
	m.alarmBytes += alarmSize(t)
	m.setOpen(t.Alarm, t.Alarm.State == libra.Raised)
	m.trimAlarms()
	return true
}

// setOpen keeps which alarms about a page are open. m.mu is held.
func (m *Memory) setOpen(a libra.Alarm, is bool) {
	page := pageOf(a)
	if page == "" {
		return
	}
	open := slices.DeleteFunc(m.openAlarms[page], func(id string) bool { return id == a.ID })
	if is {
		open = append(open, a.ID)
	}
	if m.openAlarms[page] = open; len(open) == 0 {
		delete(m.openAlarms, page)
	}
}

// trimAlarms drops alarms while all take more than their bound, and then some more:
// first those that have cleared, then those about pages, of each the oldest. Those
// that are open stay counted. m.mu is held.
func (m *Memory) trimAlarms() {
	if m.alarmsTake() <= m.bounds.Alarms {
		return
	}
	all := make([]libra.Transition, 0, len(m.alarms))
	for _, t := range m.alarms {
		all = append(all, t)
	}
	rank := func(t libra.Transition) int {
		switch {
		case t.Alarm.State != libra.Raised:
			return 0
		case t.Alarm.Scope == libra.ScopePage:
			return 1
		}
		return 2
	}
	slices.SortFunc(all, func(a, b libra.Transition) int { return cmp.Or(rank(a)-rank(b), a.At.Compare(b.At)) })
	for _, t := range all {
		if m.alarmsTake() <= m.bounds.Alarms-m.bounds.Alarms/16 {
			return
		}
		delete(m.alarms, t.Alarm.ID)
		m.alarmBytes -= alarmSize(t)
		m.setOpen(t.Alarm, false)
		if t.Alarm.State == libra.Raised && len(m.unlisted) < mostUnlisted {
			m.unlisted[t.Alarm.ID] = struct {
				severity libra.Severity
				since    time.Time
			}{t.Alarm.Severity, time.Now()}
		}
	}
}

// alarmsTake is what all alarms take, those that are only counted, too. m.mu is held.
func (m *Memory) alarmsTake() int64 { return m.alarmBytes + int64(len(m.unlisted))*unlistedSize }

// Unlisted counts the open alarms for which memory has no room, and says since when
// there are some.
func (m *Memory) Unlisted() (n int, since time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.unlisted {
		if since.IsZero() || a.since.Before(since) {
			since = a.since
		}
	}
	return len(m.unlisted), since
}
