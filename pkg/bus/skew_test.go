package bus_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// What a later version publishes reaches the readers of this one: fields that they do not
// know are ignored, and so is a subject, in streams and beside them.
func TestSkewIgnoresWhatALaterVersionAdds(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	f, web := forge(t, b), b.Connect("web")
	at := time.Now().UTC()
	later := func(v any) string {
		t.Helper()
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return `{"of_a_later_version":{"unknown":[1]},` + string(data[1:])
	}
	r := request("alice", 1)
	r.ID = "r1"
	watch := watchOf("p1", 3600)
	f.publish("libra.later.x", `{"of":"a later version"}`, false)
	f.publish(event.ReportSubject(r.Page), later(event.Reported{Request: r, At: at, Report: libra.Report{URL: r.URL, Status: 200, Outcome: libra.Complete}}), true)
	f.publish(event.AlarmSubject("later"), later(libra.Transition{ID: "t1", At: at, Alarm: libra.Alarm{ID: "later", State: libra.Raised, Scope: "of a later version", Severity: "unknown"}}), true)
	f.publish("libra.note.bus", later(libra.Note{ID: "n1", Kind: "of a later version", Alarm: "bus"}), true)
	f.publish(event.WatchSubject(watch.Page), later(watch), true)

	var got [5]received
	none := func() {}
	background(t, func(ctx context.Context) error {
		return web.ConsumeReports(ctx, none, func(r event.Reported) { got[0].add("%s", r.Request.ID) })
	})
	background(t, func(ctx context.Context) error {
		return web.ConsumeAlarms(ctx, none, func(t libra.Transition) { got[1].add("%s", t.ID) })
	})
	background(t, func(ctx context.Context) error {
		return web.ConsumeNotes(ctx, none, func(n libra.Note) { got[2].add("%s", n.ID) })
	})
	background(t, func(ctx context.Context) error {
		return web.ConsumeWatches(ctx, none, func(w event.Watch) { got[3].add("%s", w.Page) })
	})
	stop, err := web.SubscribeHeartbeats(func(b event.Heartbeat) { got[4].add("%s", b.Component) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	beat := event.Heartbeat{Component: "libra-later", Instance: "1", At: at}
	bustest.Await(t, "a heartbeat", func() bool {
		f.publish(event.HeartbeatSubject(beat.Component, beat.Instance), later(beat), false)
		return got[4].String() != ""
	})
	for i, want := range []string{"r1", "t1", "n1", watch.Page} {
		bustest.Await(t, "what a later version has published", func() bool { return got[i].String() != "" })
		if got[i].String() != want {
			t.Errorf("reader %d got %s, want %s", i, &got[i], want)
		}
	}
	if n := web.Refused(); n != 0 {
		t.Errorf("%d messages were refused", n)
	}
}
