// Package inspect weighs a web page: a URL in, a report out. It knows no bus
// and no store.
//
// An [Inspector] fetches the page, reads it for what a browser would request
// (package markup for HTML and SVG, package css for style sheets), fetches all
// of that, and sums it up as a libra.Report. It runs no scripts: what a script
// inserts is invisible to it, and reports say what the markup and the style
// sheets themselves ask for.
//
// How outcomes are told:
//
//   - complete: everything found was weighed. The page itself may have
//     answered 404 and an asset 403: the browser sees the same.
//   - partial: a limit was hit, or a request failed in a way that may pass
//     (no connection, a timeout, a body cut short, 429 or 5xx). Reasons name
//     each; the figures are a lower bound.
//   - failed: the page itself could not be had: not a URL, no such host, a
//     refused address, no answer. Reasons say why and what to do.
package inspect

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// Profile is the device that opens the page.
type Profile string

// A window of a desktop, and Lighthouse's emulated phone.
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
	// Profile is the device. Default Desktop.
	Profile Profile
	// ScriptingOff weighs the page as a browser with scripting disabled sees
	// it: noscript is read, scripts are not requested, lazy images load.
	ScriptingOff bool
	// PageTimeout bounds one inspection; what was found by then is reported.
	// Default 60 s.
	PageTimeout time.Duration
	// Concurrency bounds the requests under way for one page. Default 24.
	Concurrency int
	// UserAgent is sent with every request. Default the profile's.
	UserAgent string
	// TLS is the base of TLS configurations, for private roots. Default the
	// system's roots.
	TLS *tls.Config
	// Memory is what large documents may take, together over all inspections:
	// half of it while they wait for their style sheets, half while they are
	// parsed and styled. One that is larger is worked on alone. Default 64 MiB.
	Memory int64
	// Remember is what may be kept of documents that were read, so that one
	// that comes again unchanged is not read again, in bytes; less than 0 for
	// nothing. Default 8 MiB.
	Remember int64
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
	// the style sheets, each decoded; what follows is weighed only. Default
	// 16 MiB and 4 MiB.
	DocumentBytes, SheetBytes int64
	// ImportDepth bounds chains of style sheet and module imports. Default 16.
	ImportDepth int
	// FrameDepth bounds frames in frames. Default 8.
	FrameDepth int
	// Frames bounds the nested documents of one page. Default 100.
	Frames int
	// DataURIBytes bounds a data: URI or URL attribute that is looked at.
	// Default 1 MiB.
	DataURIBytes int
	// RetryAfter is the longest wait that a 429 or 503 is granted before the
	// one retry. Default 5 s.
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
	def(&c.Remember, 8<<20)
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

// Inspector weighs pages. It is safe for concurrent use; inspections share
// connections, and what was read of the same bytes.
type Inspector struct {
	cfg      Config
	client   *fetch.Client
	memory   *gate // for what is worked on
	trees    *gate // for what waits
	sheets   *sheetCache
	readings *readings
}

// New returns an Inspector. Close it when done.
func New(cfg Config) *Inspector {
	cfg = cfg.withDefaults()
	return &Inspector{cfg: cfg, memory: newGate(cfg.Memory / 2), trees: newGate(cfg.Memory / 2), sheets: newSheetCache(), readings: newReadings(cfg.Remember), client: fetch.New(fetch.Config{
		Allow: cfg.Allow, UserAgent: cfg.UserAgent, Limits: cfg.Limits.Limits, TLS: cfg.TLS,
	})}
}

// Close closes idle connections.
func (i *Inspector) Close() { i.client.Close() }

// Progress says how far an inspection is.
type Progress struct {
	Step libra.Step
	// Found counts the requests known so far, Done those that are answered.
	Found, Done int
}

// Inspect weighs the page at url. It never returns nil: the report's outcome
// and reasons say what went wrong. watch, if not nil, is called from Inspect's
// own goroutine on every step and every answer.
func (i *Inspector) Inspect(ctx context.Context, url string, watch func(Progress)) *libra.Report {
	return i.InspectAgain(ctx, url, nil, watch)
}

// InspectAgain is Inspect for a page whose previous report is at hand. What the
// page shows and Libra does not read (images, fonts, media) is then asked for
// conditionally, with the validators that came with it: the answer 304 spares
// the server the body, the report repeats the weight that a first visit has,
// and Repeat has what the 304 cost instead of an estimate.
func (i *Inspector) InspectAgain(ctx context.Context, url string, previous *libra.Report, watch func(Progress)) *libra.Report {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, i.cfg.PageTimeout)
	defer cancel()
	if watch == nil {
		watch = func(Progress) {}
	}
	r := &libra.Report{URL: url, Started: started.UTC(), ReasonList: libra.NoReasons(), Assets: []libra.Asset{}, Outcome: libra.Complete}
	if normal, err := libra.ParseURL(url); err != nil {
		r.Outcome = libra.Failed
		r.AddReason(libra.ReasonOf(err))
	} else {
		p := newPage(i, normal, watch)
		p.prior = priorAssets(previous)
		p.run(ctx)
		p.dropTrees()
		p.report(r)
	}
	r.Totals = libra.Sum(r.Assets)
	if r.Outcome != libra.Failed {
		repeat := libra.SecondVisit(r.Assets)
		r.Repeat = &repeat
	}
	r.DurationMS = time.Since(started).Milliseconds()
	return r
}
