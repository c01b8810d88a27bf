package fetch_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// oddHead is a response with a head that no standard allows.
type oddHead struct {
	status string // "" is HTTP/1.1 200 OK
	head   string // lines, each with its end; %d is the length of the body
	body   string // as it is sent
	extra  string // what follows the body
	// want is the body that Chromium reads, "" where it refuses the response. Source:
	// Chromium 156, a page with an image served by each.
	want   string
	oddity string // contained in Hop.Oddity
}

const oddPage = "<img src=/seen.png>"

var (
	oddChunks = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(oddPage), oddPage)
	oddHeads  = map[string]oddHead{
		"line without colon":     {head: "a line without one\r\n", body: oddPage, want: oddPage, oddity: `"a line without one" is skipped`},
		"status line again":      {head: "HTTP/1.1 200 OK\r\n", body: oddPage, want: oddPage, oddity: `"HTTP/1.1 200 OK" is skipped`},
		"empty name":             {head: ": x\r\n", body: oddPage, want: oddPage, oddity: `": x" is skipped`},
		"invalid name":           {head: "X-Né: b\r\n", body: oddPage, want: oddPage, oddity: "is skipped"},
		"long name":              {head: strings.Repeat("X", 300) + ": b\r\n", body: oddPage, want: oddPage},
		"long line, no colon":    {head: strings.Repeat("x y", 300) + "\r\n", body: oddPage, want: oddPage, oddity: "is skipped"},
		"skipped line continued": {head: "no colon\r\n Content-Length: 2\r\n", body: oddPage, want: oddPage, oddity: "is skipped"},
		"control character":      {head: "X-A: a\x01b\r\n", body: oddPage, want: oddPage, oddity: "0x01"},
		"delete character":       {head: "X-A: " + strings.Repeat("a", 200) + "\x7f\r\n", body: oddPage, want: oddPage, oddity: "0x7f"},
		"space before colon":     {head: "Content-Length : %d\r\n", body: oddPage, extra: "more", want: oddPage, oddity: "space before its colon"},
		"chunked twice":          {head: "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body: oddChunks, want: oddPage, oddity: `"chunked,chunked" is read as chunked`},
		"chunked, chunked":       {head: "Transfer-Encoding: chunked, chunked\r\n", body: oddChunks, want: oddPage, oddity: "is read as chunked"},
		"chunked with a comma":   {head: "Transfer-Encoding: chunked,\r\n", body: oddChunks, want: oddPage, oddity: "is read as chunked"},
		"chunked, identity":      {head: "Transfer-Encoding: chunked, identity\r\n", body: oddChunks, want: oddPage, oddity: "is read as chunked"},
		"chunked, continued":     {head: "Transfer-Encoding:\r\n chunked\r\n", body: oddChunks, want: oddPage},
		"identity":               {head: "Transfer-Encoding: identity\r\n", body: oddPage, want: oddPage, oddity: "is read as no encoding"},
		"identity with length":   {head: "Transfer-Encoding: identity\r\nContent-Length: %d\r\n", body: oddPage, extra: "more", want: oddPage, oddity: "is read as no encoding"},
		"encoding empty":         {head: "Transfer-Encoding:\r\n", body: oddPage, want: oddPage, oddity: "is read as no encoding"},
		"encoding after a VT":    {head: "Transfer-Encoding: \vchunked\r\n", body: oddPage, want: oddPage, oddity: "is read as no encoding"},
		"encoding unknown":       {head: "Transfer-Encoding: xchunked\r\n", body: oddPage, want: oddPage, oddity: "is read as no encoding"},
		"chunked and a length":   {head: "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", body: oddChunks, want: oddPage, oddity: `Content-Length "3" is ignored`},
		"length twice in a line": {head: "Content-Length: %d, %d\r\n", body: oddPage, extra: "more", want: oddPage, oddity: "is read as"},
		"length twice":           {head: "Content-Length: %d\r\nContent-Length: %d\r\n", body: oddPage, extra: "more", want: oddPage, oddity: "is read as"},
		"length continued":       {head: "Content-Length:\r\n %d\r\n", body: oddPage, extra: "more", want: oddPage},
		"length empty":           {head: "Content-Length:\r\n", body: oddPage, want: oddPage, oddity: "is ignored"},
		"length in letters":      {head: "Content-Length: abc\r\n", body: oddPage, want: oddPage, oddity: `"abc" is ignored`},
		"length with a sign":     {head: "Content-Length: +3\r\n", body: oddPage, want: oddPage, oddity: "is ignored"},
		"length negative":        {head: "Content-Length: -5\r\n", body: oddPage, want: oddPage, oddity: "is ignored"},
		"length absurd":          {head: "Content-Length: 99999999999999999999\r\n", body: oddPage, want: oddPage, oddity: "is ignored"},
		"length with zeros":      {head: "Content-Length: 00%d\r\n", body: oddPage, extra: "more", want: oddPage},
		"status in lower case":   {status: "http/1.1 200 ok", body: oddPage, want: oddPage, oddity: "is read as"},
		"status of HTTP/1":       {status: "HTTP/1 200 OK", body: oddPage, want: oddPage, oddity: "is read as"},
		"status after tab":       {status: "HTTP/1.1\t200 OK", body: oddPage, want: oddPage, oddity: "is read as"},
		"no status":              {status: "HTTP/1.1", body: oddPage, want: oddPage, oddity: "is read as"},
		"status in letters":      {status: "HTTP/1.1 OK", body: oddPage, want: oddPage, oddity: "is read as"},
		"status and letters":     {status: "HTTP/1.1 200OK", body: oddPage, want: oddPage, oddity: `is read as "HTTP/1.1 200"`},
		"status with a fraction": {status: "HTTP/1.1 200.1 OK", body: oddPage, want: oddPage, oddity: "is read as"},
		"lines before status":    {status: "\r\n\r\nHTTP/1.1 200 OK", body: oddPage, want: oddPage, oddity: "empty lines"},
		"bytes before status":    {status: "xyzHTTP/1.1 200 OK", body: oddPage, want: oddPage, oddity: "is read as"},
		"chunked in HTTP/1.0":    {status: "HTTP/1.0 200 OK", head: "Transfer-Encoding: chunked\r\n", body: oddPage, want: oddPage},

		"two lengths in a line": {head: "Content-Length: 3, 5\r\n", body: oddPage},
		"two lengths":           {head: "Content-Length: 3\r\nContent-Length: 5\r\n", body: oddPage},
		"length and nothing":    {head: "Content-Length: 3,\r\n", body: oddPage},
		"NUL":                   {head: "X-A: a\x00b\r\n", body: oddPage},
		"NUL in a name":         {head: "X\x00A: b\r\n", body: oddPage},
		"NUL, no colon":         {head: "a\x00b\r\n", body: oddPage},
		"NUL far in a line":     {head: strings.Repeat("x y", 300) + "\x00\r\n", body: oddPage},
		"NUL in the status":     {status: "HTTP/1.1 200 O\x00K", body: oddPage},
		"NUL in a length":       {head: "Content-Length: 3\x00\r\n", body: oddPage},
		"two locations":         {status: "HTTP/1.1 302 Found", head: "Location: /a\r\nLocation: /b\r\n", body: oddPage},
		"other protocol":        {status: "ICY 200 OK", body: oddPage},
		"junk before status":    {status: "abcdeHTTP/1.1 200 OK", body: oddPage},
	}
)

