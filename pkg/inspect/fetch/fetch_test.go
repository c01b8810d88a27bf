package fetch_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// session is one over a client that may reach this machine.
func session(t testing.TB, cfg fetch.Config) *fetch.Session {
	t.Helper()
	if cfg.Allow == nil {
		cfg.Allow = loopback
	}
	c := fetch.New(cfg)
	t.Cleanup(c.Close)
	return c.Session()
}

// h2server speaks HTTP/2 over TLS; the configuration trusts it.
func h2server(t testing.TB, h http.Handler) (*httptest.Server, *tls.Config) {
	t.Helper()
	return h2serverWith(t, nil, h)
}

func h2serverWith(t testing.TB, cfg *http.HTTP2Config, h http.Handler) (*httptest.Server, *tls.Config) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.HTTP2 = cfg
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return srv, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func server(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

const page = "<!doctype html><title>x</title><p>some text that compresses, that compresses, that compresses"

func TestGetCountsBytesAsSent(t *testing.T) {
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "Text/HTML; charset=UTF-8")
		h["Date"] = nil
		io.WriteString(w, page)
	})
	got := session(t, fetch.Config{}).Get(t.Context(), fetch.Request{URL: srv.URL + "/a?b#c", Type: libra.Document})
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=UTF-8\r\nContent-Length: %d\r\n\r\n", len(page))
	want := fetch.Hop{
		URL: srv.URL + "/a?b", Status: 200, Protocol: "HTTP/1.1", MediaType: "text/html",
		HeaderBytes: int64(len(head)), EncodedBytes: int64(len(page)), DecodedBytes: int64(len(page)),
	}
	if diff := cmp.Diff([]fetch.Hop{want}, untimed(got.Hops)); diff != "" {
		t.Error(diff)
	}
	if got.MediaType != "text/html" || got.Charset != "utf-8" || string(got.Body) != page || got.FinalURL != want.URL {
		t.Errorf("got %q %q %q %q", got.MediaType, got.Charset, got.Body, got.FinalURL)
	}
}

// untimed removes what differs from run to run.
func untimed(hops []fetch.Hop) (out []fetch.Hop) {
	for _, h := range hops {
		h.Started = time.Time{}
		h.Blocked, h.DNS, h.Connect, h.TLS, h.Wait, h.Receive = 0, 0, 0, 0, 0, 0
		out = append(out, h)
	}
	return out
}

func TestGetHTTP2(t *testing.T) {
	srv, trust := h2server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		w.Header().Set("Content-Type", "text/css")
		io.WriteString(w, page)
	}))
	s := session(t, fetch.Config{TLS: trust})
	for i := range 3 {
		got := s.Get(t.Context(), fetch.Request{URL: srv.URL, Type: libra.Stylesheet})
		if got.Err != nil {
			t.Fatal(got.Err)
		}
		hop := got.Hops[0]
		if hop.Protocol != "HTTP/2.0" || hop.EncodedBytes != int64(len(page)) || string(got.Body) != page {
			t.Errorf("got %+v, body %q", hop, got.Body)
		}
		// 9 bytes of frame head; an indexed status is one byte; the other
		// fields are smaller from the second time on.
		if hop.HeaderBytes < 9+3 || hop.HeaderBytes > 60 || i > 0 && hop.HeaderBytes != 9+3 {
			t.Errorf("header of request %d: %d bytes", i, hop.HeaderBytes)
		}
		if hop.FramingBytes < 9 || hop.FramingBytes > 18 {
			t.Errorf("framing of request %d: %d bytes", i, hop.FramingBytes)
		}
	}
}

func compress(t testing.TB, names string, body []byte) []byte {
	t.Helper()
	for name := range strings.SplitSeq(names, ",") {
		var b bytes.Buffer
		var w io.WriteCloser
		switch strings.TrimSpace(name) {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		case "raw":
			w, _ = flate.NewWriter(&b, 6)
		case "br":
			w = brotli.NewWriter(&b)
		case "zstd":
			w, _ = zstd.NewWriter(&b)
		default:
			t.Fatal(name)
		}
		w.Write(body)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		body = b.Bytes()
	}
	return body
}

