package inspector_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspector/limit"
	"libra/pkg/libra"
)

// name is the host, as the bus has it.
func (h *hostRig) name() string { return strings.TrimPrefix(h.url, "http://") }

// awaitState waits until the bus has a state of the host's breaker.
func (h *hostRig) awaitState(state libra.HostState, cause libra.HostCause) {
	h.Helper()
	bustest.Await(h, fmt.Sprintf("the breaker to be %s %s", state, cause), func() bool {
		got, _, err := h.web.HostOf(h.Context(), h.name())
		return err == nil && got.State == state && got.Cause == cause
	})
}

// beside is another host on the bus of h.
func (h *hostRig) beside() *hostRig {
	h.Helper()
	other := newHostRig(h.T)
	other.bus, other.web = h.bus, h.web
	return other
}

func leads(to string) string { return "/leads?to=" + url.QueryEscape(to) }

// A page that answers is an answer of its host, whatever its assets get: the breaker
// closes, and the page counts.
func TestForbiddenAssetIsNoFaultOfTheHost(t *testing.T) {
	h := newHostRig(t)
	i := h.run("1", 2)
	h.open()
	h.silent.Store(false)
	h.until("/with?img=http://10.0.0.5/", func(r libra.Report) bool {
		return r.Status == 200 && r.HasReason(libra.CodeAddressForbidden)
	})
	h.awaitState(libra.HostClosed, "")
	if well := i.Well(); well != 1 {
		t.Errorf("%d pages count as answered in time, want 1", well)
	}
}

// A host that leads to another one has answered: neither what the other one answers nor
// that it does not is held against it.
func TestRedirectIsTheAnswer(t *testing.T) {
	h := newHostRig(t)
	busy, dead := h.beside(), h.beside()
	i := h.run("1", 2)
	if r := h.answer(h.ask(leads(busy.url + "/busy?status=429&wait=300"))); r.Status != 429 {
		t.Fatalf("the page is %s, %q", r.Outcome, r.Reasons)
	}
	dead.silent.Store(true)
	for n := range limit.Failures {
		if r := h.answer(h.ask(leads(fmt.Sprint(dead.url, "/", n)))); r.Status != 0 || r.Outcome != libra.Error {
			t.Fatalf("the page is %s, %q", r.Outcome, r.Reasons)
		}
	}
	if r := h.answer(h.ask("/a")); !good(r) {
		t.Errorf("a page of the host that has answered each time is %s, %q", r.Outcome, r.Reasons)
	}
	if well, melted := i.Well(), i.Melted(); well != limit.Failures+2 || melted != 0 {
		t.Errorf("%d pages count as answered in time, %d as not", well, melted)
	}
}

// A host that answers 429, or 503 with Retry-After, is not asked for a while, and its
// answer counts as one of a host that is overloaded.
func TestAskedToWait(t *testing.T) {
	for name, c := range map[string]struct {
		query string
		cause libra.HostCause
	}{
		"429 with Retry-After":    {"status=429&wait=30", libra.HostAsked},
		"429 without Retry-After": {"status=429", libra.HostAsked},
		"503 with Retry-After":    {"status=503&wait=30", libra.HostAsked},
		"503 without Retry-After": {"status=503", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostRig(t)
			i := h.run("1", 2)
			h.answer(h.ask("/busy?" + c.query))
			if well, melted := i.Well(), i.Melted(); well != 0 || melted != 1 {
				t.Errorf("%d pages count as answered in time, %d as not", well, melted)
			}
			was := h.asked.Load()
			r := h.answer(h.ask("/next"))
			if busy := r.HasReason(libra.CodeHostBusy); busy != (c.cause != "") || busy != (h.asked.Load() == was) {
				t.Errorf("the next page is %s, %q, and the host was asked %d times", r.Outcome, r.Reasons, h.asked.Load()-was)
			}
			if c.cause != "" {
				h.awaitState(libra.HostOpen, c.cause)
			}
		})
	}
}

// A host is as little asked for a page that comes from another one as for its own.
func TestRedirectToASuspendedHost(t *testing.T) {
	h := newHostRig(t)
	held, dead := h.beside(), h.beside()
	h.run("1", 2)
	if err := h.web.SetHold(t.Context(), event.Hold{Host: held.name(), State: libra.HostOpen, By: "alice", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	r := h.answer(h.ask(leads(held.url + "/a")))
	if !r.HasReason(libra.CodeHostHeld) || r.Status != http.StatusFound || r.Outcome != libra.Error || held.asked.Load() != 0 {
		t.Errorf("a page that leads to a held host is %s, status %d, %q; that host was asked %d times", r.Outcome, r.Status, r.Reasons, held.asked.Load())
	}
	dead.silent.Store(true)
	for n := range limit.Failures {
		h.answer(h.ask(leads(fmt.Sprint(dead.url, "/", n))))
	}
	dead.awaitState(libra.HostOpen, libra.HostNoAnswer)
	h.until(leads(dead.url+"/a"), suspended)
	dead.silent.Store(false)
	h.until(leads(dead.url+"/a"), good) // it was the probe
	dead.awaitState(libra.HostClosed, "")
	if r := dead.answer(dead.ask("/b")); !good(r) {
		t.Errorf("a page of the host that answers again is %s, %q", r.Outcome, r.Reasons)
	}
}

// While a page waits for a host that has asked for a short wait, no other page of the host
// is asked for; when it has its answer, they are.
func TestShortWaitIsOfAllPages(t *testing.T) {
	h := newHostRig(t)
	h.run("1", 4)
	h.run("2", 4)
	h.once.Store(true)
	waits := h.ask("/waits")
	h.awaitState(libra.HostOpen, libra.HostAsked)
	was := h.asked.Load()
	for range 4 {
		if r := h.answer(h.ask("/beside")); !r.HasReason(libra.CodeHostBusy) {
			t.Errorf("a page beside is %s, %q", r.Outcome, r.Reasons)
		}
	}
	if n := h.asked.Load() - was; n != 0 {
		t.Errorf("the host was asked %d times", n)
	}
	if r := h.answer(waits); !good(r) {
		t.Errorf("the page that waited is %s, %q", r.Outcome, r.Reasons)
	}
	h.awaitState(libra.HostClosed, "")
	for range 6 {
		if r := h.answer(h.ask("/after")); !good(r) {
			t.Errorf("after the answer a page is %s, %q", r.Outcome, r.Reasons)
		}
	}
}
