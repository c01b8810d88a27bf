package hostile_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
)

const head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"

func timing() []scenario {
	images := ""
	for i := range 30 {
		images += fmt.Sprintf("<img src=/%d.png>", i)
	}
	return []scenario{
		{name: "says nothing", start: raw(hang), want: libra.Error, reason: "limit header_timeout"},
		{name: "never accepts", start: func(t *testing.T, _ *order) string { return "http://" + listen(t).Addr().String() + "/" }, want: libra.Error, reason: "limit header_timeout"},
		{name: "headers dripped", start: raw(drip("HTTP/1.1 200 OK\r\n", "A: b\r\n", 100*time.Millisecond)), want: libra.Error, reason: "limit header_timeout"},
		{name: "status line dripped", start: raw(drip("", "H", 200*time.Millisecond)), want: libra.Error, reason: "limit header_timeout"},
		{name: "body one byte a time", start: raw(drip(head+"\r\n", "x", 50*time.Millisecond)), want: libra.Partial, reason: "limit min_throughput"},
		{name: "body stalls", start: raw(thenHang(head + "Content-Length: 1000\r\n\r\n<p>")), want: libra.Partial, reason: "limit idle_timeout"},
		{name: "body stalls at once", start: raw(thenHang(head + "Content-Length: 1000\r\n\r\n")), want: libra.Error, reason: "limit idle_timeout"},
		{name: "chunks dripped", start: raw(drip(head+"Transfer-Encoding: chunked\r\n\r\n", "400\r\n"+repeat("x", 1024)+"\r\n", 60*time.Millisecond)), want: libra.Partial, reason: "limit asset_timeout"},
		{name: "asset says nothing", start: page("<img src=/x.png>", hang), want: libra.Partial, reason: "limit header_timeout"},
		{name: "30 assets say nothing", start: page(images, hang), want: libra.Partial, reason: "limit"},
		{name: "30 assets dripped", start: page(images, drip("HTTP/1.1 200 OK\r\n\r\n", repeat("x", 500), 100*time.Millisecond)), want: libra.Partial, reason: "limit page_timeout"},
		{name: "429, later", start: page("<img src=/x.png>", says("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n")), want: libra.Partial, reason: "429"},
		{name: "503, at once", start: raw(says("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")), want: libra.Error, reason: "HTTP 503"},
	}
}

