package fetch_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

func TestRequestHeaders(t *testing.T) {
	var got http.Header
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	plain := server(t, h)
	tls, trust := h2server(t, h)
	s := session(t, fetch.Config{TLS: trust, UserAgent: "ua", AcceptLanguage: "de"})
	for _, tt := range []struct {
		name string
		req  fetch.Request
		want map[string]string // "" for none
	}{
		{"page", fetch.Request{URL: plain.URL, Type: libra.Document}, map[string]string{
			"User-Agent": "ua", "Accept-Language": "de", "Accept-Encoding": "gzip, deflate, br, zstd", "Referer": "", "Range": "", "Upgrade-Insecure-Requests": "1",
			"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1",
		}},
		{"frame", fetch.Request{URL: plain.URL, Type: libra.Document, Referrer: plain.URL + "/a?b#c"}, map[string]string{
			"Referer": plain.URL + "/a?b", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-User": "",
		}},
		{"style sheet of another site", fetch.Request{URL: plain.URL, Type: libra.Stylesheet, Referrer: "http://example.org/a?b"}, map[string]string{
			"Accept": "text/css,*/*;q=0.1", "Referer": "http://example.org/", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "style", "Origin": "",
		}},
		{"font", fetch.Request{URL: tls.URL, Type: libra.Font, Referrer: tls.URL + "/x.css"}, map[string]string{
			"Referer": tls.URL + "/x.css", "Origin": tls.URL, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "font",
		}},
		{"media", fetch.Request{URL: plain.URL, Type: libra.Media}, map[string]string{"Range": "bytes=0-", "Accept-Encoding": "identity", "Sec-Fetch-Dest": "video"}},
		{"conditional", fetch.Request{URL: plain.URL, Type: libra.Image, ETag: `"x"`, LastModified: "Sat, 21 Nov 2026 04:00:00 GMT"}, map[string]string{
			"If-None-Match": `"x"`, "If-Modified-Since": "Sat, 21 Nov 2026 04:00:00 GMT",
		}},
	} {
		if res := s.Get(t.Context(), tt.req); res.Err != nil {
			t.Fatal(res.Err)
		}
		for k, want := range tt.want {
			if got.Get(k) != want {
				t.Errorf("%s: %s is %q, want %q", tt.name, k, got.Get(k), want)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"120": 2 * time.Minute, "": 0, "-3": 0, "soon": 0, "99999999999": 1 << 31 * time.Second,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		srv := server(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		got := session(t, fetch.Config{}).Get(t.Context(), fetch.Request{URL: srv.URL})
		if got.Err != nil || got.RetryAfter != want {
			t.Errorf("%q: got %v, %v; want %v", value, got.RetryAfter, got.Err, want)
		}
	}
}

func TestBodyIsHeldForEnginesOnly(t *testing.T) {
	for _, tt := range []struct {
		ask   libra.ResourceType
		serve string
		held  bool
	}{
		{libra.Document, "text/html", true},
		{libra.Document, "", true},
		{libra.Document, "application/zip", false},
		{libra.Document, "image/png", false},
		{libra.Document, "image", true},
		{libra.Script, "font", true},
		{libra.Stylesheet, "text/plain", true},
		{libra.Script, "application/octet-stream", true},
		{libra.Image, "image/svg+xml; charset=utf-8", true},
		{libra.Image, "image/png", false},
		{libra.Font, "font/woff2", false},
		{libra.Other, "application/json", false},
	} {
		srv := server(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = []string{tt.serve}
			w.Write([]byte(page))
		})
		got := session(t, fetch.Config{}).Get(t.Context(), fetch.Request{URL: srv.URL, Type: tt.ask})
		if got.Err != nil || (len(got.Body) > 0) != tt.held || got.Hops[0].DecodedBytes != int64(len(page)) {
			t.Errorf("%s served as %q: holds %d bytes, want held %v; %+v", tt.ask, tt.serve, len(got.Body), tt.held, got.Hops)
		}
	}
}

// getConcurrently requests url n times at once.
func getConcurrently(t *testing.T, url string, cfg fetch.Config, n int) {
	t.Helper()
	s := session(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			got := s.Get(ctx, fetch.Request{URL: url, Type: libra.Document})
			if got.Err != nil || string(got.Body) != page {
				t.Errorf("got %q, %v", got.Body, got.Err)
			}
			if h := got.Hops[0]; h.HeaderBytes < 10 || h.EncodedBytes != int64(len(page)) {
				t.Errorf("got %+v", h)
			}
		})
	}
	wg.Wait()
}

