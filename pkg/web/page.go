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
	"libra/pkg/libra"
)

// pageDoc is libra.Page with its report as JSON, as the cache holds it.
type pageDoc struct {
	libra.Page
	Report json.RawMessage `json:"report"`
}

func isPageID(id string) bool {
	return len(id) == 20 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// readBound is how long a read may wait for bus and SQLite together.
const readBound = 2 * time.Second

// page is the newest that is known of a page, from the nearest place that
// knows it: memory, the bus, SQLite.
func (s *Server) page(ctx context.Context, id string) (pageDoc, *problem) {
	if !isPageID(id) {
		return pageDoc{}, noPage(id)
	}
	ctx, cancel := context.WithTimeout(ctx, readBound)
	defer cancel()
	v, known := s.memory.page(id)
	if !known {
		var p *problem
		if v, p = s.seek(ctx, id); p != nil {
			return pageDoc{}, p
		}
	}
	if (v.open > 0 || v.step.Step != "") && time.Since(v.stepAt) > stepAge && s.busUp() {
		s.whetherLive(ctx, id)
		if now, ok := s.memory.page(id); ok {
			v = now
		}
	}
	doc := pageDoc{Page: v.page(), Report: json.RawMessage("null")}
	if v.sum != nil {
		s.addReport(ctx, &doc, v)
	}
	loaded, _ := s.memory.ready()
	if why := s.behind(loaded, "reports"); why != "" {
		doc.Stale, doc.Reasons = true, append(doc.Reasons, why)
	}
	return doc, nil
}

// seek looks for a page that memory does not hold.
func (s *Server) seek(ctx context.Context, id string) (pageView, *problem) {
	if r, err := s.fetch(ctx, id); err == nil {
		v := pageView{id: id, url: r.Request.URL, last: r.At, sum: summarize(r)}
		if open, err := s.openRequest(ctx, id); err == nil && open.ID != r.Request.ID {
			v.open, v.asked = 1, open.Asked
		}
		return v, nil
	} else if open, openErr := s.openRequest(ctx, id); openErr == nil {
		s.onRequest(open)
		return pageView{id: id, url: open.URL, open: 1, asked: open.Asked, last: open.Asked}, nil
	} else if errors.Is(err, libra.ErrNotFound) && errors.Is(openErr, libra.ErrNotFound) {
		return pageView{}, noPage(id)
	}
	return pageView{}, unavailable("not-readable", fmt.Sprintf("page %q is not in memory, and not all of bus and history can be read right now: try again in a few seconds", id))
}

func (s *Server) openRequest(ctx context.Context, id string) (event.Request, error) {
	if !s.busUp() {
		return event.Request{}, libra.ErrUnavailable
	}
	return s.conn.OpenRequest(ctx, id)
}

// fetch is a page's newest whole report from the cache, the bus or SQLite, and
// leaves it in the cache. ErrNotFound means that all of them know of none.
func (s *Server) fetch(ctx context.Context, id string) (event.Reported, error) {
	busErr := error(libra.ErrUnavailable)
	var r event.Reported
	if s.busUp() {
		r, busErr = s.conn.LastReport(ctx, id)
	}
	err := busErr
	if busErr != nil {
		var histErr error
		if r, histErr = s.history.Report(ctx, id); histErr == nil {
			err = nil
		} else if errors.Is(busErr, libra.ErrNotFound) {
			err = histErr
		}
	}
	if err != nil {
		return event.Reported{}, err
	}
	if data, err := encode(r.Report); err == nil {
		s.memory.reports.put(id, r.Request.ID, data)
	}
	return r, nil
}

// addReport puts the report of a page into its document. Where the whole of
// the newest is not to be had, an older one or the totals alone must do, and
// the document says so.
func (s *Server) addReport(ctx context.Context, doc *pageDoc, v pageView) {
	data, request, ok := s.memory.reports.get(v.id)
	if !ok || request != v.sum.request {
		if _, err := s.fetch(ctx, v.id); err == nil {
			data, request, ok = s.memory.reports.get(v.id)
		}
	}
	if ok && request == v.sum.request {
		doc.Report = data
		return
	}
	if now, known := s.memory.page(v.id); known && now.sum != nil && ok && now.sum.request == request {
		doc.Report = data // a newer one has come in between
		return
	}
	if totals, err := encode(v.sum.report); err == nil {
		doc.Report = totals
	}
	doc.Stale = true
	doc.Reasons = append(doc.Reasons, "the assets of the newest report cannot be read right now: these are its totals")
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
}

// reportSummary is libra.Report without its assets.
type reportSummary struct {
	libra.Report
	Assets *struct{} `json:"assets,omitempty"` // hides the report's
}

func (v pageView) listed() listed {
	l := listed{Page: v.page()}
	if v.sum != nil {
		l.Report = &reportSummary{Report: v.sum.report}
	}
	return l
}

// pagesDoc is what GET /api/pages answers.
type pagesDoc struct {
	Pages []listed `json:"pages"` // never null
	// Next is the cursor of the next part; "" where there is none.
	Next string `json:"next"`
	// Stale says that newer pages may be missing; Reasons why.
	Stale   bool     `json:"stale"`
	Reasons []string `json:"reasons"` // never null
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

func parseCursor(s string) (c cursor, err error) {
	if s == "" {
		return c, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	nanos, id, ok := strings.Cut(string(data), ".")
	n, numErr := strconv.ParseInt(nanos, 10, 64)
	if err != nil || numErr != nil || !ok || !isPageID(id) {
		return c, fmt.Errorf("after %q is no place in this list: give the next of an earlier answer, or leave it out", s)
	}
	return cursor{time.Unix(0, n).UTC(), id}, nil
}

// pages lists from a cursor on: memory first, and where that ends, SQLite.
// Until memory has seen everything on the bus, the two are merged.
func (s *Server) pages(ctx context.Context, after cursor, limit int) pagesDoc {
	ctx, cancel := context.WithTimeout(ctx, readBound)
	defer cancel()
	doc := pagesDoc{Pages: []listed{}, Reasons: []string{}}
	loaded, _ := s.memory.ready()
	views, more := s.memory.list(after, limit)
	if !loaded || !more {
		from := after
		if loaded && len(views) > 0 {
			from = views[len(views)-1].cursor()
		}
		older, err := s.older(ctx, from, limit+1)
		if err != nil && !errors.Is(err, libra.ErrNotFound) {
			doc.Stale, doc.Reasons = true, append(doc.Reasons, "history cannot be read: older pages may be missing")
		}
		views = append(views, older...)
		slices.SortStableFunc(views, func(a, b pageView) int { return b.cursor().compare(a.cursor()) })
		more = more || len(views) > limit
		views = views[:min(len(views), limit)]
	}
	for _, v := range views {
		doc.Pages = append(doc.Pages, v.listed())
	}
	if more && len(views) > 0 {
		doc.Next = views[len(views)-1].cursor().String()
	}
	if why := s.behind(loaded, "pages"); why != "" {
		doc.Stale, doc.Reasons = true, append(doc.Reasons, why)
	}
	return doc
}

func (v pageView) cursor() cursor { return cursor{v.last, v.id} }

func (c cursor) compare(d cursor) int { return cmp.Or(c.at.Compare(d.at), strings.Compare(c.id, d.id)) }

// older lists pages that memory does not hold, from SQLite.
func (s *Server) older(ctx context.Context, after cursor, limit int) (views []pageView, err error) {
	if _, history := s.health.parts(); history.tried && history.fault != "" {
		return nil, libra.ErrUnavailable // not worth the wait; it is looked at all the time
	}
	batchSize := limit + 16 // some will be in memory
	for len(views) < limit {
		before := after.at
		if !before.IsZero() {
			before = before.Add(time.Nanosecond) // several may share an instant
		}
		batch, err := s.history.Latest(ctx, before, batchSize)
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
				v.sum = summarize(r)
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
	q := r.URL.Query()
	limit := min(50, s.cfg.MaxList)
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > s.cfg.MaxList {
			s.fail(w, r, badRequest("limit", fmt.Sprintf("limit %q is not taken: give a whole number from 1 to %d", text, s.cfg.MaxList)))
			return
		}
		limit = n
	}
	after, err := parseCursor(q.Get("after"))
	if err != nil {
		s.fail(w, r, badRequest("after", err.Error()))
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, s.pages(r.Context(), after, limit))
}
