package inspector_test

import (
	"errors"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// What the bus has refused to store, because another inspector was first, changes nothing
// for those that have seen it.
func TestRefusedStateIsNotBelieved(t *testing.T) {
	h := newHostRig(t)
	h.run("1", 2)
	h.run("2", 2)
	h.answer(h.ask("/busy?status=429&wait=60"))
	h.awaitState(libra.HostOpen, libra.HostAsked)
	late := event.Host{Host: h.name(), State: libra.HostClosed, Inspector: "3", At: time.Now().Add(time.Second)}
	if _, err := h.bus.Connect("inspector").PublishHost(t.Context(), late, 0); !errors.Is(err, libra.ErrOpen) {
		t.Fatalf("a state in place of none is stored: %v", err)
	}
	was := h.asked.Load()
	for range 8 {
		if r := h.answer(h.ask("/next")); !r.HasReason(libra.CodeHostBusy) {
			t.Errorf("a page is %s, %q", r.Outcome, r.Reasons)
		}
	}
	if n := h.asked.Load() - was; n != 0 {
		t.Errorf("a host that asked to wait was asked %d times", n)
	}
}

// An answer to a page that began before another inspector was asked to wait does not end
// the wait.
func TestEarlierAnswerEndsNoWait(t *testing.T) {
	h := newHostRig(t)
	h.run("1", 2)
	h.open()
	h.silent.Store(false)
	was, probe := h.asked.Load(), event.Request{}
	bustest.Await(t, "the probe", func() bool {
		if h.at.Load() == 0 {
			probe = h.ask("/held")
			bustest.Await(t, "a probe or a refusal", func() bool {
				last, err := h.web.LastFailure(t.Context(), probe.Page)
				return h.asked.Load() > was || err == nil && last.Request.ID == probe.ID
			})
		}
		return h.asked.Load() > was
	})
	_, place, err := h.web.HostOf(t.Context(), h.name())
	if err != nil {
		t.Fatal(err)
	}
	wait := event.Host{Host: h.name(), State: libra.HostOpen, Cause: libra.HostAsked, Since: time.Now(), Until: time.Now().Add(time.Minute), Inspector: "3", At: time.Now()}
	if _, err := h.bus.Connect("inspector").PublishHost(t.Context(), wait, place); err != nil {
		t.Fatal(err)
	}
	close(h.hold)
	if r := h.answer(probe); !good(r) {
		t.Fatalf("the probe is %s, %q", r.Outcome, r.Reasons)
	}
	if r := h.answer(h.ask("/next")); !r.HasReason(libra.CodeHostBusy) {
		t.Errorf("a page is %s, %q", r.Outcome, r.Reasons)
	}
	h.awaitState(libra.HostOpen, libra.HostAsked)
}
