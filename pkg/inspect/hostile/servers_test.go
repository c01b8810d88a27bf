package hostile_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// start starts a server and returns its URL; it adds to o what the inspector needs
// to reach it.
type start = func(t *testing.T, o *order) string

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// raw answers every request on a new connection with talk.
func raw(talk func(c net.Conn, r *http.Request)) start {
	return func(t *testing.T, _ *order) string {
		l := listen(t)
		go serve(l, func(c net.Conn) {
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				talk(c, r)
			}
		})
		return "http://" + l.Addr().String() + "/"
	}
}

func serve(l net.Listener, talk func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			// No case needs longer, and no connection may outlive its case.
			_ = c.SetDeadline(time.Now().Add(2 * pageTimeout))
			talk(c)
		}()
	}
}

// page serves html as the page; asset answers everything else.
func page(html string, asset func(c net.Conn, r *http.Request)) start {
	return raw(func(c net.Conn, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(html), html)
			return
		}
		asset(c, r)
	})
}

// site is an HTTP server with a misbehaving handler.
func site(h http.HandlerFunc) start {
	return func(t *testing.T, _ *order) string {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.CloseClientConnections)
		t.Cleanup(func() { go srv.Close() })
		return srv.URL + "/"
	}
}

// html serves one page; every other path is an empty answer.
func html(body string) start {
	return site(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, body)
		}
	})
}

func says(s string) func(net.Conn, *http.Request) {
	return func(c net.Conn, _ *http.Request) { io.WriteString(c, s) }
}

// hang waits for the client to close the connection.
func hang(c net.Conn, _ *http.Request) { io.Copy(io.Discard, c) }

func thenHang(s string) func(net.Conn, *http.Request) {
	return func(c net.Conn, r *http.Request) {
		io.WriteString(c, s)
		hang(c, r)
	}
}

// drip writes head, then piece at intervals without end.
func drip(head, piece string, every time.Duration) func(net.Conn, *http.Request) {
	return func(c net.Conn, _ *http.Request) {
		io.WriteString(c, head)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(c, piece); err != nil {
				return
			}
		}
	}
}

// flood writes head, then piece as fast as the client reads.
func flood(head, piece string) func(net.Conn, *http.Request) {
	return func(c net.Conn, _ *http.Request) {
		io.WriteString(c, head)
		for {
			if _, err := io.WriteString(c, piece); err != nil {
				return
			}
		}
	}
}

func ok(headers string, body []byte) func(net.Conn, *http.Request) {
	return says(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(body), body))
}

// bomb compresses n MiB of zeros with each encoding in turn, streaming.
func bomb(n int, names ...string) []byte {
	var src io.Reader = io.LimitReader(zeros{}, int64(n)<<20)
	var out []byte
	for _, name := range names {
		var b bytes.Buffer
		var w io.WriteCloser
		switch name {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "br":
			w = brotli.NewWriterLevel(&b, 5)
		case "zstd":
			z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
			if err != nil {
				panic(err) // the options are wrong
			}
			w = z
		}
		if _, err := io.Copy(w, src); err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
		w.Close()
		out = b.Bytes()
		src = bytes.NewReader(out)
	}
	return out
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// lazily makes its server only when the case starts: its answer is large.
func lazily(make func() start) start {
	return func(t *testing.T, o *order) string { return make()(t, o) }
}

// quiet drops what servers log about their clients.
var quiet = log.New(io.Discard, "", 0)
