//go:build appliance

package systemd_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/systemd/harness"
	"libra/systemd/load"
)

// flowFigures measures the rates of submissions and of inspections.
func flowFigures(b *testing.B, f *figures) {
	site := harness.NewSite()
	defer site.Close()
	var alone sample
	for i := range 20 {
		began := time.Now()
		id := box.Submit(b, fmt.Sprintf("%s/p/lone/%d", site.URL, i))
		awaitReport(b, id)
		alone = append(alone, time.Since(began))
	}
	f.add("one page, POST to report read, over HTTP", alone.String())

	const flood, clients = 2000, 20
	began := time.Now()
	var wg sync.WaitGroup
	each := make(chan int)
	for range 8 {
		wg.Go(func() {
			for i := range each {
				box.SubmitAs(b, fmt.Sprint("client ", i%clients), fmt.Sprintf("%s/p/flood/%d", site.URL, i))
			}
		})
	}
	for i := range flood {
		each <- i
	}
	close(each)
	wg.Wait()
	took := time.Since(began)
	f.add(fmt.Sprintf("%d submissions of %d clients, 8 at a time, each durable before 202", flood, clients), fmt.Sprintf("%.0f/s", flood/took.Seconds()))
	began = time.Now()
	left := box.OpenRequests(b)
	harness.Await(b, "the flood to be done", time.Minute, func() bool { return box.OpenRequests(b) == 0 })
	f.add(fmt.Sprintf("pages inspected, %d waiting", left), fmt.Sprintf("%.0f/s", float64(left)/time.Since(began).Seconds()))
}

func awaitReport(b *testing.B, id string) {
	b.Helper()
	harness.Await(b, "a report", time.Minute, func() bool { return box.Page(b, id).State == libra.Reported })
}

// readFigures compares reads during faults with reads of a healthy appliance.
func readFigures(b *testing.B, f *figures) {
	site := harness.NewSite()
	defer site.Close()
	g := load.Start(b, load.Config{URL: box.URL, Site: site.URL, Name: "reads", Submits: 20, Readers: 4})
	defer g.Stop()
	harness.Await(b, "pages to read", 20*time.Second, func() bool { return len(g.IDs().Reported) >= 50 })
	g.StopSubmitting()
	harness.Await(b, "the last submission to be done", 30*time.Second, func() bool { return box.OpenRequests(b) == 0 })
	measure := func() load.Stats { g.Mark(); <-time.After(5 * time.Second); return g.Mark() }
	measure() // what the submissions left to do is over by then
	healthy := measure()
	f.add("reads of a healthy appliance, 4 readers", stats(healthy))
	beside := func(name string, s load.Stats) {
		difference := 100 * (float64(s.Answered)/s.Seconds/(float64(healthy.Answered)/healthy.Seconds) - 1)
		f.aim("reads "+name, fmt.Sprintf("%s (%+.0f %%)", stats(s), difference), "at most 10 % fewer", difference >= -10 && s.AnsweredShare() == 1 && s.Lost == 0)
	}
	release := box.LockHistory(b)
	beside("with SQLite locked", measure())
	release()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			// Without waiting for the restart: polling costs more than it.
			if pid := box.HostPID(b, "libra-inspector@1"); pid != 0 {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					b.Error(err)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	beside("with an inspector killed every second", measure())
	cancel()
	<-done
	box.Systemctl(b, "stop", "libra-bus")
	beside("with the bus stopped", measure())
	box.EnsureHealthy(b)
}

func stats(s load.Stats) string {
	return fmt.Sprintf("%.0f/s, p50 %s, p99 %s, %.2f %% answered", float64(s.Answered)/s.Seconds, ms(s.P50), ms(s.P99), 100*s.AnsweredShare())
}

// historyFigures measures how fast a recorder that was stopped catches up.
func historyFigures(b *testing.B, f *figures) {
	box.Systemctl(b, "stop", "libra-recorder")
	const behind = 3000
	before := recorded(b)
	publish(b, behind)
	began := time.Now()
	box.Systemctl(b, "start", "libra-recorder")
	harness.Await(b, "the recorder to catch up", time.Minute, func() bool { return recorded(b)-before == behind })
	f.add(fmt.Sprintf("recorder catches up, %d reports behind, its start included", behind), fmt.Sprintf("%.0f/s", behind/time.Since(began).Seconds()))
	box.Systemctl(b, "stop", "libra-bus")
	box.WipeBus(b)
	box.Systemctl(b, "start", "libra-bus")
	pages := recorded(b)
	took, ok := harness.Within(time.Minute, func() bool { return box.PagesOnBus(b) >= pages })
	if !ok {
		f.add("pages restored to a wiped bus", fmt.Sprintf("%d of %d in a minute", box.PagesOnBus(b), pages))
		return
	}
	f.add(fmt.Sprintf("%d pages restored to a wiped bus", pages), fmt.Sprintf("%.0f/s", float64(pages)/took.Seconds()))
}

// publish publishes reports as an inspector does.
func publish(b *testing.B, n int) {
	b.Helper()
	conn := box.Bus(b, "inspector")
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range numbers {
				url := fmt.Sprintf("http://127.0.0.1/catch-up/%d", i)
				r := event.Reported{
					Request: event.Request{ID: fmt.Sprint("catch-up-", i), Page: libra.PageID(url), URL: url, Site: "home", Client: "bench", Asked: time.Now().UTC()},
					Attempt: 1, Inspector: "1", At: time.Now().UTC(), Report: libra.Report{URL: url, Outcome: libra.Complete},
				}
				if err := conn.PublishReport(b.Context(), r); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
}

func recorded(b *testing.B) int {
	b.Helper()
	pages, err := box.RecordedReports()
	if err != nil {
		return -1
	}
	return len(pages)
}
