package fetch

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts the bytes of one response on its connection. The connection adds
// to it, the exchange reads it.
type tally struct {
	header atomic.Int64 // interim and final heads, or header frames
	raw    atomic.Int64 // all of the response
	// odd is what browsers overlook in the head, nil if nothing. HTTP/1 only.
	odd atomic.Pointer[string]
}

// conn counts the bytes of responses between HTTP and TLS: only there can the
// bytes of headers be distinguished from those of bodies. Over HTTP/1 it also gives
// net/http heads that it accepts, and keeps it from reading bytes that follow a
// complete response.
type conn struct {
	net.Conn // *net.TCPConn or *tls.Conn

	// How long each step of the dial took; constant.
	dns, connect, handshake time.Duration
	h2                      bool
	private                 bool // the address is allowed, and not public

	use  func()        // closes used
	used chan struct{} // HTTP/1: closed by the first request, or by Close

	mu       sync.Mutex
	frames   frames   // HTTP/2; under mu
	response response // HTTP/1; under mu
	next     *tally   // HTTP/1: of the request about to be written; under mu
	excess   bool     // HTTP/1: bytes were received that belong to no response; under mu
	outRead  int      // HTTP/1: bytes of response.out that net/http has read; under mu
	readErr  error    // HTTP/1: why nothing more can be read; under mu
}

func newConn(c net.Conn) *conn {
	used := make(chan struct{})
	return &conn{Conn: c, used: used, use: sync.OnceFunc(func() { close(used) })}
}

// ConnectionState lets net/http know that the connection is secure.
func (c *conn) ConnectionState() tls.ConnectionState {
	if t, ok := c.Conn.(*tls.Conn); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}

func (c *conn) Read(p []byte) (int, error) {
	if !c.h2 {
		return c.readResponse(p)
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames.read(p[:n])
	return n, err
}

// readResponse reads over HTTP/1: of heads, what response makes of them.
func (c *conn) readResponse(p []byte) (int, error) {
	for {
		if n, err := c.readOut(p); n > 0 || err != nil {
			return n, err
		}
		n, err := c.Conn.Read(p)
		// Bytes that a server sends before the first request are its response, as in
		// Chromium.
		<-c.used
		c.mu.Lock()
		asSent := !c.response.inHead()
		m := c.response.read(p[:n])
		c.excess = m < n
		if c.readErr = err; err != nil {
			c.response.flush()
		}
		c.mu.Unlock()
		if asSent && m > 0 {
			return m, nil
		}
	}
}

// readOut returns what of heads is ready for net/http, and then why nothing follows.
func (c *conn) readOut(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r := &c.response; {
	case c.outRead < len(r.out):
		n := copy(p, r.out[c.outRead:])
		if c.outRead += n; c.outRead == len(r.out) {
			r.out, c.outRead = r.out[:0], 0
		}
		return n, nil
	case c.readErr != nil:
		return 0, c.readErr
	case c.excess:
		return 0, io.EOF // net/http closes the connection
	}
	return 0, nil
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	switch {
	case c.h2:
		c.frames.write(p)
	case c.excess:
		c.mu.Unlock()
		return 0, net.ErrClosed // net/http uses another connection
	case c.next != nil:
		c.response.begin(c.next)
		c.next = nil
	}
	c.mu.Unlock()
	c.use()
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.use()
	return c.Conn.Close()
}

// expect returns the tally of the response to the HTTP/1 request that is written
// next.
func (c *conn) expect() *tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = new(tally)
	return c.next
}

// lastStream returns the tally of the HTTP/2 request written last. net/http writes
// one request's headers at a time and calls WroteHeaders before the next.
func (c *conn) lastStream() (id uint32, t *tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames.last, c.frames.streams[c.frames.last]
}

// bind has allow called with how many HTTP/2 streams the server allows: now, if its
// settings are known, and whenever they arrive.
func (c *conn) bind(allow func(limit int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames.allow = allow
	if c.frames.set {
		allow(c.frames.limit)
	}
}

// forget ends the counting of a stream.
func (c *conn) forget(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.frames.streams, id)
}

