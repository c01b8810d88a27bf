package bus_test

import (
	"context"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
)

// The queue has what is open, and since when; how long the bus takes to store is counted
// by the connection that publishes.
func TestQueue(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	q, err := web.Queue(t.Context())
	if err != nil || q.Open != 0 || !q.Oldest.IsZero() || q.Bytes != 0 || q.Most <= 0 {
		t.Errorf("empty: %+v, %v", q, err)
	}
	if web.Published() != 0 || web.Publishing() != 0 {
		t.Errorf("nothing was published: %d in %d µs", web.Published(), web.Publishing())
	}
	began := time.Now()
	for n := range 3 {
		if err := web.Submit(t.Context(), typical(n, 0).Request); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	q, err = web.Queue(t.Context())
	if err != nil || q.Open != 3 || q.Oldest.Before(began.Add(-time.Second)) || q.Oldest.After(time.Now().Add(time.Second)) || q.Bytes < 300 {
		t.Errorf("three requests: %+v, %v", q, err)
	}
	if us := web.Publishing(); web.Published() != 3 || us <= 0 || us > took.Microseconds() || web.PublishingAny() != us {
		t.Errorf("%d messages in %d µs, one after the other in %d µs; want 3 in at most %s", web.Published(), us, web.PublishingAny(), took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := inspector.PublishReport(ctx, event.Reported{Request: typical(9, 0).Request}); err == nil || inspector.Published() != 0 {
		t.Errorf("a message that was not stored counts: %d, %v", inspector.Published(), err)
	}
}
