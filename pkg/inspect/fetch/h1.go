package fetch

import (
	"bufio"
	"context"
	"io"
	"math"
	"net/http"
	"syscall"
	"time"
)

// h1conn is an HTTP/1.1 connection. One exchange at a time has it, and reads
// and writes itself: a request costs no change of goroutines.
type h1conn struct {
	*conn
	key    string // of the lane
	br     *bufio.Reader
	bw     *bufio.Writer
	raw    syscall.RawConn // of the socket; nil if there is none
	reused bool
	since  time.Time // idle

	n     int64 // bytes read
	begun int64 // bytes read before the response
	left  int64 // bytes that a head may still have
	stop  func() bool
}

// Read reads from the connection, and counts.
func (c *h1conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.conn.Read(p[:min(int64(len(p)), c.left)])
	c.n += int64(n)
	c.left -= int64(n)
	return n, err
}

// taken is how many bytes of the response have been used.
func (c *h1conn) taken() int64 { return c.n - int64(c.br.Buffered()) - c.begun }

// quiet says whether c, which nobody has asked anything, is still open and has
// nothing to say.
func (c *h1conn) quiet() bool {
	if c.raw == nil {
		return true
	}
	quiet := false
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN || err == syscall.EINTR
		return true
	})
	return quiet && err == nil
}

// ask sends req and reads the head of the answer. From then on ctx ends what is
// read too, until c is let go.
func (c *h1conn) ask(ctx context.Context, req *http.Request, lim *Limits, over *Limit) (*http.Response, error) {
	c.begun, c.left = c.n, lim.HeaderBytes
	c.stop = context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	if err := req.Write(c.bw); err != nil {
		return nil, err
	}
	if err := c.bw.Flush(); err != nil {
		return nil, err
	}
	for {
		resp, err := http.ReadResponse(c.br, req)
		switch {
		case err != nil && c.left <= 0:
			return nil, over // whatever the part that was read looks like
		case err != nil:
			return nil, err
		}
		// Of interim answers there may be any number, and all are of the head.
		if resp.StatusCode < 100 || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			c.left = math.MaxInt64
			return resp, nil
		}
	}
}

// h1 asks over HTTP/1.1. A connection that was used before may have been closed
// meanwhile: where nothing has come, the request is sent again.
func (t *transports) h1(ctx context.Context, x *exchange, req *http.Request) (*http.Response, error) {
	for {
		c, err := t.pool.get(ctx, req.URL)
		if err != nil {
			return nil, err
		}
		x.gotH1(c)
		resp, err := c.ask(ctx, req, x.lim, x.s.client.limits.header)
		if err == nil {
			return resp, nil
		}
		again := c.reused && c.n == c.begun && ctx.Err() == nil
		if !again {
			return nil, err
		}
		x.letGo()
	}
}

// letGo gives the HTTP/1 connection back, if there is one.
func (x *exchange) letGo() {
	c := x.h1
	if c == nil {
		return
	}
	x.h1 = nil
	if c.stop() && x.ended && c.br.Buffered() == 0 {
		x.s.client.rt.pool.put(c)
		return
	}
	x.s.client.rt.pool.drop(c)
}

// whole says whether resp, whose body has ended with err, leaves the connection
// ready for another request.
func whole(resp *http.Response, err error) bool {
	return err == io.EOF && !resp.Close && resp.StatusCode != http.StatusSwitchingProtocols
}
