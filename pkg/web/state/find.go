package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// IsPageID reports whether an id has the form of a page's.
func IsPageID(id string) bool {
	return len(id) == 20 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Current is Find, with the progress that its worker reports and with the verdict
// that only the history has.
func (s *State) Current(ctx context.Context, id string) (PageView, error) {
	v, err := s.Find(ctx, id)
	if err != nil {
		return PageView{}, err
	}
	if v.unsound() && v.Complete == nil && !v.sought {
		s.seekVerdict(ctx, &v)
	}
	if (v.Open > 0 || v.Step.Step != "") && time.Since(v.stepAt) > s.cfg.StepTimeout && s.BusUp() {
		s.whetherLive(ctx, id)
		if now, ok := s.Memory.Page(id); ok {
			v = now
		}
	}
	return v, nil
}

// Find reads what is known of a page from the nearest place that knows it:
// memory, the bus, SQLite. The error is libra.ErrNotFound where all of them
// were read, else libra.ErrUnavailable.
func (s *State) Find(ctx context.Context, id string) (PageView, error) {
	if v, known := s.Memory.Page(id); known {
		return v, nil
	}
	return s.Seek(ctx, id)
}

// Seek looks for a page that memory does not hold. If the bus has just gone away, it
// looks again once it is back: a new report may be nowhere else.
// Its errors are those of Find.
func (s *State) Seek(ctx context.Context, id string) (PageView, error) {
	for {
		v, err := s.seekOnce(ctx, id)
		if !errors.Is(err, libra.ErrUnavailable) || errors.Is(err, errOnlyHistory) || !s.BusSoon(ctx) {
			return v, err
		}
	}
}

func (s *State) seekOnce(ctx context.Context, id string) (PageView, error) {
	var r event.Reported
	var found Answers
	var open event.Request
	var err, openErr error
	Together(func() { r, found, err = s.fetch(ctx, id) }, func() { open, openErr = s.OpenRequest(ctx, id) })
	switch {
	case err == nil:
		v := PageView{ID: id, URL: r.Request.URL, last: found.Latest().At, Answers: found}
		if openErr == nil && !found.to(open.ID) {
			v.Open, v.asked = 1, open.Asked
		}
		return v, nil
	case openErr == nil:
		s.OnRequest(open)
		return PageView{ID: id, URL: open.URL, Open: 1, asked: open.Asked, last: open.Asked}, nil
	case errors.Is(openErr, libra.ErrNotFound) && (errors.Is(err, libra.ErrNotFound) || errors.Is(err, errOnlyHistory)):
		return PageView{}, err
	}
	return PageView{}, libra.ErrUnavailable
}

// errOnlyHistory is the libra.ErrUnavailable of something that the bus does not
// have, and that SQLite may have, which cannot be read.
var errOnlyHistory = fmt.Errorf("%w: the bus does not have it, and the history cannot be read", libra.ErrUnavailable)

// OpenRequest asks the bus for an open request of a page. The error is
// libra.ErrNotFound without one, or libra.ErrUnavailable.
func (s *State) OpenRequest(ctx context.Context, id string) (event.Request, error) {
	if !s.BusUp() {
		return event.Request{}, libra.ErrUnavailable
	}
	return s.conn.OpenRequest(ctx, id)
}

// fetch is the whole report that a page shows, from the bus or SQLite, and all
// that they know of its answers. It leaves the report in the cache.
// ErrNotFound means that neither knows of any.
func (s *State) fetch(ctx context.Context, id string) (event.Reported, Answers, error) {
	var good, bad event.Reported
	var err, badErr error
	Together(
		func() { good, err = firstOf(ctx, s, id, s.conn.LastReport, s.readReport) },
		func() { bad, badErr = firstOf(ctx, s, id, s.conn.LastFailure, s.readFailure) })
	if errors.Is(err, libra.ErrNotFound) || err != nil && badErr == nil || errors.Is(err, errOnlyHistory) && !errors.Is(badErr, libra.ErrNotFound) {
		good, err = bad, badErr
	}
	if err != nil {
		return event.Reported{}, Answers{}, err
	}
	var found Answers
	found.take(summarize(good, s.cfg.Profile)) // a failed one, where SQLite has none that is good
	if badErr == nil {
		found.take(summarize(bad, s.cfg.Profile))
	}
	if good.Report.Outcome == libra.Error && badErr == nil {
		good = bad // the newer of the two
	}
	if data, err := Encode(good); err == nil {
		s.Memory.reports.put(id, good.Request.ID, data)
	}
	return good, found, nil
}

// refetch is fetch for a page whose answers are known: the JSON of the report
// that it shows, and the request it answers.
func (s *State) refetch(ctx context.Context, v PageView) (data []byte, request string, ok bool) {
	onBus, inHistory := s.conn.LastReport, s.readReport
	if v.Good == nil {
		onBus, inHistory = s.conn.LastFailure, s.readFailure
	}
	r, err := firstOf(ctx, s, v.ID, onBus, inHistory)
	if err != nil {
		return nil, "", false
	}
	if data, err = Encode(r); err != nil {
		return nil, "", false
	}
	s.Memory.reports.put(v.ID, r.Request.ID, data)
	return data, r.Request.ID, true
}

// ReportOf is the JSON of the report that a page shows and the request it
// answers, from memory or from where it can be read.
func (s *State) ReportOf(ctx context.Context, v PageView) (data []byte, request string, ok bool) {
	data, request, ok = s.Memory.reports.get(v.ID)
	if !ok || request != v.Shown().Request {
		data, request, ok = s.refetch(ctx, v)
	}
	return data, request, ok
}

// firstOf asks the bus, and SQLite where the bus does not know.
func firstOf(ctx context.Context, s *State, id string, onBus, inHistory func(context.Context, string) (event.Reported, error)) (event.Reported, error) {
	err := error(libra.ErrUnavailable)
	var r event.Reported
	if s.BusUp() {
		try, cancel := context.WithTimeout(ctx, s.cfg.Patience/4) // the bus may end meanwhile
		defer cancel()
		if r, err = onBus(try, id); err == nil {
			return r, nil
		}
	}
	r, histErr := inHistory(ctx, id)
	switch notOnBus := errors.Is(err, libra.ErrNotFound); {
	case notOnBus && Unreadable(histErr):
		err = errOnlyHistory
	case histErr == nil || notOnBus:
		err = histErr
	}
	return r, err
}

// Older lists pages that memory does not hold, from SQLite, without those that skip
// reports.
func (s *State) Older(ctx context.Context, after Cursor, limit int, skip func(id string) bool) (views []PageView, err error) {
	batchSize := limit + 16 // some will be in memory
	for len(views) < limit {
		before := after.At
		if !before.IsZero() {
			before = before.Add(time.Nanosecond) // several may share an instant
		}
		batch, err := s.readLatest(ctx, before, batchSize)
		if err != nil {
			return views, err
		}
		was := after
		for _, r := range batch {
			v := PageView{ID: r.Request.Page, URL: r.Request.URL, last: r.At}
			if !after.At.IsZero() && v.Cursor().Compare(after) >= 0 {
				continue // at or before the cursor
			}
			after = v.Cursor()
			if !skip(v.ID) && !s.Memory.has(v.ID) {
				v.take(summarize(r, s.cfg.Profile))
				if bad, err := s.readFailure(ctx, v.ID); err == nil {
					v.take(summarize(bad, s.cfg.Profile))
				}
				views = append(views, v)
			}
		}
		if len(batch) < batchSize || after == was {
			break
		}
	}
	return views, nil
}
