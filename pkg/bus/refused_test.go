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

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// forger publishes what it likes, where it likes.
type forger struct {
	t  *testing.T
	nc *nats.Conn
}

func forge(t *testing.T, b *bustest.Bus) forger { return forger{t, rawConn(t, b)} }

// publish publishes v, encoded if it is no text, and waits until a stream has it if
// stored.
func (f forger) publish(subject string, v any, stored bool) {
	f.t.Helper()
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			f.t.Fatal(err)
		}
		text = string(data)
	}
	if !stored {
		if err := errors.Join(f.nc.Publish(subject, []byte(text)), f.nc.Flush()); err != nil {
			f.t.Fatal(err)
		}
		return
	}
	if m, err := f.nc.Request(subject, []byte(text), 5*time.Second); err != nil || strings.Contains(string(m.Data), "error") {
		f.t.Fatalf("publish on %s: %v", subject, err)
	}
}

// received collects what a reader gets, in words.
type received struct {
	mu   sync.Mutex
	list []string
}

func (r *received) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, fmt.Sprintf(format, args...))
}

func (r *received) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.list, " ")
}

// A report, alarm, note or watch that does not belong on its subject reaches nobody:
// neither who consumes the stream, nor who records it, nor who asks for the last one.
// What comes after it does.
func TestForgedMessagesOfStreams(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	f, web, recorder, notifier := forge(t, b), b.Connect("web"), b.Connect("recorder"), b.Connect("notifier")
	ours, theirs := request("alice", 1), request("alice", 2)
	at := time.Now().UTC()
	good := func(r event.Request, id string) event.Reported {
		r.ID = id
		return event.Reported{Request: r, At: at, Report: libra.Report{URL: r.URL, Status: 200, Outcome: libra.Complete}}
	}
	raised := func(id, transition string) libra.Transition {
		return libra.Transition{ID: transition, At: at, Alarm: libra.Alarm{ID: id, State: libra.Raised}}
	}
	watch, note := watchOf("p1", 3600), libra.Note{ID: "forged", Kind: libra.Acknowledged, Alarm: "disk"}

	f.publish(event.ReportSubject(ours.Page), good(theirs, "forged"), true)
	f.publish(event.ReportSubject(ours.Page), "[]", true)
	f.publish(event.FailureSubject(ours.Page), good(ours, "forged"), true)
	f.publish(event.AlarmSubject("bus"), raised("web", "forged"), true)
	f.publish("libra.note.bus", note, true)
	f.publish(event.WatchSubject(pageOf("p2")), watch, true)
	if _, err := web.LastReport(ctx, ours.Page); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("the last report is a forged one: %v", err)
	}
	if _, err := web.LastFailure(ctx, ours.Page); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("the last failure is a forged one: %v", err)
	}
	if _, err := web.WatchOf(ctx, pageOf("p2")); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("the watch is a forged one: %v", err)
	}
	note.ID, note.Alarm = "n1", "bus"
	f.publish(event.ReportSubject(ours.Page), good(ours, "r1"), true)
	f.publish(event.AlarmSubject("bus"), raised("bus", "t1"), true)
	f.publish("libra.note.bus", note, true)
	f.publish(event.WatchSubject(watch.Page), watch, true)

	var got [6]received
	none := func() {}
	background(t, func(ctx context.Context) error {
		return web.ConsumeReports(ctx, none, func(r event.Reported) { got[0].add("%s", r.Request.ID) })
	})
	background(t, func(ctx context.Context) error {
		return recorder.RecordReports(ctx, bus.Recording[event.Reported]{
			Durable: "recorder", From: func(context.Context) (at event.Position, err error) { return at, nil },
			Store: func(_ context.Context, batch []event.Reported, _ event.Position) error {
				for _, r := range batch {
					got[1].add("%s", r.Request.ID)
				}
				return nil
			},
		})
	})
	background(t, func(ctx context.Context) error {
		return web.ConsumeAlarms(ctx, none, func(t libra.Transition) { got[2].add("%s", t.ID) })
	})
	background(t, func(ctx context.Context) error {
		return notifier.DeliverAlarms(ctx, bus.AlarmConsumer{
			Durable: "notifier-ops", Most: func(n int) int { return n }, Deliver: func(_ context.Context, batch []bus.AlarmDelivery) error {
				for _, d := range batch {
					got[3].add("%s", d.Transition.ID)
				}
				return nil
			},
		})
	})
	background(t, func(ctx context.Context) error {
		return web.ConsumeNotes(ctx, none, func(n libra.Note) { got[4].add("%s", n.ID) })
	})
	background(t, func(ctx context.Context) error {
		return web.ConsumeWatches(ctx, none, func(w event.Watch) { got[5].add("%s", w.Page) })
	})
	for i, want := range []string{"r1", "r1", "t1", "t1", "n1", watch.Page} {
		bustest.Await(t, "what was not forged", func() bool { return got[i].String() != "" })
		if got[i].String() != want {
			t.Errorf("reader %d got %s, want %s", i, &got[i], want)
		}
	}
	if recorder.Refused() != 3 || notifier.Refused() != 1 || web.Refused() < 6 {
		t.Errorf("refused: recorder %d of 3, notifier %d of 1, web %d of 6 and more", recorder.Refused(), notifier.Refused(), web.Refused())
	}
}

