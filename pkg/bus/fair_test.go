package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// workLog works on requests one at a time, as they come, and says so as an inspector
// does.
type workLog struct {
	mu    sync.Mutex
	order []event.Request // under mu
}

func (l *workLog) all() []event.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.order)
}

func (l *workLog) work(t *testing.T, c *bus.Conn, slots int, during func(context.Context, event.Request)) {
	background(t, func(ctx context.Context) error {
		return c.Work(ctx, bustest.Slots(slots), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			c.PublishStep(event.Step{Request: j.Request.ID, Page: j.Request.Page, Round: j.Round})
			l.mu.Lock()
			l.order = append(l.order, j.Request)
			l.mu.Unlock()
			if during != nil {
				during(ctx, j.Request)
			}
			endJob(ctx, t, j)
		})
	})
}

// While all slots are full, 3,000 wake-ups come and one client has as much waiting as it
// may: another client's single request is next, when a slot is free, after at most the
// four requests that the first has in the round.
func TestFairWhileAllSlotsAreFull(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	hold, holding := make(chan struct{}), make(chan struct{}, 1)
	log := &workLog{}
	log.work(t, inspector, 1, func(ctx context.Context, r event.Request) {
		if r.ID == "flood-0" {
			holding <- struct{}{}
			select {
			case <-hold:
			case <-ctx.Done():
			}
		}
	})
	for n := range bus.MostOpen {
		if err := web.Submit(ctx, request("flood", n)); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			<-holding
		}
	}
	nc := rawConn(t, b)
	for n := range 3000 {
		if err := nc.Publish(event.WakeSubject(n%event.Lanes, int64(event.Lanes+n%event.Lanes)), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := web.Submit(ctx, request("single", 0)); err != nil {
		t.Fatal(err)
	}
	close(hold)
	bustest.Await(t, "the single request", func() bool {
		return slices.ContainsFunc(log.all(), func(r event.Request) bool { return r.Client == "single" })
	})
	place := slices.IndexFunc(log.all(), func(r event.Request) bool { return r.Client == "single" })
	if place > 4 {
		t.Errorf("the single request was served after %d of the other client's", place)
	}
}

// A client that has everything open that it may, and is refused more, keeps neither
// others nor what it asks for itself in another way.
func TestTooManyOpen(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web := b.Connect("web")
	for n := range bus.MostOpen {
		if err := web.Submit(ctx, request("flood", n)); err != nil {
			t.Fatalf("request %d: %v", n+1, err)
		}
	}
	var full *bus.TooManyError
	if err := web.Submit(ctx, request("flood", bus.MostOpen)); !errors.As(err, &full) || full.Open != bus.MostOpen || full.Most != bus.MostOpen {
		t.Errorf("one more: %v", err)
	}
	again := request("flood", 7)
	again.ID = "again"
	if err := web.Submit(ctx, again); !errors.Is(err, libra.ErrOpen) {
		t.Errorf("one that is open: %v", err)
	}
	watched := request("flood", bus.MostOpen)
	watched.Watch = &event.Watch{Page: watched.Page}
	for _, r := range []event.Request{request("single", 0), watched} {
		if err := web.Submit(ctx, r); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// Many requests at once are no way round the limit.
func TestTooManyAtOnce(t *testing.T) { // not in parallel: it takes the machine
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web := b.Connect("web")
	var accepted, refused atomic.Int64
	var wg sync.WaitGroup
	for n := range 400 {
		wg.Go(func() {
			var full *bus.TooManyError
			switch err := web.Submit(ctx, request("flood", n)); {
			case err == nil:
				accepted.Add(1)
			case errors.As(err, &full):
				refused.Add(1)
			case !errors.Is(err, libra.ErrUnavailable): // which a busy machine may be
				t.Error(err)
			}
		})
	}
	wg.Wait()
	pages, err := web.OpenPages(ctx)
	if n := len(pages); err != nil || n > bus.MostOpen || n < int(accepted.Load()) || refused.Load() == 0 {
		t.Errorf("%d open, %d accepted, %d refused, %v", n, accepted.Load(), refused.Load(), err)
	}
}

// The last quarter of the stream is for clients with few open requests.
func TestTooManyOpenWhileNearlyFull(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web := b.Connect("web")
	const size = 64 << 20 / 8 // of the stream, on a bus of bustest
	long := func(client string, n int) event.Request {
		r := request(client, n)
		r.URL += "?" + string(slices.Repeat([]byte("x"), size/50))
		return r
	}
	var full *bus.TooManyError
	n := 0
	for ; full == nil && n < 60; n++ {
		if err := web.Submit(ctx, long("greedy", n)); err != nil && !errors.As(err, &full) {
			t.Fatal(err)
		}
	}
	if full == nil || full.Most >= bus.MostOpen || n < 35 {
		t.Fatalf("after %d requests: %v", n, full)
	}
	if err := web.Submit(ctx, long("modest", 0)); err != nil {
		t.Errorf("another client: %v", err)
	}
}

// Several clients with much to do, and more that come and go, are served as an ideal
// fair queue would serve them: at any time, of two clients that had something waiting
// all the while, neither was served more than two rounds' requests more than the other.
func TestFairAsAnIdealQueue(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	web, inspector := b.Connect("web"), b.Connect("inspector")
	const each, clients = 40, 5
	chance := rand.New(rand.NewPCG(1, 2))
	// The first submits all at once, the others in between: what came first has no right
	// to be served first.
	var all []event.Request
	for n := range each {
		all = append(all, request("client-0", n))
	}
	rest := make([]event.Request, 0, each*(clients-1))
	for c := 1; c < clients; c++ {
		for n := range each {
			rest = append(rest, request(fmt.Sprintf("client-%d", c), n))
		}
	}
	chance.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	for _, r := range append(all, rest...) {
		if err := web.Submit(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	log := &workLog{}
	log.work(t, inspector, 1, func(ctx context.Context, _ event.Request) {
		if chance.IntN(8) == 0 { // somebody comes by
			r := request(fmt.Sprintf("guest-%d", chance.IntN(3)), chance.IntN(1000))
			if err := web.Submit(ctx, r); err != nil && !errors.Is(err, libra.ErrOpen) && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	count := func(order []event.Request) map[string]int {
		n := map[string]int{}
		for _, r := range order {
			n[r.Client]++
		}
		return n
	}
	bustest.Await(t, "what the five have asked for", func() bool {
		n := count(log.all())
		for c := range clients {
			if n[fmt.Sprintf("client-%d", c)] < each {
				return false
			}
		}
		return true
	})
	order := log.all()
	for end := range order {
		n := count(order[:end+1])
		least, most := each, 0
		for c := range clients {
			served := n[fmt.Sprintf("client-%d", c)]
			least, most = min(least, served), max(most, served)
		}
		if least == each {
			break
		}
		if most-least > 8 {
			t.Fatalf("after %d requests one client was served %d times and another %d times: %v", end+1, most, least, n)
		}
	}
}

// Requests on the subjects of earlier versions, and their consumers, are taken over.
func TestLanesTakeOverFormerRequests(t *testing.T) {
	t.Parallel()
	b := bustest.StartBare(t)
	ctx := testDeadline(t)
	js, r := rawJetStream(t, b), request("alice", 1)
	if _, err := js.Publish(ctx, "libra.request.home.alice."+r.Page, mustJSON(t, r)); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(ctx, event.RequestStream, formerConsumer("home_alice", "libra.request.home.alice.*")); err != nil {
		t.Fatal(err)
	}
	background(t, func(ctx context.Context) error { return b.Connect("bus").ServeQueue(ctx, nil) })
	log := &workLog{}
	log.work(t, b.Connect("inspector"), 1, nil)
	bustest.Await(t, "the former request", func() bool { return len(log.all()) == 1 })
	if got := log.all()[0]; got.ID != r.ID || got.URL != r.URL {
		t.Errorf("got %+v, want %+v", got, r)
	}
	bustest.Await(t, "nothing but the lanes", func() bool {
		s, err := js.Stream(ctx, event.RequestStream)
		return err == nil && s.CachedInfo().State.Msgs == 0 && s.CachedInfo().State.Consumers == event.Lanes
	})
}

// A lane that is gone is created again, and one of an earlier version, which is on disk,
// is replaced; what waits in it is served.
func TestLanesAreCreatedAgain(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx, js := testDeadline(t), rawJetStream(t, b)
	for lane := range 4 {
		if err := js.DeleteConsumer(ctx, event.RequestStream, event.LaneConsumer(lane)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.CreateConsumer(ctx, event.RequestStream, formerConsumer(event.LaneConsumer(1), event.LaneRequests(1))); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "all lanes, in memory", func() bool {
		for lane := range event.Lanes {
			c, err := js.Consumer(ctx, event.RequestStream, event.LaneConsumer(lane))
			if err != nil || !c.CachedInfo().Config.MemoryStorage {
				return false
			}
		}
		return true
	})
	log := &workLog{}
	log.work(t, b.Connect("inspector"), 1, nil)
	if err := b.Connect("web").Submit(ctx, request("alice", 1)); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the request", func() bool { return len(log.all()) == 1 })
}

// A worker that panics, or ends its goroutine, gives its slot back.
func TestSlotOfAWorkerThatEnds(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	for n := range 3 {
		if err := web.Submit(ctx, request("alice", n)); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	begun := 0
	background(t, func(ctx context.Context) error {
		return inspector.Work(ctx, bustest.Slots(1), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			mu.Lock()
			begun++
			first := begun == 1
			mu.Unlock()
			if first {
				endGoroutine()
			}
			endJob(ctx, t, j)
		})
	})
	bustest.Await(t, "the other requests", func() bool { mu.Lock(); defer mu.Unlock(); return begun >= 3 })
}
