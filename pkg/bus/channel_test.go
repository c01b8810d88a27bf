package bus_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

func TestTryChannel(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, notifier := b.Connect("web"), b.Connect("notifier")
	if _, err := web.TryChannel(t.Context(), "ops"); !errors.Is(err, libra.ErrUnavailable) {
		t.Errorf("without a notifier: %v", err)
	}
	stop, err := notifier.ServeChannels(t.Context(), func(_ context.Context, channel string) event.Tried {
		return event.Tried{Channel: channel, Answer: "no such channel"}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	const odd = "Büro, 2. Stock" // no token of a subject
	bustest.Await(t, "an answer", func() bool {
		got, err := web.TryChannel(t.Context(), odd)
		return err == nil && got.Channel == odd && got.Answer == "no such channel"
	})
}

// A notifier sends a few trial messages at a time. It answers at once that it does not
// send one more, and what channels there are.
func TestTrialMessagesAreBounded(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, notifier := b.Connect("web"), b.Connect("notifier")
	release := make(chan struct{})
	var sending atomic.Int64
	stop, err := notifier.ServeChannels(t.Context(), func(_ context.Context, channel string) event.Tried {
		if channel == "" {
			return event.Tried{Channels: []string{"ops"}}
		}
		sending.Add(1)
		<-release
		return event.Tried{Channel: channel, OK: true}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	bustest.Await(t, "the channels", func() bool { got, err := web.Channels(t.Context()); return err == nil && got.Channels[0] == "ops" })
	const asked = 50
	answers := make(chan event.Tried, asked)
	for range asked {
		go func() {
			got, err := web.TryChannel(t.Context(), "ops")
			if err != nil {
				t.Error(err)
			}
			answers <- got
		}()
	}
	for range asked - 8 {
		if got := <-answers; got.OK || got.Channel != "ops" || !strings.HasPrefix(got.Answer, "not sent: ") {
			t.Errorf("one too many: %+v", got)
		}
	}
	if got, err := web.Channels(t.Context()); err != nil || len(got.Channels) != 1 {
		t.Errorf("the channels meanwhile: %+v, %v", got, err)
	}
	close(release)
	for range 8 {
		if got := <-answers; !got.OK {
			t.Errorf("one that is sent: %+v", got)
		}
	}
	if sending.Load() != 8 {
		t.Errorf("%d were sent", sending.Load())
	}
}
