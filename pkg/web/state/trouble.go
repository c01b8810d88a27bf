package state

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// TroubleKind is what is wrong with a watched page.
type TroubleKind string

// The kinds of trouble, the worst first.
const (
	DownPage        TroubleKind = "down"        // its newest inspection is an error
	QuarantinedPage TroubleKind = "quarantined" // it is not inspected until it is released
	OverBudgetPage  TroubleKind = "over-budget" // its newest report is over the watch's budget
	StalePage       TroubleKind = "stale"       // it is not inspected on schedule
)

// troubleKinds is the order of the list, and what the alarms of a page say of it.
var troubleKinds = []struct {
	kind  TroubleKind
	alarm string // what the alarm's id begins with, before the page's id
}{
	{DownPage, "page.down."},
	{QuarantinedPage, "quarantine."},
	{OverBudgetPage, "page.budget."},
	{StalePage, "page.missed."},
}

// Trouble is what is wrong with a watched page.
type Trouble struct {
	Kind TroubleKind `json:"kind"`
	// Since is when the alarm about it says that it began; before there is an
	// alarm, when the first report that says so was published, as far as they were
	// seen.
	Since time.Time `json:"since"`
	Text  string    `json:"text"` // what was seen, in one line
}

// Troubled is a watched page in trouble.
type Troubled struct {
	ID, URL string
	// Place is that of the page in the list: before every page that is not in
	// trouble.
	Place Cursor
}

// rank is the place of a kind in the list, from 1.
func (k TroubleKind) rank() int {
	for i, known := range troubleKinds {
		if known.kind == k {
			return i + 1
		}
	}
	return len(troubleKinds) + 1
}

// compare orders pages in trouble: the worst kind, then the newest trouble first.
func (t Troubled) compare(c Cursor) int { return cmp.Or(t.Place.Rank-c.Rank, c.Compare(t.Place)) }

// IsAfter reports whether the page comes after a place among those in trouble.
func (t Troubled) IsAfter(c Cursor) bool { return t.compare(c) > 0 }

// Troubled lists the watched pages in trouble, the worst first. It looks at pages
// with an error, a report over budget or an open alarm only, however many others
// there are, unless no inspector sends heartbeats.
func (s *State) Troubled() []Troubled {
	list := s.Memory.troubled(func(id string) (url string, ok bool) {
		w, ok := s.Watches.Of(id)
		return w.URL, ok
	})
	if at, idle := s.nobodyInspects(time.Now()); idle {
		list = s.addOverdue(list, at)
	}
	slices.SortFunc(list, func(a, b Troubled) int { return a.compare(b.Place) })
	return list
}

// TroubleOf is what is wrong with a page that is watched; ok is false where nothing
// is.
func (s *State) TroubleOf(v PageView) (t Trouble, ok bool) {
	w, watched := s.Watches.Of(v.ID)
	if !watched {
		return Trouble{}, false
	}
	idleAt, idle := s.nobodyInspects(time.Now())
	s.Memory.mu.Lock()
	defer s.Memory.mu.Unlock()
	t, alarm, ok := s.Memory.trouble(v.ID, v.Answers)
	switch latest := v.Latest(); {
	case !ok && idle:
		return s.Memory.overdue(w, idleAt)
	case !ok:
	case latest == nil || t.Kind == StalePage:
		t.Text = alarm.Evidence
	case t.Kind == OverBudgetPage && !overBudget(latest.Budget): // not judged since
		t.Text = alarm.Evidence
	case t.Kind == OverBudgetPage:
		t.Text = strings.Join(latest.Budget.Over, "; ")
	default:
		t.Text = latest.What()
	}
	return t, ok
}

// nobodyInspects reports whether no inspector sends heartbeats, and when that was last
// known: before the bus went away, or now. The watchdog raises one alarm then, and none
// for every page.
func (s *State) nobodyInspects(now time.Time) (at time.Time, idle bool) {
	at = now
	switch bus := s.busPart(); {
	case bus.fault != "" && bus.good.IsZero(), s.busJustBack(now):
		return at, false // their heartbeats had no time to arrive
	case bus.fault != "":
		at = bus.since
	}
	_, idle = s.silentSince(component.Inspector, at)
	return at, idle
}

// overdueAfter is after how many intervals without an inspection a page is stale.
const overdueAfter = 3

