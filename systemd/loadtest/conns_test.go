//go:build appliance

package loadtest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"libra/systemd/harness"
	"libra/systemd/load"
)

var connections = []scenario{
	{"1,100 idle connections", waitingConns("GET /up HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "")},
	{"1,100 connections with slow headers", waitingConns("GET /up HTTP/1.1\r\nHost: 127.0.0.1\r\n", "X-Slow: 1\r\n")},
	{"1,100 connections with slow bodies", waitingConns("POST /api/pages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n", " ")},
	{"1,000 readers of events", readersOfEvents},
}

const mostWait = 100 * time.Millisecond

// waitingConns keeps 1,100 connections of ten addresses open, each with the first part of
// a request and then a further one every second, opens them again when they are closed,
// and asks for /up on new connections meanwhile.
func waitingConns(first, further string) func(*trial) {
	return func(s *trial) {
		s.note("/up before", upAnswers(s, 5*time.Second).String())
		ctx, stop := context.WithCancel(s.Context())
		var wg sync.WaitGroup
		var open, opened atomic.Int64
		for n := range 1100 {
			wg.Go(func() {
				for ctx.Err() == nil {
					opened.Add(1)
					open.Add(1)
					keepOpen(ctx, fmt.Sprint("waiting-", n%10), first, further)
					open.Add(-1)
					select {
					case <-ctx.Done():
					case <-time.After(100 * time.Millisecond):
					}
				}
			})
		}
		harness.Await(s, "1,000 connections", 20*time.Second, func() bool { return open.Load() > 1000 })
		beside := upAnswers(s, 15*time.Second)
		stop()
		wg.Wait()
		s.note("opened in 15 s", fmt.Sprint(opened.Load()))
		s.want("/up on a new connection, p99", ms(mostWait), beside.String(), beside.p99() <= mostWait)
		s.want("/up without an answer", "none", fmt.Sprint(beside.failed), beside.failed == 0)
	}
}

// keepOpen opens a connection, writes first, then further every second, until it is
// closed or ctx ends.
func keepOpen(ctx context.Context, client, first, further string) {
	dialer := net.Dialer{LocalAddr: load.Address(client), Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(box.URL, "http://"))
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for text := first; ; text = further {
		if _, err := conn.Write([]byte(text)); err != nil {
			return
		}
		select {
		case <-ended:
			return
		case <-tick.C:
		}
	}
}

// answers are the latencies of responses.
type answers struct {
	took   []time.Duration
	failed int
}

func (a answers) p99() time.Duration {
	if len(a.took) == 0 {
		return time.Hour
	}
	sorted := slices.Sorted(slices.Values(a.took))
	return sorted[len(sorted)*99/100]
}

func (a answers) String() string {
	if len(a.took) == 0 {
		return "no answer"
	}
	return fmt.Sprintf("%s (median %s, %d answers)", ms(a.p99()), ms(median(a.took)), len(a.took))
}

// upAnswers asks for /up on a new connection, 50 times a second.
func upAnswers(s *trial, lasts time.Duration) (a answers) {
	client := load.Client("who asks", 0)
	client.Transport.(*http.Transport).DisableKeepAlives = true
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(lasts); time.Now().Before(end); <-tick.C {
		began := time.Now()
		req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, box.URL+"/up", nil)
		if err != nil {
			s.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			a.failed++
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			a.failed++
		}
		a.took = append(a.took, time.Since(began))
	}
	return a
}

// readersOfEvents has 1,000 readers of ten addresses ask for the event stream, for which
// libra-web has 256 places, while pages are submitted and inspected.
func readersOfEvents(s *trial) {
	const readers = 1000
	site := harness.NewSite()
	defer site.Close()
	before := memory(s)
	ctx, stop := context.WithCancel(s.Context())
	defer stop()
	var wg sync.WaitGroup
	var reading, refused atomic.Int64
	seen := make([]atomic.Int64, readers) // reports
	for n := range readers {
		wg.Go(func() { readEvents(ctx, fmt.Sprint("reader-", n%10), &reading, &refused, &seen[n]) })
	}
	harness.Await(s, "every reader to be connected or refused", 30*time.Second, func() bool { return reading.Load()+refused.Load() == readers })
	connected := reading.Load()
	s.want("connected, the others refused with Retry-After", "256", fmt.Sprintf("%d, %d refused", connected, refused.Load()), connected == 256)
	const pages = 50
	began := time.Now()
	for n := range pages {
		box.Submit(s, fmt.Sprintf("%s/p/events/%d", site.URL, n))
	}
	got := func() (n int64) {
		for i := range seen {
			if seen[i].Load() >= pages {
				n++
			}
		}
		return n
	}
	_, all := harness.Within(30*time.Second, func() bool { return got() == connected })
	s.want("readers with an event of every report", "all that are connected", fmt.Sprintf("%d in %.1f s", got(), time.Since(began).Seconds()), all)
	g := load.Start(s, load.Config{URL: box.URL, Site: site.URL, Name: "events", Submits: 20})
	up := upAnswers(s, 15*time.Second)
	g.Stop()
	s.want("/up on a new connection, p99, 20 pages a second", ms(mostWait), up.String(), up.p99() <= mostWait && up.failed == 0)
	grown := memory(s)
	s.want("memory of libra-web", "128 MB, at most", fmt.Sprintf("%.0f to %.0f MB", float64(before)/1e6, float64(grown)/1e6), grown <= 128e6)
	stop()
	wg.Wait()
}

// readEvents reads the event stream until ctx ends, and counts the reports.
func readEvents(ctx context.Context, name string, reading, refused, reports *atomic.Int64) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, box.URL+"/api/events", nil)
	if err != nil {
		return
	}
	client := load.Client(name, 0)
	client.Timeout = 0
	resp, err := client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		if resp.Header.Get("Retry-After") != "" {
			refused.Add(1)
		}
		return
	}
	reading.Add(1)
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "event: report") {
			reports.Add(1)
		}
	}
}
