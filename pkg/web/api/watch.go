package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/inspect/budget"
	"libra/pkg/libra"
	"libra/pkg/web/state"
)

// WatchedDoc is the watch of a page in its document.
type WatchedDoc struct {
	Every  string        `json:"every,omitempty"` // how often it is inspected; "" where it is not watched
	Budget *event.Judged `json:"budget"`          // how the report shown stands to the watch's budget; null without one
	Alarms []pageAlarm   `json:"alarms"`          // the open ones about it; never null
	// AlarmsUnknownSince is since when Alarms may have changed; left out while they are current.
	AlarmsUnknownSince time.Time `json:"alarms_unknown_since,omitzero"`
	// Trouble is what is wrong with a watched page; null where nothing is known to
	// be.
	Trouble *state.Trouble `json:"trouble"`
}

type pageAlarm struct {
	ID       string         `json:"id"`
	Severity libra.Severity `json:"severity"`
	Summary  string         `json:"summary"`
	Since    time.Time      `json:"since"`
}

func (s *API) watchedDoc(v state.PageView) WatchedDoc {
	doc := WatchedDoc{Alarms: []pageAlarm{}, AlarmsUnknownSince: s.state.FreshAlarms().UnknownSince}
	if w, ok := s.state.Watches.Of(v.ID); ok {
		doc.Every = state.ShowEvery(w.EveryS)
	}
	if shown := v.Shown(); shown != nil {
		doc.Budget = shown.Budget
	}
	if t, ok := s.state.TroubleOf(v); ok {
		doc.Trouble = &t
	}
	for _, a := range s.state.Memory.AlarmsOf(v.ID) {
		doc.Alarms = append(doc.Alarms, pageAlarm{a.ID, a.Severity, a.Summary, a.Since})
	}
	return doc
}

// watchedPages lists the pages that are watched, as Pages lists all.
func (s *API) watchedPages(ctx context.Context, after state.Cursor, limit int) PagesDoc {
	return s.worstFirst(ctx, s.state.FreshWatches(), after, limit, s.watched)
}

// watched adds the pages that are watched, the newest watch first.
func (s *API) watched(ctx context.Context, doc *PagesDoc, after state.Cursor, limit int, skip func(id string) bool) {
	list := slices.DeleteFunc(s.state.Watches.List(after), func(w event.Watch) bool { return skip(w.Page) })
	if more := len(list) > limit; more {
		list = list[:limit]
		if limit > 0 {
			doc.Next = state.WatchPlace(list[limit-1]).String()
		} else {
			doc.more = true
		}
	}
	for _, w := range list {
		doc.Pages = append(doc.Pages, s.listed(s.find(ctx, w.Page, w.URL)))
	}
}

// find is what is known of a page that is known to exist.
func (s *API) find(ctx context.Context, id, url string) state.PageView {
	if v, known := s.state.Memory.Page(id); known {
		return v
	}
	if v, err := s.state.Seek(ctx, id); err == nil {
		return v
	}
	return state.PageView{ID: id, URL: url}
}

// Bounds on how often a page is inspected.
const (
	leastEvery = time.Second
	mostEvery  = 24 * time.Hour
	WatchOff   = "off"
)

// parseEvery reads how often a page is to be inspected, in seconds.
func parseEvery(text string) (int, error) {
	d, err := span("every", text)
	switch {
	case err != nil:
		return 0, invalid(fmt.Sprintf(`invalid every %q`, text), `must be a duration such as 30s, or "off"`)
	case d < leastEvery || d > mostEvery:
		return 0, invalid(fmt.Sprintf(`invalid every %q`, text), `must be from 1s to 24h, or "off"`)
	case d%time.Second != 0:
		return 0, invalid(fmt.Sprintf(`invalid every %q`, text), `must be whole seconds, such as 30s`)
	}
	return int(d / time.Second), nil
}

// WatchAsked is a watch as it is asked for.
type WatchAsked struct {
	Every      string          // "30s", or WatchOff
	Budget     json.RawMessage // nil for none
	KeepBudget bool            // the one that the watch has already
}

// Watch has a page inspected at an interval from now on, or not any more.
// Without a problem that is durable.
func (s *API) Watch(r *http.Request, raw string, asked WatchAsked) (accepted, *Problem) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	url, guessed, p := s.address(ctx, raw)
	if p != nil {
		return accepted{}, p
	}
	client, p := s.clientOf(r)
	if p != nil {
		return accepted{}, p
	}
	slot, p := s.storing(ctx, r)
	if p != nil {
		return accepted{}, p
	}
	defer slot.End()
	watch := event.Watch{Page: libra.PageID(url), URL: url, Site: s.cfg.Site, Client: client.key, Label: client.label, At: time.Now().UTC(), SchemeGuessed: guessed}
	if asked.Every == WatchOff {
		return s.endWatch(ctx, watch, asked)
	}
	if p := s.reachable(url); p != nil {
		return accepted{}, p
	}
	every, err := parseEvery(asked.Every)
	if err != nil {
		return accepted{}, BadRequestOf("every", err)
	}
	watch.EveryS = every
	if watch.Budget, p = readBudget(asked.Budget); p != nil {
		return accepted{}, p
	}
	if asked.KeepBudget {
		var was event.Watch
		err := s.persist(ctx, func(ctx context.Context) (err error) { was, err = s.conn.WatchOf(ctx, watch.Page); return err })
		if err != nil && !errors.Is(err, libra.ErrNotFound) {
			return accepted{}, notStored(fmt.Sprintf("the watch of %q", url), err)
		}
		watch.Budget = was.Budget
	}
	if p := s.quarantine(ctx, watch.Page, url); p != nil {
		return accepted{}, p
	}
	if p := s.roomToWatch(watch); p != nil {
		return accepted{}, p
	}
	if p := s.shareOfWatches(ctx, watch); p != nil {
		return accepted{}, p
	}
	if p := s.setWatch(ctx, watch); p != nil {
		return accepted{}, p
	}
	doc := accepted{}
	req, p := s.request(r, event.Request{URL: url, SchemeGuessed: guessed, Watch: &watch})
	if p == nil {
		doc, p = s.ask(ctx, r, req)
	}
	if p != nil { // the watch is stored, and that was asked for
		doc = accepted{ID: watch.Page, URL: url, State: libra.Queued, Note: "the first inspection is when the watch is due, because a request was not accepted"}
	}
	doc.Every = state.ShowEvery(watch.EveryS)
	return doc, nil
}

