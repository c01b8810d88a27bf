package fetch_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"libra/pkg/inspect/fetch"
)

var responses = []string{
	response200("body"),
	response200(""),
	"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\ncontent-length:4\n\nbody",
	"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\n\r\n",
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + response200("body"),
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA \r\n0123456789\r\n0\r\nX-Trailer: y\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 500) + "\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 2\r\nContent-Length: 4\r\n \r\n\r\nbody",
	"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;" + strings.Repeat("x", 500) + "\r\nabc\r\n0\r\n\r\n",
}

// The end of a response is found however it is cut into pieces, and is where
// net/http finds it.
func TestResponseEnd(t *testing.T) {
	for _, text := range responses {
		for _, piece := range []int{1, 2, 7, 4096} {
			for _, more := range []string{"", "HTTP/1.1 200 OK\r\n\r\n", "\r\n"} {
				if got := fetch.FollowResponse([]byte(text+more), piece); !got.Ended || got.Whole != int64(len(text)) {
					t.Errorf("%.60q in pieces of %d, with %q behind: ended %v after %d bytes, want %d", text, piece, more, got.Ended, got.Whole, len(text))
				}
			}
		}
		agreesWithNetHTTP(t, []byte(text))
	}
}

// A head that announces no end, or one that Chromium refuses, leaves the end open.
func TestResponseEndIsOpen(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nContent-Length: " + strings.Repeat("0", 200) + "4\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("Content-Length: 4\r\n", 700) + "\r\nbody",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("skipped\r\n", 8000) + "Content-Length: 4\r\n\r\nbody",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + strings.Repeat("skipped\r\n", 8000) + "\r\n0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n0\r\n\r\n",
	} {
		if got := fetch.FollowResponse([]byte(text), 4096); got.Ended || got.Whole != int64(len(text)) {
			t.Errorf("%.200q: ended %v after %d bytes, want all %d and no end", text, got.Ended, got.Whole, len(text))
		}
	}
}

func FuzzResponse(f *testing.F) {
	for _, text := range responses {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { agreesWithNetHTTP(t, text) })
}

// agreesWithNetHTTP holds the end of a response that is found against the end of
// what net/http reads of it. A response without oddities reaches net/http with the
// same status, fields and body.
func agreesWithNetHTTP(t *testing.T, text []byte) {
	t.Helper()
	got := fetch.FollowResponse(text, 5)
	if other := fetch.FollowResponse(text, len(text)+1); !cmp.Equal(got, other, cmpopts.EquateEmpty()) {
		t.Errorf("%q: in pieces and at once differ:\n%s", text, cmp.Diff(got, other))
	}
	cleaned, used := read(got.Out)
	if cleaned != nil && got.Ended && used != len(got.Out) {
		t.Errorf("%q: ends after %d of %d bytes for net/http: %q", text, used, len(got.Out), got.Out)
	}
	sent, used := read(text)
	if sent == nil || got.Oddity != "" {
		return
	}
	if diff := cmp.Diff(sent, cleaned); diff != "" {
		t.Errorf("%q: as sent and as read differ:\n%s", text, diff)
	}
	if got.Ended && got.Whole != int64(used) {
		t.Errorf("%q: ends after %d bytes, for net/http after %d", text, got.Whole, used)
	}
}

// message is a response as net/http reads it.
type message struct {
	Status int
	Header http.Header
	Body   string
}

// read returns what net/http makes of text, nil if it refuses it, and how many bytes
// it used. It has no message for one that switches protocols.
func read(text []byte) (m *message, used int) {
	src := bytes.NewReader(text)
	br := bufio.NewReader(src)
	for {
		resp, err := http.ReadResponse(br, nil)
		if err != nil || resp.StatusCode == 101 {
			return nil, 0
		}
		if resp.StatusCode >= 100 && resp.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, 0
		}
		resp.Header.Del("Content-Length") // its end may have a space; the body shows it
		return &message{resp.StatusCode, resp.Header, string(body)}, len(text) - src.Len() - br.Buffered()
	}
}
