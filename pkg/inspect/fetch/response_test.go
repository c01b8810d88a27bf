package fetch_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

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
				if _, n, ended := fetch.FollowResponse([]byte(text+more), piece); !ended || n != int64(len(text)) {
					t.Errorf("%.60q in pieces of %d, with %q behind: ended %v after %d bytes, want %d", text, piece, more, ended, n, len(text))
				}
			}
		}
		agreesWithNetHTTP(t, []byte(text))
	}
}

// A head that net/http may read in two ways announces no end.
func TestResponseEndIsOpen(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n 4\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nContent-Length: " + strings.Repeat("0", 200) + "4\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\nbody",
		"HTTP/1.1 101 Switching Protocols\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n0\r\n\r\n",
	} {
		if _, n, ended := fetch.FollowResponse([]byte(text), 4096); ended || n != int64(len(text)) {
			t.Errorf("%q: ended %v after %d bytes, want all %d and no end", text, ended, n, len(text))
		}
	}
}

func FuzzResponse(f *testing.F) {
	for _, text := range responses {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { agreesWithNetHTTP(t, text) })
}

// agreesWithNetHTTP holds the end of a response that net/http takes for complete
// against the one that is found here, if one is.
func agreesWithNetHTTP(t *testing.T, text []byte) {
	t.Helper()
	src := bytes.NewReader(text)
	br := bufio.NewReader(src)
	used := func() int64 { return int64(len(text) - src.Len() - br.Buffered()) }
	var head int64
	for {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return
		}
		head = used()
		if resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != 101 {
			continue
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode == 101 {
			return
		}
		break
	}
	gotHead, got, ended := fetch.FollowResponse(text, 5)
	if gotHead != head {
		t.Errorf("%q: the head has %d bytes, want %d", text, gotHead, head)
	}
	if ended && got != used() {
		t.Errorf("%q: ends after %d bytes, for net/http after %d", text, got, used())
	}
}
