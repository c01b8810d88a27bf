package state

import (
	"context"
	"slices"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// Standing is the verdict of a page's last complete report, which is shown while
// the newest good report is a lower bound.
type Standing struct {
	ShortScore
	Started time.Time `json:"started"` // of that report
}

// Standing is nil unless the report shown is partial, and an earlier one was
// complete.
func (a Answers) Standing() *Standing {
	if !a.unsound() || a.Complete == nil || a.Complete.Score == nil {
		return nil
	}
	return &Standing{*a.Complete.Score, a.Complete.Report.Started}
}

// unsound reports whether the good report shown is partial.
func (a Answers) unsound() bool { return a.Good != nil && !a.Good.Report.Sound() }

// lacking reports whether history may know more than the bus, which stores only the
// last report of a kind: a good one beside an error, a complete one beside a
// partial one.
func (a Answers) lacking() bool {
	return a.Good == nil && a.Bad != nil || a.unsound() && a.Complete == nil
}

// wanting lists pages that lack something for which history was not asked.
func (m *Memory) wanting(limit int) (pages []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range slices.Backward(m.order) {
		if e.lacking() && !e.sought {
			if pages = append(pages, e.id); len(pages) == limit {
				break
			}
		}
	}
	return pages
}

// seekGood finds the good reports that the bus no longer has, because the page
// has failed for longer than the bus keeps reports, and the last complete ones
// of pages that were cut short since. What history does not have is looked for
// once.
func (s *State) seekGood(ctx context.Context) {
	for _, page := range s.Memory.wanting(64) {
		r, err := s.readReport(ctx, page)
		complete, completeErr := s.readComplete(ctx, page)
		if Unreadable(err) || Unreadable(completeErr) {
			return // the next round asks again
		}
		s.Memory.setSought(page)
		if err == nil && r.Report.Outcome != libra.Error {
			s.onReport(r)
		}
		if completeErr == nil {
			s.Memory.keepComplete(page, summarize(complete, s.cfg.Profile))
		}
	}
}

// seekVerdict is seekGood for a page that is being read.
func (s *State) seekVerdict(ctx context.Context, v *PageView) {
	complete, err := s.readComplete(ctx, v.ID)
	if Unreadable(err) {
		return
	}
	if err == nil {
		sum := summarize(complete, s.cfg.Profile)
		s.Memory.keepComplete(v.ID, sum)
		v.take(sum)
	}
	s.Memory.setSought(v.ID)
}

func (s *State) readComplete(ctx context.Context, page string) (event.Reported, error) {
	return ofHistory(ctx, s, func(ctx context.Context) (event.Reported, error) { return s.history.Complete(ctx, page) })
}

// keepComplete keeps the last complete report of a page whose newest one is another.
func (m *Memory) keepComplete(page string, complete *Summary) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.pages[page]; e != nil && e.unsound() {
		e.take(complete.of(e))
		m.note(e)
		m.trim()
	}
}

func (m *Memory) setSought(page string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.pages[page]; e != nil {
		e.sought = true
		m.note(e)
	}
}
