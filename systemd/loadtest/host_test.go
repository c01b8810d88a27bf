//go:build appliance

package loadtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
	"libra/systemd/harness"
	"libra/systemd/load"
)

var hosts = []scenario{
	{"a host that slows down, fails and recovers", sickHost},
	{"thousands of pages wait for a slow host", slowHost},
}

// patient is a site that counts the requests for pages that it has at a time.
type patient struct {
	*httptest.Server
	delay atomic.Int64 // of each response, in nanoseconds
	dead  atomic.Bool  // connections are closed without a response

	mu        sync.Mutex
	now, most int // under mu; requests at a time
	requests  int // under mu; since the last look
}

func newPatient() *patient {
	p := &patient{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.begin()
		defer p.end()
		select {
		case <-time.After(time.Duration(p.delay.Load())):
		case <-r.Context().Done():
		}
		if p.dead.Load() {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "<!doctype html><title>A page</title><h1>Hello</h1>")
	}))
	return p
}

func (p *patient) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now++
	p.requests++
	p.most = max(p.most, p.now)
}

func (p *patient) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now--
}

// look returns the most requests at a time, and how many there were, since the last look.
func (p *patient) look() (most, requests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	most, requests = p.most, p.requests
	p.most, p.requests = p.now, 0
	return most, requests
}

// sickHost has both inspectors inspect pages of one site all the time.
func sickHost(s *trial) {
	p := newPatient()
	defer p.Close()
	p.delay.Store(int64(200 * time.Millisecond))
	stop := p.keepBusy(s)
	defer stop()
	phase := func(name string, lasts time.Duration) (most, requests int) {
		p.look()
		<-time.After(lasts)
		most, requests = p.look()
		s.note(name, fmt.Sprintf("%.1f requests/s, %d at a time at most, breaker %s", float64(requests)/lasts.Seconds(), most, p.breaker(s)))
		return most, requests
	}
	<-time.After(5 * time.Second)
	fast, _ := phase("answers in 200 ms", 10*time.Second)
	p.delay.Store(int64(5 * time.Second))                   // beyond the target of 3 s
	phase("answers in 5 s, the first 30 s", 30*time.Second) // the limit is halved once in 5 s
	slow, _ := phase("answers in 5 s, then", 20*time.Second)
	s.want("at a time, when it has slowed down", "half of before, at most", fmt.Sprintf("%d, %d before", slow, fast), slow <= fast/2)

	p.delay.Store(int64(300 * time.Millisecond))
	p.dead.Store(true)
	harness.Await(s, "the breaker to open", 30*time.Second, func() bool {
		return strings.HasPrefix(p.breaker(s), "open") || strings.HasPrefix(p.breaker(s), "half-open")
	})
	<-time.After(2 * time.Second) // what had begun before has ended
	most, requests := phase("no answer", 30*time.Second)
	s.want("while the breaker is open, at a time", "1", fmt.Sprint(most), most == 1)
	s.want("while the breaker is open, in 30 s", "some, and one for each pause", fmt.Sprint(requests), requests >= 2 && requests <= 30)

	p.dead.Store(false)
	p.delay.Store(int64(200 * time.Millisecond))
	took := harness.Await(s, "the breaker to close", 30*time.Second, func() bool { return p.breaker(s) == "closed" })
	s.want("closed after the host has recovered", "8 s and a page's time, at most", fmt.Sprintf("%.1f s", took.Seconds()), took <= 10*time.Second)
	again, _ := phase("answers in 200 ms again", 15*time.Second)
	s.want("at a time, when it has recovered", "half of before, at least", fmt.Sprintf("%d", again), again >= fast/2)
}

// slowHost has pages of a host wait that takes 2 s for each, many times as many as the
// inspectors keep, and submits a page of another host now and then: also after the inspectors
// were restarted, which know nothing of those that wait then.
func slowHost(s *trial) {
	p, usual := newPatient(), newPatient()
	defer p.Close()
	defer usual.Close()
	p.delay.Store(int64(2 * time.Second))
	usual.delay.Store(int64(200 * time.Millisecond))
	alone := lone(s, "alone", usual.URL)
	g := load.Start(s, load.Config{URL: box.URL, Site: p.URL, Name: "slow", Submits: 200, Clients: 200})
	defer g.Stop()
	<-time.After(30 * time.Second)
	g.StopSubmitting()
	beside := func(when, kind string) {
		open := box.OpenRequests(s)
		took := lone(s, kind, usual.URL)
		s.want(when+", a page of another host", "twice as long as alone, at most", fmt.Sprintf("%.1f times; %s; %d wait", times(took, alone), spread(took), open), times(took, alone) <= 2 && open > 3000)
	}
	s.note("a page of another host, alone", spread(alone))
	beside("while they wait", "beside")
	box.Systemctl(s, "restart", "libra-inspector@1", "libra-inspector@2")
	<-time.After(5 * time.Second) // until all are under suspicion
	beside("after a restart of the inspectors", "restarted")
	p.dead.Store(true) // so that its breaker opens, and the others are reported at once
	p.delay.Store(0)
}

// keepBusy submits pages of the site, 32 open at a time.
func (p *patient) keepBusy(s *trial) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for client := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				var open []string
				for i := range 8 {
					if id, status := box.TrySubmitAs(s, fmt.Sprint("busy ", client), fmt.Sprintf("%s/p/%d/%d/%d", p.URL, client, n, i)); status == http.StatusAccepted {
						open = append(open, id)
					}
				}
				for len(open) > 0 {
					select {
					case <-done:
						return
					case <-time.After(50 * time.Millisecond):
					}
					if box.Page(s, open[0]).State == libra.Reported {
						open = open[1:]
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

// breaker is the state of the site's breaker, and why.
func (p *patient) breaker(s *trial) string {
	s.Helper()
	var doc struct {
		Hosts []struct{ Host, State, Cause string }
	}
	if code, body := box.Get(s, "/api/hosts"); code != http.StatusOK || json.Unmarshal([]byte(body), &doc) != nil {
		return "unknown"
	}
	for _, h := range doc.Hosts {
		if strings.HasSuffix(p.URL, h.Host) {
			return h.State + " (" + h.Cause + ")"
		}
	}
	return "closed"
}
