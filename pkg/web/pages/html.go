package pages

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/inspect/score"
	"libra/pkg/libra"
	"libra/pkg/web/api"
	"libra/pkg/web/state"
)

//go:embed template static
var files embed.FS

// pageTemplates are the HTML pages by name, each within layout.html.
var pageTemplates = parseTemplates("home", "page", "alarms", "alarm", "board", "runbook", "status", "capacity", "live", "lab", "look", "problem")

func parseTemplates(names ...string) map[string]*template.Template {
	parsed := map[string]*template.Template{}
	for _, name := range names {
		parsed[name] = template.Must(template.New("layout.html").Funcs(template.FuncMap{
			"bytes": libra.FormatBytes, "millis": showMillis, "took": libra.FormatDuration, "ago": showAgo, "when": showWhen, "iso": showISO, "static": staticURL,
			"ports": sentence, "short": func(url string) template.HTML { return wholePorts(shortURL(url)) }, "name": func(url string) template.HTML { return wholePorts(api.Short(shortURL(url), 90)) }, "linked": linked, "percent": percent, "count": libra.Plural,
			"mark": markOf, "wrong": wrong, "term": showTerm, "percentiles": percentileNames, "decimal": showDecimal, "float": func(n int64) float64 { return float64(n) }, "band": band, "words": score.Words, "figure": score.Figure, "grams": score.FormatGrams,
			"stage": stageLabel, "full": full, "share": showShare, "rate": showRate, "service": showService, "span": showSpan, "days": showDays, "size": showSize,
			"typed": typed, "value": beginsWithValue,
			"step": stepText, "since": func(now, t time.Time) string { return libra.FormatDuration(max(0, now.Sub(t))) }, "duration": libra.FormatDuration,
			"match": showMatch, "everyChoices": everyChoices, "every": state.ShowEvery, "spans": spanChoices, "interval": showInterval,
		}).ParseFS(files, "template/layout.html", "template/parts.html", "template/"+name+".html"))
	}
	return parsed
}

// layout is what every page shows around its content.
type layout struct {
	Prefix   string // of every link: the path below which a proxy serves Libra
	Title    string
	Nav      string // the page's own entry in the navigation
	Version  string
	Alarms   int
	Up       state.UpDoc
	Unknown  []state.Gap      // what is not known, but for single components
	Less     []state.Degraded // degraded parts but for history
	Behind   *state.Degraded  // history, while it lacks the newest
	Refresh  bool             // without scripts, look again soon
	Listen   bool             // scripts listen for events
	Poll     time.Duration    // scripts look again so often; 0 for never
	Page     string           // the events of one page only
	Shown    string           // the request whose report is shown
	Scripts  []string         // of this page alone
	Lab      bool             // there is a lab
	Now      time.Time
	Document any // of the page itself
}

// UnknownSince is since when the first of Unknown is not known.
func (l layout) UnknownSince() (since time.Time) {
	for _, g := range l.Unknown {
		if since.IsZero() || g.Since.Before(since) {
			since = g.Since
		}
	}
	return since
}

// AlarmsUnknown reports whether the open alarms may be others than those counted.
func (l layout) AlarmsUnknown() bool { return !l.Up.AlarmsUnknownSince().IsZero() }

