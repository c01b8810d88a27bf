package web_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// A client that does not get an answer repeats its call. What that does is in
// docs/architecture.md.
func TestRepeatedCalls(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.raise(transition(1, "disk", libra.Raised, libra.Minor, 0))
	const page, watched = `{"url":"https://example.org/"}`, `{"url":"https://example.org/","every":"30s"}`
	ended := `{"url":"https://example.org/","every":"off"}`
	silence := `{"match":{"alarm":"disk"},"for":"2h","why":"new disks"}`
	for _, c := range []struct {
		method, path, body string
		first, second      int
		effect             func() int // how many there are of what the call makes
		want               int
	}{
		{"POST", "/api/pages", page, 202, 202, func() int { return len(h.openPages()) }, 1},
		{"POST", "/api/pages", watched, 202, 202, func() int { return h.watches() }, 1},
		{"POST", "/api/pages", ended, 200, 200, func() int { return h.watches() }, 0},
		{"POST", "/api/alarms/disk/acknowledge", `{"text":"on it"}`, 200, 200, func() int { return h.notes(libra.Acknowledged) }, 2},
		{"POST", "/api/silences", silence, 201, 201, func() int { return h.notes(libra.Silenced) }, 2},
	} {
		for i, want := range []int{c.first, c.second} {
			if got := h.do(c.method, c.path, c.body, "Content-Type", jsonType); got.code != want {
				t.Errorf("%s %s %s, call %d: %d %s, want %d", c.method, c.path, c.body, i+1, got.code, got.body, want)
			}
		}
		bustest.Await(t, fmt.Sprintf("%d after %s %s", c.want, c.path, c.body), func() bool { return c.effect() == c.want })
	}
	var list struct{ Silences []struct{ ID string } }
	h.get("/api/silences").into(t, &list)
	if len(list.Silences) != 2 {
		t.Fatalf("%d silences, want 2", len(list.Silences))
	}
	for i, want := range []int{200, 404} {
		if got := h.do("DELETE", "/api/silences/"+list.Silences[0].ID, ""); got.code != want {
			t.Errorf("end a silence, call %d: %d %s, want %d", i+1, got.code, got.body, want)
		}
	}
}

func (h *rig) openPages() []string {
	h.t.Helper()
	pages, err := h.conn.OpenPages(h.t.Context())
	if err != nil {
		h.t.Error(err)
	}
	return pages
}

// watches counts the watches on the bus that have not ended.
func (h *rig) watches() (n int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
	defer cancel()
	h.bus.Connect("watchdog").ConsumeWatches(ctx, cancel, func(w event.Watch) {
		if w.EveryS > 0 {
			n++
		}
	})
	return n
}

// notes counts the notes of a kind on the bus.
func (h *rig) notes(kind libra.NoteKind) (n int) {
	for _, note := range h.onBus() {
		if note.Kind == kind {
			n++
		}
	}
	return n
}
