package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// pageOf is the id of the page of watchOf.
func pageOf(path string) string { return libra.PageID("https://example.org/" + path) }

func watchOf(path string, every int) event.Watch {
	url := "https://example.org/" + path
	return event.Watch{
		Page: pageOf(path), URL: url, Site: "home", Client: "alice", EveryS: every, At: time.Now().UTC().Truncate(time.Microsecond),
		Budget: json.RawMessage(`[{"path":"/"}]`), SchemeGuessed: true,
	}
}

// background runs a loop of a connection until the test ends.
func background(t *testing.T, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// work ends every job.
func work(t *testing.T, c *bus.Conn) *requestLog {
	a := &requestLog{}
	background(t, func(ctx context.Context) error {
		return c.Work(ctx, bustest.Slots(1), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			a.mu.Lock()
			a.requests = append(a.requests, j.Request)
			a.mu.Unlock()
			if err := j.Done(context.WithoutCancel(ctx)); err != nil {
				t.Log(err)
			}
		})
	})
	return a
}

type requestLog struct {
	mu       sync.Mutex
	requests []event.Request // under mu
}

func (a *requestLog) all() []event.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]event.Request{}, a.requests...)
}

func TestWatchComesDue(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	w := watchOf("p1", 1)
	if err := web.SetWatch(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	got := work(t, inspector)
	bustest.Await(t, "two occasions", func() bool { return len(got.all()) >= 2 })
	first, second := got.all()[0], got.all()[1]
	if first.ID == second.ID || first.Asked.IsZero() {
		t.Errorf("two occasions are one request: %+v, %+v", first, second)
	}
	first.ID, first.Asked = "", time.Time{}
	if diff := cmp.Diff(event.Request{Page: w.Page, URL: w.URL, Site: "home", Client: "alice", SchemeGuessed: true, Watch: &w}, first); diff != "" {
		t.Error(diff)
	}

	b.Down()
	b.Up()
	n := len(got.all())
	bustest.Await(t, "an occasion after the bus was away", func() bool { return len(got.all()) > n })

	end := w
	end.EveryS, end.At = 0, w.At.Add(time.Minute)
	bustest.Await(t, "the bus to take the end", func() bool { return web.SetWatch(t.Context(), end) == nil })
	if now, err := web.WatchOf(t.Context(), pageOf("p1")); err != nil || now.EveryS != 0 {
		t.Errorf("after its end the watch is %+v, %v", now, err)
	}
	// Another watch is the clock: due watches are relayed in order.
	if err := web.SetWatch(t.Context(), watchOf("p2", 1)); err != nil {
		t.Fatal(err)
	}
	count := func(page string) (n int) {
		for _, r := range got.all() {
			if r.Page == page {
				n++
			}
		}
		return n
	}
	bustest.Await(t, "the other watch", func() bool { return count(pageOf("p2")) >= 1 })
	ended := count(pageOf("p1"))
	bustest.Await(t, "the other watch again", func() bool { return count(pageOf("p2")) >= 3 })
	if count(pageOf("p1")) != ended {
		t.Error("a watch that has ended still comes due")
	}
}

// While the page's last request is open, an occasion is skipped, and does not delay
// the next ones.
// A due watch that cannot be made a request, as the bus has no stream of requests,
// is in the log of libra-bus; once it has one, the watch is relayed.
func TestFailingRelayIsLogged(t *testing.T) {
	t.Parallel()
	b := bustest.StartBare(t)
	deleteStream(t, b, event.RequestStream)
	var log logBuffer
	relay, err := bus.Connect(bus.Config{
		URL: b.URL(), Seed: b.Seed("bus"), Role: "bus", Name: "test", Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Close)
	background(t, func(ctx context.Context) error { return relay.RelayDue(ctx, nil) })
	done := work(t, b.Connect("inspector"))
	if err := b.Connect("web").SetWatch(t.Context(), watchOf("p1", 1)); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the failure in the log", func() bool { return log.count(`operation="relay due watches"`) > 0 })
	b.Streams()
	background(t, func(ctx context.Context) error { return relay.ServeQueue(ctx, nil) })
	bustest.Await(t, "a request of the watch", func() bool { return len(done.all()) > 0 })
}

// A watch whose client has too many open requests waits, and is counted from when it was
// due first, however often it comes due meanwhile, until it has a request.
func TestDueWatchesThatWait(t *testing.T) {
	t.Parallel()
	b := bustest.StartBare(t)
	relay, web := b.Connect("bus"), b.Connect("web")
	for n := range bus.MostOpen {
		r := request("alice", n)
		r.Watch = &event.Watch{Page: r.Page}
		if err := web.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	background(t, func(ctx context.Context) error { return relay.RelayDue(ctx, nil) })
	background(t, func(ctx context.Context) error { return relay.ServeQueue(ctx, nil) })
	began := time.Now()
	for _, page := range []string{"p1", "p2"} {
		if err := web.SetWatch(t.Context(), watchOf(page, 1)); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Await(t, "both watches to wait", func() bool { n, _ := relay.DueWaiting(); return n == 2 })
	_, first := relay.DueWaiting()
	if first.Before(began) || time.Since(first) > time.Since(began) {
		t.Errorf("the first waits since %s, the test began at %s", first, began)
	}
	bustest.Await(t, "them to be due three times more", func() bool { return time.Since(first) > 3500*time.Millisecond })
	if n, since := relay.DueWaiting(); n != 2 || !since.Equal(first) {
		t.Errorf("%d wait since %s, want 2 since %s", n, since, first)
	}
	work(t, b.Connect("inspector"))
	bustest.Await(t, "none to wait", func() bool { n, since := relay.DueWaiting(); return n == 0 && since.IsZero() })
}

// deleteStream deletes a stream, as the component that makes them.
func deleteStream(t *testing.T, b *bustest.Bus, name string) {
	t.Helper()
	if err := rawJetStream(t, b).DeleteStream(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func TestDueWhileOpen(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web := b.Connect("web")
	open := event.Request{ID: "r1", Page: pageOf("p1"), URL: "https://example.org/p1", Site: "home", Client: "alice"}
	if err := web.Submit(t.Context(), open); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"p1", "p2"} {
		if err := web.SetWatch(t.Context(), watchOf(page, 1)); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Await(t, "the other page to be asked for", func() bool {
		r, err := web.OpenRequest(t.Context(), pageOf("p2"))
		return err == nil && r.Watch != nil
	})
	if r, err := web.OpenRequest(t.Context(), pageOf("p1")); err != nil || r.ID != "r1" {
		t.Errorf("the open request is %+v, %v", r, err)
	}
}

func TestConsumeAndRecordWatches(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, watchdog, recorder := b.Connect("web"), b.Connect("watchdog"), b.Connect("recorder")
	first := watchOf("p1", 3600)
	for _, w := range []event.Watch{first, watchOf("p2", 3600)} {
		if err := web.SetWatch(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	seen, recorded := map[string]int{}, map[string]int{}
	caught := false
	background(t, func(ctx context.Context) error {
		return watchdog.ConsumeWatches(ctx, func() { mu.Lock(); caught = true; mu.Unlock() }, func(w event.Watch) {
			mu.Lock()
			defer mu.Unlock()
			seen[w.Page] = w.EveryS
		})
	})
	background(t, func(ctx context.Context) error {
		return recorder.RecordWatches(ctx, bus.Recording[event.Watch]{
			Durable: "recorder",
			From:    func(context.Context) (event.Position, error) { return event.Position{}, nil },
			Store: func(_ context.Context, batch []event.Watch, _ event.Position) error {
				mu.Lock()
				defer mu.Unlock()
				for _, w := range batch {
					recorded[w.Page] = w.EveryS
				}
				return nil
			},
		})
	})
	both := func(p1, p2 int) func() bool {
		want := map[string]int{pageOf("p1"): p1, pageOf("p2"): p2}
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return caught && cmp.Equal(seen, want) && cmp.Equal(recorded, want)
		}
	}
	bustest.Await(t, "both watches", both(3600, 3600))
	end := first
	end.EveryS, end.At = 0, time.Now()
	if err := web.SetWatch(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the end of one", both(0, 3600))

	// What was restored must not bring back what has ended since.
	if err := recorder.RestoreWatch(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if now, err := web.WatchOf(t.Context(), pageOf("p1")); err != nil || now.EveryS != 0 {
		t.Errorf("restoring brought back %+v, %v", now, err)
	}
	if err := recorder.RestoreWatch(t.Context(), watchOf("p3", 60)); err != nil {
		t.Fatal(err)
	}
	if now, err := web.WatchOf(t.Context(), pageOf("p3")); err != nil || now.EveryS != 60 {
		t.Errorf("restored: %+v, %v", now, err)
	}
	if _, err := web.WatchOf(t.Context(), pageOf("p4")); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("a page without a watch: %v", err)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, notifier := b.Connect("web"), b.Connect("notifier")
	first := libra.Note{ID: "n1", Kind: libra.Acknowledged, By: "alice", Alarm: "page.down.p1"}
	quiet := libra.Note{ID: "n2", Kind: libra.Silenced, By: "alice", Silence: &libra.Silence{ID: "s 1", Match: libra.Match{Alarm: "*"}}}
	for _, n := range []libra.Note{first, first, quiet} {
		if err := web.PublishNote(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var got []libra.Note
	caught := 0
	background(t, func(ctx context.Context) error {
		return notifier.ConsumeNotes(ctx, func() { mu.Lock(); caught = len(got); mu.Unlock() }, func(n libra.Note) { mu.Lock(); got = append(got, n); mu.Unlock() })
	})
	count := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == n }
	}
	bustest.Await(t, "the notes", count(2))
	bustest.Await(t, "caught up", func() bool { mu.Lock(); defer mu.Unlock(); return caught == 2 })
	third := first
	third.ID = "n3"
	if err := web.PublishNote(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the next", count(3))
	if diff := cmp.Diff([]libra.Note{first, quiet, third}, got); diff != "" {
		t.Error(diff)
	}
	recorder := b.Connect("recorder")
	older := first
	older.ID = "n0"
	if err := recorder.RestoreNote(t.Context(), older); err != nil {
		t.Errorf("a note restored where there is a newer one: %v", err)
	}
}

// Where there is no room for another watch, one that takes no more than before is stored,
// and so is an end.
func TestNoRoomForWatches(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, recorder := b.Connect("web"), b.Connect("recorder")
	large := func(path string, bytes int) event.Watch {
		w := watchOf(path, 3600)
		w.Budget = json.RawMessage(fmt.Sprintf(`[{"path":"/%s"}]`, strings.Repeat("x", bytes)))
		return w
	}
	n := 0
	for ; ; n++ {
		used, most, err := web.WatchSpace(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if used > most {
			break
		}
		if err := recorder.RestoreWatch(t.Context(), large(fmt.Sprint(n), 50_000)); err != nil {
			t.Fatal(err)
		}
	}
	same, grown, end := large("0", 50_000), large("0", 50_001), large("0", 1)
	end.EveryS = 0
	if err := web.SetWatch(t.Context(), same); err != nil {
		t.Errorf("as large: %v", err)
	}
	for what, w := range map[string]event.Watch{"one more": large("new", 1), "a larger one": grown} {
		if err := web.SetWatch(t.Context(), w); !errors.Is(err, libra.ErrFull) {
			t.Errorf("%s, after %d: %v", what, n, err)
		}
	}
	if err := web.SetWatch(t.Context(), end); err != nil {
		t.Errorf("an end: %v", err)
	}
}
