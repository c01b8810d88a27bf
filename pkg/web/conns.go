package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// conns bounds the open connections. At the limit, and at the share of an address, the
// connection that has waited longest for its client is closed for a new one: idle, or
// in the middle of headers, of a body, or of an answer that the client does not read.
// One that a handler works for is never closed. At the limit it is a connection of the
// address that has most. Event streams are counted apart: they neither take room from
// others nor are they closed for them.
//
// An address has three quarters of the connections at most, and of the event streams:
// behind a reverse proxy on this host all come from one address, and have these.
type conns struct {
	most, share, streamShare int

	mu     sync.Mutex
	all    map[*conn]bool // under mu; true for an event stream
	byAddr map[string]int // under mu; connections that are no event streams
	count  int            // under mu; sum of byAddr
	bodies int64          // under mu; bytes of bodies that are being read, beyond freeBody each
	room   chan struct{}  // of one; a connection has ended or may be closed

	closed atomic.Int64 // connections that were closed for others, or that an address had no room for
}

// conn is one connection.
type conn struct {
	net.Conn
	list *conns
	addr string
	body int64 // under list.mu; its part of list.bodies
	// waits is since when it waits for its client, in nanoseconds of the clock below: 0
	// while a handler works for it, negative while it is being written.
	waits atomic.Int64
	// joins says that an answer is written of which the first part is held back in held,
	// to go out with the second one. Both belong to the goroutine of the connection.
	joins bool
	held  []byte
}

const (
	// freeBody is what every body may take at once; mostBodies is for all of them
	// beyond that. The connection that has been sending its body for longest is closed
	// when it is reached.
	freeBody   = 4 << 10
	mostBodies = 8 << 20
	// unread is for how long a client may leave an answer unread before its connection
	// counts as waiting.
	unread = 2 * time.Second
	// lookAgain is how often a full server without a connection that may be closed looks
	// for one.
	lookAgain = 50 * time.Millisecond
)

func newConns(most, streams int) *conns {
	return &conns{
		most: most, share: threeQuarters(most), streamShare: threeQuarters(streams),
		all: map[*conn]bool{}, byAddr: map[string]int{}, room: make(chan struct{}, 1),
	}
}

func threeQuarters(n int) int { return max(1, n-n/4) }

// open counts the connections, event streams among them.
func (l *conns) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

var processStart = time.Now()

func clock() int64 { return int64(time.Since(processStart)) + 1 }

// waiting is for how long the connection has waited for its client; 0 if it does not.
func (c *conn) waiting(now int64) time.Duration {
	switch since := c.waits.Load(); {
	case since > 0:
		return max(1, time.Duration(now-since))
	case since < 0 && time.Duration(now+since) > unread:
		return time.Duration(now + since)
	}
	return 0
}

// serverBuffer is the size of net/http's buffer before a connection: a full one is
// followed by more of an answer.
const serverBuffer = 4 << 10

// whole has what answer writes go out together: header and body of a few kilobytes would
// go in two packets, because net/http's buffer is smaller.
func (c *conn) whole(w http.ResponseWriter, answer func()) {
	flusher, ok := w.(http.Flusher)
	if c == nil || !ok {
		answer()
		return
	}
	c.joins = true
	answer()
	if len(c.held) > 0 {
		flusher.Flush()
	}
	c.joins, c.held = false, c.held[:0] // what is still there could not be written
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if c.joins && len(c.held) == 0 && len(b) == serverBuffer {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	c.waits.Store(-clock())
	defer c.waits.Store(0)
	if len(c.held) == 0 {
		c.joins = false
		return c.Conn.Write(b)
	}
	both := net.Buffers{c.held, b}
	n, err := both.WriteTo(c.Conn)
	n = max(0, n-int64(len(c.held)))
	c.joins, c.held = false, c.held[:0]
	return int(n), err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.list.remove(c)
	return c.Conn.Close()
}

// addrKey is what connections of one peer have in common: its address, of IPv6 the
// network of 64 bits.
func addrKey(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return "local" // a Unix socket
	}
	ip := ap.Addr().Unmap()
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// limited is a listener whose connections are in a list.
type limited struct {
	net.Listener
	list *conns
	done chan struct{} // closed by Close
	once sync.Once
}

func (l *conns) listen(in net.Listener) net.Listener {
	return &limited{Listener: in, list: l, done: make(chan struct{})}
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// Accept returns the next connection for which there is room. One that its address has
// no room for is closed.
func (l *limited) Accept() (net.Conn, error) {
	for {
		in, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: in, list: l.list, addr: addrKey(in.RemoteAddr())}
		c.waits.Store(clock())
		for {
			added, refused := l.list.add(c)
			if added {
				return c, nil
			}
			if refused {
				l.list.closed.Add(1)
				in.Close()
				break
			}
			select {
			case <-l.list.room:
			case <-time.After(lookAgain):
			case <-l.done:
				in.Close()
				return nil, net.ErrClosed
			}
		}
	}
}

// add adds a connection, and closes another one for it if it must. refused says that
// its address has its share, all of it in use.
func (l *conns) add(c *conn) (added, refused bool) {
	l.mu.Lock()
	var victim *conn
	ofAddr := l.byAddr[c.addr] >= l.share
	if ofAddr || l.count >= l.most {
		among := ""
		if ofAddr {
			among = c.addr
		}
		if victim = l.longest(among); victim == nil {
			l.mu.Unlock()
			return false, ofAddr
		}
		l.forget(victim)
		l.closed.Add(1)
	}
	l.all[c] = false
	l.byAddr[c.addr]++
	l.count++
	l.mu.Unlock()
	if victim != nil {
		victim.Conn.Close()
	}
	return true, false
}

// longest is the connection of an address that has waited longest for its client; nil
// without one. "" is the address that has most connections of those with one that waits.
// l.mu is held.
func (l *conns) longest(addr string) (victim *conn) {
	var longest time.Duration
	now := clock()
	for c, stream := range l.all {
		if stream || addr != "" && c.addr != addr {
			continue
		}
		d := c.waiting(now)
		if d == 0 {
			continue
		}
		more := 0
		if victim != nil {
			more = l.byAddr[c.addr] - l.byAddr[victim.addr]
		}
		if victim == nil || more > 0 || more == 0 && d > longest {
			victim, longest = c, d
		}
	}
	return victim
}

func (l *conns) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(c)
}

