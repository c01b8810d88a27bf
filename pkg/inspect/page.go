package inspect

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"libra/pkg/inspect/fetch"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// request is one URL that is asked for, once per page.
type request struct {
	url      string
	typ      libra.ResourceType
	kind     markup.Kind
	referrer string
	depth    int // of imports, for sheets and modules
	host     *host
	seq      int
	result   *fetch.Result // nil until answered
	retried  bool
	read     bool      // the body was looked at for references
	lost     bool      // the body was dropped before anybody asked to read it
	refs     []edge    // what the body refers to
	frame    *document // the body as a document
	width    float64   // viewport of a frame
	height   float64
	top      bool               // the page, or what takes its place
	sandbox  bool               // of the frame
	noScript bool               // the sandbox does not allow scripts
	upgrade  bool               // asked for by what upgrades insecure requests
	fallback []edge             // what is asked for instead when this fails
	rest     []markup.Reference // and after that
	// integrity is what the body must hash to before it is read.
	integrity string
	prior     *libra.Asset // what a 304 stands for
	quirks    bool         // asked for by a document in quirks mode
}

// settled says that the answer is in and its body was read.
func (r *request) settled() bool { return r.result != nil }

// edge is one reference from a body to a URL.
type edge struct {
	ref       markup.Reference
	initiator string
	req       *request  // nil where the URL is not asked for
	frame     *document // of a srcdoc frame
	base      string    // of what stands in the reference itself
	upgrade   bool      // insecure requests of what this brings are upgraded
}

// page is one inspection under way. Its state belongs to the goroutine that
// calls run; workers only fetch.
type page struct {
	cfg     Config
	session *fetch.Session
	watch   func(Progress)
	step    libra.Step

	root     *request
	requests map[string]*request
	docs     []*document
	sheets   map[string]*sheet
	queue    queue
	hosts    map[string]*host
	results  chan answer
	busy     int
	done     int
	frames   int
	listed   int // references of all documents
	engine   *Inspector

	elements   int   // of all documents
	trees      int64 // what the trees that are held may take, shares aside
	docBytes   int64 // of documents that were read
	sheetBytes int64 // of style sheets that were read
	kept       int64 // of bodies that may yet be read
	reasons    reasons
	prior      map[string]*libra.Asset // of the previous report, by URL
	cut        error                   // why the rest of the queue was left
}

// answer is what a worker brings.
type answer struct {
	req    *request
	result fetch.Result
}

func newPage(i *Inspector, url string, watch func(Progress)) *page {
	p := &page{
		cfg: i.cfg, engine: i, session: i.client.Session(), watch: watch,
		requests: map[string]*request{}, sheets: map[string]*sheet{}, hosts: map[string]*host{},
		results: make(chan answer),
	}
	p.root = &request{url: url, typ: libra.Document, kind: markup.Frame, host: p.host(url), top: true}
	p.requests[url] = p.root
	p.queue.push(p.root)
	return p
}

// run fetches until nothing is left or ctx ends.
func (p *page) run(ctx context.Context) {
	p.tell(libra.Fetching)
	// The page itself first: nothing else can be done meanwhile.
	a := p.first(ctx)
	if ctx.Err() != nil {
		p.lose(a)
		p.abandon(ctx)
		return
	}
	p.take(ctx, a)
	for p.busy > 0 || p.queue.len() > 0 {
		wait := p.start(ctx)
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(wait)
		}
		if p.busy == 0 && wait <= 0 {
			break
		}
		select {
		case a := <-p.results:
			p.take(ctx, a)
		case <-timer:
		case <-ctx.Done():
			p.abandon(ctx)
			return
		}
	}
	p.tell(libra.Reporting)
}

// first fetches the page itself.
func (p *page) first(ctx context.Context) answer {
	r, _ := p.queue.pop(func(*request) (bool, time.Duration) { return true, 0 })
	p.busy++
	r.host.busy++
	return answer{r, p.session.Get(ctx, p.fetchRequest(r))}
}

// abandon ends an inspection whose time is up: requests under way are
// cancelled and counted as far as they came.
func (p *page) abandon(ctx context.Context) {
	p.cut = context.Cause(ctx)
	for p.busy > 0 {
		p.lose(<-p.results)
	}
	p.tell(libra.Reporting)
}

// lose counts an answer that came too late to be read.
func (p *page) lose(a answer) {
	p.busy--
	p.done++
	a.result.Release()
	a.req.notModified(&a.result)
	a.req.result = &a.result
}

