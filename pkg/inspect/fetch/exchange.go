package fetch

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// exchange is one request and its response.
type exchange struct {
	s        *Session
	lim      *Limits
	hop      Hop
	deadline deadline

	visit    visit
	header   http.Header
	charset  string
	location string      // where a redirect leads, "" if the response does not redirect
	held     *bodyBuffer // the body, if it is held
	err      error

	turn   *streams      // HTTP/2: the request has one of the host's
	stream chan struct{} // HTTP/2: the request's stream is known

	mu    sync.Mutex // net/http calls the hooks from goroutines of its own
	conn  *conn      // under mu
	id    uint32     // under mu: the HTTP/2 stream
	count *tally     // under mu: of the response
	got   time.Time  // under mu: when the connection was ready
}

// exchange requests u and reads the response.
func (s *Session) exchange(ctx context.Context, r Request, u weburl.URL, chain []weburl.URL) *exchange {
	x := &exchange{s: s, lim: &s.client.cfg.Limits}
	x.hop.URL, x.hop.Started = u.String(), time.Now().UTC()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer x.deadline.stop()
	defer x.endTurn()
	x.deadline.cancel = cancel
	if s.spent.Load() >= x.lim.PageBytes {
		x.fail(bytesLimit("page_bytes", "not requested, page cut at", x.lim.PageBytes))
		return x
	}
	req := &http.Request{
		Method: http.MethodGet, URL: u.NetURL(), Host: u.Host(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: s.client.header(r, u, chain),
	}
	x.visit = s.visit(r, u)
	if cookies := s.jar.header(x.visit); cookies != "" {
		req.Header["Cookie"] = []string{cookies}
	}
	resp, err := s.client.rt.roundTrip(ctx, x, req, r.FromPublic)
	x.headersDone(ctx, err == nil)
	if err != nil {
		x.fail(explain(ctx, &s.client.limits, u, err))
		return x
	}
	defer resp.Body.Close() // this body, also where it is replaced below
	if resp.StatusCode < 100 {
		x.fail(faultf(ErrProtocol, nil, "response of %s is not HTTP: status %03d", u.Host(), resp.StatusCode))
		return x
	}
	if name := ambiguous(resp.Header); name != "" {
		x.fail(faultf(ErrProtocol, nil, "response of %s is not HTTP: it has two fields %s that differ", u.Host(), name))
		return x
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = http.NoBody // what follows is no HTTP, and ctx does not end it
	}
	x.readHead(u, resp)
	x.readBody(ctx, r, u, resp)
	x.close(resp)
	return x
}

// ambiguous returns the name of a field that is repeated with another value, of
// those for which browsers refuse that; "" if no field is.
func ambiguous(h http.Header) string {
	for _, name := range []string{"Location", "Content-Disposition"} {
		if values := h[name]; slices.ContainsFunc(values, func(v string) bool { return v != values[0] }) {
			return name
		}
	}
	return ""
}

// awaitTurn waits until the request may be sent over HTTP/2.
func (x *exchange) awaitTurn(ctx context.Context, h *host) error {
	if x.turn != nil {
		return nil
	}
	if err := h.streams.acquire(ctx); err != nil {
		return err
	}
	x.turn = &h.streams
	return nil
}

func (x *exchange) endTurn() {
	if x.turn != nil {
		x.turn.release()
	}
}

func (x *exchange) fail(err error) {
	x.err = err
	x.hop.Error, x.hop.ErrorCode = err.Error(), libra.ReasonOf(err).Code
}

// gotConn starts the time limits: they do not include the wait for a connection.
func (x *exchange) gotConn(info httptrace.GotConnInfo) {
	c, ok := info.Conn.(*conn)
	if !ok {
		return
	}
	x.mu.Lock()
	x.conn, x.count, x.id, x.got = c, nil, 0, time.Now()
	x.hop.Blocked = x.got.Sub(x.hop.Started)
	if !info.Reused {
		x.hop.DNS, x.hop.Connect, x.hop.TLS = c.dns, c.connect, c.handshake
		x.hop.Blocked = max(x.hop.Blocked-c.dns-c.connect-c.handshake, 0)
	}
	if c.h2 {
		c.bind(x.turn.allow)
		select {
		case <-x.stream: // of a first attempt
		default:
		}
	} else {
		x.count = c.expect()
	}
	x.mu.Unlock()
	limits := &x.s.client.limits
	x.deadline.start(x.lim.HeaderTimeout, x.lim.AssetTimeout, limits.answer, limits.asset)
}

// wroteHeaders records the HTTP/2 stream of the request.
func (x *exchange) wroteHeaders() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.conn == nil || !x.conn.h2 {
		return
	}
	x.id, x.count = x.conn.lastStream()
	select {
	case x.stream <- struct{}{}:
	default:
	}
}

