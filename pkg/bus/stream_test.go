package bus_test

import (
	"testing"

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
