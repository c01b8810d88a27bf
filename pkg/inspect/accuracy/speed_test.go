//go:build accuracy

package accuracy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

const (
	pagesTogether = 8 // as many as an inspector process inspects at a time
	requestsEach  = 24
	speedTime     = 5 * time.Second
	turns         = 3
)

// contender is one client.
type contender struct {
	name string
	do   func(ctx context.Context, page string)
	who  int // whose processor time counts, for getrusage
	best float64
	cpu  time.Duration // of a page and of nginx for it, the least of all turns
}

// TestSpeed prints how fast a real site is inspected, beside a client that requests
// the same URLs with the same concurrency and discards the bodies, which is an
// upper bound, and beside wget --page-requisites.
//
// The clients and nginx share the machine's cores, and other load slows down the
// client that works more. Processor time is therefore printed too: where cores are
// scarce, pages per second follow from that of the client and nginx together.
// -run 'TestSpeed//bare' runs one client; processor profiles have the label
// contender.
func TestSpeed(t *testing.T) {
	site := corpora(t)
	i := slices.IndexFunc(site, func(c corpus) bool { return c.name == "sqlite3-doc" })
	if i < 0 {
		t.Skip("sqlite3-doc is not installed")
	}
	bases, server := nginx(t, site[i].root)
	var pages []string
	for _, p := range site[i].pages(t) {
		pages = append(pages, bases[0]+p)
	}
	allow := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	in := inspect.New(inspect.Config{Allow: allow})
	defer in.Close()
	urls, requests := requested(t, in, pages)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 6, MaxIdleConnsPerHost: 6, DisableCompression: true}}
	defer client.CloseIdleConnections()
	fmt.Printf("%d pages of sqlite3-doc, %.1f requests each, %d pages at a time, %d cores\n", len(pages), float64(requests)/float64(len(pages)), pagesTogether, runtime.NumCPU())
	fmt.Printf("%-24s %10s %14s %14s %14s\n", "", "pages/s", "CPU ms/page", "nginx ms/page", "allocs/page")
	bare := &contender{name: "bare client", do: discard(t, client, urls), who: syscall.RUSAGE_SELF}
	wget := &contender{name: "wget --page-requisites", do: wget(t.TempDir()), who: syscall.RUSAGE_CHILDREN}
	libra := &contender{name: "libra", do: inspectPage(t, in), who: syscall.RUSAGE_SELF}
	// In turns, as other load on the machine varies.
	for turn := range turns {
		for _, c := range []*contender{libra, bare, wget} {
			t.Run(strconv.Itoa(turn+1)+"/"+c.name, func(t *testing.T) { c.run(t, pages, server) })
		}
	}
	fmt.Printf("libra: %.0f %% of the bare client, %.1f times wget; by processor time %.0f %%, %.1f times\n",
		100*libra.best/bare.best, libra.best/wget.best, 100*float64(bare.cpu)/float64(libra.cpu), float64(wget.cpu)/float64(libra.cpu))
}

// requested lists by page what a browser requests.
func requested(t *testing.T, in *inspect.Inspector, pages []string) (urls map[string][]string, n int) {
	urls = map[string][]string{}
	for _, p := range pages {
		for _, a := range in.Inspect(t.Context(), p, nil).Assets {
			if a.Fetch == libra.Fetched {
				urls[p] = append(urls[p], a.URL)
			}
		}
		n += len(urls[p])
	}
	return urls, n
}

func inspectPage(t *testing.T, in *inspect.Inspector) func(context.Context, string) {
	return func(ctx context.Context, page string) {
		if r := in.Inspect(ctx, page, nil); r.Outcome != libra.Complete {
			t.Errorf("inspect %s: %s %q", page, r.Outcome, r.Reasons)
		}
	}
}

// discard requests the document, and then the rest.
func discard(t *testing.T, client *http.Client, urls map[string][]string) func(context.Context, string) {
	return func(ctx context.Context, page string) {
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
}

func wget(dir string) func(context.Context, string) {
	return func(ctx context.Context, page string) {
		// wget exits with status 8 when icons and the like are missing.
		_ = exec.CommandContext(ctx, "wget", "-q", "-e", "robots=off", "--page-requisites", "--delete-after", "-P", dir, page).Run()
	}
}

// get requests what a browser accepts, and discards the body.
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

// run fetches pages for a time, and prints pages per second and the processor time
// of one here or in children, and in nginx.
func (c *contender) run(t *testing.T, pages []string, server int) {
	var m0, m1 runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m0)
	own, its := spent(t, c.who), serverSpent(t, server)
	started := time.Now()
	var next, done atomic.Int64
	var wg sync.WaitGroup
	pprof.Do(t.Context(), pprof.Labels("contender", c.name), func(ctx context.Context) {
		for range pagesTogether {
			wg.Go(func() {
				for time.Since(started) < speedTime {
					c.do(ctx, pages[int(next.Add(1))%len(pages)])
					done.Add(1)
				}
			})
		}
	})
	wg.Wait()
	took := time.Since(started)
	n := time.Duration(done.Load())
	own, its = (spent(t, c.who)-own)/n, (serverSpent(t, server)-its)/n
	runtime.ReadMemStats(&m1)
	allocs := "-"
	if c.who == syscall.RUSAGE_SELF {
		allocs = fmt.Sprintf("%.0f", float64(m1.Mallocs-m0.Mallocs)/float64(n))
	}
	rate := float64(n) / took.Seconds()
	fmt.Printf("%-24s %10.0f %14.3f %14.3f %14s\n", c.name, rate, own.Seconds()*1000, its.Seconds()*1000, allocs)
	c.best = max(c.best, rate)
	if c.cpu == 0 || own+its < c.cpu {
		c.cpu = own + its
	}
}

// spent is the processor time of this process, or of its children.
func spent(t *testing.T, who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverSpent is the processor time of nginx's workers.
func serverSpent(t *testing.T, master int) (sum time.Duration) {
	all, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range all {
		text, err := os.ReadFile(status)
		if err != nil || !strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", master)) {
			continue // exited, or another user's
		}
		// The first field is nanoseconds on a processor.
		text, err = os.ReadFile(filepath.Dir(status) + "/schedstat")
		if err != nil {
			t.Fatal(err)
		}
		var ran time.Duration
		if _, err := fmt.Sscan(string(text), &ran); err != nil {
			t.Fatalf("read processor time of nginx: %q: %v", text, err)
		}
		sum += ran
	}
	return sum
}
