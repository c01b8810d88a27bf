package web_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/pkg/web"
)

// record puts alarms and notes into SQLite, as the recorder does.
func (h *rig) record(alarms []libra.Transition, notes []libra.Note, watches ...event.Watch) {
	h.t.Helper()
	w, err := store.Open(h.t.Context(), h.db)
	if err != nil {
		h.t.Fatal(err)
	}
	defer w.Close()
	for _, err := range []error{
		w.AddAlarms(h.t.Context(), alarms, event.Position{}), w.AddNotes(h.t.Context(), notes, event.Position{}), w.AddWatches(h.t.Context(), watches, event.Position{}),
	} {
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// The timeline is SQLite's and memory's in one, in whatever portions.
func TestTimeline(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var all []libra.Transition
	var notes []libra.Note
	for n := range 10 {
		state, since := libra.Raised, n
		if n%2 == 1 {
			state, since = libra.Cleared, n-1
		}
		all = append(all, transition(n, "bus", state, libra.Major, since))
		notes = append(notes, libra.Note{ID: fmt.Sprintf("n%02d", n), Kind: libra.Action, At: all[n].At.Add(time.Second), By: "libra-watchdog", Text: "tried", Alarm: "bus"})
	}
	h.record(all[:9], notes[:9])
	h.start(web.Config{}).ready()
	watchdog := h.bus.Connect("watchdog")
	for _, n := range notes[7:] {
		if err := watchdog.PublishNote(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	h.raise(all[8:]...)
	bustest.Await(t, "the last note", func() bool { return strings.Contains(h.get("/api/alarms/bus").body, "n09") })
	var want []string
	for n := range slices.Backward(all) {
		want = append(want, notes[n].ID, all[n].ID)
	}
	for _, path := range []string{"/api/alarms/bus", "/api/history"} {
		for _, limit := range []int{1, 3, 20, 50} {
			var got []string
			next := ""
			for {
				var part alarmAnswer
				h.get(fmt.Sprintf("%s?limit=%d&after=%s", path, limit, next)).into(t, &part)
				for _, e := range part.Timeline {
					got = append(got, e.ID)
				}
				if next = part.Next; next == "" {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %d at a time (-want +got):\n%s", path, limit, diff)
			}
		}
	}
	for _, bad := range []string{"?after=x", "?limit=0"} {
		if got := h.get("/api/history" + bad); got.code != 400 {
			t.Errorf("/api/history%s = %d %s", bad, got.code, got.body)
		}
	}
	old := h.get("/alarms?after="+h.alarm("bus").Next, "Accept", "text/html")
	if old.code != 200 || !strings.Contains(old.body, `<section aria-labelledby="history">`) {
		t.Errorf("/alarms = %d", old.code)
	}
}

// A bus that has lost its store, or has forgotten an old alarm, does not make
// web forget what is raised; where the bus knows better, it does.
func TestOpenAlarmsFromHistory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	now := time.Now().UTC()
	h.record([]libra.Transition{transition(1, "bus", libra.Raised, libra.Major, 1), transition(2, "web", libra.Raised, libra.Major, 2)},
		[]libra.Note{{ID: "n1", Kind: libra.Action, At: now, By: "libra-watchdog", Text: "tried", Alarm: "bus"}})
	if err := h.bus.Connect("watchdog").PublishAlarm(t.Context(), transition(3, "web", libra.Cleared, libra.Major, 2)); err != nil {
		t.Fatal(err)
	}
	h.start(web.Config{}).ready()
	bustest.Await(t, "the alarm that SQLite knows", func() bool {
		got := h.get("/api/alarms?state=raised").body
		return strings.Contains(got, "bus does not answer") && strings.Contains(got, `"text":"tried"`) && !strings.Contains(got, `"stale":true`)
	})
	if got := h.alarm("web"); got.State != libra.Cleared {
		t.Errorf("the bus knows better: %+v", got.Alarm)
	}
}

// While the bus is away, what is known is read, and nothing is promised.
func TestAlarmsWithoutBus(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	now := time.Now().UTC()
	sil := libra.Silence{ID: "s1", Match: libra.Match{Alarm: "bus"}, From: now, Until: now.Add(time.Hour), By: "ann", Why: "moving rig"}
	watch := event.Watch{Page: request(1).Page, URL: request(1).URL, Client: "alice", EveryS: 30, At: now}
	h.record([]libra.Transition{transition(1, "bus", libra.Raised, libra.Critical, 1)}, []libra.Note{
		{ID: "n1", Kind: libra.Acknowledged, At: now, By: "ann", Text: "on it", Alarm: "bus"},
		{ID: "n2", Kind: libra.Silenced, At: now, By: "ann", Silence: &sil},
	}, watch)
	h.fill(reported(request(1), noon))
	h.bus.Down()
	h.start(impatient)
	bustest.Await(t, "what SQLite knows", func() bool {
		a := h.alarm("bus")
		return a.Acknowledged != nil && a.Silenced != nil && h.watched(watch.Page) == "30s"
	})
	if a := h.alarm("bus"); !a.Stale || !slices.Equal(a.kinds(), []string{"acknowledged", "raised"}) {
		t.Errorf("the alarm = %+v", a)
	}
	if list := h.get("/api/silences").body; !strings.Contains(list, `"stale":true`) || !strings.Contains(list, "moving rig") {
		t.Errorf("silences: %s", list)
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/alarms/bus/acknowledge", ""},
		{"POST", "/api/silences", `{"match":{"alarm":"bus"},"for":"2h","why":"x"}`},
		{"DELETE", "/api/silences/s1", ""},
		{"POST", "/api/pages", `{"url":"https://example.org/","every":"30s"}`},
		{"POST", "/api/channels/ops/test", ""},
	} {
		got := h.do(c.method, c.path, c.body, "Content-Type", jsonType)
		if got.code != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("%s %s = %d, Retry-After %q, %s", c.method, c.path, got.code, got.header.Get("Retry-After"), got.body)
		}
	}
	if got := h.post("/api/channels/ops/test", ""); !strings.Contains(got.body, "the bus to libra-notifier is away") {
		t.Errorf("a channel's test names another cause: %s", got.body)
	}
	if got := h.get("/api/alarms/disk"); got.code != http.StatusServiceUnavailable {
		t.Errorf("an alarm that may be on the bus = %d %s", got.code, got.body)
	}
	if a := h.alarm("bus"); a.Acknowledged.ID != "n1" || a.Silenced.ID != "s1" {
		t.Errorf("what was refused is in memory: %+v", a)
	}
}

// A trial message: what came of it, and what channels there are.
func TestChannels(t *testing.T) {
	t.Parallel()
	h := started(t)
	if got := h.post("/api/channels/ops/test", ""); got.code != 503 || !strings.Contains(got.body, "systemctl status libra-notifier") {
		t.Errorf("without a notifier = %d %s", got.code, got.body)
	}
	if got := h.get("/api/channels"); got.code != 503 || !strings.Contains(got.body, "channels are not known, libra-notifier does not answer") {
		t.Errorf("channels without a notifier = %d %s", got.code, got.body)
	}
	stop, err := h.bus.Connect("notifier").ServeChannels(t.Context(), func(_ context.Context, name string) event.Tried {
		if name != "ops room" {
			return event.Tried{Channel: name, Answer: "no such channel", Channels: []string{"ops room"}, Routes: []event.Route{{Alarm: "disk", Channels: []string{}}}}
		}
		return event.Tried{Channel: name, OK: true, Answer: "200 ok", TookMS: 42}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var tried event.Tried
	bustest.Await(t, "the notifier", func() bool { return h.post("/api/channels/ops%20room/test", "").code == 200 })
	h.post("/api/channels/ops%20room/test", "").into(t, &tried)
	if diff := cmp.Diff(event.Tried{Channel: "ops room", OK: true, Answer: "200 ok", TookMS: 42}, tried); diff != "" {
		t.Errorf("tried (-want +got):\n%s", diff)
	}
	if got := h.post("/api/channels/none/test", ""); got.code != 200 || !strings.Contains(got.body, `"channels":["ops room"]`) {
		t.Errorf("an unknown channel = %d %s", got.code, got.body)
	}
	if got := h.get("/api/channels"); got.code != 200 || strings.TrimSpace(got.body) != `{"channels":["ops room"],"routes":[{"alarm":"disk","channels":[]}]}` {
		t.Errorf("channels = %d %s", got.code, got.body)
	}
}

// A few trial messages are sent at a time. One more is refused at once, before its body
// is there, and holds nothing up: neither the list of channels nor those that are sent.
func TestTrialMessagesAtATime(t *testing.T) {
	t.Parallel()
	h := started(t)
	var sending atomic.Int64
	release := make(chan struct{})
	stop, err := h.bus.Connect("notifier").ServeChannels(t.Context(), func(ctx context.Context, name string) event.Tried {
		if name == "slow" {
			sending.Add(1)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return event.Tried{Channel: name, OK: true, Channels: []string{"slow"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	bustest.Await(t, "the notifier", func() bool { return h.get("/api/channels").code == 200 })
	sent := make(chan answer)
	for range 4 {
		go func() { sent <- h.post("/api/channels/slow/test", "") }()
	}
	bustest.Await(t, "four to be sent", func() bool { return sending.Load() == 4 })
	for range 20 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprint(conn, "POST /api/channels/slow/test HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Fatalf("one more: %v, %+v", err, resp)
		}
	}
	if got := h.get("/api/channels"); got.code != 200 {
		t.Errorf("channels meanwhile = %d %s", got.code, got.body)
	}
	close(release)
	for range 4 {
		if got := <-sent; got.code != 200 || !strings.Contains(got.body, `"ok":true`) {
			t.Errorf("one that was sent = %d %s", got.code, got.body)
		}
	}
	if got := h.post("/api/channels/slow/test", ""); got.code != 200 || sending.Load() != 5 {
		t.Errorf("afterwards = %d %s, %d sent", got.code, got.body, sending.Load())
	}
}
