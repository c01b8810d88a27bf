package bus_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
)

// A size that is not known shrinks and grows no stream; one that is, is put in effect.
func TestStreamsKeepTheirSizes(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	js := rawJetStream(t, b)
	size := func() int64 {
		t.Helper()
		s, err := js.Stream(t.Context(), event.ReportStream)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config.MaxBytes
	}
	ensure := func(space bus.Space) {
		t.Helper()
		if err := b.Connect("bus").EnsureStreams(t.Context(), space); err != nil {
			t.Fatal(err)
		}
	}
	before := size()
	ensure(bus.Space{Bytes: 32 << 20, Keep: true})
	if size() != before {
		t.Errorf("%d bytes, want %d as before", size(), before)
	}
	if ensure(bus.Space{Bytes: 32 << 20}); size() != 32<<20/8*6 {
		t.Errorf("%d bytes, want three quarters of 32 MiB", size())
	}
	if err := js.DeleteStream(t.Context(), event.ReportStream); err != nil {
		t.Fatal(err)
	}
	if ensure(bus.Space{Bytes: 64 << 20, Keep: true}); size() != 64<<20/8*6 {
		t.Errorf("a stream that did not exist has %d bytes, want three quarters of 64 MiB", size())
	}
}

// A stream that is deleted while the bus runs is found, and made again as it was: with
// the size that it had where that is not known any more, and without the others being
// touched.
func TestLostStreamsAreMadeAgain(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	js := rawJetStream(t, b)
	info := func(name string) *jetstream.StreamInfo {
		t.Helper()
		s, err := js.Stream(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo()
	}
	keeper := b.Connect("bus").KeepStreams(bus.Space{Bytes: 32 << 20, Keep: true})
	if lost, err := keeper.Lost(ctx); err != nil || len(lost) != 0 {
		t.Fatalf("lost %v, %v", lost, err)
	}
	for _, name := range event.Streams() {
		before, other := info(name), info(event.Streams()[0])
		if name == event.Streams()[0] {
			other = info(event.Streams()[1])
		}
		deleteStream(t, b, name)
		if lost, err := keeper.Lost(ctx); err != nil || !slices.Equal(lost, []string{name}) {
			t.Errorf("lost %v, %v, want %s", lost, err, name)
		}
		if err := keeper.Ensure(ctx); err != nil {
			t.Fatal(err)
		}
		if name == event.RequestStream { // its numbers go on, see TestLateAcknowledgement
			before.Config.FirstSeq = info(name).Config.FirstSeq
		}
		made := info(name).Config
		delete(made.Metadata, "libra-lost") // see TestUnrecordedOfALostStreamAreAGap
		if diff := cmp.Diff(before.Config, made); diff != "" {
			t.Errorf("%s was made differently:\n%s", name, diff)
		}
		if now := info(other.Config.Name); !now.Created.Equal(other.Created) {
			t.Errorf("%s was made again, too", now.Config.Name)
		}
		if lost, err := keeper.Lost(ctx); err != nil || len(lost) != 0 {
			t.Errorf("then lost %v, %v", lost, err)
		}
	}
	if err := b.Connect("web").Submit(ctx, request("alice", 1)); err != nil {
		t.Error(err)
	}
}

// A worker that ends a request of a lost stream does not remove another request, which
// has come to its place in the new stream and is in progress.
func TestLateAcknowledgement(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	jobs := make(chan bus.Job, 2)
	claim := func(n int) bus.Job {
		t.Helper()
		if err := web.Submit(ctx, request("alice", n)); err != nil {
			t.Fatal(err)
		}
		select {
		case j := <-jobs:
			return j
		case <-ctx.Done():
			t.Fatal("nobody claims the request")
			return bus.Job{}
		}
	}
	background(t, func(ctx context.Context) error {
		return inspector.Work(ctx, bustest.Slots(2), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			jobs <- j
			<-ctx.Done()
		})
	})
	late := claim(1)
	b.Lose(event.RequestStream)
	b.Streams()
	claim(2)
	if err := late.Done(ctx); err != nil {
		t.Log(err) // the bus does not know it any more
	}
	if n := b.Stored(event.RequestStream); n != 1 {
		t.Errorf("%d requests are stored, want the one in progress", n)
	}
}
