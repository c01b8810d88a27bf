package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libra/pkg/inspect/fetch"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// request is one URL, requested once per page.
type request struct {
	url           string
	typ           libra.ResourceType
	kind          markup.Kind
	referrer      string
	depth         int // of imports, for sheets and modules
	host          *host
	seq           int
	result        *fetch.Result // nil until answered
	retried       bool
	read          bool      // the body was read for references
	dropped       bool      // the body was dropped before a reference needed it read
	refs          []edge    // what the body refers to
	frame         *document // the body as a document
	width         float64   // viewport of a frame
	height        float64
	top           bool               // the page, or a redirect of it
	sandbox       bool               // of the frame
	noScript      bool               // the sandbox does not allow scripts
	upgrade       bool               // its document upgrades insecure requests
	private       bool               // its document came from a private address, and so may it
	fallback      []edge             // requested instead when this fails
	laterFallback []markup.Reference // the fallbacks after those
	// integrity is what the body must hash to before it is read.
	integrity string
	encoding  string       // of what names it first, for a body that declares none
	prior     *libra.Asset // the answer that a 304 confirms
	quirks    bool         // its document is in quirks mode
}

// answered says that the answer arrived and its body was read.
func (r *request) answered() bool { return r.result != nil }

// edge is one reference from a body to a URL.
type edge struct {
	ref       markup.Reference
	initiator string
	req       *request  // nil where the URL is not requested
	frame     *document // of a srcdoc frame
	base      string    // of what the reference itself contains
	encoding  string    // of the body
	upgrade   bool      // insecure requests of the answer are upgraded
	private   bool      // the document that names it came from a private address
}

// page is one inspection in progress. Its state belongs to the goroutine that
// calls run; workers only fetch.
type page struct {
	cfg        Config
	session    *fetch.Session
	onProgress func(Progress)
	step       libra.Step

	root       *request
	requests   map[string]*request
	docs       []*document
	sheets     map[string]*sheet
	queue      queue
	hosts      map[string]*host
	results    chan answer
	inFlight   int
	answered   int
	frames     int
	references int // references of all documents
	engine     *Inspector

	elements   int   // of all documents
	unreserved int64 // bytes of trees that are held without the semaphore
	docBytes   int64 // of documents that were read
	sheetBytes int64 // of style sheets that were read
	keptBytes  int64 // of bodies that may still be read
	treeBytes  int64 // of trees that are held
	reasons    reasons
	scripts    scripts
	oddities   []string                // what is odd about responses, in the order of the report
	prior      map[string]*libra.Asset // of the previous report, by URL
	cutCause   error                   // why the rest of the queue was not requested
	guessed    bool                    // http will do where https does not answer
	light      bool                    // the page itself is all that is fetched
	view       *View                   // for those who look; may be nil
	httpOnly   error                   // why https did not answer; nil where it was not replaced

	onRedirect func(ctx context.Context, url string) error      // of redirects of the page; may be nil
	onWait     func(url string, status int, wait time.Duration) // of the page itself; may be nil
}

// answer is the result of a worker.
type answer struct {
	req    *request
	result fetch.Result
}

func newPage(i *Inspector, url string, progress func(Progress)) *page {
	p := &page{
		cfg: i.cfg, engine: i, session: i.client.Session(), onProgress: progress,
		requests: map[string]*request{}, sheets: map[string]*sheet{}, hosts: map[string]*host{},
		results: make(chan answer),
	}
	p.root = &request{url: url, typ: libra.Document, kind: markup.Frame, host: p.host(url), top: true, private: true}
	p.requests[url] = p.root
	p.queue.push(p.root)
	return p
}

// run fetches until nothing is left or ctx ends.
func (p *page) run(ctx context.Context) {
	p.setStep(libra.Fetching)
	// The page itself first: nothing else is known yet.
	a := p.fetchRoot(ctx)
	if ctx.Err() != nil {
		p.discard(a)
		p.cancel(ctx)
		return
	}
	p.handle(ctx, a)
	for p.inFlight > 0 || p.queue.len() > 0 {
		wait := p.dispatch(ctx)
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(wait)
		}
		if p.inFlight == 0 && wait <= 0 {
			break
		}
		select {
		case a := <-p.results:
			p.handle(ctx, a)
		case <-timer:
		case <-ctx.Done():
			p.cancel(ctx)
			return
		}
	}
	p.setStep(libra.Reporting)
}

// fetchRoot fetches the page itself.
func (p *page) fetchRoot(ctx context.Context) answer {
	r, _ := p.queue.pop(func(*request) (bool, time.Duration) { return true, 0 })
	p.inFlight++
	r.host.busy++
	p.view.begin(r)
	defer p.view.end(r)
	ask := p.fetchRequest(r)
	result := p.session.Get(ctx, ask)
	if p.guessed && silent(&result) {
		if u, err := weburl.Parse(ask.URL); err == nil {
			ask.URL = u.Plain().String()
		}
		if plain := p.session.Get(ctx, ask); len(plain.Hops) > 0 && plain.Hops[0].Status != 0 {
			p.httpOnly = result.Err
			p.requests[ask.URL] = r
			return answer{r, plain}
		}
	}
	return answer{r, result}
}

// silent reports whether a server gave no answer over https: no connection, no TLS or
// no response. A certificate that is not valid is an answer, which another protocol
// must not hide.
func silent(res *fetch.Result) bool {
	if len(res.Hops) != 1 || res.Hops[0].Status != 0 {
		return false
	}
	if errors.As(res.Err, new(*fetch.Limit)) {
		return true // of the time for a connection, or for a response
	}
	switch res.Hops[0].ErrorCode {
	case libra.CodeConnectionRefused, libra.CodeNoRoute, libra.CodeConnectTimeout, libra.CodeConnectionReset, libra.CodeConnectionClosed,
		libra.CodeAnswerTimeout, libra.CodeConnectionFailed, libra.CodeNotTLS, libra.CodeTLSFailed, libra.CodeNotHTTP:
		return true
	}
	return false
}

