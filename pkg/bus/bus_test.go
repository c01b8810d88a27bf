package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

func testDeadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func request(client string, n int) event.Request {
	url := fmt.Sprintf("https://example.org/%s/%d", client, n)
	return event.Request{ID: fmt.Sprintf("%s-%d", client, n), Page: libra.PageID(url), URL: url, Site: "home", Client: client, Asked: time.Now().UTC()}
}

func TestAnonymousIsRefused(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	if nc, err := nats.Connect(b.URL()); err == nil {
		nc.Close()
		t.Error("a client without a key was let in")
	} else if !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a client without a key got %v", err)
	}
}

func TestRolesMayOnlyDoTheirPart(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	if err := b.Connect("notifier").Submit(ctx, request("mallory", 1)); !errors.Is(err, libra.ErrUnavailable) {
		t.Errorf("the notifier submitted a request: %v", err)
	}
	if err := b.Connect("web").PublishReport(ctx, event.Reported{Request: request("mallory", 1)}); !errors.Is(err, libra.ErrUnavailable) {
		t.Errorf("web published a report: %v", err)
	}
}

func TestOneOpenRequestPerClientAndPage(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web := b.Connect("web")
	r := request("alice", 1)
	if err := web.Submit(ctx, r); err != nil {
		t.Fatal(err)
	}
	again := r
	again.ID = "alice-again"
	if err := web.Submit(ctx, again); !errors.Is(err, libra.ErrOpen) {
		t.Errorf("second request: %v, want ErrOpen", err)
	}
	other := r
	other.ID, other.Client = "bob-1", "bob"
	if err := web.Submit(ctx, other); err != nil {
		t.Errorf("another client's request: %v", err)
	}
	got, err := web.OpenRequest(ctx, r.Page)
	if err != nil || got.ID != "bob-1" {
		t.Errorf("OpenRequest = %v, %v", got, err)
	}
	if pages, err := web.OpenPages(ctx); err != nil || !slices.Equal(slices.Compact(pages), []string{r.Page}) {
		t.Errorf("OpenPages = %v, %v", pages, err)
	}
	if _, err := web.OpenRequest(ctx, "nopage"); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("OpenRequest of nothing: %v", err)
	}
}

// A request reaches a worker, is answered, and the report reaches every reader.
func TestRequestToReport(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx, cancel := context.WithCancel(testDeadline(t))
	web, inspector, recorder := b.Connect("web"), b.Connect("inspector"), b.Connect("recorder")

	var mu sync.Mutex
	var watched, recorded []string
	caughtUp := make(chan struct{}, 9)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		web.ConsumeReports(ctx, func() { caughtUp <- struct{}{} }, func(r event.Reported) {
			mu.Lock()
			defer mu.Unlock()
			watched = append(watched, r.Request.ID)
		})
	})
	<-caughtUp
	fails := 1
	wg.Go(func() {
		recordReports(ctx, recorder, func(batch []event.Reported) error {
			mu.Lock()
			defer mu.Unlock()
			if fails > 0 {
				fails--
				return errors.New("database is locked")
			}
			for _, r := range batch {
				recorded = append(recorded, r.Request.ID)
			}
			return nil
		})
	})
	wg.Go(func() {
		inspector.Work(ctx, bustest.Slots(2), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			stop, err := inspector.ServeStep(j.Request.Page, func() event.Step {
				return event.Step{Request: j.Request.ID, Page: j.Request.Page, Step: libra.Weighing}
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer stop()
			if err := inspector.Ping(ctx); err != nil {
				t.Error(err)
			}
			if s, err := web.AskStep(ctx, j.Request.Page); err != nil || s.Request != j.Request.ID {
				t.Errorf("AskStep = %v, %v", s, err)
			}
			if err := inspector.PublishReport(ctx, event.Reported{Request: j.Request, Attempt: j.Attempt}); err != nil {
				t.Error(err)
			}
			endJob(ctx, t, j)
		})
	})
	for n := range 5 {
		if err := web.Submit(ctx, request("alice", n)); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Await(t, "five reports", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(watched) == 5 && len(recorded) == 5
	})
	bustest.Await(t, "no open request", func() bool {
		pages, err := web.OpenPages(ctx)
		return err == nil && len(pages) == 0
	})
	if r, err := web.LastReport(ctx, request("alice", 3).Page); err != nil || r.Request.ID != "alice-3" {
		t.Errorf("LastReport = %v, %v", r.Request.ID, err)
	}
	bustest.Await(t, "no worker to answer for the page", func() bool {
		_, err := web.AskStep(ctx, request("alice", 3).Page)
		return errors.Is(err, libra.ErrUnavailable)
	})
}

