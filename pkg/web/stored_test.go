package web_test

import (
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// While a stream of the bus stores nothing, which the bus alone knows, nothing that it
// carries is called known.
func TestUnknownWhileTheBusStoresNothing(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.start(web.Config{HeartbeatTimeout: time.Hour}).ready()
	b := beatOf(component.Bus)
	b.Instance, b.Counters = "2", map[string]int64{event.StoppedCounter: noon.Unix()}
	b.Details = []libra.Reason{libra.Because(libra.CodeNotStored, "stream WATCHES: no space left on device")}
	h.beat(b)
	bustest.Await(t, "web to see it", func() bool { return strings.HasPrefix(h.get("/up").body, "UNKNOWN since 1 Mar 2026, 12:00:00 UTC") })
	const why = "degraded: bus: it answers, and does not store everything: stream WATCHES: no space left on device (since 1 Mar 2026, 12:00:00 UTC)"
	if up := h.get("/up").body; !strings.Contains(up, why) || strings.Contains(up, "refused: ") {
		t.Errorf("/up = %s", up)
	}
	for _, path := range lists {
		if s := h.staleness(path); !s.Stale || !s.UnknownSince.Equal(noon) {
			t.Errorf("%s = %+v", path, s)
		}
	}
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, "Libra is degraded: not everything that happens is stored: the newest reports and alarms may be missing.") {
		t.Errorf("/ = %s", home)
	}
	b.Counters[event.StoppedCounter], b.Details = 0, nil
	h.beat(b)
	bustest.Await(t, "all to be known again", func() bool { return h.get("/up").body == "OK\n" })
}

// A component is not said to be out of work as soon as the bus is back: its heartbeats
// need time to arrive. Until they do, its state is unknown.
func TestBusBackIsNotSilence(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{HeartbeatTimeout: time.Millisecond, ReconnectTime: time.Hour}).connected()
	up := h.get("/up").body
	if !strings.HasPrefix(up, "UNKNOWN since ") || !strings.Contains(up, "unknown: state of libra-notifier since ") || strings.Contains(up, "nobody is notified") {
		t.Errorf("/up = %s", up)
	}
	// One instance that was stopped says nothing about the others.
	stopped := transition(1, "beat.inspector.2", libra.Raised, libra.Major, 1)
	stopped.Alarm.Summary = "libra-inspector@2 was stopped"
	one, two := beatOf(component.Inspector), beatOf(component.Inspector)
	one.Instance, two.Instance = "1", "2"
	one.EveryMS, two.EveryMS = 1, 1
	h.beat(one)
	h.beat(two)
	if err := h.bus.Connect("watchdog").PublishAlarm(t.Context(), stopped); err != nil {
		t.Fatal(err)
	}
	const part = "degraded: libra-inspector@2: was stopped (since "
	bustest.Await(t, "the stopped inspector", func() bool { up = h.get("/up").body; return strings.Contains(up, part) })
	if strings.Contains(up, "accepted inspections wait") {
		t.Errorf("/up calls every inspector stopped: %s", up)
	}
}

// Components that send no heartbeat when they could have are missed.
func TestSilenceAfterTheBusIsBack(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{ReconnectTime: time.Millisecond}).connected()
	bustest.Await(t, "the notifier to be missed", func() bool { return strings.Contains(h.get("/up").body, "nobody is notified of alarms") })
}
