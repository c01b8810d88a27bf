package bus_test

import (
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

// Messages about a request carry its trace in a header, for what reads the bus beside
// Libra; others carry none.
func TestTraceparentInHeaders(t *testing.T) {
	t.Parallel()
	b := bustest.StartBare(t)
	const url, sent = "https://example.org/", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, traceparent := range []string{"", sent} {
		r := event.Request{ID: "r1" + traceparent, Page: libra.PageID(url), URL: url, Site: "home", Client: "alice" + traceparent, Asked: time.Now().UTC(), Traceparent: traceparent}
		want := trace.Traceparent(r)
		if err := b.Connect("web").Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := b.Header(event.RequestStream, trace.Header); got != want {
			t.Errorf("the request carries %q, want %q", got, want)
		}
		if err := b.Connect("inspector").PublishReport(t.Context(), event.Reported{Request: r, Report: libra.Report{URL: url}}); err != nil {
			t.Fatal(err)
		}
		if got := b.Header(event.ReportStream, trace.Header); got != want {
			t.Errorf("the report carries %q, want %q", got, want)
		}
		raised := libra.Transition{ID: "t1" + traceparent, Alarm: libra.Alarm{ID: "bus"}}
		if traceparent != "" {
			raised.Traceparent = want
		}
		if err := b.Connect("watchdog").PublishAlarm(t.Context(), raised); err != nil {
			t.Fatal(err)
		}
		if got := b.Header(event.AlarmStream, trace.Header); got != raised.Traceparent {
			t.Errorf("the transition carries %q, want %q", got, raised.Traceparent)
		}
	}
}