func (s *API) endWatch(ctx context.Context, watch event.Watch, asked WatchAsked) (accepted, *Problem) {
	if asked.Budget != nil {
		return accepted{}, BadRequest("budget", `a watch that ends has no budget`, `leave "budget" out`)
	}
	doc := accepted{ID: watch.Page, URL: watch.URL}
	if v, known := s.state.Memory.Page(watch.Page); known {
		doc.State = v.Page().State
	}
	if _, watched := s.state.Watches.Of(watch.Page); !watched && s.state.Watches.Ready() {
		doc.Note = "the page was not watched"
		return doc, nil
	}
	return doc, s.setWatch(ctx, watch)
}

// setWatch makes a change of a watch durable and keeps it in memory.
func (s *API) setWatch(ctx context.Context, w event.Watch) *Problem {
	err := s.persist(ctx, func(ctx context.Context) error { return s.conn.SetWatch(ctx, w) })
	if err != nil {
		s.log.Warn("watch refused", "url", w.URL, "client", w.By(), "err", err)
		return notStored(fmt.Sprintf("the watch of %q", w.URL), err)
	}
	s.log.Info("watch set", "page", w.Page, "url", w.URL, "every_s", w.EveryS, "client", w.By())
	s.state.OnWatch(w)
	return nil
}

// roomToWatch refuses new watches while the disk is nearly full: each goes on
// adding to it.
func (s *API) roomToWatch(w event.Watch) *Problem {
	t, known, _ := s.state.Memory.AlarmOf("disk")
	if _, watched := s.state.Watches.Of(w.Page); watched || !known || t.Alarm.State != libra.Raised || t.Alarm.Severity.Rank() < libra.Major.Rank() {
		return nil
	}
	p := NewProblem(ProblemURN+"disk", "No room for new watches", http.StatusInsufficientStorage, libra.Reason{
		Code:   libra.CodeDiskFull,
		Text:   fmt.Sprintf("the page %q is not watched, the disk is nearly full (%s); existing watches continue", w.URL, t.Alarm.Evidence),
		Remedy: "try again when the alarm has cleared",
	})
	p.retryAfter = 60
	return p
}

// shareOfWatches refuses a watch after which those of its client would take more of the
// bus than is left for all others: one client alone may take half of the space, and the
// less the more others have. One that takes no more than before is never refused.
func (s *API) shareOfWatches(ctx context.Context, w event.Watch) *Problem {
	share, now := s.state.Watches.Share(w.Client, w.Page), bus.WatchBytes(w)
	if now <= share.Page {
		return nil
	}
	var used, most int64
	err := s.persist(ctx, func(ctx context.Context) (err error) { used, most, err = s.conn.WatchSpace(ctx); return err })
	left := most - max(used, share.All) - (now - share.Page) // many were not due yet
	if err == nil && left < 0 {
		err = libra.ErrFull
	}
	switch {
	case err != nil:
		return notStored(fmt.Sprintf("the watch of %q", w.URL), err)
	case share.Client+now <= left:
		return nil
	}
	p := NewProblem(ProblemURN+"too-many-watches", "Too many watches", http.StatusTooManyRequests, libra.Reason{
		Code: libra.CodeTooManyWatches,
		Text: fmt.Sprintf("the watch of %q was not stored, the watches of this client would take %s, and leave %s for those of all others",
			w.URL, libra.FormatBytes(share.Client+now), libra.FormatBytes(left)),
		Remedy: "end some, or give them smaller budgets",
	})
	p.retryAfter = 60
	return p
}

// readBudget checks a LightWallet budget; nil stays nil.
func readBudget(data json.RawMessage) (json.RawMessage, *Problem) {
	if data == nil {
		return nil, nil
	}
	if _, err := budget.Parse("budget", data); err != nil {
		faults := []error{err}
		if all, ok := err.(interface{ Unwrap() []error }); ok {
			faults = all.Unwrap()
		}
		var lines []string
		for _, f := range faults {
			lines = append(lines, f.Error())
		}
		return nil, BadRequestOf("budget", libra.Reason{Code: libra.CodeInvalidBudget, Text: strings.Join(lines, "; ")})
	}
	var b bytes.Buffer
	if err := errors.Join(json.Compact(&b, data)); err != nil {
		return nil, BadRequestOf("budget", libra.Reason{Code: libra.CodeInvalidBudget, Text: "budget " + err.Error()})
	}
	return b.Bytes(), nil
}