// frames follows the frames of an HTTP/2 connection in both directions
// (RFC 9113, section 4.1): 9 bytes of header, then the payload.
type frames struct {
	streams map[uint32]*tally // until its exchange forgets it, or it is reset
	last    uint32            // stream of the HEADERS frame written last

	allow       func(limit int) // called when the server has sent its settings; see conn.bind
	set         bool            // the server has sent its settings
	limit       int             // how many streams they allow
	setting     [settingBytes]byte
	settingHave int // bytes of setting seen

	in      frame
	out     frame
	preface int // bytes of the client's connection preface seen
}

const (
	frameHead         = 9
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	frameContinuation = 0x9
	prefaceBytes      = 24

	flagAck              = 0x1
	settingBytes         = 6
	settingMaxConcurrent = 0x3
	// defaultStreams is for a server that sets no limit; Chromium's.
	defaultStreams = 100
)

// frame is the state of one direction.
type frame struct {
	head    [frameHead]byte
	have    int // bytes of head seen
	payload int // bytes still to come
}

// next consumes the next piece of p: payload of the current frame, or its head.
// started reports that a head is complete with it.
func (f *frame) next(p []byte) (rest []byte, payload int, started bool) {
	if f.payload > 0 {
		n := min(f.payload, len(p))
		f.payload -= n
		if f.payload == 0 {
			f.have = 0
		}
		return p[n:], n, false
	}
	n := copy(f.head[f.have:], p)
	f.have += n
	if f.have < frameHead {
		return p[n:], 0, false
	}
	f.payload = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
	if f.payload == 0 {
		f.have = 0
	}
	return p[n:], 0, true
}

func (f *frame) kind() byte { return f.head[3] }

func (f *frame) stream() uint32 { return binary.BigEndian.Uint32(f.head[5:]) &^ (1 << 31) }

func (s *frames) read(p []byte) {
	for len(p) > 0 {
		rest, n, started := s.in.next(p)
		piece := p[:len(p)-len(rest)]
		p = rest
		if s.in.kind() == frameSettings && s.in.head[4]&flagAck == 0 && (started || n > 0) {
			s.readSettings(piece[:n], s.in.payload == 0)
		}
		if started {
			n = frameHead
		}
		t := s.streams[s.in.stream()]
		if t == nil || n == 0 {
			continue
		}
		t.raw.Add(int64(n))
		if k := s.in.kind(); k == frameHeaders || k == frameContinuation {
			t.header.Add(int64(n))
		}
		if s.in.kind() == frameReset {
			delete(s.streams, s.in.stream())
		}
	}
}

// readSettings reads a piece of the server's settings (RFC 9113, section 6.5).
// last reports that the frame ends with it.
func (s *frames) readSettings(piece []byte, last bool) {
	if !s.set {
		s.set, s.limit = true, defaultStreams
	}
	for len(piece) > 0 {
		n := copy(s.setting[s.settingHave:], piece)
		piece = piece[n:]
		if s.settingHave += n; s.settingHave < settingBytes {
			break
		}
		s.settingHave = 0
		if binary.BigEndian.Uint16(s.setting[:]) == settingMaxConcurrent {
			s.limit = int(min(binary.BigEndian.Uint32(s.setting[2:]), math.MaxInt32))
		}
	}
	if last && s.allow != nil {
		s.allow(s.limit)
	}
}

func (s *frames) write(p []byte) {
	if s.preface < prefaceBytes {
		n := min(prefaceBytes-s.preface, len(p))
		s.preface += n
		p = p[n:]
	}
	for len(p) > 0 {
		rest, _, started := s.out.next(p)
		p = rest
		switch {
		case started && s.out.kind() == frameHeaders:
			s.last = s.out.stream()
			if s.streams == nil {
				s.streams = map[uint32]*tally{}
			}
			s.streams[s.last] = new(tally)
		case started && s.out.kind() == frameReset:
			delete(s.streams, s.out.stream())
		}
	}
}
