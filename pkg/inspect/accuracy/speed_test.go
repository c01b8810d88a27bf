//go:build accuracy

package accuracy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

const (
	pagesTogether = 8 // as many as an inspector's process weighs at a time
	requestsEach  = 24
	speedTime     = 5 * time.Second

	first = "libra, read anew"   // nothing is remembered
	again = "libra, read before" // the page is what it was
)

// TestSpeed prints how fast a real site is weighed, beside a client that asks
// for the same URLs with the same concurrency and throws the answers away,
// which nobody can be faster than, and beside wget --page-requisites. A page
// that was not read before is dearer than one that is watched.
func TestSpeed(t *testing.T) {
	site := corpora(t)
	i := slices.IndexFunc(site, func(c corpus) bool { return c.name == "sqlite3-doc" })
	if i < 0 {
		t.Skip("sqlite3-doc is not here")
	}
	base := nginx(t, site[i].root)[0]
	var pages []string
	for _, p := range site[i].pages(t) {
		pages = append(pages, base+p)
	}
	allow := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	in, anew := inspect.New(inspect.Config{Allow: allow}), inspect.New(inspect.Config{Allow: allow, Remember: -1})
	defer in.Close()
	defer anew.Close()
	urls := map[string][]string{}
	requests := 0
	for _, p := range pages {
		for _, a := range in.Inspect(t.Context(), p, nil).Assets {
			if a.Fetch == libra.Fetched {
				urls[p] = append(urls[p], a.URL)
			}
		}
		requests += len(urls[p])
	}
	fmt.Printf("%d pages of sqlite3-doc, %.1f requests each, %d pages at a time, %d cores\n", len(pages), float64(requests)/float64(len(pages)), pagesTogether, runtime.NumCPU())
	fmt.Printf("%-24s %10s %14s %14s\n", "", "pages/s", "CPU ms/page", "allocs/page")

	weigh := func(in *inspect.Inspector) func(context.Context, string) {
		return func(ctx context.Context, page string) {
			if r := in.Inspect(ctx, page, nil); r.Outcome != libra.Complete {
				t.Errorf("weigh %s: %s %q", page, r.Outcome, r.Reasons)
			}
		}
	}
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 6, MaxIdleConnsPerHost: 6, DisableCompression: true}}
	defer client.CloseIdleConnections()
	bare := func(ctx context.Context, page string) {
		get(t, client, urls[page][0])
		var wg sync.WaitGroup
		slots := make(chan struct{}, requestsEach)
		for _, u := range urls[page][1:] {
			slots <- struct{}{}
			wg.Go(func() {
				get(t, client, u)
				<-slots
			})
		}
		wg.Wait()
	}
	dir := t.TempDir()
	wget := func(ctx context.Context, page string) {
		// Icons and the like are not there: wget then ends with status 8.
		_ = exec.CommandContext(ctx, "wget", "-q", "-e", "robots=off", "--page-requisites", "--delete-after", "-P", dir, page).Run()
	}
	// In turns, three times: what else runs on the machine comes and goes.
	best := map[string]float64{}
	for range 3 {
		for _, c := range []struct {
			name string
			do   func(context.Context, string)
			who  int
		}{{first, weigh(anew), syscall.RUSAGE_SELF}, {again, weigh(in), syscall.RUSAGE_SELF}, {"bare client", bare, syscall.RUSAGE_SELF}, {"wget --page-requisites", wget, syscall.RUSAGE_CHILDREN}} {
			best[c.name] = max(best[c.name], speed(t, c.name, pages, c.do, c.who))
		}
	}
	for _, name := range []string{first, again} {
		fmt.Printf("%s: %.0f %% of the bare client, %.1f times wget\n", name, 100*best[name]/best["bare client"], best[name]/best["wget --page-requisites"])
	}
}

// get asks as a browser would for what it is sent, and throws it away.
func get(t *testing.T, client *http.Client, url string) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// speed prints pages per second, and what a page costs this process or its
// children.
func speed(t *testing.T, name string, pages []string, do func(context.Context, string), who int) float64 {
	var before, after syscall.Rusage
	var m0, m1 runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m0)
	_ = syscall.Getrusage(who, &before)
	started := time.Now()
	var next, done atomic.Int64
	var wg sync.WaitGroup
	for range pagesTogether {
		wg.Go(func() {
			for time.Since(started) < speedTime {
				do(t.Context(), pages[int(next.Add(1))%len(pages)])
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(started)
	_ = syscall.Getrusage(who, &after)
	runtime.ReadMemStats(&m1)
	n := float64(done.Load())
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	allocs := "-"
	if who == syscall.RUSAGE_SELF {
		allocs = fmt.Sprintf("%.0f", float64(m1.Mallocs-m0.Mallocs)/n)
	}
	fmt.Printf("%-24s %10.0f %14.2f %14s\n", name, n/took.Seconds(), cpu.Seconds()*1000/n, allocs)
	return n / took.Seconds()
}
