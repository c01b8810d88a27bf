package web

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/inspect/score"
	"libra/pkg/libra"
)

// pageDoc is libra.Page with its report as JSON, as the cache holds it, and
// what is said beside it.
type pageDoc struct {
	libra.Page
	Report json.RawMessage `json:"report"`
	Score  *score.Score    `json:"score"`  // of Report; null unless it is complete and no error page
	Latest *latestDoc      `json:"latest"` // the newest answer; null before the first
	// Stands is the verdict of the last complete report, while Report is
	// partial or an error page; else null.
	Stands *standing `json:"last_complete"`
	watchedDoc
}

func isPageID(id string) bool {
	return len(id) == 20 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// page is the newest that is known of a page, from the nearest place that
// knows it: memory, the bus, SQLite.
func (s *Server) page(ctx context.Context, id string) (pageDoc, *problem) {
	if !isPageID(id) {
		return pageDoc{}, noPage(id)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	v, err := s.current(ctx, id)
	if err != nil {
		return pageDoc{}, unfound(id, err)
	}
	doc := pageDoc{Page: v.page(), Report: json.RawMessage("null"), Latest: v.latestDoc(), Stands: v.standing(), watchedDoc: s.watchedDoc(v)}
	if v.shown() != nil {
		s.addReport(ctx, &doc, v)
	}
	loaded, _ := s.memory.ready()
	doc.Stale = s.behind(&doc.ReasonList, loaded, "reports") || doc.Stale
	return doc, nil
}

// current is find, with what its worker and the history have to add.
func (s *Server) current(ctx context.Context, id string) (pageView, error) {
	v, err := s.find(ctx, id)
	if err != nil {
		return pageView{}, err
	}
	if v.unsound() && v.complete == nil && !v.sought {
		s.seekVerdict(ctx, &v)
	}
	if (v.open > 0 || v.step.Step != "") && time.Since(v.stepAt) > s.cfg.StepTimeout && s.busUp() {
		s.whetherLive(ctx, id)
		if now, ok := s.memory.page(id); ok {
			v = now
		}
	}
	return v, nil
}

// find reads what is known of a page from the nearest place that knows it:
// memory, the bus, SQLite. The error is libra.ErrNotFound where all of them
// were read, else libra.ErrUnavailable.
func (s *Server) find(ctx context.Context, id string) (pageView, error) {
	if v, known := s.memory.page(id); known {
		return v, nil
	}
	return s.seek(ctx, id)
}

// seek looks for a page that memory does not hold, again when the bus is back
// where it has just gone: what was reported a moment ago may be nowhere else.
// Its errors are those of find.
func (s *Server) seek(ctx context.Context, id string) (pageView, error) {
	for {
		v, err := s.seekOnce(ctx, id)
		if !errors.Is(err, libra.ErrUnavailable) || !s.busSoon(ctx) {
			return v, err
		}
	}
}

func (s *Server) seekOnce(ctx context.Context, id string) (pageView, error) {
	var r event.Reported
	var found answers
	var open event.Request
	var err, openErr error
	together(func() { r, found, err = s.fetch(ctx, id) }, func() { open, openErr = s.openRequest(ctx, id) })
	switch {
	case err == nil:
		v := pageView{id: id, url: r.Request.URL, last: found.latest().at, answers: found}
		if openErr == nil && !found.to(open.ID) {
			v.open, v.asked = 1, open.Asked
		}
		return v, nil
	case openErr == nil:
		s.onRequest(open)
		return pageView{id: id, url: open.URL, open: 1, asked: open.Asked, last: open.Asked}, nil
	case errors.Is(err, libra.ErrNotFound) && errors.Is(openErr, libra.ErrNotFound):
		return pageView{}, libra.ErrNotFound
	}
	return pageView{}, libra.ErrUnavailable
}

// unfound is the problem of a page that find does not find.
func unfound(id string, err error) *problem {
	if errors.Is(err, libra.ErrNotFound) {
		return noPage(id)
	}
	return unavailable("not-readable", libra.CodeNotReadable, fmt.Sprintf("page %q is not in memory, and not all of bus and history can be read right now", id), "try again in a few seconds")
}

func (s *Server) openRequest(ctx context.Context, id string) (event.Request, error) {
	if !s.busUp() {
		return event.Request{}, libra.ErrUnavailable
	}
	return s.conn.OpenRequest(ctx, id)
}

// fetch is the whole report that a page shows, from the bus or SQLite, and all
// that they know of its answers. It leaves the report in the cache.
// ErrNotFound means that neither knows of any.
func (s *Server) fetch(ctx context.Context, id string) (event.Reported, answers, error) {
	var good, bad event.Reported
	var err, badErr error
	together(
		func() { good, err = firstOf(ctx, s, id, s.conn.LastReport, s.readReport) },
		func() { bad, badErr = firstOf(ctx, s, id, s.conn.LastFailure, s.readFailure) })
	if errors.Is(err, libra.ErrNotFound) || err != nil && badErr == nil {
		good, err = bad, badErr
	}
	if err != nil {
		return event.Reported{}, answers{}, err
	}
	var found answers
	found.take(summarize(good, s.cfg.Profile)) // a failed one, where SQLite has none that is good
	if badErr == nil {
		found.take(summarize(bad, s.cfg.Profile))
	}
	if good.Report.Outcome == libra.Failed && badErr == nil {
		good = bad // the newer of the two
	}
	if data, err := encode(good.Report); err == nil {
		s.memory.reports.put(id, good.Request.ID, data)
	}
	return good, found, nil
}

// refetch is fetch for a page whose answers are known: the JSON of the report
// that it shows, and the request it answers.
func (s *Server) refetch(ctx context.Context, v pageView) (data []byte, request string, ok bool) {
	onBus, inHistory := s.conn.LastReport, s.readReport
	if v.good == nil {
		onBus, inHistory = s.conn.LastFailure, s.readFailure
	}
	r, err := firstOf(ctx, s, v.id, onBus, inHistory)
	if err != nil {
		return nil, "", false
	}
	if data, err = encode(r.Report); err != nil {
		return nil, "", false
	}
	s.memory.reports.put(v.id, r.Request.ID, data)
	return data, r.Request.ID, true
}

// reportOf is the JSON of the report that a page shows and the request it
// answers, from memory or from where it can be read.
func (s *Server) reportOf(ctx context.Context, v pageView) (data []byte, request string, ok bool) {
	data, request, ok = s.memory.reports.get(v.id)
	if !ok || request != v.shown().request {
		data, request, ok = s.refetch(ctx, v)
	}
	return data, request, ok
}

// firstOf asks the bus, and SQLite where the bus does not know.
func firstOf(ctx context.Context, s *Server, id string, onBus, inHistory func(context.Context, string) (event.Reported, error)) (event.Reported, error) {
	err := error(libra.ErrUnavailable)
	var r event.Reported
	if s.busUp() {
		try, cancel := context.WithTimeout(ctx, s.cfg.Patience/4) // it may die under the question
		defer cancel()
		if r, err = onBus(try, id); err == nil {
			return r, nil
		}
	}
	r, histErr := inHistory(ctx, id)
	if histErr == nil || errors.Is(err, libra.ErrNotFound) {
		err = histErr
	}
	return r, err
}

// addReport puts the report of a page into its document, with its score. Where
// the whole of it is not to be had, its totals alone must do, and the document
// says so.
func (s *Server) addReport(ctx context.Context, doc *pageDoc, v pageView) {
	shown := v.shown()
	doc.Score = score.OfReport(shown.report, s.cfg.Profile)
	data, request, ok := s.reportOf(ctx, v)
	if ok && request == shown.request {
		doc.Report = data
		return
	}
	if now, known := s.memory.page(v.id); known && ok && now.shown() != nil && now.shown().request == request {
		doc.Report = data // a newer one has come in between
		doc.Score = score.OfReport(now.shown().report, s.cfg.Profile)
		return
	}
	if totals, err := encode(shown.report); err == nil {
		doc.Report = totals
	}
	doc.Stale = true
	doc.AddReason(libra.Reason{Code: libra.CodeAssetsUnreadable, Text: "the assets of the newest report cannot be read right now: these are its totals"})
}

func (s *Server) getPage(w http.ResponseWriter, r *http.Request) {
	doc, p := s.page(r.Context(), r.PathValue("id"))
	if p != nil {
		s.fail(w, r, p)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, doc)
}

// listed is a page in a list: libra.Page with a report without assets.
type listed struct {
	libra.Page
	Report *reportSummary `json:"report"`
	Score  *shortScore    `json:"score"`  // null unless the report is complete
	Latest *latestDoc     `json:"latest"` // null before the first answer
	Stands *standing      `json:"last_complete"`
	watchedDoc
}

// reportSummary is libra.Report without its assets.
type reportSummary struct {
	libra.Report
	Assets *struct{} `json:"assets,omitempty"` // hides the report's
}

func (s *Server) listed(v pageView) listed {
	l := listed{Page: v.page(), Latest: v.latestDoc(), Stands: v.standing(), watchedDoc: s.watchedDoc(v)}
	if s := v.shown(); s != nil {
		l.Report, l.Score = &reportSummary{Report: s.report}, s.score
	}
	return l
}

// pagesDoc is what GET /api/pages answers.
type pagesDoc struct {
	Pages []listed `json:"pages"` // never null
	// Next is the cursor of the next part; "" where there is none.
	Next string `json:"next"`
	// Stale says that newer pages may be missing; Reasons why.
	Stale bool `json:"stale"`
	libra.ReasonList
}

// cursor is a place in the list of pages, newest news first. A page that gets
// news moves to the front: whoever pages on sees every other page once.
type cursor struct {
	at time.Time
	id string
}

func (c cursor) String() string {
	if c.at.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.at.UnixNano(), 10) + "." + c.id))
}

