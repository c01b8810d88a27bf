package inspector_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
)

// stall writes for how much of the last 10 s processes waited, as the kernel does.
func (h *hostRig) stall(memory, cpu float64) {
	h.Helper()
	if h.proc == "" {
		h.proc = h.TempDir()
		if err := os.Mkdir(filepath.Join(h.proc, "pressure"), 0o755); err != nil {
			h.Fatal(err)
		}
	}
	for name, share := range map[string]float64{"memory": memory, "cpu": cpu} {
		line := fmt.Sprintf("some avg10=%.2f avg60=0.00 avg300=0.00 total=1\n", share)
		file := filepath.Join(h.proc, "pressure", name)
		if err := os.WriteFile(file+".new", []byte(line), 0o644); err != nil {
			h.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			h.Fatal(err)
		}
	}
}

// While the host is short of memory and a page is being inspected, another that is an
// error is reported at once. One that answers waits, visibly, and is inspected when the
// first has ended, although the host is still short; or when it is not any more.
func TestLightInspectionsFirst(t *testing.T) {
	h := newHostRig(t)
	h.stall(50, 0)
	release := sync.OnceFunc(func() { close(h.hold) })
	defer release()
	i := h.run("1", 8)
	bustest.Await(t, "the shortage to be seen", func() bool { return i.ShortSince() > 0 })

	first := h.ask("/held/1")
	bustest.Await(t, "the first page to be asked for", func() bool { return h.at.Load() == 1 })
	if r := h.answer(h.ask("/bad")); r.Outcome != libra.Error {
		t.Errorf("the page that is an error: %+v", r)
	}
	if i.Light() != 1 {
		t.Errorf("%d light inspections, want that of the error", i.Light())
	}
	second := h.ask("/good/2")
	third := h.ask("/good/3")
	for _, r := range []string{second.Page, third.Page} {
		bustest.Await(t, "the page to wait", func() bool {
			s, err := h.web.AskStep(t.Context(), r)
			return err == nil && s.Step == libra.Waiting && s.Round == 0 && strings.HasPrefix(s.Why, "Libra has been short of memory since ")
		})
	}
	if why := i.Reasons(); i.Deferred() != 2 || len(why) != 1 || why[0].Code != libra.CodePressure || !strings.Contains(why[0].Text, "short of memory") {
		t.Errorf("%d wait, and the heartbeat says %+v", i.Deferred(), why)
	}
	if _, err := h.web.LastReport(t.Context(), second.Page); err == nil {
		t.Error("a page that waits has a report")
	}
	release()
	if !good(h.answer(first)) || !good(h.answer(second)) || !good(h.answer(third)) {
		t.Error("a page that has waited is not complete")
	}
	if i.ShortSince() == 0 {
		t.Error("the host is not short any more: nothing was shown")
	}
	last, err := h.web.LastReport(t.Context(), third.Page)
	if err != nil || last.Attempt != 1 {
		t.Errorf("attempt %d (%v), want 1: nothing has ended an inspector", last.Attempt, err)
	}
	if len(i.Reasons()) != 0 {
		t.Errorf("no page waits, and the heartbeat says %+v", i.Reasons())
	}
}

// The figures of capacity are those of whole inspections: while the host is short there
// are fewer slots, and a light inspection occupies none of them.
func TestFiguresUnderPressure(t *testing.T) {
	h := newHostRig(t)
	h.stall(50, 0)
	defer close(h.hold)
	i := h.run("1", 8)
	for _, c := range []struct {
		memory, cpu float64
		slots       int64
	}{{50, 0, 1}, {0, 0, 8}, {0, 99, 8}, {50, 99, 1}} {
		h.stall(c.memory, c.cpu)
		bustest.Await(t, fmt.Sprintf("%d slots while memory is short for %g %% and CPU for %g %%", c.slots, c.memory, c.cpu), func() bool { return i.Slots() == c.slots })
	}
	h.ask("/held/1")
	bustest.Await(t, "a whole inspection", func() bool { return h.at.Load() == 1 })
	h.ask("/held/2")
	bustest.Await(t, "a light inspection beside it", func() bool { return h.at.Load() == 2 })
	began, busy := time.Now(), i.Busy()
	bustest.Await(t, "200 ms of both", func() bool { return time.Since(began) >= 200*time.Millisecond })
	if busy = i.Busy() - busy; busy > time.Since(began).Microseconds() {
		t.Errorf("%d µs busy in %s, with one slot", busy, time.Since(began))
	}
}

// The end of the shortage lets those in that wait.
func TestShortageEnds(t *testing.T) {
	h := newHostRig(t)
	h.stall(0, 0)
	defer close(h.hold)
	i := h.run("1", 16)
	for n := range 2 { // with each that ends there is a slot more: beyond the eight places
		h.answer(h.ask(fmt.Sprint("/before/", n)))
	}
	h.stall(0, 99)
	bustest.Await(t, "the shortage to be seen", func() bool { return i.ShortSince() > 0 })
	other := strings.Replace(h.url, "127.0.0.1", "localhost", 1) // a host has few pages at a time
	for n := range 4 {
		h.ask(fmt.Sprint("/held/", n))
		h.askAt(other, fmt.Sprint("/held/", n))
	}
	bustest.Await(t, "eight pages to be inspected", func() bool { return h.at.Load() == 8 })
	r := h.ask("/good")
	bustest.Await(t, "the ninth to wait", func() bool {
		s, err := h.web.AskStep(t.Context(), r.Page)
		return err == nil && s.Step == libra.Waiting && strings.Contains(s.Why, "short of CPU")
	})
	h.stall(0, 10)
	if !good(h.answer(r)) {
		t.Error("it is not complete")
	}
	if n := h.log.count("inspection ends"); n > 3 {
		t.Errorf("%d pages have ended, want the two before and this one", n)
	}
	bustest.Await(t, "the end in the journal", func() bool { return h.log.count("host is not short any more") == 1 })
}