// endJob ends a job; the test may be over by then.
func endJob(ctx context.Context, t *testing.T, j bus.Job) {
	if err := j.Done(ctx); err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

// One client's many requests do not keep another's single one waiting.
func TestClientsTakeTurns(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx, cancel := context.WithCancel(testDeadline(t))
	web, inspector := b.Connect("web"), b.Connect("inspector")
	for n := range 40 {
		if err := web.Submit(ctx, request("flood", n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := web.Submit(ctx, request("single", 0)); err != nil {
		t.Fatal(err)
	}
	// JetStream counts a message for its consumer after the publisher has its answer.
	bustest.Await(t, "the lanes to know of all requests", func() bool { return waiting(t, b) == 41 })
	var mu sync.Mutex
	var order []string
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		inspector.Work(ctx, bustest.Slots(1), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, j.Request.Client)
			endJob(ctx, t, j)
		})
	})
	bustest.Await(t, "every job", func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == 41 })
	if i := slices.Index(order, "single"); i > 4 { // a flow has four requests in a round
		t.Errorf("the single request was served as number %d", i+1)
	}
}

// waiting counts the requests that the lanes' consumers would deliver.
func waiting(t *testing.T, b *bustest.Bus) (n int) {
	t.Helper()
	s, err := rawJetStream(t, b).Stream(t.Context(), event.RequestStream)
	if err != nil {
		t.Fatal(err)
	}
	lanes := s.ListConsumers(t.Context())
	for lane := range lanes.Info() {
		n += int(lane.NumPending)
	}
	if err := lanes.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// Everything resumes by itself after the bus was away, and what was accepted
// before is still there.
func TestBusAway(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx, cancel := context.WithCancel(testDeadline(t))
	web, inspector, recorder := b.Connect("web"), b.Connect("inspector"), b.Connect("recorder")
	if err := web.Submit(ctx, request("alice", 1)); err != nil {
		t.Fatal(err)
	}
	b.Down()
	bustest.Await(t, "the connection to be lost", func() bool { return !web.Connected() })
	if err := web.Submit(ctx, request("alice", 2)); !errors.Is(err, libra.ErrUnavailable) {
		t.Errorf("submitting to a bus that is away: %v", err)
	}
	var mu sync.Mutex
	watched, recorded := map[string]bool{}, map[string]int{}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		web.ConsumeReports(ctx, func() {}, func(r event.Reported) { mu.Lock(); watched[r.Request.ID] = true; mu.Unlock() })
	})
	wg.Go(func() {
		recordReports(ctx, recorder, func(batch []event.Reported) error {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range batch {
				recorded[r.Request.ID]++
			}
			return nil
		})
	})
	wg.Go(func() {
		inspector.Work(ctx, bustest.Slots(1), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			// An outage may cut either short; then the job comes again.
			if err := inspector.PublishReport(ctx, event.Reported{Request: j.Request}); errors.Is(err, libra.ErrUnavailable) {
				return
			} else if err != nil {
				t.Error(err)
			}
			if err := j.Done(ctx); err != nil && !errors.Is(err, libra.ErrUnavailable) {
				t.Error(err)
			}
		})
	})
	both := func(id string) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return watched[id] && recorded[id] > 0 }
	}
	b.Up()
	bustest.Await(t, "the report of what was accepted before", both("alice-1"))
	b.Down()
	bustest.Await(t, "the connection to be lost again", func() bool { return !web.Connected() })
	b.Up()
	bustest.Await(t, "the connection to be back", func() bool { return web.Submit(ctx, request("alice", 3)) == nil })
	bustest.Await(t, "the report after the second outage", both("alice-3"))
}

// A consumer stops when asked to, at any moment of an outage.
func TestStopWatchingWhileTheBusIsAway(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web := b.Connect("web")
	for range 5 {
		ctx, cancel := context.WithCancel(testDeadline(t))
		caughtUp := make(chan struct{}, 99)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			web.ConsumeReports(ctx, func() { caughtUp <- struct{}{} }, func(event.Reported) {})
		}()
		<-caughtUp
		b.Down()
		bustest.Await(t, "the connection to be lost", func() bool { return !web.Connected() })
		b.Up()
		bustest.Await(t, "the connection to be back", func() bool { return web.Connected() })
		cancel()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Fatal("still watching 30 s after it was asked to stop")
		}
	}
}
