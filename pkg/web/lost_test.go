package web_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// Requests that were accepted are submitted again when the bus has lost their stream
// while it runs, as they were. Until there is a stream again, submissions are refused
// and not lost.
func TestLostRequestsAreSubmittedAgain(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(impatient).ready()
	const plain, watched = "https://example.org/plain", "https://example.org/watched"
	if a := h.submit(plain); a.code != 202 {
		t.Fatalf("submitting = %d %s", a.code, a.body)
	}
	if a := h.do("POST", "/api/pages", `{"url":"`+watched+`","every":"1h","budget":[{"resourceSizes":[{"resourceType":"total","budget":300}]}]}`, "Content-Type", jsonType); a.code != 202 {
		t.Fatalf("watching = %d %s", a.code, a.body)
	}
	before := map[string]event.Request{}
	for _, url := range []string{plain, watched} {
		r, err := h.conn.OpenRequest(t.Context(), libra.PageID(url))
		if err != nil {
			t.Fatal(err)
		}
		before[url] = r
	}
	h.bus.Lose(event.RequestStream)
	if a := h.submit("https://example.org/refused"); a.code != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("submitting without a stream = %d %s", a.code, a.body)
	}
	h.bus.Streams()

	var mu sync.Mutex
	claimed := map[string]event.Request{}
	h.inspect(func(_ context.Context, _ *bus.Conn, j bus.Job) event.Reported {
		mu.Lock()
		defer mu.Unlock()
		claimed[j.Request.URL] = j.Request
		return reported(j.Request, time.Now().UTC())
	})
	for url, was := range before {
		bustest.Await(t, "the report of "+url, func() bool { return h.page(was.Page).State == libra.Reported })
		mu.Lock()
		is := claimed[url]
		mu.Unlock()
		if is.ID != was.ID || is.Client != was.Client || !is.Asked.Equal(was.Asked) || (is.Watch == nil) != (was.Watch == nil) {
			t.Errorf("submitted again: %+v, it was %+v", is, was)
		}
		if is.Watch != nil && string(is.Watch.Budget) != string(was.Watch.Budget) {
			t.Errorf("its budget is %s, it was %s", is.Watch.Budget, was.Watch.Budget)
		}
	}
	if len(claimed) != 2 {
		t.Errorf("claimed %+v", claimed)
	}
	bustest.Await(t, "all to be well", func() bool { return h.get("/up").body == "OK\n" })
}

// When the bus has lost the stream of hosts while it runs, what operators want of them is
// stored again, and the states that inspectors have to learn again are not listed.
func TestLostHostsAreHeldAgain(t *testing.T) {
	t.Parallel()
	h := started(t)
	bustest.Await(t, "the list to be read", func() bool { return !h.hosts().Stale })
	inspector := h.bus.Connect("inspector")
	open := func(host string) {
		t.Helper()
		state := event.Host{Host: host, State: libra.HostOpen, Cause: libra.HostNoAnswer, Since: time.Now(), Until: time.Now().Add(time.Hour), Pages: 3, Inspector: "1", At: time.Now()}
		if _, err := inspector.PublishHost(t.Context(), state, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, host := range []string{"held.example", "ended.example"} {
		if got := h.post("/api/hosts/"+host+"/hold", `{"state":"closed","why":"a test"}`); got.code != 200 {
			t.Fatalf("%d %s", got.code, got.body)
		}
	}
	if got := h.do("DELETE", "/api/hosts/ended.example/hold", ""); got.code != 200 {
		t.Fatalf("%d %s", got.code, got.body)
	}
	open("sick.example")
	open("held.example")
	bustest.Await(t, "the hosts to be listed", func() bool {
		list := h.hosts().Hosts
		return len(list) == 2 && list[0].Host == "held.example" && list[0].Pages == 3 && list[1].Host == "sick.example"
	})
	h.bus.Lose(event.HostStream)
	h.bus.Streams()
	open("new.example")
	bustest.Await(t, "the hold on the bus", func() bool {
		hold, err := inspector.HoldOf(t.Context(), "held.example")
		return err == nil && hold.State == libra.HostClosed && hold.Why == "a test"
	})
	bustest.Await(t, "the states of before to be gone", func() bool {
		list := h.hosts().Hosts
		return len(list) == 2 && list[0].Host == "held.example" && list[0].Pages == 0 && list[0].Hold != nil && list[1].Host == "new.example"
	})
	if hold, err := inspector.HoldOf(t.Context(), "ended.example"); err == nil {
		t.Errorf("a hold that had ended is back: %+v", hold)
	}
}

// While the recorder publishes again what the bus has lost, /up says so.
func TestRestoringIsDegraded(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	for _, c := range component.Required() {
		if c.Name != component.Recorder {
			h.beats(beatOf(c.Name))
		}
	}
	h.start(web.Config{HeartbeatTimeout: time.Hour}).connected()
	b := beatOf(component.Recorder)
	b.EveryMS = int(time.Hour.Milliseconds())
	b.Counters = map[string]int64{event.RestoringCounter: noon.Unix()}
	b.Details = []libra.Reason{libra.Because(libra.CodeRestoring, "the bus has lost its watches, 3 of 9 are published again")}
	h.beat(b)
	const want = "degraded: bus: the bus has lost its watches, 3 of 9 are published again (since "
	bustest.Await(t, "the restoration in /up", func() bool { return strings.Contains(h.get("/up").body, want) })
	bustest.Await(t, "nothing else", func() bool { return strings.HasPrefix(h.get("/up").body, "DEGRADED") })
	b.Counters, b.Details = nil, nil
	h.beat(b)
	bustest.Await(t, "all to be well", func() bool { return h.get("/up").body == "OK\n" })
}