// forget takes a connection off the list, once. l.mu is held.
func (l *conns) forget(c *conn) {
	stream, there := l.all[c]
	if !there {
		return
	}
	delete(l.all, c)
	l.bodies -= c.body
	c.body = 0
	if !stream {
		l.uncount(c)
	}
}

// uncount makes room for another connection. l.mu is held.
func (l *conns) uncount(c *conn) {
	l.count--
	if l.byAddr[c.addr]--; l.byAddr[c.addr] == 0 {
		delete(l.byAddr, c.addr)
	}
	select {
	case l.room <- struct{}{}:
	default:
	}
}

// changed is http.Server.ConnState.
func (l *conns) changed(in net.Conn, state http.ConnState) {
	c, ok := in.(*conn)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		c.waits.Store(0)
	case http.StateIdle:
		c.waits.Store(clock())
		select {
		case l.room <- struct{}{}:
		default:
		}
	}
}

type connKey struct{}

// withConn is http.Server.ConnContext.
func withConn(ctx context.Context, in net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, in)
}

func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// stream makes the connection of a request an event stream. It returns false where its
// address has its share of them already.
func (l *conns) stream(r *http.Request) bool {
	c := connOf(r)
	if c == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	is, there := l.all[c]
	if is || !there {
		return true
	}
	n := 0
	for other, is := range l.all {
		if is && other.addr == c.addr {
			n++
		}
	}
	if n >= l.streamShare {
		return false
	}
	l.all[c] = true
	l.uncount(c)
	return true
}

// noStream takes back what stream did, for a connection that goes on.
func (l *conns) noStream(r *http.Request) {
	c := connOf(r)
	if c == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[c] {
		l.all[c] = false
		l.byAddr[c.addr]++
		l.count++
	}
}

// figures counts the connections by what they do.
func (l *conns) figures() (waiting, working, streams int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := clock()
	for c, stream := range l.all {
		switch {
		case stream:
			streams++
		case c.waiting(now) > 0:
			waiting++
		default:
			working++
		}
	}
	return waiting, working, streams
}

// body is that of a request. While it is read, its connection waits for the client.
type body struct {
	io.ReadCloser
	conn *conn
	read int64
	done bool
}

// watchBody has the body of a request counted.
func (l *conns) watchBody(r *http.Request) (release func()) {
	c := connOf(r)
	if c == nil || r.Body == nil || r.Body == http.NoBody {
		return func() {}
	}
	b := &body{ReadCloser: r.Body, conn: c}
	r.Body = b
	return func() {
		if !b.done {
			c.waits.Store(clock()) // the server reads what is left of it
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.bodies -= c.body
		c.body = 0
	}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if !b.done && b.read == 0 {
		b.conn.waits.CompareAndSwap(0, clock()) // from the first read on, however much comes
	}
	n, err := b.ReadCloser.Read(p)
	if b.read += int64(n); b.read > freeBody && n > 0 {
		b.conn.list.grow(b.conn, int64(n))
	}
	if err != nil {
		b.done = true
		b.conn.waits.Store(0)
	}
	return n, err
}

// grow counts bytes of a body, and closes those that have been sent for longest while
// all take too much.
func (l *conns) grow(c *conn, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.all[c]; !there {
		return
	}
	c.body += n
	l.bodies += n
	for l.bodies > mostBodies {
		var victim *conn
		for other := range l.all {
			if other.body > 0 && (victim == nil || other.waits.Load() < victim.waits.Load()) {
				victim = other
			}
		}
		if victim == nil {
			return
		}
		l.forget(victim)
		l.closed.Add(1)
		victim.Conn.Close()
	}
}
