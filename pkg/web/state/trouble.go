package state

import (
	"cmp"
	"slices"
	"strings"
	"time"

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
	Trouble Trouble
}

// Cursor is the place of the page in the list: before every page that is not in
// trouble.
func (t Troubled) Cursor() Cursor {
	return Cursor{At: t.Trouble.Since, ID: t.ID, Rank: t.Trouble.Kind.rank()}
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
func (t Troubled) compare(c Cursor) int {
	own := t.Cursor()
	return cmp.Or(own.Rank-c.Rank, c.Compare(own))
}

// IsAfter reports whether the page comes after a place among those in trouble.
func (t Troubled) IsAfter(c Cursor) bool { return t.compare(c) > 0 }

// Troubled lists the watched pages in trouble, the worst first. It looks at pages
// with an error, a report over budget or an open alarm only, however many others
// there are.
func (s *State) Troubled() []Troubled {
	list := slices.DeleteFunc(s.Memory.troubled(), func(t Troubled) bool { _, watched := s.Watches.Of(t.ID); return !watched })
	for i := range list {
		if list[i].URL == "" {
			w, _ := s.Watches.Of(list[i].ID)
			list[i].URL = w.URL
		}
	}
	slices.SortFunc(list, func(a, b Troubled) int { return a.compare(b.Cursor()) })
	return list
}

// TroubleOf is what is wrong with a page that is watched; ok is false where nothing
// is.
func (s *State) TroubleOf(v PageView) (t Trouble, ok bool) {
	if _, watched := s.Watches.Of(v.ID); !watched {
		return Trouble{}, false
	}
	s.Memory.mu.Lock()
	defer s.Memory.mu.Unlock()
	return s.Memory.trouble(v.ID, v.Answers)
}

// troubled lists pages in trouble, in no order, watched or not.
func (m *Memory) troubled() (list []Troubled) {
	m.mu.Lock()
	defer m.mu.Unlock()
	add := func(id string) {
		t := Troubled{ID: id}
		answers := Answers{}
		if e := m.pages[id]; e != nil {
			t.URL, answers = e.url, e.Answers
		}
		var ok bool
		if t.Trouble, ok = m.trouble(id, answers); ok {
			list = append(list, t)
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

// trouble is what is wrong with a page, by its newest report and, where that is not
// in memory, by its alarms. m.mu is held.
func (m *Memory) trouble(id string, a Answers) (t Trouble, ok bool) {
	alarm := func(kind TroubleKind) (libra.Alarm, bool) {
		name := troubleKinds[kind.rank()-1].alarm + id
		if !slices.Contains(m.openAlarms[id], name) {
			return libra.Alarm{}, false
		}
		return m.alarms[name].Alarm, true
	}
	latest := a.Latest()
	switch {
	case latest == nil:
		for _, known := range troubleKinds {
			if raised, ok := alarm(known.kind); ok {
				return Trouble{known.kind, raised.Since, raised.Evidence}, true
			}
		}
		return t, false
	case latest.Quarantined:
		t = Trouble{QuarantinedPage, latest.At, latest.What()}
	case latest.Report.Outcome == libra.Error:
		t = Trouble{DownPage, cmp.Or(a.failing, latest.At), latest.What()}
	case overBudget(latest.Budget):
		t = Trouble{OverBudgetPage, latest.At, strings.Join(latest.Budget.Over, "; ")}
	default:
		t.Kind = StalePage
	}
	raised, ok := alarm(t.Kind)
	if ok {
		t.Since = raised.Since
	}
	if t.Kind == StalePage {
		t.Text = raised.Evidence
		return t, ok
	}
	return t, true
}

// ails reports whether the newest answer says that something is wrong.
func (a Answers) ails() bool {
	latest := a.Latest()
	return latest != nil && (latest.Report.Outcome == libra.Error || overBudget(latest.Budget))
}

func overBudget(b *event.Judged) bool { return b != nil && len(b.Over) > 0 }

// mark keeps whether a page ails. m.mu is held.
func (m *Memory) mark(e *entry) {
	if e.ails() {
		m.ailing[e.id] = struct{}{}
		return
	}
	delete(m.ailing, e.id)
}
