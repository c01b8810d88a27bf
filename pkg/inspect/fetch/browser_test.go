//go:build browser

package fetch_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"libra/pkg/inspect/chromiumtest"
	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// cases are responses whose transfer size must be the same in Chromium and here. The
// name gives the element that requests them.
var cases = map[string]http.HandlerFunc{
	"img/svg": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg"/>`)
	},
	"font/f": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "font/woff2")
		w.Write(make([]byte, 3000))
	},
	"link/length": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("value ", 50))
		io.WriteString(w, strings.Repeat("x", 5000))
	},
	"link/chunked": func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			io.WriteString(w, strings.Repeat("y", 700))
			w.(http.Flusher).Flush()
		}
	},
	"link/large":     func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 300_000)) },
	"link/empty":     func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) },
	"iframe/missing": http.NotFound,
	"link/redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/link/length?r", http.StatusFound) },
	"link/redirect2": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/link/redirect")
		w.WriteHeader(301)
	},
	"link/hints": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload; as=style")
		w.WriteHeader(103)
		io.WriteString(w, "hinted")
	},
	"link/trailer": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, strings.Repeat("z", 5000))
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "abcdef")
	},
	"link/gzip":   encoded("gzip"),
	"link/br":     encoded("br"),
	"link/zstd":   encoded("zstd"),
	"link/raw":    encoded("raw"),
	"script/x.js": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", "text/javascript") },
	"video/v": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		http.ServeContent(w, r, "v.mp4", time.Unix(1e9, 0), strings.NewReader(strings.Repeat("v", 9000)))
	},
	"iframe/f": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<p>frame") },
}

func encoded(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		w.Header().Set("Content-Encoding", strings.Replace(name, "raw", "deflate", 1))
		w.Write(compress(&testing.T{}, name, []byte(strings.Repeat("p{color:red}", 500))))
	}
}

// sent records the request headers of a server.
type sent struct {
	name string
	mu   sync.Mutex
	h    map[string]http.Header
}

func (s *sent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.h[r.URL.Path] = r.Header.Clone()
	s.mu.Unlock()
	w.Header()["Date"] = nil // it changes, and so does its compressed size
	if h := cases[strings.TrimPrefix(r.URL.Path, "/")]; h != nil {
		w.Header().Set("Content-Type", "text/css")
		h(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "<link rel=icon href=data:,>")
	switch tag, _, _ := strings.Cut(s.name, "/"); tag {
	case "link":
		fmt.Fprintf(w, "<link rel=stylesheet href=/%s>", s.name)
	case "font":
		fmt.Fprintf(w, "<style>@font-face{font-family:f;src:url(/%s)}</style><p style='font-family:f'>text", s.name)
	default:
		fmt.Fprintf(w, "<%s src=/%s></%s>", tag, s.name, tag)
	}
}

var types = map[string]libra.ResourceType{"font": libra.Font, "img": libra.Image, "link": libra.Stylesheet, "script": libra.Script, "video": libra.Media, "iframe": libra.Document}

// TestChromium compares transfer sizes and request headers with Chromium's.
// Every case has a server of its own: how HPACK writes a header depends on the
// ones before it.
func TestChromium(t *testing.T) {
	ctx := chromium(t)
	for _, proto := range []string{"h1", "h2"} {
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			t.Run(proto+"/"+name, func(t *testing.T) {
				asked := &sent{name: name, h: map[string]http.Header{}}
				var base string
				var trust *tls.Config
				if proto == "h1" {
					base = server(t, asked.ServeHTTP).URL
				} else {
					srv, cfg := h2server(t, asked)
					base, trust = srv.URL, cfg
				}
				truth := transferSizes(t, ctx, base+"/")
				theirs := asked.h
				asked.h = map[string]http.Header{}

				tag, _, _ := strings.Cut(name, "/")
				s := session(t, fetch.Config{TLS: trust})
				page := s.Get(t.Context(), fetch.Request{URL: base + "/", Type: libra.Document})
				got := s.Get(t.Context(), fetch.Request{URL: base + "/" + name, Type: types[tag], Referrer: base + "/"})
				have := []int64{}
				for _, h := range append(page.Hops, got.Hops...) {
					have = append(have, h.TransferBytes())
				}
				want := append(truth["/"], truth["/"+name]...)
				t.Logf("%-14s chromium %v, here %v", name, want, have)
				if !slices.Equal(have, want) {
					t.Errorf("chromium transferred %v, this package %v: %+v", want, have, untimed(got.Hops))
				}
				compareHeaders(t, "page", theirs["/"], asked.h["/"])
				compareHeaders(t, name, theirs["/"+name], asked.h["/"+name])
			})
		}
	}
}

