package bus_test

import (
	"context"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
)

// Every loop of a connection declares its rounds while the bus is there, while
// it is away, and after that, and takes no longer than it declared.
func TestLoopsDeclareTheirRounds(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	recorder, inspector, notifier, relay := b.Connect("recorder"), b.Connect("inspector"), b.Connect("notifier"), b.Connect("bus")
	var record, work, queue, due, alarms bustest.Loop
	background(t, func(ctx context.Context) error {
		return recorder.RecordReports(ctx, bus.Recording[event.Reported]{
			Durable: "recorder", Loop: &record,
			From:  func(context.Context) (at event.Position, err error) { return at, nil },
			Store: func(context.Context, []event.Reported, event.Position) error { return nil },
		})
	})
	background(t, func(ctx context.Context) error {
		return inspector.Work(ctx, bustest.Slots(1), time.Minute, &work, func(context.Context, bus.Job) {})
	})
	background(t, func(ctx context.Context) error { return relay.RelayDue(ctx, &due) })
	background(t, func(ctx context.Context) error { return relay.ServeQueue(ctx, &queue) })
	background(t, func(ctx context.Context) error {
		return notifier.DeliverAlarms(ctx, bus.AlarmConsumer{
			Durable: "notifier", Loop: &alarms, Most: func(int) int { return 1 },
			Deliver: func(context.Context, []bus.AlarmDelivery) error { return nil },
		})
	})
	loops := map[string]*bustest.Loop{"record": &record, "work": &work, "due": &due, "queue": &queue, "alarms": &alarms}
	goRound := func(when string) {
		t.Helper()
		was := map[string]int{}
		for name, l := range loops {
			was[name] = l.Rounds()
		}
		for name, l := range loops {
			bustest.Await(t, "two rounds of "+name+" "+when, func() bool { return l.Rounds() >= was[name]+2 })
			l.InTime(t, name+" "+when)
		}
	}
	goRound("with a bus")
	b.Down()
	goRound("without a bus")
	b.Up()
	goRound("with the bus again")
	// A process checks its loops every 1.25 s, a quarter of WatchdogSec=, so that a
	// hang is found within 5 s.
	const longest = 5*time.Second - 1250*time.Millisecond
	for name, l := range loops {
		if got := l.Longest(); got > longest {
			t.Errorf("the loop %s declares %s, want %s at most", name, got, longest)
		}
	}
}

// A loop declares nothing while a function that was given to it hangs, whatever
// else of the connection goes on.
func TestHangIsNotHidden(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	if err := b.Connect("inspector").PublishReport(t.Context(), event.Reported{Request: request("alice", 1)}); err != nil {
		t.Fatal(err)
	}
	var loop, other bustest.Loop
	stored := make(chan struct{})
	background(t, func(ctx context.Context) error {
		return b.Connect("recorder").RecordReports(ctx, bus.Recording[event.Reported]{
			Durable: "recorder", Loop: &loop,
			From: func(context.Context) (at event.Position, err error) { return at, nil },
			Store: func(ctx context.Context, _ []event.Reported, _ event.Position) error {
				close(stored)
				<-ctx.Done() // it hangs until the test is over
				return ctx.Err()
			},
		})
	})
	relay := b.Connect("bus")
	background(t, func(ctx context.Context) error { return relay.RelayDue(ctx, &other) })
	<-stored
	was, others := loop.Rounds(), other.Rounds()
	bustest.Await(t, "two rounds of another loop", func() bool { return other.Rounds() >= others+2 })
	if now := loop.Rounds(); now != was {
		t.Errorf("%d rounds were declared during a call that hangs", now-was)
	}
}