func TestConnectionsPerHost(t *testing.T) {
	var mu sync.Mutex
	clients := map[string]bool{}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		clients[r.Proto+" "+r.RemoteAddr] = true
		mu.Unlock()
		io.WriteString(w, page)
	})
	getConcurrently(t, server(t, h).URL, fetch.Config{}, 100)
	if n := len(clients); n > 6 {
		t.Errorf("HTTP/1.1: %d connections for what 6 can carry: %v", n, clients)
	}
	clear(clients)
	tls, trust := h2server(t, h)
	getConcurrently(t, tls.URL, fetch.Config{TLS: trust}, 100)
	if n := len(clients); n != 1 {
		t.Errorf("HTTP/2: %d connections, want one: %v", n, clients)
	}
}

// TestSharedStreamsKeepTheirCounts: counts of requests on one connection do
// not mix.
func TestSharedStreamsKeepTheirCounts(t *testing.T) {
	srv, trust := h2server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pad", r.URL.Path)
		w.Write(make([]byte, len(r.URL.Path)*1000))
	}))
	s := session(t, fetch.Config{TLS: trust})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			path := "/" + "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"[:i+1]
			h := s.Get(t.Context(), fetch.Request{URL: srv.URL + path, Type: libra.Image}).Hops[0]
			frames := (h.EncodedBytes + 16383) / 16384
			if h.EncodedBytes != int64(len(path))*1000 || h.FramingBytes < 9*frames || h.FramingBytes > 9*(frames+20) {
				t.Errorf("%s: got %s", path, cmp.Diff(fetch.Hop{}, h))
			}
		})
	}
	wg.Wait()
}

// TestContentType reads what servers say, in the plain form and in others.
func TestContentType(t *testing.T) {
	for headers, want := range map[string][2]string{
		"text/plain\ntext/html":                       {"text/html", ""},
		"text/html; charset=utf-8\ntext/html":         {"text/html", "utf-8"},
		"text/html; charset=utf-8, text/css":          {"text/css", ""},
		"text/html; charset=gbk, x, */*, text/html":   {"text/html", "gbk"},
		`text/html; a="b, c/d"; charset=gbk`:          {"text/html", "gbk"},
		"text/html;charset=gbk\ntext/html;charset=ru": {"text/html", "ru"},
		"text/html; charset=gbk; x":                   {"text/html", "gbk"},
		"text/html; charset=gbk; charset=utf-8":       {"text/html", "gbk"},
		"text/html X-Folded: b":                       {"text/html", ""},
		"text/html":                                   {"text/html", ""},
		"Text/HTML; charset=UTF-8":                    {"text/html", "utf-8"},
		"text/css;charset=iso-8859-1":                 {"text/css", "iso-8859-1"},
		`text/css; charset="utf-8"`:                   {"text/css", "utf-8"},
		"text/html; a=b; charset=utf-8":               {"text/html", "utf-8"},
		"text/html;":                                  {"text/html", ""},
		"text/html; charset=":                         {"text/html", ""},
		"image/svg+xml ; x":                           {"image/svg+xml", ""},
		"nonsense":                                    {"nonsense", ""},
		" image/png ":                                 {"image/png", ""},
		"application/vnd.ms-fontobject":               {"application/vnd.ms-fontobject", ""},
	} {
		srv := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = strings.Split(headers, "\n")
		}))
		c := fetch.New(fetch.Config{Allow: loopback})
		got := c.Session().Get(t.Context(), fetch.Request{URL: srv.URL + "/"})
		c.Close()
		if got.Err != nil || got.MediaType != want[0] || got.Charset != want[1] {
			t.Errorf("%q: got %q, %q, %v; want %q", headers, got.MediaType, got.Charset, got.Err, want)
		}
	}
}

func TestSameParty(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://www.example.org/a", "http://cdn.example.org:8080/b", true},
		{"https://Example.org/", "https://example.org/", true},
		{"https://a.co.uk/", "https://b.co.uk/", false},
		{"https://a.github.io/", "https://b.github.io/", false},
		{"http://10.0.0.1/", "http://192.168.0.1/", false},
		{"http://10.0.0.1/", "http://10.0.0.1:81/", true},
		{"http://[::1]/", "http://[::2]/", false},
		{"http://localhost/", "http://localhost:81/", true},
		{"http://localhost/", "http://127.0.0.1/", false},
		{"data:", "https://example.org/", false},
	} {
		if got := fetch.SameParty(c.a, c.b); got != c.want {
			t.Errorf("SameParty(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