// send writes the response, and ends the connection.
func (o oddHead) send(c io.Writer) {
	status := o.status
	if status == "" {
		status = "HTTP/1.1 200 OK"
	}
	head := strings.ReplaceAll(o.head, "%d", fmt.Sprint(len(oddPage)))
	io.WriteString(c, status+"\r\n"+head+"Content-Type: text/html\r\nConnection: close\r\n\r\n"+o.body+o.extra)
}

// What browsers show is read, and what is odd about it is said. What they refuse,
// because it can be read in two ways, is refused.
func TestOddities(t *testing.T) {
	for name, o := range oddHeads {
		t.Run(name, func(t *testing.T) {
			url := rawServer(t, func(c net.Conn) { o.send(c) })
			got := session(t, fetch.Config{}).Get(t.Context(), fetch.Request{URL: url, Type: libra.Document})
			hop := got.Hops[0]
			switch {
			case o.want == "" && got.Err == nil:
				t.Errorf("got %q, want it refused", got.Body)
			case o.want == "":
			case got.Err != nil || string(got.Body) != o.want || got.MediaType != "text/html":
				t.Errorf("got %q, %q, %v; want %q", got.Body, got.MediaType, got.Err, o.want)
			case !strings.Contains(hop.Oddity, o.oddity) || (o.oddity == "") != (hop.Oddity == ""):
				t.Errorf("said: %q; want %q", hop.Oddity, o.oddity)
			}
		})
	}
}

// A head without oddities has none, whatever else is said in it.
func TestNoOddity(t *testing.T) {
	for _, head := range []string{
		"X-A: \tvalue with \xe9 and \"quotes\" \r\n", "X-A:\r\n", "X-A: a\r\n b\r\n", "x_a!#$%&'*+-.^`|~: b\r\n",
		"Connection: keep-alive\r\n", "X: " + strings.Repeat("x", 5000) + "\r\n",
	} {
		text := "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 4\r\n\r\nbody"
		if got := fetch.FollowResponse([]byte(text), 64); got.Oddity != "" || !got.Ended {
			t.Errorf("%.80q: said %q, ended %v", head, got.Oddity, got.Ended)
		}
	}
}