// headersDone records the time and bytes of the head, complete or not.
func (x *exchange) headersDone(ctx context.Context, answered bool) {
	x.mu.Lock()
	h2 := x.conn != nil && x.conn.h2
	x.mu.Unlock()
	if h2 && answered {
		// The response can arrive before the hook is called.
		select {
		case <-x.stream:
		case <-ctx.Done():
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.got.IsZero() {
		x.hop.Wait = time.Since(x.got)
	}
	if x.count != nil {
		x.hop.HeaderBytes = x.count.header.Load()
		if odd := x.count.odd.Load(); odd != nil {
			x.hop.Oddity = strings.Join(strings.Fields(*odd), " ")
		}
	}
	x.s.spent.Add(x.hop.HeaderBytes)
}

// readHead records the fields of the head.
func (x *exchange) readHead(u weburl.URL, resp *http.Response) {
	x.header = resp.Header
	x.hop.Status, x.hop.Protocol = resp.StatusCode, resp.Proto
	x.hop.MediaType, x.charset = contentType(resp.Header)
	x.hop.Cache = cacheable(resp.StatusCode, resp.Header, x.hop.Started)
	x.s.jar.keep(x.visit, resp.Header["Set-Cookie"])
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		x.location = resp.Header.Get("Location")
	}
	if x.visit.opens && x.location == "" {
		x.s.top.Store(&u)
	}
}

// private reports whether the response came from a private address.
func (x *exchange) private() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.conn != nil && x.conn.private
}

// certificateUntil returns until when browsers trust the server: until the first
// certificate of the chain expires that vouches for it. Where several chains do, the
// one that lasts longest counts. It is the zero time without TLS or a response.
func (x *exchange) certificateUntil() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.conn == nil || x.hop.Status == 0 {
		return time.Time{}
	}
	var until time.Time
	for _, chain := range x.conn.ConnectionState().VerifiedChains {
		first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if first.NotAfter.After(until) {
			until = first.NotAfter.UTC()
		}
	}
	return until
}

// close records the bytes that are known once the body has ended.
func (x *exchange) close(resp *http.Response) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.count == nil {
		return
	}
	if x.conn.h2 {
		x.conn.forget(x.id)
		x.hop.HeaderBytes = x.count.header.Load() // and the trailers
	}
	framed := x.conn.h2 || slices.Contains(resp.TransferEncoding, "chunked")
	if x.err == nil && x.location == "" && framed {
		x.hop.FramingBytes = max(x.count.raw.Load()-x.hop.HeaderBytes-x.hop.EncodedBytes, 0)
	}
}

// keepsBody reports whether the engine reads the body: by the requested type,
// unless the media type rules that out.
func keepsBody(t libra.ResourceType, mediaType string) bool {
	if mediaType == "image/svg+xml" {
		return true
	}
	if t != libra.Document && t != libra.Stylesheet && t != libra.Script {
		return false
	}
	major, _, typed := strings.Cut(mediaType, "/")
	if !typed {
		return true // no media type: browsers read it as if none were given
	}
	switch major {
	case "image", "audio", "video":
		return t == libra.Stylesheet // it applies in quirks mode
	case "font":
		return t != libra.Document
	}
	switch mediaType {
	case "application/octet-stream", "application/zip", "application/gzip", "application/pdf":
		return t != libra.Document
	}
	return true
}

// deadline cancels an exchange when one of its time limits is reached. The zero
// value has no limit.
type deadline struct {
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	timer  *time.Timer // under mu, as all below; nil before start
	by     time.Time   // when the limit is reached; zero while paused
	limit  *Limit      // the limit that by is of
	end    time.Time   // of the whole exchange
	whole  *Limit      // the limit that end is of
	over   bool        // stopped, or a limit was reached
}

// start sets both limits; a request that is sent again starts them again.
func (w *deadline) start(first, all time.Duration, firstLimit, whole *Limit) {
	w.mu.Lock()
	w.end, w.whole = time.Now().Add(all), whole
	w.mu.Unlock()
	w.reset(first, firstLimit)
}

// reset sets the limit to d from now, within the limit of the whole exchange.
func (w *deadline) reset(d time.Duration, l *Limit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.by, w.limit = now.Add(d), l
	if w.end.Before(w.by) {
		w.by, w.limit = w.end, w.whole
	}
	switch {
	case w.over:
	case w.timer == nil:
		w.timer = time.AfterFunc(w.by.Sub(now), w.fire)
	default:
		w.timer.Reset(w.by.Sub(now))
	}
}

// pause stops the timer until the next reset. resume is called with the time that
// passed, which does not count: the server did not cause the wait.
func (w *deadline) pause() (resume func(waited time.Duration)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by = time.Time{}
	if w.timer != nil {
		w.timer.Stop()
	}
	return func(waited time.Duration) {
		w.mu.Lock()
		w.end = w.end.Add(waited)
		w.mu.Unlock()
	}
}

func (w *deadline) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || w.by.IsZero() || time.Now().Before(w.by) {
		return // reset, paused or stopped meanwhile
	}
	w.over = true
	w.cancel(w.limit)
}

func (w *deadline) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
