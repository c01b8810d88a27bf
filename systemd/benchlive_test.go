//go:build appliance

package systemd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"libra/systemd/harness"
	"libra/systemd/load"
)

// liveFigures measures what somebody costs who looks at the live view, as its page asks:
// every 500 ms, over one connection. All units together, idle and inspecting.
func liveFigures(b *testing.B, f *figures) {
	box.EnsureHealthy(b)
	f.aim("cost of looking at /live, idle", costOfLooking(b), "≤ 2 % of a core", lookedShare <= 2)
	site := harness.NewSite()
	defer site.Close()
	g := load.Start(b, load.Config{URL: box.URL, Site: site.URL, Name: "live", Submits: 40})
	defer g.Stop()
	f.add("cost of looking at /live, 40 inspections a second", costOfLooking(b))
}

// lookedShare is what costOfLooking measured last, in percent of a core.
var lookedShare float64

// costOfLooking compares the processor time of all units with and without a viewer, in
// turns, so that what else changes does not count as the cost.
func costOfLooking(b *testing.B) string {
	const turns, turn = 4, 8 * time.Second
	var used [2]time.Duration // without, with
	for range turns {
		for i := range used {
			ctx, stop := context.WithCancel(b.Context())
			var viewer sync.WaitGroup
			if i == 1 {
				viewer.Go(func() { lookAtLive(ctx, b) })
			}
			<-time.After(4 * time.Second) // of a viewer before, all components have forgotten
			before := cpuTime(b)
			<-time.After(turn)
			used[i] += cpuTime(b) - before
			stop()
			viewer.Wait()
		}
	}
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / (turns * turn).Seconds() }
	lookedShare = share(used[1]) - share(used[0])
	return fmt.Sprintf("%.1f %% of a core (%.1f %% without, %.1f %% with)", lookedShare, share(used[0]), share(used[1]))
}

func lookAtLive(ctx context.Context, b *testing.B) {
	var doc struct {
		Next int64 `json:"next"`
	}
	for ctx.Err() == nil {
		if code, body := box.Get(b, fmt.Sprintf("/api/live?from=%d", doc.Next)); code != http.StatusOK || json.Unmarshal([]byte(body), &doc) != nil {
			b.Errorf("/api/live = %d %s", code, body)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}
