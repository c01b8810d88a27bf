package harness

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/libra"
)

// Watched is a site whose pages are watched. It counts how often they are
// weighed, and can be down.
type WatchedSite struct {
	*httptest.Server
	Delay time.Duration // before each page; set before anybody asks

	down  atomic.Bool
	asked atomic.Int64
	bad   atomic.Int64 // when it first answered with an error since the last Down, see Monotonic; 0 where not yet
}

// NewWatched serves it on an address of this host: 127.0.0.1 where it is "".
// Pages of one address are one group to those who are told.
func NewWatchedSite(t testing.TB, address string) *WatchedSite {
	t.Helper()
	if address == "" {
		address = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &WatchedSite{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	return s
}

func (s *WatchedSite) serve(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/w/") {
		http.NotFound(w, r)
		return
	}
	s.asked.Add(1)
	select {
	case <-time.After(s.Delay):
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if s.down.Load() {
		s.bad.CompareAndSwap(0, int64(Monotonic()))
		w.WriteHeader(http.StatusInternalServerError)
	}
	io.WriteString(w, "<!doctype html><title>Watched</title><p>watched")
}

// Page is the URL of the n-th page.
func (s *WatchedSite) Page(n int) string { return fmt.Sprintf("%s/w/%d", s.URL, n) }

// Asked counts the pages that were asked for.
func (s *WatchedSite) Requests() int64 { return s.asked.Load() }

// Down has every page answer with 500, or well again. It returns when that was.
func (s *WatchedSite) SetDown(down bool) time.Duration {
	s.bad.Store(0)
	s.down.Store(down)
	return Monotonic()
}

// Bad is when the site answered with an error first, since it is down.
func (s *WatchedSite) FirstError() time.Duration { return time.Duration(s.bad.Load()) }

// Watch asks web to have a page weighed again and again: every "1s", or "off".
func (h *Harness) WatchPage(t testing.TB, url, every string) (page string) {
	t.Helper()
	res, err := http.Post(h.URL+"/api/pages", "application/json", strings.NewReader(fmt.Sprintf(`{"url":%q,"every":%q}`, url, every)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("watch %s every %s: %s %s %v", url, every, res.Status, answer, err)
	}
	return libra.PageID(url)
}
