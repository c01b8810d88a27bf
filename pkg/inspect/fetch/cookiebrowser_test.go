//go:build browser

package fetch_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// setLines are what every document of TestCookiesAsChromium sets.
var setLines = []string{
	`quoted="a b"`, "lonely", "=empty", "a b=1", "x = y ; Path=/", "eq=a=b", "__Host-a=1; Path=/", "__Host-b=1; Path=/; Secure", "__secure-c=1", "__Secure-d=1; Secure",
	"lax=1; SameSite=Lax; Path=/", "strict=1; SameSite=Strict; Path=/", "none=1; SameSite=None; Path=/", "secure=1; SameSite=None; Secure; Path=/", "odd=1; SameSite=x; Path=/",
	"gone=1; Max-Age=0", "old=1; Expires=Thu, 01-Jan-70 00:00:00 GMT", "kept=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "age=1; Max-Age=+1", "domain=1; Domain=127.0.0.1", "wrong=1; Domain=example.org",
	"path=1; Path=/other", "folder=1; Path=/im", "long=" + strings.Repeat("x", 4092), "longer=" + strings.Repeat("x", 4091),
}

// cookieSite answers the documents / and /frame, each with cookies and images, and
// records the Cookie header of every request by its host and path.
type cookieSite struct {
	mu   sync.Mutex
	seen map[string][]string
	all  chan struct{} // closed with the last request
	once sync.Once
}

// requests is how many the page makes.
const requests = 6

func (s *cookieSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, port, _ := strings.Cut(r.Host, ":")
	cookies := strings.Split(r.Header.Get("Cookie"), "; ")
	slices.Sort(cookies)
	s.mu.Lock()
	s.seen[host+r.URL.Path] = cookies
	if len(s.seen) == requests {
		s.once.Do(func() { close(s.all) })
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html")
	page, other := "http://127.0.0.1:"+port, "http://localhost:"+port
	switch r.URL.Path {
	case "/":
		w.Header()["Set-Cookie"] = setLines
		fmt.Fprintf(w, "<link rel=icon href=data:,><img src=/image><img src=%s/image><iframe src=%s/frame></iframe>", other, other)
	case "/frame":
		w.Header()["Set-Cookie"] = setLines
		fmt.Fprintf(w, "<img src=/inside><img src=%s/inside>", page)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// The same cookies go with the same requests in Chromium, but for two that differ on
// purpose: Chromium without a window blocks the cookies of other sites, as a private
// window does, and windows do not; and it refuses a tab in a value, which RFC 6265bis
// allows.
func TestCookiesAsChromium(t *testing.T) {
	site := &cookieSite{seen: map[string][]string{}, all: make(chan struct{})}
	srv := server(t, site.ServeHTTP)
	if err := chromedp.Do(chromium(t), chromedp.Navigate(srv.URL+"/")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-site.all:
	case <-time.After(20 * time.Second):
		t.Fatalf("Chromium has requested only %v", slices.Collect(maps.Keys(site.seen)))
	}
	site.mu.Lock()
	theirs := site.seen
	site.seen = map[string][]string{}
	site.mu.Unlock()

	page, other := srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	s := session(t, fetch.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	for _, r := range []fetch.Request{
		{URL: page + "/", Type: libra.Document},
		{URL: page + "/image", Type: libra.Image, Referrer: page + "/"},
		{URL: other + "/image", Type: libra.Image, Referrer: page + "/"},
		{URL: other + "/frame", Type: libra.Document, Referrer: page + "/"},
		{URL: other + "/inside", Type: libra.Image, Referrer: other + "/frame"},
		{URL: page + "/inside", Type: libra.Image, Referrer: other + "/frame"},
	} {
		if res := s.Get(t.Context(), r); res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(site.seen)) {
		ours := site.seen[key]
		if strings.HasSuffix(key, "/inside") && slices.Equal(ours, []string{"secure=1"}) {
			ours = []string{""}
		}
		if !slices.Equal(theirs[key], ours) {
			t.Errorf("%s: Chromium sends %.400q, this package %.400q", key, theirs[key], ours)
		}
	}
}
