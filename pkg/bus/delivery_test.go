package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// What is published again with the same id, because its sender cannot know whether
// the first attempt arrived, is stored once, and the second attempt succeeds.
func TestPublishedTwiceIsStoredOnce(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web, inspector, watchdog := b.Connect("web"), b.Connect("inspector"), b.Connect("watchdog")
	r := request("alice", 1)
	note := libra.Note{ID: "n1", Kind: libra.Acknowledged, At: time.Now().UTC(), Alarm: "bus"}
	written := libra.Note{ID: "w1", Kind: libra.Written, At: time.Now().UTC(), Text: "the new disks are in"}
	transition := libra.Transition{ID: "t1", At: time.Now().UTC(), Alarm: libra.Alarm{ID: "bus", State: libra.Raised}}
	ended := watchOf("page1", 0)
	for stream, publish := range map[string]func() error{
		event.RequestStream: func() error { return web.Submit(ctx, r) },
		event.ReportStream:  func() error { return inspector.PublishReport(ctx, event.Reported{Request: r}) },
		event.AlarmStream:   func() error { return watchdog.PublishAlarm(ctx, transition) },
		event.NoteStream:    func() error { return web.PublishNote(ctx, note) },
		event.BoardStream:   func() error { _, err := web.WriteBoard(ctx, written); return err },
		event.WatchStream:   func() error { return web.SetWatch(ctx, ended) }, // one that goes on has its first due watch stored, too
	} {
		for attempt := range 2 {
			if err := publish(); err != nil {
				t.Errorf("%s, attempt %d: %v", stream, attempt+1, err)
			}
		}
		if last := lastSequence(t, b, stream); last != 1 {
			t.Errorf("%s stored %d messages, want 1", stream, last)
		}
	}
}

func noneOpen(ctx context.Context, c *bus.Conn) bool {
	pages, err := c.OpenPages(ctx)
	return err == nil && len(pages) == 0
}

// lastSequence returns how many messages a stream has stored.
func lastSequence(t *testing.T, b *bustest.Bus, name string) uint64 {
	t.Helper()
	s, err := rawJetStream(t, b).Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	info := s.CachedInfo()
	return info.State.LastSeq - max(info.Config.FirstSeq, 1) + 1
}

// A request whose wake-up is lost is found by the poll.
func TestLostWakeUp(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx, cancel := context.WithCancel(testDeadline(t))
	defer cancel()
	got := make(chan string, 1)
	inspector := b.Connect("inspector")
	go inspector.Work(ctx, bustest.Slots(1), time.Minute, nil, func(ctx context.Context, j bus.Job) {
		if err := j.Done(ctx); err != nil {
			t.Error(err)
		}
		got <- j.Request.ID
	})
	for _, id := range []string{"with", "without"} {
		r := request("alice", 1)
		r.ID = id
		if id == "with" { // afterwards the worker knows the client, and waits
			if err := b.Connect("web").Submit(ctx, r); err != nil {
				t.Fatal(err)
			}
		} else {
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rawJetStream(t, b).Publish(ctx, event.RequestSubject(1, r), data); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case claimed := <-got:
			if claimed != id {
				t.Errorf("claimed %q, want %q", claimed, id)
			}
		case <-ctx.Done():
			t.Fatalf("the request %s a wake-up is not claimed", id)
		}
	}
}

// A worker with several slots claims several requests at a time, never more than it has
// slots for, and each once.
func TestWorkerFillsItsSlots(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	const slots, all = 5, 43
	for n := range all {
		if err := web.Submit(ctx, request("alice", n)); err != nil {
			t.Fatal(err)
		}
	}
	var running atomic.Int64
	log, full := &workLog{}, make(chan struct{})
	log.work(t, inspector, slots, func(ctx context.Context, _ event.Request) {
		switch n := running.Add(1); {
		case n > slots:
			t.Errorf("%d at a time, want %d at most", n, slots)
		case n == slots:
			select {
			case <-full:
			default:
				close(full)
			}
		}
		select { // the first ones wait until every slot is full
		case <-full:
		case <-ctx.Done():
		}
		running.Add(-1)
	})
	bustest.Await(t, "all of them", func() bool { return noneOpen(ctx, web) })
	seen := map[string]int{}
	for _, r := range log.all() {
		if seen[r.ID]++; seen[r.ID] > 1 {
			t.Errorf("%s was claimed again", r.ID)
		}
	}
}