// parseCursor reads a place in the list of pages.
func parseCursor(s string) (cursor, error) {
	c, ok := decodeCursor(s)
	if !ok || s != "" && !isPageID(c.id) {
		return cursor{}, noPlace(s)
	}
	return c, nil
}

func noPlace(s string) error {
	return invalid(fmt.Sprintf("after %q is no place in this list", s), "give the next of an earlier answer, or leave it out")
}

// decodeCursor reads a place in any list.
func decodeCursor(s string) (c cursor, ok bool) {
	if s == "" {
		return c, true
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	nanos, id, ok := strings.Cut(string(data), ".")
	n, numErr := strconv.ParseInt(nanos, 10, 64)
	if err != nil || numErr != nil || !ok || id == "" {
		return c, false
	}
	return cursor{time.Unix(0, n).UTC(), id}, true
}

// pages lists from a cursor on: memory first, and where that ends, SQLite.
// Until memory has seen everything on the bus, the two are merged.
func (s *Server) pages(ctx context.Context, after cursor, limit int) pagesDoc {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	doc := pagesDoc{Pages: []listed{}, ReasonList: libra.NoReasons()}
	loaded, _ := s.memory.ready()
	views, more := s.memory.list(after, limit)
	if !loaded || !more {
		from := after
		if loaded && len(views) > 0 {
			from = views[len(views)-1].cursor()
		}
		older, err := s.older(ctx, from, limit+1)
		if err != nil && !errors.Is(err, libra.ErrNotFound) {
			doc.Stale = true
			doc.AddReason(libra.Reason{Code: libra.CodeHistoryUnreadable, Text: "history cannot be read: older pages may be missing"})
		}
		views = append(views, older...)
		slices.SortStableFunc(views, func(a, b pageView) int { return b.cursor().compare(a.cursor()) })
		more = more || len(views) > limit
		views = views[:min(len(views), limit)]
	}
	for _, v := range views {
		doc.Pages = append(doc.Pages, s.listed(v))
	}
	if more && len(views) > 0 {
		doc.Next = views[len(views)-1].cursor().String()
	}
	doc.Stale = s.behind(&doc.ReasonList, loaded, "pages") || doc.Stale
	return doc
}

func (v pageView) cursor() cursor { return cursor{v.last, v.id} }

func (c cursor) compare(d cursor) int { return cmp.Or(c.at.Compare(d.at), strings.Compare(c.id, d.id)) }

// older lists pages that memory does not hold, from SQLite.
func (s *Server) older(ctx context.Context, after cursor, limit int) (views []pageView, err error) {
	batchSize := limit + 16 // some will be in memory
	for len(views) < limit {
		before := after.at
		if !before.IsZero() {
			before = before.Add(time.Nanosecond) // several may share an instant
		}
		batch, err := s.readLatest(ctx, before, batchSize)
		if err != nil {
			return views, err
		}
		was := after
		for _, r := range batch {
			v := pageView{id: r.Request.Page, url: r.Request.URL, last: r.At}
			if !after.at.IsZero() && v.cursor().compare(after) >= 0 {
				continue // at or before the cursor
			}
			after = v.cursor()
			if !s.memory.has(v.id) {
				v.take(summarize(r, s.cfg.Profile))
				if bad, err := s.readFailure(ctx, v.id); err == nil {
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

func (s *Server) getPages(w http.ResponseWriter, r *http.Request) {
	limit, p := s.limit(r)
	if p != nil {
		s.fail(w, r, p)
		return
	}
	after, err := parseCursor(r.URL.Query().Get("after"))
	if err != nil {
		s.fail(w, r, refused("after", err))
		return
	}
	list := s.pages
	switch watched := r.URL.Query().Get("watched"); watched {
	case "":
	case "true":
		list = s.watchedPages
	default:
		s.fail(w, r, badRequest("watched", fmt.Sprintf("watched %q is not taken", watched), "give true, or leave it out"))
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, list(r.Context(), after, limit))
}
