package fetch

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// tally is what one response has cost on its connection so far. The
// connection adds, the exchange reads.
type tally struct {
	header atomic.Int64 // status line and headers, or header frames
	raw    atomic.Int64 // all of the response
}

// conn counts responses as they come off the wire, below HTTP and above TLS:
// only there can the bytes of headers be told from those of bodies before
// net/http has thrown them away.
type conn struct {
	net.Conn // *net.TCPConn or *tls.Conn

	// How long it took to get here; constant.
	dns, connect, handshake time.Duration
	h2                      bool

	mu     sync.Mutex
	cur    *tally  // HTTP/1: of the response being read; under mu
	scan   headEnd // HTTP/1: under mu
	frames frames  // HTTP/2: under mu
}

// ConnectionState lets net/http tell that the connection is secure.
func (c *conn) ConnectionState() tls.ConnectionState {
	if t, ok := c.Conn.(*tls.Conn); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}

// begin counts what is read from now on towards t: the next response.
func (c *conn) begin(t *tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cur, c.scan = t, headEnd{}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.mu.Lock()
		if c.h2 {
			c.frames.read(p[:n])
		} else if c.cur != nil {
			c.cur.raw.Add(int64(n))
			c.cur.header.Add(c.scan.feed(p[:n]))
		}
		c.mu.Unlock()
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if c.h2 {
		c.mu.Lock()
		c.frames.write(p)
		c.mu.Unlock()
	}
	return c.Conn.Write(p)
}

// lastStream is the tally of the HTTP/2 request written last. net/http writes
// one request's headers at a time and calls WroteHeaders before the next.
func (c *conn) lastStream() (id uint32, t *tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames.last, c.frames.streams[c.frames.last]
}

// forget ends the counting of a stream.
func (c *conn) forget(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.frames.streams, id)
}

// headEnd finds the blank line that ends a response's head.
type headEnd struct {
	done   bool
	status [12]byte // start of the status line: "HTTP/1.1 200"
	n      int      // bytes of the head so far
	line   int      // bytes of the line so far
	first  byte     // its first byte
}

// feed takes what was read and returns how much of it belongs to the head.
func (h *headEnd) feed(p []byte) (taken int64) {
	for len(p) > 0 && !h.done {
		i := bytes.IndexByte(p, '\n')
		seg := p
		if i >= 0 {
			seg = p[:i]
		}
		if h.n < len(h.status) {
			copy(h.status[h.n:], seg)
		}
		if h.line == 0 && len(seg) > 0 {
			h.first = seg[0]
		}
		h.n += len(seg)
		h.line += len(seg)
		taken += int64(len(seg))
		if i < 0 {
			return taken
		}
		h.n++
		taken++
		p = p[i+1:]
		if h.line == 0 || h.line == 1 && h.first == '\r' {
			h.end()
			continue
		}
		h.line = 0
	}
	return taken
}

// end closes the head, unless it was an interim one (103 Early Hints): the
// final head follows, and both were sent.
func (h *headEnd) end() {
	if h.n > len(h.status) && h.status[9] == '1' {
		*h = headEnd{}
		return
	}
	h.done = true
}

// frames follows the frames of an HTTP/2 connection in both directions
// (RFC 9113, section 4.1): 9 bytes of header, then the payload.
type frames struct {
	streams map[uint32]*tally
	last    uint32 // stream of the HEADERS frame written last

	in      frame
	out     frame
	preface int // bytes of the client's connection preface seen
}

const (
	frameHead         = 9
	frameHeaders      = 0x1
	frameContinuation = 0x9
	prefaceBytes      = 24
)

// frame is how far one direction has come.
type frame struct {
	head    [frameHead]byte
	have    int // bytes of head seen
	payload int // bytes still to come
}

// next cuts the next piece off p: payload of the current frame, or its head.
// started says that a head has just been completed.
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
		p = rest
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
		if started && s.out.kind() == frameHeaders {
			s.last = s.out.stream()
			if s.streams == nil {
				s.streams = map[uint32]*tally{}
			}
			s.streams[s.last] = new(tally)
		}
	}
}