func compareHeaders(t *testing.T, name string, want, got http.Header) {
	t.Helper()
	for k, v := range want {
		if strings.HasPrefix(k, "Sec-Ch-") || k == "User-Agent" || k == "Priority" || k == "Connection" {
			continue
		}
		if !slices.Equal(got[k], v) {
			t.Errorf("%s: Chromium sends %s: %q, this package %q", name, k, v, got[k])
		}
	}
	for k := range got {
		if want[k] == nil {
			t.Errorf("%s: only this package sends %s: %q", name, k, got[k])
		}
	}
}

// chromium starts one, with a tab.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "/usr/bin/chromium"
	}
	opts := chromiumtest.Options(t, path, chromedp.Flag("ignore-certificate-errors", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// sizeListener is encodedDataLength of every request, redirect hops apart, by the
// path first asked for.
type sizeListener struct {
	mu    sync.Mutex
	base  string
	first map[network.RequestID]string
	total map[string][]int64
	open  map[network.RequestID]string
}

func (w *sizeListener) event(ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		if strings.HasSuffix(ev.Request.URL, "/favicon.ico") {
			return // Chromium asks for it when it likes
		}
		if ev.RedirectResponse != nil {
			w.add(ev.RequestID, ev.RedirectResponse.EncodedDataLength)
			return
		}
		w.first[ev.RequestID] = strings.TrimPrefix(ev.Request.URL, w.base)
		w.open[ev.RequestID] = w.first[ev.RequestID]
	case *network.EventLoadingFinished:
		w.add(ev.RequestID, ev.EncodedDataLength)
		delete(w.open, ev.RequestID)
	case *network.EventLoadingFailed:
		delete(w.open, ev.RequestID)
	}
}

func (w *sizeListener) add(id network.RequestID, n float64) {
	p := w.first[id]
	w.total[p] = append(w.total[p], int64(n))
}

func (w *sizeListener) done() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.first) > 0 && len(w.open) == 0
}

// transferSizes opens url and waits until nothing is being loaded.
func transferSizes(t *testing.T, ctx context.Context, url string) map[string][]int64 {
	t.Helper()
	total, err := load(t, ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// load is transferSizes for a page that Chromium may refuse.
func load(t *testing.T, ctx context.Context, url string) (total map[string][]int64, refused error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	w := &sizeListener{base: strings.TrimSuffix(url, "/"), first: map[network.RequestID]string{}, total: map[string][]int64{}, open: map[network.RequestID]string{}}
	if err := chromedp.Listen(ctx, w.event); err != nil {
		t.Fatal(err)
	}
	refused = chromedp.Do(ctx, chromedp.Navigate(url))
	for !w.done() {
		select {
		case <-ctx.Done():
			t.Fatalf("still loading %v: %v", w.open, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total, refused
}

// TestChromiumReadsOddHeads holds the table of odd heads against Chromium: of what it
// reads, it requests the image.
func TestChromiumReadsOddHeads(t *testing.T) {
	ctx := chromium(t)
	for _, name := range slices.Sorted(maps.Keys(oddHeads)) {
		t.Run(name, func(t *testing.T) {
			o := oddHeads[name]
			total, err := load(t, ctx, rawServer(t, func(c net.Conn) { o.send(c) }))
			if _, seen := total["/seen.png"]; seen != (o.want != "") {
				t.Errorf("Chromium requests %v (%v), want the image: %v", total, err, o.want != "")
			}
		})
	}
}
