package fetch

import (
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// tally is what one HTTP/2 response has cost on its connection so far. The
// connection adds, the exchange reads.
type tally struct {
	header atomic.Int64 // header frames
	raw    atomic.Int64 // all of the response
}

// conn counts HTTP/2 responses as they come off the wire, below HTTP and above
// TLS: only there can the bytes of headers be told from those of bodies before
// net/http has thrown them away. Over HTTP/1 it counts nothing.
type conn struct {
	net.Conn          // *net.TCPConn or *tls.Conn
	socket   net.Conn // below TLS

	// How long it took to get here; constant.
	dns, connect, handshake time.Duration
	h2                      bool

	mu     sync.Mutex
	frames frames // under mu
}

// ConnectionState lets net/http tell that the connection is secure.
func (c *conn) ConnectionState() tls.ConnectionState {
	if t, ok := c.Conn.(*tls.Conn); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.h2 {
		c.mu.Lock()
		c.frames.read(p[:n])
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
