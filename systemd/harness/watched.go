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

// WatchedSite is a site whose pages are watched. It counts the requests for pages,
// and can be down.
type WatchedSite struct {
	*httptest.Server
	Delay time.Duration // before each response; set before the first request

	down  atomic.Bool
	asked atomic.Int64
	bad   atomic.Int64 // time of the first error since the last SetDown, see Monotonic; 0 if none
}

// NewWatchedSite serves a site on an address of this host; "" means 127.0.0.1.
// The notifier groups the alarms of pages of one address.
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

// Page returns the URL of the n-th page.
func (s *WatchedSite) Page(n int) string { return fmt.Sprintf("%s/w/%d", s.URL, n) }

// Requests counts the requests for pages.
func (s *WatchedSite) Requests() int64 { return s.asked.Load() }

// SetDown makes all pages respond with 500, or with 200 again. It returns the time.
func (s *WatchedSite) SetDown(down bool) time.Duration {
	s.bad.Store(0)
	s.down.Store(down)
	return Monotonic()
}

// FirstError returns the time of the first error response since SetDown.
func (s *WatchedSite) FirstError() time.Duration { return time.Duration(s.bad.Load()) }

// WatchPage makes libra-web watch a page at an interval such as "1s", or "off".
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