// overdue is the trouble of a watched page that was not inspected for long at a time
// when no inspector sent heartbeats. Of a page that is not in memory it is not known.
// m.mu is held.
func (m *Memory) overdue(w event.Watch, at time.Time) (t Trouble, ok bool) {
	e := m.pages[w.Page]
	if e == nil {
		return t, false
	}
	last, text := w.At, "not inspected since it is watched"
	if latest := e.Latest(); latest != nil {
		last, text = latest.At, "not inspected for "+libra.FormatDuration(at.Sub(latest.At).Round(time.Second))
	}
	every := time.Duration(w.EveryS) * time.Second
	if at.Sub(last) <= overdueAfter*every {
		return t, false
	}
	return Trouble{Kind: StalePage, Since: last.Add(every), Text: text + ": no inspector sends heartbeats"}, true
}

// addOverdue adds the watched pages that are overdue to those in trouble.
func (s *State) addOverdue(list []Troubled, at time.Time) []Troubled {
	done := make(map[string]bool, len(list))
	for _, t := range list {
		done[t.ID] = true
	}
	watches := s.Watches.List(Cursor{})
	s.Memory.mu.Lock()
	defer s.Memory.mu.Unlock()
	for _, w := range watches {
		if t, ok := s.Memory.overdue(w, at); ok && !done[w.Page] {
			list = append(list, Troubled{w.Page, w.URL, Cursor{At: t.Since, ID: w.Page, Rank: t.Kind.rank()}})
		}
	}
	return list
}

// troubled lists those pages in trouble, in no order, that watched reports, with the
// URL that it returns.
func (m *Memory) troubled(watched func(id string) (url string, ok bool)) (list []Troubled) {
	m.mu.Lock()
	defer m.mu.Unlock()
	add := func(id string) {
		url, ok := watched(id)
		if !ok {
			return
		}
		answers := Answers{}
		if e := m.pages[id]; e != nil {
			answers = e.Answers
		}
		if t, _, ok := m.trouble(id, answers); ok {
			list = append(list, Troubled{id, url, Cursor{At: t.Since, ID: id, Rank: t.Kind.rank()}})
		}
	}
	for id := range m.ailing {
		add(id)
	}
	for id := range m.openAlarms {
		if _, done := m.ailing[id]; !done {
			add(id)
		}
	}
	return list
}

// trouble is what is wrong with a page, without its text, and the alarm about it, if
// one is open: by its newest report and, where that is not in memory, by its alarms.
// m.mu is held.
func (m *Memory) trouble(id string, a Answers) (t Trouble, alarm libra.Alarm, ok bool) {
	latest := a.Latest()
	switch {
	case latest == nil:
		for _, known := range troubleKinds {
			if alarm, ok = m.openAlarm(known.kind, id); ok {
				return Trouble{Kind: known.kind, Since: alarm.Since}, alarm, true
			}
		}
		return t, alarm, false
	case latest.Quarantined:
		t = Trouble{Kind: QuarantinedPage, Since: latest.At}
	case latest.Report.Outcome == libra.Error:
		t = Trouble{Kind: DownPage, Since: cmp.Or(a.failing, latest.At)}
	case overBudget(latest.Budget):
		t = Trouble{Kind: OverBudgetPage, Since: latest.At}
	default:
		t.Kind = StalePage
		if unjudged(latest) {
			if alarm, ok = m.openAlarm(OverBudgetPage, id); ok {
				return Trouble{Kind: OverBudgetPage, Since: alarm.Since}, alarm, true
			}
		}
	}
	alarm, ok = m.openAlarm(t.Kind, id)
	if ok {
		t.Since = alarm.Since
	}
	return t, alarm, ok || t.Kind != StalePage
}

// openAlarm is the open alarm about a kind of trouble of a page. m.mu is held.
func (m *Memory) openAlarm(kind TroubleKind, id string) (libra.Alarm, bool) {
	open := m.openAlarms[id]
	if len(open) == 0 {
		return libra.Alarm{}, false
	}
	name := troubleKinds[kind.rank()-1].alarm + id
	return m.alarms[name].Alarm, slices.Contains(open, name)
}

// ails reports whether the newest answer says that something is wrong.
func (a Answers) ails() bool {
	latest := a.Latest()
	return latest != nil && (latest.Report.Outcome == libra.Error || overBudget(latest.Budget))
}

// unjudged reports whether an answer says nothing about a budget that the page was
// over before: it was requested by hand, or is partial, so that the page may weigh
// more.
func unjudged(s *Summary) bool { return s.Budget == nil || s.Report.Outcome != libra.Complete }

func overBudget(b *event.Judged) bool { return b != nil && len(b.Over) > 0 }

// mark keeps whether a page ails. m.mu is held.
func (m *Memory) mark(e *entry) {
	if e.ails() {
		m.ailing[e.id] = struct{}{}
		return
	}
	delete(m.ailing, e.id)
}
