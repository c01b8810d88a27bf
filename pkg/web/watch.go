package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/inspect/budget"
	"libra/pkg/libra"
)

// watchlist is the newest word on the watch of every page, those that have
// ended too. Its mutex is held for lookups only.
type watchlist struct {
	mu       sync.Mutex
	pages    map[string]event.Watch // under mu
	caughtUp bool                   // under mu; every word on the bus was seen once
}

func newWatchlist() *watchlist { return &watchlist{pages: map[string]event.Watch{}} }

// take keeps a word and says whether it was news.
func (l *watchlist) take(w event.Watch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if was, known := l.pages[w.Page]; known && !w.At.After(was.At) {
		return false
	}
	if w.EveryS <= 0 {
		w = event.Watch{Page: w.Page, At: w.At}
	}
	l.pages[w.Page] = w
	return true
}

func (l *watchlist) setCaughtUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.caughtUp = true
}

func (l *watchlist) ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.caughtUp
}

// of is the watch of a page; ok is false where it is not watched.
func (l *watchlist) of(page string) (w event.Watch, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok = l.pages[page]
	return w, ok && w.EveryS > 0
}

func (l *watchlist) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.pages {
		if w.EveryS > 0 {
			n++
		}
	}
	return n
}

func watchPlace(w event.Watch) cursor { return cursor{w.At, w.Page} }