func TestEncodings(t *testing.T) {
	for _, tt := range []struct{ applied, header string }{
		{"gzip", "gzip"},
		{"gzip", "X-Gzip"},
		{"deflate", "deflate"},
		{"raw", "deflate"},
		{"br", "br"},
		{"zstd", "zstd"},
		{"gzip,br", "gzip, br"},
		{"deflate,gzip,zstd", "deflate,identity,gzip,zstd"},
	} {
		t.Run(tt.applied+" as "+tt.header, func(t *testing.T) {
			sent := compress(t, tt.applied, []byte(page))
			srv := server(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Content-Encoding", tt.header)
				w.Write(sent)
			})
			s := session(t, fetch.Config{})
			for range 3 { // with decoders from the pool
				got := s.Get(t.Context(), fetch.Request{URL: srv.URL, Type: libra.Document})
				if got.Err != nil {
					t.Fatal(got.Err)
				}
				h := got.Hops[0]
				if string(got.Body) != page || h.EncodedBytes != int64(len(sent)) || h.DecodedBytes != int64(len(page)) {
					t.Errorf("got %d encoded, %d decoded, %q", h.EncodedBytes, h.DecodedBytes, got.Body)
				}
			}
		})
	}
}

// What follows an encoded body is counted and ignored, as in Chromium.
func TestBytesAfterEncodedBody(t *testing.T) {
	const more = "these bytes follow it"
	for _, tt := range []struct{ applied, header string }{{"gzip", "gzip"}, {"deflate", "deflate"}, {"raw", "deflate"}} {
		t.Run(tt.applied, func(t *testing.T) {
			sent := append(compress(t, tt.applied, []byte(page)), more...)
			srv := server(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", tt.header)
				w.Write(sent)
			})
			got := session(t, fetch.Config{}).Get(t.Context(), fetch.Request{URL: srv.URL, Type: libra.Document})
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			if h := got.Hops[0]; string(got.Body) != page || h.EncodedBytes != int64(len(sent)) || h.DecodedBytes != int64(len(page)) {
				t.Errorf("got %d encoded, %d decoded, %q; want %d, %d", h.EncodedBytes, h.DecodedBytes, got.Body, len(sent), len(page))
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
			http.Redirect(w, r, "b/c?x=1#there", http.StatusFound)
		case "/b/c":
			w.Header().Set("Location", `..\d e`)
			w.WriteHeader(http.StatusPermanentRedirect)
		case "/d e":
			io.WriteString(w, r.Header.Get("Cookie"))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusMovedPermanently)
		case "/left/0":
			io.WriteString(w, "there")
		case "/ftp":
			http.Redirect(w, r, "ftp://example.org/", http.StatusMovedPermanently)
		default:
			left, _ := strconv.Atoi(path.Base(r.URL.Path))
			http.Redirect(w, r, fmt.Sprintf("/left/%d", left-1), http.StatusFound)
		}
	})
	s := session(t, fetch.Config{})
	got := s.Get(t.Context(), fetch.Request{URL: srv.URL, Type: libra.Document})
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	var chain []string
	for _, h := range got.Hops {
		chain = append(chain, fmt.Sprintf("%d %s", h.Status, strings.TrimPrefix(h.URL, srv.URL)))
	}
	if diff := cmp.Diff([]string{"302 /", "308 /b/c?x=1", "200 /d%20e"}, chain); diff != "" {
		t.Error(diff)
	}
	if string(got.Body) != "seen=yes" {
		t.Errorf("cookie sent after redirect: %q", got.Body)
	}
	got = s.Get(t.Context(), fetch.Request{URL: srv.URL + "/loop"})
	if why := libra.ReasonOf(got.Err); len(got.Hops) != 21 || why.Code != libra.CodeTooManyRedirects || why.Text != `redirected more than 20 times, the last time to "/loop"` {
		t.Errorf("loop: %d hops, %v", len(got.Hops), got.Err)
	}
	if got = s.Get(t.Context(), fetch.Request{URL: srv.URL + "/left/20", Type: libra.Document}); got.Err != nil || len(got.Hops) != 21 || string(got.Body) != "there" {
		t.Errorf("20 redirects: %d hops, %v", len(got.Hops), got.Err)
	}
	if got = s.Get(t.Context(), fetch.Request{URL: srv.URL + "/left/21"}); got.Err == nil || len(got.Hops) != 21 {
		t.Errorf("21 redirects: %d hops, %v", len(got.Hops), got.Err)
	}
	got = s.Get(t.Context(), fetch.Request{URL: srv.URL + "/ftp"})
	if got.Err == nil || !strings.Contains(got.Err.Error(), "only http and https are fetched") {
		t.Errorf("ftp: %v", got.Err)
	}
}

func TestContextEndsGet(t *testing.T) {
	srv := server(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	got := session(t, fetch.Config{}).Get(ctx, fetch.Request{URL: srv.URL})
	if got.Err == nil || !strings.HasSuffix(got.Err.Error(), "the page has reached its time limit") {
		t.Errorf("got %v", got.Err)
	}
}
