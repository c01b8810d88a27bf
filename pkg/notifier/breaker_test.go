package notifier_test

import (
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
)

// After three failures the breaker is open; then there is one probe at a time,
// whose answer closes it.
func TestBreaker(t *testing.T) {
	t.Parallel()
	seen := make(chan struct{})
	s := newSink(t, status(500), status(500), status(500), func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-seen:
		case <-r.Context().Done():
		}
		status(500)(w, r)
	})
	d := newFixture(t, s)
	d.run()
	d.publish(transition("web", 1))
	d.publish(transition("web", 2))
	says := func(want string) func() bool { return func() bool { return strings.Contains(d.said(), want) } }
	bustest.Await(t, "a half-open breaker", says("slack: 0 sent, breaker half-open, attempt 3 failed: Slack answered 500"))
	s.mu.Lock()
	calls := len(s.calls)
	s.mu.Unlock()
	if calls != 4 {
		t.Errorf("%d calls, want 3 and one probe", calls)
	}
	close(seen)
	wantTexts(t, s, text(1), text(2))
	bustest.Await(t, "a closed breaker", says("slack: 2 sent"))
	if !strings.Contains(d.logged(), "breaker=open") {
		t.Error("the journal does not say that the breaker opened")
	}
}

// Ten thousand transitions of a hundred alarms, as fast as the bus takes them:
// how many messages people get, and when all is sent.
func BenchmarkStorm(b *testing.B) {
	for b.Loop() {
		s := newSink(b)
		d := newFixture(b, s)
		d.cfg.Pace, d.cfg.DigestPace = 0, 0 // the defaults
		stop := d.run()
		const transitions = 10_000
		for n := range transitions {
			d.publish(transition(fmt.Sprint("page.", n%100), 1+n/100))
		}
		total := regexp.MustCompile(`^(\d+) notifications in one`)
		deadline := time.Now().Add(10 * time.Minute)
		var mem runtime.MemStats
		peak := uint64(0)
		for sent := 0; sent < transitions; {
			if sent = 0; time.Now().After(deadline) {
				b.Fatal("not all is sent")
			}
			for _, text := range s.texts() {
				n := 1
				if m := total.FindStringSubmatch(text); m != nil {
					n, _ = strconv.Atoi(m[1])
				}
				sent += n
			}
			runtime.ReadMemStats(&mem)
			peak = max(peak, mem.HeapInuse)
			<-time.After(50 * time.Millisecond)
		}
		b.ReportMetric(float64(len(s.texts())), "messages")
		b.ReportMetric(float64(peak)/(1<<20), "MiB-heap-with-bus")
		stop()
	}
}
