package web

import (
	"context"
	"slices"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// standing is the verdict of a page's last sound report, which stands while the
// report shown is a lower bound or an error page.
type standing struct {
	shortScore
	Started time.Time `json:"started"` // of that report
}

// standing is nil unless the report shown may not be judged, and an earlier one
// was sound.
func (a answers) standing() *standing {
	if !a.unsound() || a.complete == nil || a.complete.score == nil {
		return nil
	}
	return &standing{*a.complete.score, a.complete.report.Started}
}

// unsound says that the good report shown is partial, or an error page.
func (a answers) unsound() bool { return a.good != nil && !a.good.report.Sound() }

// lacking says that history may know more than the bus, which keeps but the
// last report of a kind: a good one beside the failed one, a sound one
// beside one that may not be judged.
func (a answers) lacking() bool {
	return a.good == nil && a.bad != nil || a.unsound() && a.complete == nil
}

// wanting lists pages that lack something for which history was not asked.
func (m *memory) wanting(limit int) (pages []string) {
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
// of pages that were cut short, or in error, since. What history does not have is looked for
// once.
func (s *Server) seekGood(ctx context.Context) {
	for _, page := range s.memory.wanting(64) {
		r, err := s.readReport(ctx, page)
		complete, completeErr := s.readComplete(ctx, page)
		if unreadable(err) || unreadable(completeErr) {
			return // the next round asks again
		}
		s.memory.setSought(page)
		if err == nil && r.Report.Outcome != libra.Failed {
			s.onReport(r)
		}
		if completeErr == nil {
			s.memory.stands(page, summarize(complete, s.cfg.Profile))
		}
	}
}

// seekVerdict is seekGood for somebody who looks at the page right now.
func (s *Server) seekVerdict(ctx context.Context, v *pageView) {
	complete, err := s.readComplete(ctx, v.id)
	if unreadable(err) {
		return
	}
	if err == nil {
		sum := summarize(complete, s.cfg.Profile)
		v.take(sum)
		s.memory.stands(v.id, sum)
	}
	s.memory.setSought(v.id)
}

func (s *Server) readComplete(ctx context.Context, page string) (event.Reported, error) {
	return ofHistory(ctx, s, func(ctx context.Context) (event.Reported, error) { return s.history.Complete(ctx, page) })
}

// stands keeps the last complete report of a page whose newest one is another.
func (m *memory) stands(page string, complete *summary) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.pages[page]; e != nil && e.unsound() {
		e.take(complete)
	}
}

func (m *memory) setSought(page string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.pages[page]; e != nil {
		e.sought = true
	}
}