// list copies out what is watched, the newest watch first, from after a place
// on.
func (l *watchlist) list(after cursor) (list []event.Watch) {
	l.mu.Lock()
	for _, w := range l.pages {
		if w.EveryS > 0 && after.isAfter(w.At, w.Page) {
			list = append(list, w)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(list, func(a, b event.Watch) int { return watchPlace(b).compare(watchPlace(a)) })
	return list
}

// watchedDoc is what a page's document says of its watch.
type watchedDoc struct {
	Every  string        `json:"every,omitempty"` // how often it is weighed; "" where it is not watched
	Budget *event.Judged `json:"budget"`          // how the report shown stands to the watch's budget; null without one
	Alarms []pageAlarm   `json:"alarms"`          // the open ones about it; never null
}

type pageAlarm struct {
	ID       string         `json:"id"`
	Severity libra.Severity `json:"severity"`
	Summary  string         `json:"summary"`
	Since    time.Time      `json:"since"`
}

func (s *Server) watchedDoc(v pageView) watchedDoc {
	doc := watchedDoc{Alarms: []pageAlarm{}}
	if w, ok := s.watches.of(v.id); ok {
		doc.Every = showEvery(w.EveryS)
	}
	if shown := v.shown(); shown != nil {
		doc.Budget = shown.budget
	}
	for _, a := range s.memory.alarmsOf(v.id) {
		doc.Alarms = append(doc.Alarms, pageAlarm{a.ID, a.Severity, a.Summary, a.Since})
	}
	return doc
}

// watchedPages lists the pages that are watched, as pages lists all.
func (s *Server) watchedPages(ctx context.Context, after cursor, limit int) pagesDoc {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	doc := pagesDoc{Pages: []listed{}, ReasonList: libra.NoReasons()}
	list := s.watches.list(after)
	if len(list) > limit {
		list = list[:limit]
		doc.Next = watchPlace(list[limit-1]).String()
	}
	for _, w := range list {
		v, known := s.memory.page(w.Page)
		if !known {
			v, _ = s.seek(ctx, w.Page)
			v.id, v.url = w.Page, w.URL
		}
		doc.Pages = append(doc.Pages, s.listed(v))
	}
	doc.Stale = s.behind(&doc.ReasonList, s.watches.ready(), "watches")
	return doc
}

// Bounds on how often a page is weighed.
const (
	leastEvery = time.Second
	mostEvery  = 24 * time.Hour
	watchOff   = "off"
)

// parseEvery reads how often a page is to be weighed, in seconds.
func parseEvery(text string) (int, error) {
	d, err := span(text)
	switch {
	case err != nil:
		return 0, invalid(fmt.Sprintf(`every %q is no span of time`, text), `give one such as "30s", or "off"`)
	case d < leastEvery || d > mostEvery:
		return 0, invalid(fmt.Sprintf(`every %q is out of bounds`, text), `give 1s to 24h, or "off"`)
	case d%time.Second != 0:
		return 0, invalid(fmt.Sprintf(`every %q is no whole number of seconds`, text), `give one such as "30s"`)
	}
	return int(d / time.Second), nil
}

// showEvery writes seconds as parseEvery reads them; "" for none.
func showEvery(seconds int) string {
	switch {
	case seconds <= 0:
		return ""
	case seconds%3600 == 0:
		return strconv.Itoa(seconds/3600) + "h"
	case seconds%60 == 0:
		return strconv.Itoa(seconds/60) + "m"
	}
	return strconv.Itoa(seconds) + "s"
}

// watchAsked is a watch as it is asked for.
type watchAsked struct {
	every  string          // "30s", or watchOff
	budget json.RawMessage // nil for none
}

// watch has a page weighed again and again from now on, or not any more.
// Without a problem that is durable.
func (s *Server) watch(r *http.Request, raw string, asked watchAsked) (accepted, *problem) {
	url, err := libra.ParseURL(raw)
	if err != nil {
		return accepted{}, refused("url", err)
	}
	client, p := clientOf(r)
	if p != nil {
		return accepted{}, p
	}
	watch := event.Watch{Page: libra.PageID(url), URL: url, Site: s.cfg.Site, Client: client, At: time.Now().UTC()}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	if asked.every == watchOff {
		return s.endWatch(ctx, watch, asked)
	}
	if watch.EveryS, err = parseEvery(asked.every); err != nil {
		return accepted{}, refused("every", err)
	}
	if watch.Budget, p = readBudget(asked.budget); p != nil {
		return accepted{}, p
	}
	if p := s.quarantine(ctx, watch.Page, url); p != nil {
		return accepted{}, p
	}
	if p := s.roomToWatch(watch); p != nil {
		return accepted{}, p
	}
	if p := s.setWatch(ctx, watch); p != nil {
		return accepted{}, p
	}
	doc, p := s.ask(ctx, r, event.Request{URL: url, Watch: &watch})
	if p != nil { // the watch stands, and is what was asked for
		doc = accepted{ID: watch.Page, URL: url, State: libra.Queued, Note: "weighed for the first time when the watch is due: a request was not accepted right now"}
	}
	doc.Every = showEvery(watch.EveryS)
	return doc, nil
}

func (s *Server) endWatch(ctx context.Context, watch event.Watch, asked watchAsked) (accepted, *problem) {
	if asked.budget != nil {
		return accepted{}, badRequest("budget", `a watch that ends has no budget`, `leave "budget" out`)
	}
	doc := accepted{ID: watch.Page, URL: watch.URL}
	if v, known := s.memory.page(watch.Page); known {
		doc.State = v.page().State
	}
	if _, watched := s.watches.of(watch.Page); !watched && s.watches.ready() {
		doc.Note = "the page was not watched"
		return doc, nil
	}
	return doc, s.setWatch(ctx, watch)
}

// setWatch makes a word on a watch durable and keeps it in memory.
func (s *Server) setWatch(ctx context.Context, w event.Watch) *problem {
	if err := s.conn.SetWatch(ctx, w); err != nil {
		s.log.Warn("watch refused", "url", w.URL, "client", w.Client, "err", err)
		return notStored(fmt.Sprintf("the watch of %q", w.URL), err)
	}
	s.log.Info("watch set", "page", w.Page, "url", w.URL, "every_s", w.EveryS, "client", w.Client)
	s.onWatch(w)
	return nil
}

// roomToWatch refuses new watches while the disk is nearly full: each goes on
// adding to it.
func (s *Server) roomToWatch(w event.Watch) *problem {
	t, known, _ := s.memory.alarmOf("disk")
	if _, watched := s.watches.of(w.Page); watched || !known || t.Alarm.State != libra.Raised || t.Alarm.Severity.Rank() < libra.Major.Rank() {
		return nil
	}
	p := newProblem(problemURN+"disk", "No room for new watches", http.StatusInsufficientStorage, libra.Reason{
		Code:   libra.CodeDiskFull,
		Text:   fmt.Sprintf("the page %q was not put under watch, the disk is nearly full (%s); watches that stand go on", w.URL, t.Alarm.Evidence),
		Remedy: "try again when the alarm has cleared",
	})
	p.retryAfter = 60
	return p
}

// readBudget checks a LightWallet budget; nil is none.
func readBudget(data json.RawMessage) (json.RawMessage, *problem) {
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
		return nil, refused("budget", libra.Reason{Code: libra.CodeInvalidBudget, Text: strings.Join(lines, "; ")})
	}
	var b bytes.Buffer
	if err := errors.Join(json.Compact(&b, data)); err != nil {
		return nil, refused("budget", libra.Reason{Code: libra.CodeInvalidBudget, Text: "budget " + err.Error()})
	}
	return b.Bytes(), nil
}

// postWatchForm takes the form of a page. It keeps the budget that the watch
// has.
func (s *Server) postWatchForm(w http.ResponseWriter, r *http.Request) {
	p := readForm(w, r)
	if p == nil {
		p = s.watchAgain(r, r.PathValue("id"), r.PostForm.Get("every"))
	}
	if p != nil {
		s.fail(w, r, p)
		return
	}
	http.Redirect(w, r, "/pages/"+r.PathValue("id")+"#watch", http.StatusSeeOther)
}

func (s *Server) watchAgain(r *http.Request, id, every string) *problem {
	page, p := s.page(r.Context(), id)
	if p != nil {
		return p
	}
	asked := watchAsked{every: every}
	if was, ok := s.watches.of(id); ok && every != watchOff {
		asked.budget = was.Budget
	}
	_, p = s.watch(r, page.URL, asked)
	return p
}