// start hands queued requests to workers and returns how long to wait until
// a host may be asked again, 0 where an answer must come first.
func (p *page) start(ctx context.Context) time.Duration {
	var wait time.Duration
	now := time.Now()
	for p.busy < p.cfg.Concurrency {
		r, next := p.queue.pop(func(r *request) (bool, time.Duration) { return r.host.ready(now, p.cfg.Limits.ConnsPerHost) })
		if r == nil {
			wait = next
			break
		}
		p.busy++
		r.host.busy++
		ask := p.fetchRequest(r)
		go func() {
			p.results <- answer{r, p.session.Get(ctx, ask)}
		}()
	}
	return wait
}

// take reads one answer.
func (p *page) take(ctx context.Context, a answer) {
	r := a.req
	h := r.host
	p.busy--
	h.busy--
	if n := len(a.result.Hops); n > 0 && a.result.Hops[n-1].Protocol == "HTTP/2.0" {
		h.multiplexed = true
	}
	if p.postpone(r, h, a.result) {
		a.result.Release()
		return
	}
	p.done++
	r.notModified(&a.result)
	r.result = &a.result
	if r == p.root {
		p.tell(libra.Discovering)
	}
	p.expand(ctx, r)
	p.release(r)
	p.applyStyles(ctx)
	if p.step == libra.Discovering && p.queue.len() > 0 {
		p.tell(libra.Weighing)
		return
	}
	p.tell(p.step)
}

// release drops a body that has been read: a page of a thousand scripts must
// not be held in memory at once. A leaf of a kind that may yet be read, a
// preloaded sheet for example, keeps its body.
func (p *page) release(r *request) {
	const most = 4 << 20
	if !r.read && (r.kind != markup.Leaf || r.typ == libra.Stylesheet || r.typ == libra.Script) && p.kept < most {
		p.kept += int64(len(r.result.Keep()))
		return
	}
	if !r.read && len(r.result.Body) > 0 && r.typ != libra.Image && r.typ != libra.Document {
		r.lost = true
	}
	r.result.Release()
	r.result.Body = nil
}

// postpone puts r back once when its host asks to be left alone for a time
// that is granted.
func (p *page) postpone(r *request, h *host, res fetch.Result) bool {
	if res.RetryAfter <= 0 {
		return false
	}
	if until := time.Now().Add(min(res.RetryAfter, p.cfg.PageTimeout)); until.After(h.until) {
		h.until = until
	}
	if r.retried || res.RetryAfter > p.cfg.Limits.RetryAfter {
		return false
	}
	r.retried = true
	p.queue.push(r)
	return true
}

func (p *page) tell(step libra.Step) {
	p.step = step
	p.watch(Progress{Step: step, Found: len(p.requests), Done: p.done})
}

// ask queues a request for ref, or returns the one there is. It returns nil
// where a limit forbids it.
func (p *page) ask(ctx context.Context, ref markup.Reference, initiator string, depth int) *request {
	if r, ok := p.requests[ref.URL]; ok {
		p.revisit(ctx, r, ref)
		return r
	}
	if len(p.requests) >= p.cfg.Limits.Assets {
		p.reasons.limit("assets", fmt.Sprintf("only the first %d requests were made: limit assets", p.cfg.Limits.Assets))
		return nil
	}
	r := &request{url: ref.URL, typ: ref.Type, kind: ref.Kind, referrer: initiator, depth: depth, seq: len(p.requests), host: p.host(ref.URL)}
	p.requests[ref.URL] = r
	p.queue.push(r)
	return r
}

// revisit gives a URL that was asked for as a leaf, by a preload for example,
// the kind that a later reference reads it as.
func (p *page) revisit(ctx context.Context, r *request, ref markup.Reference) {
	if r.kind != markup.Leaf || ref.Kind == markup.Leaf {
		return
	}
	r.kind = ref.Kind
	if r.lost {
		p.reasons.limit("kept_bytes", "a preloaded file was too large to be kept until it was used, and was weighed but not read")
	}
	if r.settled() && !r.read && !r.lost {
		p.expand(ctx, r)
		p.release(r)
	}
}

// host is what is known of one host.
type host struct {
	busy        int
	until       time.Time // 429: not before
	multiplexed bool      // answers over HTTP/2: one connection carries many
}

func (p *page) host(raw string) *host {
	key := raw
	if u, err := url.Parse(raw); err == nil {
		key = u.Scheme + "://" + u.Host
	}
	h := p.hosts[key]
	if h == nil {
		h = &host{}
		p.hosts[key] = h
	}
	return h
}

// ready says whether another request may go to h, and if it is to be left
// alone, for how long.
func (h *host) ready(now time.Time, conns int) (bool, time.Duration) {
	if now.Before(h.until) {
		return false, h.until.Sub(now)
	}
	return h.multiplexed || conns <= 0 || h.busy < conns, 0
}