// renderLive answers with an HTML page.
func (s *Pages) renderLive(w http.ResponseWriter, r *http.Request, code int, name string, l layout) {
	l.Prefix, l.Nav, l.Version, l.Lab, l.Now, l.Up, l.Alarms = api.At(r, ""), cmp.Or(l.Nav, r.URL.Path), s.cfg.Version, s.cfg.Lab, time.Now(), s.state.Up(), s.state.Memory.Counts().Alarms
	for _, g := range l.Up.Unknown {
		if g.Component == "" {
			l.Unknown = append(l.Unknown, g)
		}
	}
	for _, d := range l.Up.Degraded {
		if d.Part == state.SQLite {
			l.Behind = &d
		} else if !slices.ContainsFunc(l.Less, func(o state.Degraded) bool { return o.Effect() == d.Effect() }) {
			l.Less = append(l.Less, d)
		}
	}
	var b bytes.Buffer
	if err := pageTemplates[name].Execute(&b, l); err != nil {
		panic(fmt.Errorf("render %s: %w", name, err)) // a template and its data disagree: a test shows it
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-cache")
	}
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

// homeDoc is what / shows.
type homeDoc struct {
	Pages   api.PagesDoc
	Unknown *unknownNote // nil while the list is current
	First   bool         // nothing was paged past
	URL     string       // what was typed
	Fault   string       // what was wrong with it
	// Since is since when the history goes; the zero time while that is not known.
	Since time.Time
}

const homeRows = 30

// GetHome serves GET /.
func (s *Pages) GetHome(w http.ResponseWriter, r *http.Request) {
	s.renderHome(w, r, http.StatusOK, "", "")
}

func (s *Pages) renderHome(w http.ResponseWriter, r *http.Request, code int, typed, fault string) {
	after, err := api.ParseCursor(r.URL.Query().Get("after"))
	if err != nil {
		s.api.Fail(w, r, api.BadRequestOf("after", err))
		return
	}
	doc := homeDoc{Pages: s.api.Pages(r.Context(), after, min(homeRows, s.cfg.MaxList)), First: after.At.IsZero(), URL: typed, Fault: fault, Since: s.state.HistorySince()}
	doc.Unknown = noteOf(doc.Pages.Freshness)
	s.renderLive(w, r, code, "home", layout{Title: "Pages", Listen: doc.First && fault == "", Poll: unless(fault, agesGrow), Document: doc})
}

// notices are the reasons of a document that are about Libra and not about a page.
// That the bus is away is not among them: the layout shows it on every page.
func notices(l libra.ReasonList) (list []string) {
	for _, r := range l.Details {
		switch r.Code {
		case libra.CodeCatchingUp, libra.CodeHistoryUnreadable, libra.CodeAssetsUnreadable:
			list = append(list, r.String())
		}
	}
	return list
}

// unknownNote says above a list, or in its place, that it may not be current.
type unknownNote struct {
	Since, Now time.Time
	Why        []string // but for what the layout shows of the bus
}

// noteOf is nil for a list that is current.
func noteOf(f state.Freshness) *unknownNote {
	if !f.Stale {
		return nil
	}
	n := &unknownNote{Since: f.UnknownSince, Now: time.Now()}
	for _, r := range f.Why() {
		if r.Code != libra.CodeBusAway && r.Code != libra.CodeNotStored {
			n.Why = append(n.Why, r.String())
		}
	}
	return n
}

// reportDoc is what /pages/{id} shows.
type reportDoc struct {
	libra.Page
	api.WatchedDoc
	Watch       event.Watch      // EveryS is 0 where it is not watched
	Report      *libra.Report    // nil until there is one
	Live        event.Step       // of the worker that has the page
	Latest      *state.LatestDoc // the newest answer; nil before the first
	Notices     []string         // why the document may not be the newest
	Waiting     bool             // an answer is to come
	Quarantined bool             // it is not inspected until it is released
	Failed      bool             // the newest answer is an error, and not that it is quarantined
	Old         bool             // Report is good, and there is an error since
	Score       *score.Score     // nil unless the report is complete
	Stands      *state.Standing  // the verdict of the last complete report, while Report is partial
	Steps       []stepRow
	Types       []typeRow
	Assets      []assetGroup
	Sort        string
	Left        int       // assets not shown
	Others      int       // assets named by the page and not requested
	Broken      int       // assets whose request failed
	Timeline    *timeline // nil where the times of the request are not known
	Board       noteList
	Write       boardForm
}

// Bound is the class of what is said of the figures shown as if they were all: "open"
// where scripts may fetch more, "partial" where they are a lower bound.
func (d reportDoc) Bound() string {
	switch {
	case d.Report != nil && d.Report.Outcome == libra.Partial:
		return "partial"
	case d.Report != nil && d.Report.AtLeast():
		return "open"
	}
	return "complete"
}

type stepRow struct {
	Name  libra.Step
	Label string
	Now   bool
	Done  bool
}

// stepLabels are the steps in words.
var stepLabels = map[libra.Step]string{
	libra.Fetching: "fetch the page", libra.Discovering: "find its assets", libra.Weighing: "fetch the assets", libra.Reporting: "report",
}

type typeRow struct {
	Type libra.ResourceType
	libra.Size
	Share float64 // of all transferred bytes, 0 to 1
}

type assetRow struct {
	libra.Asset
	Name   string  // its address, short: without what it shares with the page's
	Counts bool    // in the totals
	Share  float64 // of the biggest asset, 0 to 1
}

// maxRows bounds the assets on one HTML page; the JSON has all of them.
const maxRows = 500

// GetPage serves GET /pages/{id}.
func (s *Pages) GetPage(w http.ResponseWriter, r *http.Request) {
	page, p := s.api.Page(r.Context(), r.PathValue("id"))
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	doc := reportDoc{
		Page: page.Page, WatchedDoc: page.WatchedDoc, Waiting: page.State == libra.Queued || page.State == libra.Inspecting,
		Quarantined: page.State == libra.Quarantined, Latest: page.Latest, Notices: notices(page.ReasonList), Score: page.Score, Stands: page.Stands, Sort: r.URL.Query().Get("sort"),
	}
	reported, known, err := state.Decode(page.ID, page.Report)
	if err != nil {
		panic(err) // we encoded it
	}
	if page.HasReport() {
		doc.Report = &reported.Report
	}
	if known {
		doc.Timeline = timelineOf(reported)
	}
	doc.Watch, _ = s.state.Watches.Of(page.ID)
	doc.Board, doc.Write = s.notesOf(r, page.ID), newBoardForm(r, "", page.ID)
	shown := ""
	if v, ok := s.state.Memory.Page(page.ID); ok {
		if v.Step.Step == page.Step {
			doc.Live = v.Step
		}
		if s := v.Latest(); s != nil {
			shown = s.Request
		}
	}
	doc.Steps = stepRows(page.Step)
	if doc.Report != nil {
		doc.Failed = page.Latest.Outcome == libra.Error && !page.Latest.Quarantined
		doc.Old = doc.Report.Outcome != libra.Error && page.Latest.Outcome == libra.Error
		doc.Broken = doc.Report.BrokenAssets()
		if doc.Report.Outcome != libra.Error { // what an error page weighs is of no interest
			doc.Types = typeRows(doc.Report.Totals)
		}
		if !doc.Report.NoAnswer() {
			var rows []assetRow
			rows, doc.Others = assetRows(*doc.Report, doc.Sort)
			doc.Assets, doc.Left = groupsOf(rows, doc.Sort), max(0, len(rows)-maxRows)
		}
	}
	title := api.Short(shortURL(page.URL), 60)
	s.renderLive(w, r, http.StatusOK, "page", layout{Title: title, Refresh: doc.Waiting, Listen: true, Poll: agesGrow, Page: page.ID, Shown: shown, Document: doc})
}

func stepRows(now libra.Step) (rows []stepRow) {
	order := []libra.Step{libra.Fetching, libra.Discovering, libra.Weighing, libra.Reporting}
	for i, step := range order {
		rows = append(rows, stepRow{Name: step, Label: stepLabels[step], Now: step == now, Done: i < slices.Index(order, now)})
	}
	return rows
}

func typeRows(t libra.Totals) (rows []typeRow) {
	for _, name := range t.Types() {
		size := t.ByType[name]
		rows = append(rows, typeRow{name, size, share(size.TransferBytes, t.TransferBytes)})
	}
	return rows
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(1, max(0, float64(part)/float64(whole)))
}

// assetRows sorts by size unless another order is asked for.
func assetRows(r libra.Report, by string) (rows []assetRow, others int) {
	var biggest int64
	origin := originOf(cmp.Or(r.FinalURL, r.URL))
	for _, a := range r.Assets {
		biggest = max(biggest, a.TransferBytes())
	}
	for _, a := range r.Assets {
		if a.OfPage() && r.Outcome == libra.Error {
			a.Error = "" // it is a reason of the report
		}
		counts := a.Fetch == libra.Fetched
		if !counts {
			others++
		}
		rows = append(rows, assetRow{a, assetName(a.URL, origin), counts, share(a.TransferBytes(), biggest)})
	}
	types := libra.ResourceTypes()
	size := func(a, b assetRow) int { return cmp.Compare(b.TransferBytes(), a.TransferBytes()) }
	switch by {
	case "found":
	case "type":
		slices.SortStableFunc(rows, func(a, b assetRow) int {
			return cmp.Or(slices.Index(types, a.Type)-slices.Index(types, b.Type), size(a, b))
		})
	default:
		slices.SortStableFunc(rows, func(a, b assetRow) int { return cmp.Or(brokenFirst(a, b), size(a, b)) })
	}
	return rows, others
}

// brokenFirst puts what is broken before the rest.
func brokenFirst(a, b assetRow) int {
	switch {
	case a.Broken() == b.Broken():
		return 0
	case a.Broken():
		return -1
	}
	return 1
}

// GetStatus serves GET /status.
func (s *Pages) GetStatus(w http.ResponseWriter, r *http.Request) {
	s.renderLive(w, r, http.StatusOK, "status", layout{Title: "Status", Refresh: true, Listen: true, Poll: 2 * time.Second, Document: statusPage{s.state.Status(), s.hosts(r)}})
}

// statics are the files of the pages, with a tag that changes when they do.
var statics = readStatics()

type static struct {
	data []byte
	tag  string
}

func readStatics() map[string]static {
	entries, err := files.ReadDir("static")
	if err != nil {
		panic(err) // they are in the binary
	}
	read := map[string]static{}
	for _, e := range entries {
		data, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		read[e.Name()] = static{data, hex.EncodeToString(sum[:6])}
	}
	return read
}

func staticURL(name string) string { return "/static/" + name + "?v=" + statics[name].tag }

var staticTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// GetStatic serves GET /static/{file}.
func (s *Pages) GetStatic(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	f, ok := statics[name]
	if !ok {
		s.api.Fail(w, r, api.NotFound(r.URL.Path))
		return
	}
	w.Header().Set("Content-Type", staticTypes[path.Ext(name)])
	w.Header().Set("ETag", `W/"`+f.tag+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == f.tag {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.Contains(r.Header.Get("If-None-Match"), `"`+f.tag+`"`) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(f.data)
}

// GetIcon serves GET /favicon.ico.
func (s *Pages) GetIcon(w http.ResponseWriter, r *http.Request) {
	r.SetPathValue("file", "libra.svg")
	s.GetStatic(w, r)
}
