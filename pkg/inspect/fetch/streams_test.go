package fetch_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// crowd is a handler that counts its clients, and how many requests it serves at once.
type crowd struct {
	now, most, served atomic.Int64
	clients           sync.Map
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	c.served.Add(1)
	c.clients.Store(r.RemoteAddr, true)
	io.WriteString(w, page)
}

// Servers that allow few streams get all requests over one connection: also when
// the client begins with many requests at once.
func TestFewStreams(t *testing.T) {
	for _, limit := range []int{1, 2, 10, 250} {
		var c crowd
		srv, trust := h2serverWith(t, &http.HTTP2Config{MaxConcurrentStreams: limit}, &c)
		start := time.Now()
		getConcurrently(t, srv.URL, fetch.Config{TLS: trust, Limits: fetch.Limits{HeaderTimeout: 5 * time.Second}}, 100)
		if n := c.served.Load(); n != 100 {
			t.Errorf("%d streams allowed: %d of 100 requests arrived in %s", limit, n, time.Since(start))
		}
		if most := c.most.Load(); most > int64(limit) {
			t.Errorf("%d streams allowed: %d requests at once", limit, most)
		}
		clients := 0
		c.clients.Range(func(any, any) bool { clients++; return true })
		if clients != 1 {
			t.Errorf("%d streams allowed: %d connections", limit, clients)
		}
	}
}

// Requests that are canceled while they wait for a stream, or have one, leave it to
// the others.
func TestCanceledRequestsFreeTheirStreams(t *testing.T) {
	var asked atomic.Int64
	srv, trust := h2serverWith(t, &http.HTTP2Config{MaxConcurrentStreams: 2}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			asked.Add(1)
			<-r.Context().Done()
			return
		}
		io.WriteString(w, page)
	}))
	s := session(t, fetch.Config{TLS: trust})
	if got := s.Get(t.Context(), fetch.Request{URL: srv.URL}); got.Err != nil {
		t.Fatal(got.Err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { s.Get(ctx, fetch.Request{URL: srv.URL + "/hang", Type: libra.Image}) })
	}
	await(t, "two requests to arrive", func() bool { return asked.Load() == 2 })
	cancel()
	wg.Wait()
	for range 5 {
		wg.Go(func() {
			if got := s.Get(t.Context(), fetch.Request{URL: srv.URL}); got.Err != nil {
				t.Error(got.Err)
			}
		})
	}
	wg.Wait()
}

// A limit that changes applies to the requests that come after; one of 0 lets one
// request wait for the server.
func TestStreamLimitChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s fetch.Streams
		var got atomic.Int64
		for range 12 {
			go func() {
				if s.Acquire(t.Context()) == nil {
					got.Add(1)
				}
			}()
			synctest.Wait()
		}
		for i, step := range []struct {
			do   func()
			want int64
		}{
			{func() {}, 1},
			{func() { s.Allow(4) }, 4},
			{s.Release, 5},
			{func() { s.Allow(2) }, 5},
			{func() { s.Release(); s.Release() }, 5},
			{s.Release, 6},
			{func() { s.Allow(0) }, 6},
			{func() { s.Release(); s.Release() }, 7},
			{func() { s.Allow(100) }, 12},
		} {
			step.do()
			synctest.Wait()
			if got := got.Load(); got != step.want {
				t.Errorf("step %d: %d requests got a stream, want %d", i, got, step.want)
			}
		}
	})
}