// The same of what the bus does not store, and of answers.
func TestForgedLossyMessages(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	f, web, inspector := forge(t, b), b.Connect("web"), b.Connect("inspector")
	ours, theirs := request("alice", 1), request("alice", 2)
	var got received
	for _, subscribe := range []func() (func(), error){
		func() (func(), error) {
			return web.SubscribeHeartbeats(func(b event.Heartbeat) { got.add("beat of %s %s", b.Component, b.Instance) })
		},
		func() (func(), error) {
			return web.SubscribeSteps(func(s event.Step) { got.add("step of %s", s.Page) })
		},
		func() (func(), error) {
			return web.SubscribeRequests(func(r event.Request) { got.add("request %s", r.ID) })
		},
	} {
		stop, err := subscribe()
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	if err := web.Ping(ctx); err != nil { // the subscriptions are known to the bus
		t.Fatal(err)
	}
	f.publish(event.HeartbeatSubject("libra-inspector", "1"), event.Heartbeat{Component: "libra-recorder", Instance: "1"}, false)
	f.publish(event.HeartbeatSubject("libra-inspector", "1"), event.Heartbeat{Component: "libra-inspector", Instance: "2"}, false)
	f.publish(event.HeartbeatSubject("libra-inspector", "1"), `{"component":"libra-inspector","instance":"1","status":"`+strings.Repeat("x", 1<<20)+`"}`, false)
	f.publish(event.StepSubject(ours.Page), event.Step{Page: theirs.Page}, false)
	forged := ours
	forged.URL = theirs.URL
	f.publish(event.RequestSubject(1, ours), forged, true)
	inspector.PublishStep(event.Step{Page: ours.Page})
	bustest.Await(t, "a step", func() bool { return got.String() != "" })
	bustest.Await(t, "five refusals", func() bool { return web.Refused() == 5 })
	if want := "step of " + ours.Page; got.String() != want {
		t.Errorf("received %s, want %s", &got, want)
	}
	if _, err := web.OpenRequest(ctx, ours.Page); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("the open request is a forged one: %v", err)
	}

	stop, err := inspector.ServeStep(ours.Page, func() event.Step { return event.Step{Page: theirs.Page} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	bustest.Await(t, "the answer for another page to be refused", func() bool {
		if _, err := web.AskStep(ctx, ours.Page); !errors.Is(err, libra.ErrUnavailable) {
			t.Errorf("the answer for another page: %v", err)
		}
		return web.Refused() > 6
	})
}

// A step that does not belong on its subject chooses no round.
func TestForgedStepsChooseNoRound(t *testing.T) {
	t.Parallel()
	b := bustest.StartBare(t)
	ctx := testDeadline(t)
	f, web := forge(t, b), b.Connect("web")
	ours, theirs := request("alice", 1), request("alice", 2)
	if err := errors.Join(web.Submit(ctx, ours), web.Ping(ctx)); err != nil { // from now on it follows the workers
		t.Fatal(err)
	}
	f.publish(event.StepSubject(ours.Page), event.Step{Page: theirs.Page, Round: 1000}, false)
	bustest.Await(t, "the step to be refused", func() bool { return web.Refused() == 1 })
	if err := web.Submit(ctx, theirs); err != nil {
		t.Fatal(err)
	}
	if _, err := rawLast(ctx, t, b, event.RequestSubject(1, theirs)); err != nil {
		t.Errorf("the second request is not in the first round: %v", err)
	}
}

// rawLast is the last message on a subject of stream REQUESTS.
func rawLast(ctx context.Context, t *testing.T, b *bustest.Bus, subject string) (*jetstream.RawStreamMsg, error) {
	t.Helper()
	s, err := rawJetStream(t, b).Stream(ctx, event.RequestStream)
	if err != nil {
		t.Fatal(err)
	}
	return s.GetLastMsgForSubject(ctx, subject)
}

// A request that does not belong on its subject is removed from the bus when it is
// claimed; nobody inspects anything for it.
func TestForgedRequests(t *testing.T) {
	t.Parallel()
	b := bustest.StartBare(t)
	ctx := testDeadline(t)
	f, web, inspector, relay := forge(t, b), b.Connect("web"), b.Connect("inspector"), b.Connect("bus")
	background(t, func(ctx context.Context) error { return relay.ServeQueue(ctx, nil) })
	background(t, func(ctx context.Context) error { return relay.RelayDue(ctx, nil) })
	empty, foreign, other := request("alice", 1), request("alice", 2), request("alice", 3)
	for r, change := range map[*event.Request]func(*event.Request){
		&empty:   func(r *event.Request) { r.URL = "" },
		&foreign: func(r *event.Request) { r.URL = "https://elsewhere.example/" },
		&other:   func(r *event.Request) { r.Client = "bob" },
	} {
		subject := event.RequestSubject(1, *r)
		change(r)
		f.publish(subject, *r, true)
	}
	w := watchOf("p1", 3600)
	w.URL = "https://elsewhere.example/"
	f.publish(event.DueSubject(w.Page), w, true)
	done := work(t, inspector)
	last := request("alice", 4)
	if err := web.Submit(ctx, last); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "no request to be open", func() bool { pages, err := web.OpenPages(ctx); return err == nil && len(pages) == 0 })
	bustest.Await(t, "three refused requests and a refused watch", func() bool { return inspector.Refused() == 3 && relay.Refused() == 1 })
	if all := done.all(); len(all) != 1 || all[0].ID != last.ID {
		t.Errorf("claimed %+v, want %s only", all, last.ID)
	}
}

// A flood of messages that are refused is one line of the log for each kind, with the
// subject, what disagrees, and what helps.
func TestFloodOfRefusalsIsOneLine(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	var log logBuffer
	web, err := bus.Connect(bus.Config{URL: b.URL(), Seed: b.Seed("web"), Role: "web", Name: "test", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.Close)
	stop, err := web.SubscribeSteps(func(event.Step) { t.Error("a forged step was received") })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	f := forge(t, b)
	bustest.Await(t, "a thousand refusals", func() bool {
		for n := range 500 {
			f.publish(event.StepSubject(fmt.Sprint(n)), event.Step{Page: "x"}, false)
		}
		return web.Refused() >= 1000
	})
	if n := log.count("message refused"); n != 1 {
		t.Errorf("%d lines for %d refused messages", n, web.Refused())
	}
	for _, part := range []string{"subject=libra.step.", `the step is of page \"x\"`, "count=1", "remedy="} {
		if log.count(part) == 0 {
			t.Errorf("the log lacks %s", part)
		}
	}
}