// Requests of one lane that were given back are claimed one after the other, and not one
// whenever libra-bus wakes the lane.
func TestGivenBackAreClaimedTogether(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	const all = 100
	for n := range all { // the first round of each client: one lane
		if err := web.Submit(ctx, request(fmt.Sprint("client ", n), n)); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	background(t, func(ctx context.Context) error {
		return inspector.Work(ctx, bustest.Slots(16), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			mu.Lock()
			first := !seen[j.Request.ID]
			seen[j.Request.ID] = true
			mu.Unlock()
			if !first {
				endJob(ctx, t, j)
			} else if err := j.Retry(time.Second); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	})
	bustest.Await(t, "all of them, at the second attempt", func() bool { return noneOpen(ctx, web) })
}

// A request for a page whose last one is answered, and about to be removed, is another
// one: the report is of before. Where its worker is gone, it is refused.
func TestAskedAgainOnceAnswered(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	first, second, third := request("alice", 1), request("alice", 1), request("alice", 1)
	second.ID, third.ID = "second", "third"
	reported, remove := make(chan string, 9), make(chan struct{})
	ctxWork, end := context.WithCancel(ctx)
	defer end()
	log := &workLog{}
	log.work(t, inspector, 1, func(_ context.Context, r event.Request) {
		if err := inspector.PublishReport(ctxWork, event.Reported{Request: r}); err != nil {
			t.Error(err)
		}
		reported <- r.ID
		select {
		case <-remove:
		case <-ctxWork.Done():
		}
	})
	if err := web.Submit(ctx, first); err != nil {
		t.Fatal(err)
	}
	<-reported
	time.AfterFunc(100*time.Millisecond, func() { remove <- struct{}{} })
	if err := web.Submit(ctx, second); err != nil {
		t.Fatalf("the second request: %v", err)
	}
	if id := <-reported; id != "second" {
		t.Errorf("then %q was inspected", id)
	}
	if err := web.Submit(ctx, third); !errors.Is(err, libra.ErrUnavailable) || !strings.Contains(err.Error(), "is answered") {
		t.Errorf("the third, while the second is not removed: %v", err)
	}
}

// After a restart of the bus, which forgets who has claimed what, a request in progress is
// claimed again; its second report is not stored.
func TestInProgressWhileTheBusRestarts(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	r := request("alice", 1)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	if err := web.Submit(ctx, r); err != nil {
		t.Fatal(err)
	}
	claimed, again := make(chan struct{}, 9), make(chan struct{})
	log := &workLog{}
	log.work(t, inspector, 2, func(ctx context.Context, r event.Request) {
		claimed <- struct{}{}
		select {
		case <-again:
		case <-ctx.Done():
			return
		}
		bustest.Await(t, "the report to be stored", func() bool { return inspector.PublishReport(ctx, event.Reported{Request: r}) == nil })
	})
	<-claimed
	b.Down()
	b.Up()
	<-claimed
	close(again)
	bustest.Await(t, "the request to be answered", func() bool { return noneOpen(ctx, web) })
	if n := lastSequence(t, b, event.ReportStream); n != 1 {
		t.Errorf("%d reports, want 1", n)
	}
}

// A heartbeat or a step that nobody subscribes to at that moment is gone.
func TestLossyMessagesAreNotStored(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	inspector, web := b.Connect("inspector"), b.Connect("web")
	inspector.PublishStep(event.Step{Page: "page1", Request: "early"})
	if err := inspector.Ping(testDeadline(t)); err != nil { // the bus has the step by now
		t.Fatal(err)
	}
	seen := make(chan string, 2)
	stop, err := web.SubscribeSteps(func(s event.Step) { seen <- s.Request })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	bustest.Await(t, "a step after the subscription", func() bool {
		inspector.PublishStep(event.Step{Page: "page1", Request: "late"})
		select {
		case id := <-seen:
			if id != "late" {
				t.Errorf("got step %q", id)
			}
			return true
		default:
			return false
		}
	})
}

// rawJetStream is a client of the bus with every permission.
func rawJetStream(t testing.TB, b *bustest.Bus) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(rawConn(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func rawConn(t testing.TB, b *bustest.Bus) *nats.Conn {
	t.Helper()
	key, err := nats.NkeyOptionFromSeed(b.Seed("bus"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(b.URL(), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// formerConsumer is a consumer as earlier versions had one for each client.
func formerConsumer(name, filter string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{Durable: name, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy}
}

// endGoroutine ends the goroutine that calls it, as a panic would that somebody recovers.
func endGoroutine() { runtime.Goexit() }
