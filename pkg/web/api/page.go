package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"libra/pkg/inspect/score"
	"libra/pkg/libra"
	"libra/pkg/web/state"
)

// pageDoc is libra.Page with its report as JSON, as the cache holds it, and
// what the API adds to it.
type pageDoc struct {
	libra.Page
	Report json.RawMessage  `json:"report"`
	Score  *score.Score     `json:"score"`  // of Report; null unless it is complete
	Latest *state.LatestDoc `json:"latest"` // the newest answer; null before the first
	// Stands is the verdict of the last complete report, while Report is
	// partial; else null.
	Stands *state.Standing `json:"last_complete"`
	WatchedDoc
	// passing says that the document may change although nothing of the page changes.
	passing bool
}

// HasReport says that the document has a report, or its totals.
func (d pageDoc) HasReport() bool { return string(d.Report) != "null" }

// Page is the newest that is known of a page, from the nearest place that
// knows it: memory, the bus, SQLite.
func (s *API) Page(ctx context.Context, id string) (pageDoc, *Problem) {
	if !state.IsPageID(id) {
		return pageDoc{}, noPage(id)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	v, err := s.state.Current(ctx, id)
	if err != nil {
		return pageDoc{}, unfound(id, err)
	}
	doc := pageDoc{Page: v.Page(), Report: json.RawMessage("null"), Latest: v.LatestDoc(), Stands: v.Standing(), WatchedDoc: s.watchedDoc(v)}
	if v.Shown() != nil {
		s.addReport(ctx, &doc, v)
	}
	fresh := s.state.FreshReports()
	for _, r := range fresh.Why() {
		doc.AddReason(r)
	}
	doc.Stale = doc.Stale || fresh.Stale
	overdue := doc.Trouble != nil && doc.Trouble.Kind == state.StalePage
	doc.passing = doc.passing || fresh.Stale || !doc.AlarmsUnknownSince.IsZero() || overdue
	return doc, nil
}

// unfound is the problem of a page that Find does not find.
func unfound(id string, err error) *Problem {
	if errors.Is(err, libra.ErrNotFound) {
		return noPage(id)
	}
	return unavailable("not-readable", libra.CodeNotReadable, fmt.Sprintf("page %q is not in memory, and not all of bus and history can be read right now", id), "try again in a few seconds")
}

// addReport puts the report of a page into its document, with its score. If the
// whole of it cannot be read, it puts the totals and a reason.
func (s *API) addReport(ctx context.Context, doc *pageDoc, v state.PageView) {
	shown := v.Shown()
	doc.Score = score.OfReport(shown.Report, s.cfg.Profile)
	data, request, ok := s.state.ReportOf(ctx, v)
	if ok && request == shown.Request {
		doc.Report = data
		return
	}
	if now, known := s.state.Memory.Page(v.ID); known && ok && now.Shown() != nil && now.Shown().Request == request {
		doc.Report = data // a newer one has come in between
		doc.Score = score.OfReport(now.Shown().Report, s.cfg.Profile)
		return
	}
	if totals, err := state.EncodeTotals(shown.Report); err == nil {
		doc.Report = totals
	}
	doc.Stale, doc.passing = true, true
	doc.AddReason(libra.Reason{Code: libra.CodeAssetsUnreadable, Text: "the assets of the newest report cannot be read right now: these are its totals"})
}

// GetPage serves GET /api/pages/{id}.
func (s *API) GetPage(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	kept, edition, known := s.state.Document(id)
	if !known {
		doc, p := s.Page(r.Context(), id)
		if p != nil {
			s.Fail(w, r, p)
			return
		}
		kept.Body = marshal(doc)
		kept.Tag = tagOf(kept.Body)
		if !doc.passing {
			kept.Body = bytes.Clone(kept.Body) // without the spare capacity
			kept.Zip = zipped(kept.Body)
			s.state.KeepDocument(id, edition, kept)
		}
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeBytes(w, r, kept.Body, kept.Tag)
}

// Listed is a page in a list: libra.Page with a report without assets.
type Listed struct {
	libra.Page
	Report *state.ReportSummary `json:"report"`
	Score  *state.ShortScore    `json:"score"`  // null unless the report is complete
	Latest *state.LatestDoc     `json:"latest"` // null before the first answer
	Stands *state.Standing      `json:"last_complete"`
	WatchedDoc
}

// Outdated reports whether the figures are of an earlier report than the newest
// answer, or of a page that is not inspected as it should be.
func (l Listed) Outdated() bool {
	return l.Latest != nil && l.Report != nil && l.Latest.Outcome != l.Report.Outcome && l.Latest.Outcome == libra.Error ||
		l.Trouble != nil && l.Trouble.Kind == state.StalePage
}

// Started is when the report shown began; the zero time without one.
func (l Listed) Started() time.Time {
	if l.Report == nil {
		return time.Time{}
	}
	return l.Report.Started
}

// Inspected is when the page was last inspected; nil if it never was.
func (l Listed) Inspected() *time.Time {
	switch {
	case l.Latest == nil || l.Report == nil:
		return nil
	case l.Latest.Outcome == libra.Error && !l.Latest.Quarantined:
		return &l.Latest.At
	}
	return &l.Report.Started
}

func (s *API) listed(v state.PageView) Listed {
	l := Listed{Page: v.Page(), Latest: v.LatestDoc(), Stands: v.Standing(), WatchedDoc: s.watchedDoc(v)}
	if s := v.Shown(); s != nil {
		l.Report, l.Score = &state.ReportSummary{Report: s.Report}, s.Score
	}
	return l
}

// PagesDoc is what GET /api/pages answers.
type PagesDoc struct {
	Pages []Listed `json:"pages"` // never null
	// InTrouble counts the watched pages in trouble, which come first: those that
	// are down, quarantined, over budget or not inspected on schedule.
	InTrouble int `json:"in_trouble"`
	// Next is the cursor of the next part; "" at the end.
	Next string `json:"next"`
	state.Freshness
	more bool // pages follow the last one that an adder was not permitted to add
}

// ParseCursor reads a place in the list of pages.
func ParseCursor(s string) (state.Cursor, error) {
	c, ok := state.DecodeCursor(s)
	if !ok || s != "" && !state.IsPageID(c.ID) {
		return state.Cursor{}, NoPlace(s)
	}
	return c, nil
}

// NoPlace is the reason for a cursor that no list has given.
func NoPlace(s string) error {
	return invalid(fmt.Sprintf("invalid after %q", s), "must be the next of an earlier answer, or left out")
}

// Pages lists from a cursor on: the watched pages in trouble, the worst first, and
// then the others, newest news first.
func (s *API) Pages(ctx context.Context, after state.Cursor, limit int) PagesDoc {
	return s.worstFirst(ctx, s.state.FreshPages(), after, limit, s.newest)
}

// adder adds pages to a document from a cursor on, so many at most, without those
// that skip reports. Where more follow, it sets doc.Next, or, if it may add none,
// doc.more.
type adder func(ctx context.Context, doc *PagesDoc, after state.Cursor, limit int, skip func(id string) bool)

// worstFirst lists watched pages in trouble, and then what rest adds.
func (s *API) worstFirst(ctx context.Context, fresh state.Freshness, after state.Cursor, limit int, rest adder) PagesDoc {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	doc := PagesDoc{Pages: []Listed{}, Freshness: fresh}
	troubled := s.state.Troubled()
	doc.InTrouble = len(troubled)
	skip := make(map[string]bool, len(troubled))
	for _, t := range troubled {
		skip[t.ID] = true
	}
	if after.At.IsZero() || after.Rank > 0 {
		first := slices.IndexFunc(troubled, func(t state.Troubled) bool { return after.At.IsZero() || t.IsAfter(after) })
		if first < 0 {
			first = len(troubled)
		}
		part := troubled[first:min(len(troubled), first+limit)]
		for _, t := range part {
			doc.Pages = append(doc.Pages, s.listed(s.find(ctx, t.ID, t.URL)))
		}
		after, doc.more = state.Cursor{}, first+len(part) < len(troubled)
		if len(part) > 0 {
			after = part[len(part)-1].Place
		}
	}
	if !doc.more {
		from := after
		if after.Rank > 0 {
			from = state.Cursor{}
		}
		rest(ctx, &doc, from, limit-len(doc.Pages), func(id string) bool { return skip[id] })
	}
	if doc.more {
		doc.Next = after.String()
	}
	return doc
}

// newest adds pages from memory, and where that ends, from SQLite. Until memory has
// seen everything on the bus, the two are merged.
func (s *API) newest(ctx context.Context, doc *PagesDoc, after state.Cursor, limit int, skip func(id string) bool) {
	loaded, _ := s.state.Memory.Ready()
	views, more := s.state.Memory.List(after, limit, skip)
	if !loaded || !more {
		from := after
		if loaded && len(views) > 0 {
			from = views[len(views)-1].Cursor()
		}
		views = append(views, s.older(ctx, doc, from, limit+1, skip)...)
		slices.SortStableFunc(views, func(a, b state.PageView) int { return b.Cursor().Compare(a.Cursor()) })
		more = more || len(views) > limit
		views = views[:min(len(views), limit)]
	}
	for _, v := range views {
		doc.Pages = append(doc.Pages, s.listed(v))
	}
	switch {
	case more && len(views) > 0:
		doc.Next = views[len(views)-1].Cursor().String()
	case more:
		doc.more = true
	}
}

// older lists pages that only SQLite has. Where it cannot be read, the document says so.
func (s *API) older(ctx context.Context, doc *PagesDoc, from state.Cursor, limit int, skip func(id string) bool) []state.PageView {
	end, refused := s.reading(ctx)
	defer end()
	if refused != nil {
		doc.TooManyRead("older pages may be missing")
		return nil
	}
	list, err := s.state.Older(ctx, from, limit, skip)
	if err != nil && !errors.Is(err, libra.ErrNotFound) {
		s.state.WithoutHistory(&doc.Freshness, "older pages may be missing")
	}
	return list
}

// GetPages serves GET /api/pages.
func (s *API) GetPages(w http.ResponseWriter, r *http.Request) {
	limit, p := s.limit(r)
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	after, err := ParseCursor(r.URL.Query().Get("after"))
	if err != nil {
		s.Fail(w, r, BadRequestOf("after", err))
		return
	}
	list := s.Pages
	switch watched := r.URL.Query().Get("watched"); watched {
	case "":
	case "true":
		list = s.watchedPages
	default:
		s.Fail(w, r, BadRequest("watched", fmt.Sprintf("invalid watched %q", watched), "must be true, or left out"))
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, list(r.Context(), after, limit))
}

// Short cuts the middle out of a long text.
func Short(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most*2/3]) + "…" + string(r[len(r)-most/3:])
}
