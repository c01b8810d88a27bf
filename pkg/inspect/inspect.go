// Package inspect inspects a web page: a URL in, a report out. It knows no bus
// and no store.
//
// An [Inspector] fetches the page, reads it for what a browser would request
// (package markup for HTML and SVG, package css for style sheets), fetches all
// of that, and sums it up as a libra.Report. It runs no scripts: what a script
// inserts is invisible to it, and reports say what the markup and the style
// sheets themselves ask for.
//
// Outcomes:
//
//   - complete: everything found was fetched. An asset may have answered 403:
//     the browser sees the same.
//   - partial: a limit was hit, or a request failed in a way that a
//     retry may not (no connection, a timeout, a body cut short, 429 or 5xx). Reasons name
//     each; the figures are a lower bound.
//   - error: the page itself was not had: not a URL, no such host, a refused
//     address, no answer, a body of which nothing arrives or nothing decodes, redirects
//     without end, or a status other than 2xx, such as 404 and 500. Reasons say why and what to do; the report has the error
//     page and what that refers to.
package inspect

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"

	"golang.org/x/sync/semaphore"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// Profile is the device that opens the page.
type Profile string

// A desktop window, and Lighthouse's emulated phone.
const (
	Desktop Profile = "desktop" // 1280x800 CSS pixels at 1x
	Mobile  Profile = "mobile"  // 412x823 CSS pixels at 1.75x, touch
)

// mobileUserAgent is a mobile Chromium's with Libra's name.
const mobileUserAgent = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36 Libra"

// Config of an [Inspector]. The zero value inspects public pages as a desktop
// browser with scripting.
type Config struct {
	// Allow lists the address prefixes that may be reached although they are
	// not public. Default none.
	Allow []netip.Prefix
	// AsPublic lists the address prefixes that count as public, for tests: all
	// their addresses are of this machine. Default none.
	AsPublic []netip.Prefix
	// AllowRemedy says what the reader of a report can do to allow a prefix.
	// Default [address.WithFlag], for the command line.
	AllowRemedy func(netip.Prefix) string
	// Profile is the device. Default Desktop.
	Profile Profile
	// ScriptingOff inspects the page as a browser with scripting disabled sees
	// it: noscript is read, scripts are not requested, lazy images load.
	ScriptingOff bool
	// PageTimeout bounds one inspection, which reports what it found by then.
	// Default 60 s.
	PageTimeout time.Duration
	// Concurrency bounds the requests in flight for one page. Default 24.
	Concurrency int
	// UserAgent is sent with every request. Default the profile's.
	UserAgent string
	// TLS is the base of TLS configurations, for private roots. Default the
	// system's roots.
	TLS *tls.Config
	// Memory bounds the bytes of large documents of all inspections together:
	// half of it while they wait for their style sheets, half while they are
	// parsed and styled. A larger document is processed alone. Default 64 MiB.
	Memory int64
	// Limits bounds what a page may cost.
	Limits Limits
}

// Limits bounds one inspection. A zero field takes its default.
type Limits struct {
	fetch.Limits
	// Assets bounds the requests for one page. Default 5000.
	Assets int
	// Named bounds what one page's report lists without requesting it.
	// Default 5000.
	Named int
	// Elements bounds the elements that are read of one page, comments and
	// frames included. Default 100,000.
	Elements int
	// DocumentBytes bounds the documents that are read of one page, SheetBytes
	// the style sheets, each decoded; the rest is counted and not read. Default
	// 16 MiB and 4 MiB.
	DocumentBytes, SheetBytes int64
	// ImportDepth bounds chains of style sheet and module imports. Default 16.
	ImportDepth int
	// FrameDepth bounds frames in frames. Default 8.
	FrameDepth int
	// Frames bounds the nested documents of one page. Default 100.
	Frames int
	// DataURIBytes bounds a data: URI or URL attribute that is read.
	// Default 1 MiB.
	DataURIBytes int
	// RetryAfter is the longest Retry-After of a 429 or 503 that is waited for
	// before the one retry. Default 5 s.
	RetryAfter time.Duration
}