func bodies() []scenario {
	bombs := func(name string, mib int, names ...string) scenario {
		encoding := strings.Join(names, ", ")
		return scenario{
			name: name, heavy: true, want: libra.Partial, reason: "limit ",
			start: lazily(func() start { return raw(ok("Content-Encoding: "+encoding+"\r\n", bomb(mib, names...))) }),
		}
	}
	return []scenario{
		{name: "page without end", start: raw(flood(head+"\r\n", repeat("<p>x", 8<<10))), want: libra.Partial, reason: "limit encoded_bytes", heavy: true},
		{name: "style sheet without end", start: page("<link rel=stylesheet href=/x.css>", flood("HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nTransfer-Encoding: chunked\r\n\r\n", "8000\r\n"+repeat("p{color:red}    ", 2<<10)+"\r\n")), want: libra.Partial, reason: "limit encoded_bytes", heavy: true},
		{name: "video without end", start: page("<video src=/x.mp4 autoplay></video>", flood("HTTP/1.1 206 Partial Content\r\nContent-Type: video/mp4\r\n\r\n", repeat("v", 64<<10))), want: libra.Partial, reason: "limit encoded_bytes", heavy: true},
		{name: "20 images without end", start: page(repeat("<img src=/x.png?%d>", 1)+numbered(20, "<img src=/%d.png>"), flood("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n", repeat("i", 64<<10))), want: libra.Partial, reason: "limit page_bytes", heavy: true},
		bombs("gzip bomb", 300, "gzip"),
		bombs("brotli bomb", 300, "br"),
		bombs("zstd bomb", 300, "zstd"),
		bombs("gzip in gzip in gzip", 300, "gzip", "gzip", "gzip"),
		bombs("five encodings", 1, "gzip", "gzip", "gzip", "gzip", "gzip"),
		{name: "zstd, window 1 GiB", start: raw(ok("Content-Encoding: zstd\r\n", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0, 0, 'x'})), want: libra.Error, reason: "does not decode"},
		{name: "gzip that is plain text", start: raw(ok("Content-Encoding: gzip\r\n", []byte("<p>plain"))), want: libra.Error, reason: "does not decode"},
		{name: "gzip cut", start: raw(ok("Content-Encoding: gzip\r\n", bomb(1, "gzip")[:200])), want: libra.Partial, reason: "does not decode"},
		{name: "length too long", start: raw(says(head + "Content-Length: 99\r\n\r\n<p>")), want: libra.Partial, reason: "before its announced end"},
		{name: "no body", start: raw(says(head + "Content-Length: 99\r\n\r\n")), want: libra.Error, reason: "body ended after 0 bytes"},
		{name: "length negative", start: raw(says(head + "Content-Length: -1\r\n\r\n<p>")), want: libra.Complete, reason: "is ignored"},
		{name: "two lengths", start: raw(says(head + "Content-Length: 3\r\nContent-Length: 5\r\n\r\n<p>xx")), want: libra.Error, reason: "not HTTP"},
		{name: "chunk size absurd", start: raw(says(head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n<p>")), want: libra.Error, reason: "body failed after"},
		{name: "chunks cut", start: raw(says(head + "Transfer-Encoding: chunked\r\n\r\n10\r\n<p>")), want: libra.Partial, reason: "before its announced end"},
	}
}

// numbered repeats format with 0, 1, 2 and so on.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func heads() []scenario {
	reset := func(c net.Conn, _ *http.Request) {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	return []scenario{
		{name: "headers without end", start: raw(flood("HTTP/1.1 200 OK\r\n", repeat("A: b\r\n", 1000))), want: libra.Error, reason: "limit header_bytes"},
		{name: "header line of 2 MB", start: raw(ok("X: "+repeat("x", 2<<20)+"\r\n", nil)), want: libra.Error, reason: "limit header_bytes"},
		{name: "100 Continue for ever", start: raw(flood("", repeat("HTTP/1.1 100 Continue\r\n\r\n", 100))), want: libra.Error, reason: "limit header_bytes"},
		{name: "3,000 cookies", start: raw(ok(numbered(3000, "Set-Cookie: c%d=v\r\n"), []byte("<p>"))), want: libra.Complete},
		{name: "SSH", start: raw(says("SSH-2.0-OpenSSH_9.2p1\r\n")), want: libra.Error, reason: "not HTTP"},
		{name: "nothing at all", start: raw(says("")), want: libra.Error, reason: "closed the connection"},
		{name: "reset", start: raw(reset), want: libra.Error, reason: "reset"},
		{name: "status 000", start: raw(says("HTTP/1.1 000 ?\r\nContent-Length: 0\r\n\r\n")), want: libra.Error, reason: "not HTTP"},
		{name: "binary noise", start: raw(says(repeat("\x00\xff\x1b[2J\r", 5000))), want: libra.Error, reason: "not HTTP"},
		{name: "asset is noise", start: page("<img src=/x.png>", says("\x00\xff\x1b[2J\r\n\r\n")), want: libra.Partial, reason: "not HTTP"},
	}
}

func redirects() []scenario {
	to := func(location string) start {
		return raw(says("HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n"))
	}
	return []scenario{
		{name: "redirect loop", start: to("/"), want: libra.Error, reason: "redirected more than 20 times"},
		{name: "redirect chain", start: site(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusSeeOther) }), want: libra.Error, reason: "redirected more than 20 times"},
		{name: "redirect into 10/8", start: to("http://10.0.0.1/"), want: libra.Error, reason: "10.0.0.1 is a private address"},
		{name: "redirect to metadata", start: to("http://169.254.169.254/latest/meta-data/"), want: libra.Error, reason: "169.254.169.254 is a private address"},
		{name: "redirect, mapped address", start: to("http://[::ffff:10.0.0.1]/"), want: libra.Error, reason: "10.0.0.1 is a private address"},
		{name: "redirect, NAT64 address", start: to("http://[64:ff9b::a00:1]/"), want: libra.Error, reason: "is a private address"},
		{name: "redirect to a file", start: to("file:///etc/passwd"), want: libra.Error, reason: "only http and https"},
		{name: "redirect with a password", start: to("http://a:b@127.0.0.1:1/"), want: libra.Error, reason: "closed to browsers"},
		{name: "redirect to SMTP", start: to("http://127.0.0.1:25/"), want: libra.Error, reason: "closed to browsers"},
		{name: "redirect to 100 KB of URL", start: to("/" + repeat("x", 100_000)), want: libra.Error, reason: "limit url_bytes"},
		{name: "asset redirects into 10/8", start: page("<img src=/x.png>", says("HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/x.png\r\nContent-Length: 0\r\n\r\n")), want: libra.Partial, reason: "10.0.0.1 is a private address"},
		{name: "asset redirect loop", start: page("<script src=/x.js></script>", says("HTTP/1.1 307 Temporary Redirect\r\nLocation: /x.js\r\nContent-Length: 0\r\n\r\n")), want: libra.Partial, reason: "redirected more than 20 times"},
		{name: "redirect, endless body", start: raw(flood("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", repeat("x", 64<<10))), want: libra.Error, reason: "redirected more than 20 times"},
	}
}
