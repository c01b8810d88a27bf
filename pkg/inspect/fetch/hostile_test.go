package fetch_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// rawServer is a server that answers every request with what talk writes.
func rawServer(t testing.TB, talk func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					talk(c)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/"
}

// respond writes s and closes the connection.
func respond(s string) func(net.Conn) { return func(c net.Conn) { io.WriteString(c, s) } }

// hang waits until the client has gone.
func hang(c net.Conn) { io.Copy(io.Discard, c) }

func drip(head, piece string, every time.Duration) func(net.Conn) {
	return func(c net.Conn) {
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

func respondWith(headers string, body []byte) func(net.Conn) {
	return respond(fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(body), body))
}

func TestHostileServers(t *testing.T) {
	zeros := make([]byte, 4<<20)
	bomb, whole := compress(t, "gzip", zeros), compress(t, "gzip", []byte(page))
	var wide bytes.Buffer
	w, err := zstd.NewWriter(&wide, zstd.WithWindowSize(32<<20))
	if err != nil {
		t.Fatal(err)
	}
	w.Write(bytes.Repeat([]byte("0123456789abcdef"), 3<<20))
	w.Close()
	limits := fetch.Limits{
		HeaderBytes: 8 << 10, EncodedBytes: 1 << 20, DecodedBytes: 2 << 20, HeldBytes: 64 << 10, Ratio: 100,
		HeaderTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond, AssetTimeout: 700 * time.Millisecond,
		Grace: 200 * time.Millisecond, MinThroughput: 1000,
	}
	huge := limits
	huge.Ratio = -1
	for _, tt := range []struct {
		name   string
		talk   func(net.Conn)
		limits fetch.Limits
		limit  string // name of the limit that is hit
		kind   error  // or the error
		min    int64  // encoded bytes that are counted all the same
	}{
		{name: "says nothing", talk: hang, limit: "header_timeout"},
		{name: "hangs up", talk: respond(""), kind: fetch.ErrConnect},
		{name: "no HTTP", talk: respond("SSH-2.0-OpenSSH_9.2\r\n\r\n"), kind: fetch.ErrProtocol},
		{name: "head without end", talk: respond("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 4000)), limit: "header_bytes"},
		{name: "head dripped", talk: drip("HTTP/1.1 200 OK\r\n", "A: b\r\n", 50*time.Millisecond), limit: "header_timeout"},
		{name: "large head", talk: respondWith("X: "+strings.Repeat("x", 20<<10)+"\r\n", nil), limit: "header_bytes"},
		{name: "interim heads for ever", talk: drip("", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50), time.Millisecond), limit: "header_bytes"},
		{name: "body stalls", talk: func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"); hang(c) }, limit: "idle_timeout", min: 3},
		{name: "body dripped", talk: drip("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "x", 20*time.Millisecond), limit: "min_throughput", min: 1},
		{name: "body without end", talk: drip("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 64<<10), time.Millisecond), limit: "encoded_bytes", min: 1 << 20},
		{name: "body just fast enough", talk: drip("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1<<10), 20*time.Millisecond), limit: "asset_timeout", min: 1 << 10},
		{name: "body cut short", talk: respond("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"), kind: fetch.ErrCut, min: 3},
		{name: "chunk cut short", talk: respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"), kind: fetch.ErrCut, min: 3},
		{name: "chunk size absurd", talk: respond("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nabc"), kind: fetch.ErrCut},
		{name: "two lengths", talk: respond("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nabc"), kind: fetch.ErrProtocol},
		{name: "NUL in a head", talk: respond("HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\nabc"), kind: fetch.ErrProtocol},
		{name: "CR in a head", talk: respond("HTTP/1.1 200 OK\r\nX: a\rContent-Length: 1\r\n\r\nabc"), kind: fetch.ErrProtocol},
		{name: "skipped line without end", talk: drip("HTTP/1.1 200 OK\r\n", strings.Repeat("x y ", 4<<10), time.Millisecond), limit: "header_bytes"},
		{name: "skipped lines without end", talk: respond("HTTP/1.1 200 OK\r\n" + strings.Repeat("skipped\r\n", 10000) + "\r\nabc"), kind: fetch.ErrProtocol},
		{name: "gzip bomb", talk: respondWith("Content-Encoding: gzip\r\n", bomb), limit: "ratio", min: 1000},
		{name: "gzip large", talk: respondWith("Content-Encoding: gzip\r\n", bomb), limits: huge, limit: "decoded_bytes", min: 1000},
		{name: "gzip that is plain text", talk: respondWith("Content-Encoding: gzip\r\n", []byte("plain text")), kind: fetch.ErrEncoding, min: 10},
		{name: "gzip cut", talk: respondWith("Content-Encoding: gzip\r\n", whole[:40]), kind: fetch.ErrEncoding, min: 40},
		{name: "gzip with another checksum", talk: respondWith("Content-Encoding: gzip\r\n", append(whole[:len(whole)-8:len(whole)-8], make([]byte, 8)...)), kind: fetch.ErrEncoding, min: 40},
		{name: "deflate cut", talk: respondWith("Content-Encoding: deflate\r\n", compress(t, "deflate", []byte(page))[:40]), kind: fetch.ErrEncoding, min: 40},
		{name: "raw deflate cut", talk: respondWith("Content-Encoding: deflate\r\n", compress(t, "raw", []byte(page))[:40]), kind: fetch.ErrEncoding, min: 40},
		{name: "brotli that is plain text", talk: respondWith("Content-Encoding: br\r\n", []byte("\xff\xff\xff\xff plain")), kind: fetch.ErrEncoding, min: 10},
		{name: "zstd window too wide", talk: respondWith("Content-Encoding: zstd\r\n", wide.Bytes()), kind: fetch.ErrEncoding, min: 100},
		{name: "encodings stacked", talk: respondWith("Content-Encoding: gzip, gzip, gzip, gzip\r\n", bomb), limit: "encodings", min: 1000},
		{name: "held in part", talk: respondWith("", make([]byte, 100<<10)), limit: "held_bytes", min: 100 << 10},
		{name: "redirect to a private address", talk: respond("HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n"), kind: fetch.ErrForbidden},
		{name: "redirect to a mapped address", talk: respond("HTTP/1.1 302 Found\r\nLocation: http://[::ffff:169.254.169.254]/\r\nContent-Length: 0\r\n\r\n"), kind: fetch.ErrForbidden},
		{name: "redirect to a file", talk: respond("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"), kind: fetch.ErrURL},
		{name: "redirect to a long URL", talk: respond("HTTP/1.1 302 Found\r\nLocation: /" + strings.Repeat("x", 7000) + "\r\nContent-Length: 0\r\n\r\n"), limits: fetch.Limits{URLBytes: 5000}, limit: "url_bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.limits == (fetch.Limits{}) {
				tt.limits = limits
			}
			s := session(t, fetch.Config{Limits: tt.limits})
			got := s.Get(t.Context(), fetch.Request{URL: rawServer(t, tt.talk), Type: libra.Document})
			if got.Err == nil {
				t.Fatalf("no error: %+v", got.Hops)
			}
			l := (*fetch.Limit)(nil)
			switch errors.As(got.Err, &l); {
			case tt.limit != "" && (l == nil || l.Name != tt.limit):
				t.Errorf("got error %q, want limit %s", got.Err, tt.limit)
			case tt.kind != nil && !errors.Is(got.Err, tt.kind):
				t.Errorf("got error %q, want %v", got.Err, tt.kind)
			}
			last := got.Hops[len(got.Hops)-1]
			if last.EncodedBytes < tt.min {
				t.Errorf("counted %d encoded bytes, at least %d arrived", last.EncodedBytes, tt.min)
			}
			if last.Error == "" || strings.Contains(last.Error, "\n") {
				t.Errorf("hop's error: %q", last.Error)
			}
			if int64(len(got.Body)) > max(tt.limits.HeldBytes, 8<<10) {
				t.Errorf("holds %d bytes", len(got.Body))
			}
			t.Log(got.Err)
		})
	}
}

func TestGuard(t *testing.T) {
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {})
	none := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	port := srv.URL[strings.LastIndex(srv.URL, ":"):]
	for url, want := range map[string]string{
		srv.URL:                                  "127.0.0.1 is a private address: allow it with --allow 127.0.0.0/8",
		"http://localhost" + port:                "is a private address: allow it with --allow",
		"http://169.254.169.254/latest":          "169.254.169.254 is a private address: allow it with --allow 169.254.0.0/16",
		"http://[::1]" + port:                    "::1 is a private address: allow it with --allow ::1/128",
		"http://[::ffff:127.0.0.1]" + port:       "127.0.0.1 is a private address",
		"http://[64:ff9b::7f00:1]" + port:        "64:ff9b::7f00:1 is a private address: allow it with --allow 64:ff9b::/96",
		"http://[2002:7f00:1::]" + port:          "is a private address",
		"http://[fd00::1]" + port:                "allow it with --allow fc00::/7",
		"http://0x7f.1" + port:                   "127.0.0.1 is a private address",
		"http://127.1" + port:                    "127.0.0.1 is a private address",
		"http://0177.0.0.1" + port:               "127.0.0.1 is a private address",
		"http://2130706433" + port:               "127.0.0.1 is a private address",
		"http://①②⑦.0.0.1" + port:                "127.0.0.1 is a private address",
		"http://%31%32%37.0.0.1" + port:          "127.0.0.1 is a private address",
		"http://127。0。0。1" + port:                "127.0.0.1 is a private address",
		"http://0.0.0.0" + port:                  "0.0.0.0 is a private address",
		"http://100.64.0.1" + port:               "allow it with --allow 100.64.0.0/10",
		"http://127.0.0.1:22/":                   "port 22 of 127.0.0.1 is closed to browsers",
		"http://user:secret@127.0.0.1" + port:    "carries a user name",
		"ftp://127.0.0.1/":                       `has scheme "ftp"`,
		"http://":                                "names no host",
		"http://127.0.0.1:99999/":                "its port must be 0 to 65535",
		"http://does-not-exist.invalid/":         `"does-not-exist.invalid"`,
		"http://a b/":                            "is not a URL",
		"http://x/" + strings.Repeat("x", 9_000): "limit url_bytes",
	} {
		got := session(t, fetch.Config{Allow: none}).Get(t.Context(), fetch.Request{URL: url})
		if got.Err == nil || !strings.Contains(got.Err.Error(), want) || strings.Contains(got.Err.Error(), "secret") {
			t.Errorf("%.60s: got error %v, want …%s…", url, got.Err, want)
		}
	}
}

func TestConnectionErrors(t *testing.T) {
	const closed = "127.0.0.1:2" // no test is ever given it
	untrusted, _ := h2server(t, http.NotFoundHandler())
	plain := server(t, func(w http.ResponseWriter, r *http.Request) {})
	for url, want := range map[string]string{
		"http://" + closed + "/": "connection refused by " + closed + ": nothing listens there",
		untrusted.URL:            "is signed by an authority that this machine does not trust",
		strings.Replace(plain.URL, "http:", "https:", 1): "does not speak TLS: try http://",
	} {
		got := session(t, fetch.Config{}).Get(t.Context(), fetch.Request{URL: url})
		if got.Err == nil || !strings.Contains(got.Err.Error(), want) {
			t.Errorf("got error %v, want …%s…", got.Err, want)
		}
	}
}

func TestPageBytesBoundASession(t *testing.T) {
	srv := server(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 60_000)) })
	s := session(t, fetch.Config{Limits: fetch.Limits{PageBytes: 100_000}})
	var texts []string
	for range 3 {
		got := s.Get(t.Context(), fetch.Request{URL: srv.URL, Type: libra.Image})
		texts = append(texts, fmt.Sprint(got.Err))
	}
	if texts[0] != "<nil>" || !strings.HasPrefix(texts[1], "body cut, page has reached 100.0 kB") || !strings.HasPrefix(texts[2], "not requested") {
		t.Errorf("got %q", texts)
	}
	if s.Bytes() < 100_000 || s.Bytes() > 130_000 {
		t.Errorf("session counted %d bytes", s.Bytes())
	}
}
