package web_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/pkg/web"
	"libra/pkg/web/state"
)

// large is a report of n assets.
func large(r event.Request, n int) event.Reported {
	rep := reported(r, time.Now().UTC())
	for i := range n {
		a := rep.Report.Assets[1]
		a.URL = fmt.Sprintf("%sassets/%d.css", r.URL, i)
		rep.Report.Assets = append(rep.Report.Assets, a)
	}
	rep.Report.Totals = libra.Sum(rep.Report.Assets)
	return rep
}

func serve(b *testing.B) *web.Server {
	b.Helper()
	s, _ := serveAt(b)
	return s
}

// serveAt is a server with 201 reports, and its URL.
func serveAt(b *testing.B) (s *web.Server, base string) {
	b.Helper()
	rig := bustest.Start(b)
	inspector := rig.Connect("inspector")
	for n := range 200 {
		if err := inspector.PublishReport(b.Context(), large(request(n), 100)); err != nil {
			b.Fatal(err)
		}
	}
	if err := inspector.PublishReport(b.Context(), large(request(200), 4)); err != nil { // a document of 3.8 kB
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range component.Required() { // without heartbeats, nothing is known for sure
		conn := rig.Connect(c.Role)
		go conn.PublishHeartbeats(b.Context(), func() string { return "" }, func() event.Heartbeat { return beatOf(c.Name) })
	}
	db := b.TempDir() + "/libra.db"
	history, err := store.Open(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	history.Close()
	s = web.New(web.Config{}, quiet(), rig.Connect("web"), store.NewReader(db), nil)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	b.Cleanup(func() { cancel(); <-ended })
	bustest.Await(b, "the reports", func() bool { return strings.HasPrefix(s.Status(), "serving 201 pages") })
	return s, "http://" + l.Addr().String()
}

// BenchmarkRead is one answer, without the network.
func BenchmarkRead(b *testing.B) {
	s := serve(b)
	for _, path := range []string{"/up", "/api/pages/" + request(7).Page, "/api/pages?limit=50", "/", "/pages/" + request(7).Page, "/metrics"} {
		b.Run(strings.ReplaceAll(strings.Trim(path, "/"), "/", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("GET", "http://localhost"+path, nil)
				r.Header.Set("Accept-Encoding", "gzip")
				if strings.HasPrefix(path, "/pages") || path == "/" {
					r.Header.Set("Accept", "text/html")
				}
				w := httptest.NewRecorder()
				if s.Handler().ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatalf("%s = %d %s", path, w.Code, w.Body)
				}
			}
		})
	}
}

// BenchmarkStart is from New, with a bus of 200 reports, to the first 200 OK.
func BenchmarkStart(b *testing.B) {
	rig := bustest.Start(b)
	inspector := rig.Connect("inspector")
	for n := range 200 {
		if err := inspector.PublishReport(b.Context(), large(request(n), 100)); err != nil {
			b.Fatal(err)
		}
	}
	startOnce(b, rig.Connect("web"), b.TempDir()+"/none.db")
}

func startOnce(b *testing.B, conn *bus.Conn, db string) {
	b.ResetTimer()
	for range b.N {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		s := web.New(web.Config{}, quiet(), conn, store.NewReader(db), nil)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, l) }()
		for {
			resp, err := http.Get("http://" + l.Addr().String() + "/up")
			if err != nil {
				b.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		b.StopTimer()
		cancel()
		<-ended
		b.StartTimer()
	}
}

// BenchmarkFirstAnswer is from New to 200 OK with a database of so many pages,
// and a bus that has them too.
func BenchmarkFirstAnswer(b *testing.B) {
	for _, pages := range []int{1000} {
		b.Run(fmt.Sprint(pages), func(b *testing.B) {
			rig := bustest.Start(b)
			inspector := rig.Connect("inspector")
			db := b.TempDir() + "/libra.db"
			w, err := store.Open(b.Context(), db)
			if err != nil {
				b.Fatal(err)
			}
			var all []event.Reported
			for n := range pages {
				all = append(all, large(request(n), 100))
				if err := inspector.PublishReport(b.Context(), all[n]); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := w.AddReports(b.Context(), all, event.Position{}); err != nil {
				b.Fatal(err)
			}
			w.Close()
			for _, path := range []string{db, db + ".none"} {
				conn := rig.Connect("web")
				b.Run(map[bool]string{true: "history", false: "bus"}[path == db], func(b *testing.B) { startOnce(b, conn, path) })
			}
		})
	}
}

// BenchmarkList is the first part of the list of 20,000 pages, a tenth of them
// watched, none or all of which are down.
func BenchmarkList(b *testing.B) {
	const pages = 20_000
	for name, status := range map[string]int{"none_down": 200, "all_down": 500} {
		b.Run(name, func(b *testing.B) {
			rig := bustest.Start(b)
			inspector, client := rig.Connect("inspector"), rig.Connect("web")
			var group sync.WaitGroup
			for part := range 50 {
				group.Go(func() {
					for n := part; n < pages; n += 50 {
						r := request(n)
						r.Watch = &event.Watch{Page: r.Page, URL: r.URL, Site: "home", Client: "alice", EveryS: 86400, At: noon}
						rep := reported(r, noon.Add(time.Duration(n)*time.Second))
						if status != 200 {
							rep = errorAnswer(r, rep.At, status)
						}
						err := inspector.PublishReport(b.Context(), rep)
						if n%10 == 0 {
							err = errors.Join(err, client.SetWatch(b.Context(), *r.Watch))
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			s := web.New(web.Config{Bounds: state.Bounds{Pages: 100_000_000}}, quiet(), rig.Connect("web"), store.NewReader(b.TempDir()+"/none.db"), nil)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx, l) }()
			b.Cleanup(func() { cancel(); <-ended })
			bustest.Await(b, "the reports", func() bool { return strings.HasPrefix(s.Status(), fmt.Sprintf("serving %d pages", pages)) })
			for b.Loop() {
				w := httptest.NewRecorder()
				if s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/api/pages?limit=30", nil)); w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}