// cancel ends an inspection whose time is up: requests in flight are cancelled,
// and the bytes that arrived are counted.
func (p *page) cancel(ctx context.Context) {
	p.cutCause = context.Cause(ctx)
	for p.inFlight > 0 {
		p.discard(<-p.results)
	}
	p.setStep(libra.Reporting)
}

// discard counts an answer that arrived too late to be read.
func (p *page) discard(a answer) {
	p.view.end(a.req)
	p.inFlight--
	p.answered++
	a.result.Release()
	a.req.notModified(&a.result)
	a.req.result = &a.result
}

// dispatch starts workers for queued requests and returns how long to wait until
// a host may be requested again, 0 if an answer has to arrive first.
func (p *page) dispatch(ctx context.Context) time.Duration {
	var wait time.Duration
	now := time.Now()
	for p.inFlight < p.cfg.Concurrency {
		r, next := p.queue.pop(func(r *request) (bool, time.Duration) { return r.host.mayRequest(now, p.cfg.Limits.ConnsPerHost) })
		if r == nil {
			wait = next
			break
		}
		p.inFlight++
		r.host.busy++
		p.view.begin(r)
		ask := p.fetchRequest(r)
		go func() {
			p.results <- answer{r, p.session.Get(ctx, ask)}
		}()
	}
	return wait
}

// handle reads one answer.
func (p *page) handle(ctx context.Context, a answer) {
	r := a.req
	h := r.host
	p.view.end(r)
	p.inFlight--
	h.busy--
	if n := len(a.result.Hops); n > 0 && a.result.Hops[n-1].Protocol == "HTTP/2.0" {
		h.multiplexed = true
	}
	if p.retryLater(r, h, a.result) {
		a.result.Release()
		return
	}
	p.answered++
	r.notModified(&a.result)
	r.result = &a.result
	if p.light {
		r.result.Release()
		return
	}
	if r == p.root {
		p.setStep(libra.Discovering)
	}
	p.readBody(ctx, r)
	p.release(r)
	p.applyStyles(ctx)
	if p.step == libra.Discovering && p.queue.len() > 0 {
		p.setStep(libra.Weighing)
		return
	}
	p.setStep(p.step)
}

// release drops a body that has been read: a page of a thousand scripts must
// not be held in memory at once. A leaf of a kind that may yet be read, a
// preloaded sheet for example, keeps its body.
func (p *page) release(r *request) {
	const most = 4 << 20
	if !r.read && (r.kind != markup.Leaf || r.typ == libra.Stylesheet || r.typ == libra.Script) && p.keptBytes < most {
		p.keptBytes += int64(len(r.result.Keep()))
		return
	}
	if !r.read && len(r.result.Body) > 0 && r.typ != libra.Image && r.typ != libra.Document {
		r.dropped = true
	}
	r.result.Release()
	r.result.Body = nil
}

// retryLater queues r again if its host sent a Retry-After within the limit.
func (p *page) retryLater(r *request, h *host, res fetch.Result) bool {
	if res.RetryAfter <= 0 {
		return false
	}
	if until := time.Now().Add(min(res.RetryAfter, p.cfg.PageTimeout)); until.After(h.notBefore) {
		h.notBefore = until
	}
	if r.retried || res.RetryAfter > p.cfg.Limits.RetryAfter {
		return false
	}
	r.retried = true
	p.queue.push(r)
	if r == p.root && p.onWait != nil {
		p.onWait(res.FinalURL, res.Hops[len(res.Hops)-1].Status, res.RetryAfter)
	}
	return true
}

func (p *page) setStep(step libra.Step) {
	p.step = step
	p.view.setHeld(p.treeBytes + p.keptBytes)
	p.onProgress(Progress{Step: step, Found: len(p.requests), Done: p.answered})
}

// enqueue queues a request for ref, or returns the existing one. It returns nil
// if a limit forbids it.
func (p *page) enqueue(ctx context.Context, ref markup.Reference, initiator string, depth int) *request {
	if r, ok := p.requests[ref.URL]; ok {
		p.promote(ctx, r, ref)
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

// promote gives a URL that was requested as a leaf, by a preload for example, the
// kind that a later reference reads it as.
func (p *page) promote(ctx context.Context, r *request, ref markup.Reference) {
	if r.kind != markup.Leaf || ref.Kind == markup.Leaf {
		return
	}
	r.kind = ref.Kind
	if r.dropped {
		p.reasons.limit("kept_bytes", "a preloaded file was too large to be kept until it was used, and was counted but not read")
	}
	if r.answered() && !r.read && !r.dropped {
		p.readBody(ctx, r)
		p.release(r)
	}
}

// host is the state of one host.
type host struct {
	busy        int
	notBefore   time.Time // 429: not before
	multiplexed bool      // answers over HTTP/2: one connection carries many
}

func (p *page) host(raw string) *host {
	key := raw
	if u, err := weburl.Parse(raw); err == nil {
		key = u.Origin()
	}
	h := p.hosts[key]
	if h == nil {
		h = &host{}
		p.hosts[key] = h
	}
	return h
}

// mayRequest says whether another request may go to h, and how long to wait if a
// Retry-After forbids it.
func (h *host) mayRequest(now time.Time, conns int) (bool, time.Duration) {
	if now.Before(h.notBefore) {
		return false, h.notBefore.Sub(now)
	}
	return h.multiplexed || conns <= 0 || h.busy < conns, 0
}
