package inspector

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// slowWay is a way to the bus on which what it sends can be held up.
type slowWay struct {
	net.Listener
	mu sync.Mutex // held while nothing passes
}

// newSlowWay listens in front of a bus, until the test ends.
func newSlowWay(t *testing.T, b *bustest.Bus) *slowWay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &slowWay{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.pass(client, strings.TrimPrefix(b.URL(), "nats://"))
		}
	}()
	return w
}

func (w *slowWay) pass(client net.Conn, to string) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, client) }()
	part := make([]byte, 1<<16)
	for {
		n, err := server.Read(part)
		if err != nil {
			return
		}
		w.mu.Lock()
		_, err = client.Write(part[:n])
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// hostsBy are the hosts of an inspector whose way to the bus is w.
func hostsBy(t *testing.T, b *bustest.Bus, w *slowWay) *hosts {
	t.Helper()
	conn, err := bus.Connect(bus.Config{URL: "nats://" + w.Addr().String(), Seed: b.Seed("inspector"), Role: "inspector", Name: "test", Log: b.Log()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if err := conn.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newHosts(Config{Instance: "1", Workers: 8}, conn, b.Log())
}

// heldOnBus has an operator hold a host open.
func heldOnBus(t *testing.T, b *bustest.Bus) {
	t.Helper()
	hold := event.Hold{Host: "a.example", State: libra.HostOpen, By: "alice", At: time.Now()}
	if err := b.Connect("web").SetHold(t.Context(), hold); err != nil {
		t.Fatal(err)
	}
}

// admitted says whether a page of the host may be asked for.
func admitted(t *testing.T, h *hosts) bool {
	t.Helper()
	v, refusal, err := h.admit(t.Context(), "https://a.example/", 1)
	if err != nil {
		t.Error(err)
	}
	if v != nil {
		v.abandon()
	}
	return refusal == nil
}

// An inspector that knows nothing of a host yet asks for none of its pages before the bus
// has said what is known of it.
func TestPagesWaitForWhatIsKnown(t *testing.T) {
	b := bustest.Start(t)
	way := newSlowWay(t, b)
	h := hostsBy(t, b, way)
	heldOnBus(t, b)
	way.mu.Lock()
	var pages sync.WaitGroup
	for range 6 {
		pages.Go(func() {
			if admitted(t, h) {
				t.Error("a page of a host that is held open is asked for")
			}
		})
	}
	bustest.Await(t, "the bus to be asked", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		k := h.known["a.example"]
		return k != nil && k.reading != nil
	})
	way.mu.Unlock()
	pages.Wait()
}

// Where the bus gave no answer, a page waits for it no longer than it may, and the bus is
// asked again soon.
func TestNoAnswerOfTheBusIsNotKept(t *testing.T) {
	b := bustest.Start(t)
	way := newSlowWay(t, b)
	h := hostsBy(t, b, way)
	heldOnBus(t, b)
	way.mu.Lock()
	began := time.Now()
	if !admitted(t, h) {
		t.Error("a page is refused, and the bus has not said why")
	}
	if !admitted(t, h) {
		t.Error("the next page is refused, and the bus has not said why")
	}
	if took := time.Since(began); took > 3*readWait {
		t.Errorf("two pages waited for %s", took)
	}
	way.mu.Unlock()
	answered := time.Now()
	bustest.Await(t, "the hold to be known", func() bool { return !admitted(t, h) })
	if took := time.Since(answered); took > readEvery/2 {
		t.Errorf("the bus was asked again after %s", took)
	}
}

// Where two inspectors change what is known of a host at once, the bus refuses one of the
// changes; neither is lost, and they agree.
func TestChangesAtOnceAreNotLost(t *testing.T) {
	b := bustest.Start(t)
	one, two := hostsBy(t, b, newSlowWay(t, b)), hostsBy(t, b, newSlowWay(t, b))
	other := b.Connect("inspector")
	for n := range 40 {
		page := fmt.Sprintf("https://%d.example/", n)
		busy := &libra.Report{URL: page, Status: 429, RetryAfterS: 60, Outcome: libra.Error}
		open := event.Host{Host: hostOf(page), State: libra.HostOpen, Cause: libra.HostNoAnswer, Until: time.Now(), Inspector: "3", At: time.Now()}
		visits := [2]*visit{}
		for i, h := range []*hosts{one, two} {
			var err error
			if visits[i], _, err = h.admit(t.Context(), page, 1); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := other.PublishHost(t.Context(), open, 0); err != nil {
			t.Fatal(err)
		}
		two.announced(open.Host)
		two.ask(t.Context(), open.Host) // its page closes that breaker
		var ends sync.WaitGroup
		ends.Go(func() { visits[0].end(busy) })
		ends.Go(func() { visits[1].end(&libra.Report{URL: page, Status: 200}) })
		ends.Wait()
		for _, h := range []*hosts{one, two} {
			h.announced(open.Host)
			h.ask(t.Context(), open.Host)
			if refusal := h.refusal(open.Host); refusal == nil || !refusal.HasReason(libra.CodeHostBusy) {
				t.Errorf("host %d, which asked to wait, may be asked: %+v", n, refusal)
			}
		}
	}
}
