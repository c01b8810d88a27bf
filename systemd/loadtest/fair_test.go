//go:build appliance

package loadtest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/systemd/harness"
	"libra/systemd/load"
)

var fairness = []scenario{
	{"one client with 10,000 requests, another with one", loneBeside(func(int) string { return "" })},
	{"the same client with 5,000 names", loneBeside(func(n int) string { return fmt.Sprint("name-", n%5000) })},
	{"a hundred clients, evenly", evenly},
}

// loneBeside submits pages of one client, one after the other, while another client has
// sent a part of its 10,000 requests, each under the name that names gives it. The lone
// pages take as long as a page of the Internet, and then as long as one of this host
// does: then what little the bus takes to store something is most of it.
func loneBeside(names func(n int) string) func(*trial) {
	return func(s *trial) {
		site, usual := harness.NewSite(), newPatient()
		defer site.Close()
		defer usual.Close()
		usual.delay.Store(int64(200 * time.Millisecond))
		alone, fastAlone := lone(s, "alone", usual.URL), lone(s, "alone", site.URL)
		g := newGreedy(site.URL, names)
		g.start(10_000)
		harness.Await(s, "a client with much to do", time.Minute, func() bool { return g.sent.Load() > 1000 || g.refused.Load() > 0 })
		beside, fastBeside := lone(s, "beside", usual.URL), lone(s, "beside", site.URL)
		sent := g.sent.Load()
		g.stop()
		s.note("the greedy client", fmt.Sprintf("%d of 10,000 requests sent when the last lone page was reported: %d accepted, %d refused (429 or 503)", sent, g.accepted.Load(), g.refused.Load()))
		s.want("other responses", "none", fmt.Sprint(g.other.Load()), g.other.Load() == 0)
		s.note("a lone page that answers in 200 ms, alone", spread(alone))
		s.want("beside it", "twice as long, at most", fmt.Sprintf("%.1f times; %s", times(beside, alone), spread(beside)), times(beside, alone) <= 2)
		s.note("a lone page that answers at once, alone", spread(fastAlone))
		s.note("beside it", fmt.Sprintf("%.1f times; %s", times(fastBeside, fastAlone), spread(fastBeside)))
	}
}

// lone submits 40 pages of a site, one after the other, and says how long each took until
// it was reported.
func lone(s *trial, kind, url string) (took []time.Duration) {
	s.Helper()
	for i := range 40 {
		began := time.Now()
		id := box.SubmitAs(s, "lone", fmt.Sprintf("%s/p/%s/%d", url, kind, i))
		harness.Await(s, "the lone report", time.Minute, func() bool { return box.Page(s, id).State == libra.Reported })
		took = append(took, time.Since(began))
	}
	return took
}

// times is how many times as long pages took beside others as alone.
func times(beside, alone []time.Duration) float64 {
	return float64(median(beside)) / float64(median(alone))
}

// greedy is a client with as much to do as it may, and more.
type greedy struct {
	site                           string
	names                          func(int) string
	client                         *http.Client
	sent, accepted, refused, other atomic.Int64
	end                            context.CancelFunc
	wg                             sync.WaitGroup
}

func newGreedy(site string, names func(int) string) *greedy {
	return &greedy{site: site, names: names, client: load.Client("greedy", 16)}
}

// start sends so many requests, eight at a time.
func (g *greedy) start(most int64) {
	ctx, cancel := context.WithCancel(context.Background())
	g.end = cancel
	for range 8 {
		g.wg.Go(func() {
			for ctx.Err() == nil {
				n := g.sent.Add(1)
				if n > most {
					return
				}
				switch post(ctx, g.client, g.names(int(n)), fmt.Sprintf("%s/p/greedy/%d", g.site, n)) {
				case http.StatusAccepted:
					g.accepted.Add(1)
				case http.StatusTooManyRequests, http.StatusServiceUnavailable:
					g.refused.Add(1)
				default:
					if ctx.Err() == nil {
						g.other.Add(1)
					}
				}
			}
		})
	}
}

func (g *greedy) stop() { g.end(); g.wg.Wait() }

// post submits a page and returns the status of the response, 0 for none.
func post(ctx context.Context, client *http.Client, name, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, box.URL+"/api/pages", strings.NewReader(fmt.Sprintf(`{"url":%q}`, url)))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	if name != "" {
		req.Header.Set("X-Libra-Client", name)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// evenly has a hundred clients keep eight requests open for a minute, of a site that
// takes long enough that the inspectors are what they wait for, and compares how many
// pages of each were inspected: some 35, so that one more at the beginning and one fewer at the
// end of the minute make less than the difference that is looked for.
func evenly(s *trial) {
	const clients, open, lasts = 100, 8, time.Minute
	site := newPatient()
	defer site.Close()
	site.delay.Store(int64(200 * time.Millisecond))
	ctx, stop := context.WithCancel(s.Context())
	var accepted, waiting [clients]atomic.Int64
	flows := [clients]string{}
	for c := range clients {
		flows[c] = event.Request{Client: load.Address(clientName(c)).IP.String()}.Flow()
	}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			client := load.Client(clientName(c), 2)
			for n := 0; ctx.Err() == nil; {
				if waiting[c].Load() < open && post(ctx, client, "", fmt.Sprintf("%s/p/even/%d/%d", site.URL, c, n)) == http.StatusAccepted {
					accepted[c].Add(1)
					waiting[c].Add(1)
					n++
					continue
				}
				select {
				case <-ctx.Done():
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	look := func() (done [clients]int64) {
		stored := box.OpenByFlow(s)
		for c, flow := range flows {
			done[c] = accepted[c].Load() - int64(stored[flow])
			waiting[c].Store(int64(stored[flow]))
		}
		return done
	}
	lookFor := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); <-time.After(200 * time.Millisecond) {
			look()
		}
	}
	lookFor(10 * time.Second) // until each has some open all the time
	before := look()
	lookFor(lasts)
	after := look()
	stop()
	wg.Wait()
	all := int64(0)
	for c := range clients {
		after[c] -= before[c]
		all += after[c]
	}
	slices.Sort(after[:])
	least, most := after[0], after[clients-1]
	s.note("inspected of all in a minute", fmt.Sprint(all))
	s.want("of each, most / least", "1.2, at most", fmt.Sprintf("%d / %d = %.2f", most, least, float64(most)/float64(max(least, 1))), least > 0 && float64(most) <= 1.2*float64(least))
}

func clientName(n int) string { return fmt.Sprint("even-", n) }

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

func spread(d []time.Duration) string {
	return fmt.Sprintf("median %s, longest %s", ms(median(d)), ms(slices.Max(d)))
}