func (c Config) withDefaults() Config {
	def(&c.Profile, Desktop)
	def(&c.PageTimeout, 60*time.Second)
	def(&c.Concurrency, 24)
	def(&c.Limits.Assets, 5000)
	def(&c.Limits.Named, 5000)
	def(&c.Limits.Elements, 100_000)
	def(&c.Limits.DocumentBytes, 16<<20)
	def(&c.Limits.SheetBytes, 4<<20)
	def(&c.Memory, 64<<20)
	def(&c.Limits.ImportDepth, 16)
	def(&c.Limits.FrameDepth, 8)
	def(&c.Limits.Frames, 100)
	def(&c.Limits.DataURIBytes, 1<<20)
	def(&c.Limits.RetryAfter, 5*time.Second)
	def(&c.Limits.ConnsPerHost, 6)
	if c.Profile == Mobile {
		def(&c.UserAgent, mobileUserAgent)
	}
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Inspector inspects pages. It is safe for concurrent use; inspections share
// connections and parsed style sheets.
type Inspector struct {
	cfg      Config
	client   *fetch.Client
	memory   *semaphore.Weighted // of documents that are being parsed or styled
	trees    *semaphore.Weighted // of documents that wait for their style sheets
	sheets   *sheetCache
	verdicts *verdicts
}

// New returns an Inspector. Close it when done.
func New(cfg Config) *Inspector {
	cfg = cfg.withDefaults()
	return &Inspector{cfg: cfg, memory: semaphore.NewWeighted(cfg.Memory / 2), trees: semaphore.NewWeighted(cfg.Memory / 2), sheets: newSheetCache(), verdicts: newVerdicts(), client: fetch.New(fetch.Config{
		Allow: cfg.Allow, AsPublic: cfg.AsPublic, AllowRemedy: cfg.AllowRemedy, UserAgent: cfg.UserAgent, Limits: cfg.Limits.Limits, TLS: cfg.TLS,
	})}
}

// Close closes idle connections.
func (i *Inspector) Close() { i.client.Close() }

// Progress is the progress of an inspection.
type Progress struct {
	Step libra.Step
	// Found counts the requests known so far, Done those that are answered.
	Found, Done int
}

// Inspect inspects the page at url. It never returns nil: the report's outcome
// and reasons say what went wrong. progress, if not nil, is called from Inspect's
// own goroutine on every step and every answer.
func (i *Inspector) Inspect(ctx context.Context, url string, progress func(Progress)) *libra.Report {
	return i.InspectPage(ctx, Page{URL: url}, progress)
}

// Page is a page to inspect.
type Page struct {
	URL string
	// SchemeGuessed: https is only a guess, and http is tried where https does not
	// answer: no connection, no response, no TLS. A certificate that is not valid is
	// an answer. The report then has a reason with CodeHTTPOnly.
	SchemeGuessed bool
	// Previous is the page's previous report, or nil. With it images, fonts and media
	// are requested conditionally, with its validators. A 304 saves the body: the
	// report repeats the sizes of a first visit, and Repeat has the size of the 304
	// instead of an estimate.
	Previous *libra.Report
	// Light: the page is fetched and not read, at a small part of the memory and time.
	// The report's outcome is [libra.Error] where that of a whole inspection would be,
	// without what the error page refers to. Any other report says no more than that
	// the page answers.
	Light bool
	// Follow is asked before a redirect of the page to another host is followed; its error
	// is the reason why the page is then not had. May be nil.
	Follow func(ctx context.Context, url string) error
	// Asked is called when a server answers the page, at url, by asking to wait for no more
	// than Limits.RetryAfter: the page is asked for again then. May be nil.
	Asked func(url string, status int, wait time.Duration)
	// View shows the inspection to those who look. May be nil.
	View *View
}

// InspectPage is Inspect with what is known of the page.
func (i *Inspector) InspectPage(ctx context.Context, page Page, progress func(Progress)) *libra.Report {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, i.cfg.PageTimeout)
	defer cancel()
	if progress == nil {
		progress = func(Progress) {}
	}
	r := &libra.Report{URL: page.URL, Started: started.UTC(), ReasonList: libra.NoReasons(), Assets: []libra.Asset{}, Outcome: libra.Complete}
	if u, err := weburl.ParsePage(page.URL); err != nil {
		r.Outcome = libra.Error
		r.AddReason(libra.ReasonOf(err))
	} else {
		p := newPage(i, u.String(), progress)
		p.prior, p.guessed, p.light, p.onRedirect, p.onWait, p.view = priorAssets(page.Previous), page.SchemeGuessed, page.Light, page.Follow, page.Asked, page.View
		p.run(ctx)
		p.dropTrees()
		p.report(r)
	}
	r.Totals = libra.Sum(r.Assets)
	if r.Outcome != libra.Error {
		repeat := libra.SecondVisit(r.Assets)
		r.Repeat = &repeat
	}
	bound(r)
	r.DurationMS = time.Since(started).Milliseconds()
	return r
}
