package bus_test

import (
	"context"
	"testing"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// What each component reads of the bus, its key permits: every reading of an empty bus
// reaches its end.
func TestRolesReadWhatTheyConsume(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, watchdog, notifier, recorder := b.Connect("web"), b.Connect("watchdog"), b.Connect("notifier"), b.Connect("recorder")
	type reading = func(ctx context.Context, done func()) error
	for name, read := range map[string]reading{
		"web reports": func(ctx context.Context, done func()) error {
			return web.ConsumeReports(ctx, done, func(event.Reported) {})
		},
		"web alarms": func(ctx context.Context, done func()) error {
			return web.ConsumeAlarms(ctx, done, func(libra.Transition) {})
		},
		"web notes": func(ctx context.Context, done func()) error { return web.ConsumeNotes(ctx, done, func(libra.Note) {}) },
		"web board": func(ctx context.Context, done func()) error { return web.ConsumeBoard(ctx, done, func(libra.Note) {}) },
		"web watches": func(ctx context.Context, done func()) error {
			return web.ConsumeWatches(ctx, done, func(event.Watch) {})
		},
		"web hosts": func(ctx context.Context, done func()) error { return web.ConsumeHosts(ctx, done, func(event.Host) {}) },
		"web holds": func(ctx context.Context, done func()) error { return web.ConsumeHolds(ctx, done, func(event.Hold) {}) },
		"watchdog reports": func(ctx context.Context, done func()) error {
			return watchdog.ConsumeReports(ctx, done, func(event.Reported) {})
		},
		"watchdog alarms": func(ctx context.Context, done func()) error {
			return watchdog.ConsumeAlarms(ctx, done, func(libra.Transition) {})
		},
		"watchdog watches": func(ctx context.Context, done func()) error {
			return watchdog.ConsumeWatches(ctx, done, func(event.Watch) {})
		},
		"notifier notes": func(ctx context.Context, done func()) error {
			return notifier.ConsumeNotes(ctx, done, func(libra.Note) {})
		},
		"watchdog's record of reports": func(ctx context.Context, done func()) error {
			return watchdog.RecordReports(ctx, recording[event.Reported]("watchdog", done))
		},
		"recorder reports": func(ctx context.Context, done func()) error {
			return recorder.RecordReports(ctx, recording[event.Reported]("recorder", done))
		},
		"recorder alarms": func(ctx context.Context, done func()) error {
			return recorder.RecordAlarms(ctx, recording[libra.Transition]("recorder", done))
		},
		"recorder notes": func(ctx context.Context, done func()) error {
			return recorder.RecordNotes(ctx, recording[libra.Note]("recorder", done))
		},
		"recorder board": func(ctx context.Context, done func()) error {
			return recorder.RecordBoard(ctx, recording[libra.Note]("recorder", done))
		},
		"recorder watches": func(ctx context.Context, done func()) error {
			return recorder.RecordWatches(ctx, recording[event.Watch]("recorder", done))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan struct{}, 99)
			background(t, func(ctx context.Context) error {
				return read(ctx, func() {
					select {
					case done <- struct{}{}:
					default:
					}
				})
			})
			select {
			case <-done:
			case <-testDeadline(t).Done():
				t.Error("it does not reach its end: does pkg/broker/roles.go permit it?")
			}
		})
	}
}

// recording records nothing, and calls done when it has begun.
func recording[T any](durable string, done func()) bus.Recording[T] {
	return bus.Recording[T]{
		Durable: durable,
		From:    func(context.Context) (at event.Position, err error) { return at, nil },
		Store:   func(context.Context, []T, event.Position) error { return nil },
		Began:   func(context.Context, bool) { done() },
	}
}
