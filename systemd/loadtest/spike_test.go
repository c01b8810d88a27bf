//go:build appliance

package loadtest_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"libra/systemd/harness"
	"libra/systemd/load"
)

var spikes = []scenario{{"a spike after a quiet night", spike}}

// spike submits 1,000 pages of 50 clients at once, after half a minute without a request:
// pools, connections and limits are as small as they get.
func spike(s *trial) {
	const clients, each = 50, 20
	site := harness.NewSite()
	defer site.Close()
	<-time.After(30 * time.Second)
	began := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var took answers
	var accepted, retried, failed atomic.Int64
	for c := range clients {
		wg.Go(func() {
			client := load.Client(fmt.Sprint("spike-", c), 4)
			for n := range each {
				for attempt := 0; ; attempt++ {
					from := time.Now()
					status := post(s.Context(), client, "", fmt.Sprintf("%s/p/spike/%d/%d", site.URL, c, n))
					if status == http.StatusAccepted {
						accepted.Add(1)
						mu.Lock()
						took.took = append(took.took, time.Since(from))
						mu.Unlock()
						break
					}
					if status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests || attempt == 30 {
						failed.Add(1)
						break
					}
					retried.Add(1)
					<-time.After(time.Second)
				}
			}
		})
	}
	wg.Wait()
	submitted := time.Since(began)
	drain(s.T)
	done := time.Since(began)
	s.want("accepted, within a retry a second", "all 1,000", fmt.Sprintf("%d in %.1f s, %d retries", accepted.Load(), submitted.Seconds(), retried.Load()), accepted.Load() == clients*each && failed.Load() == 0)
	s.note("p99 of what is accepted", took.String())
	s.want("all inspected", "30 s, at most", fmt.Sprintf("%.1f s, %.0f/s", done.Seconds(), clients*each/done.Seconds()), done <= 30*time.Second)
}
