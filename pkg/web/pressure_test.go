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

// A page that waits because the host is short of something says so, in the API and on
// its page; and Libra is degraded while pages do.
func TestPagesWaitUnderPressure(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.start(web.Config{HeartbeatTimeout: time.Hour}).ready()
	const url = "https://example.org/"
	h.submit(url)
	const why = "Libra has been short of memory since 1 Mar 2026, 12:00:00 UTC"
	inspector, id := h.connect("inspector"), libra.PageID(url)
	open, err := h.connect("web").OpenRequest(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	step := event.Step{Request: open.ID, Page: id, Step: libra.Waiting, Why: why, Inspector: "1", At: time.Now()}
	stop, err := inspector.ServeStep(id, func() event.Step { return step })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	bustest.Await(t, "the page to wait", func() bool {
		inspector.PublishStep(step) // lost while web has not subscribed
		p := h.page(id)
		return p.State == libra.Inspecting && p.Step == libra.Waiting && p.StepWhy == why
	})
	if html := h.get("/pages/"+id, "Accept", "text/html").body; !strings.Contains(html, "Waiting to be inspected") || !strings.Contains(html, "it answers; "+why) {
		t.Errorf("its page does not say why it waits:\n%s", html)
	}

	b := beatOf(component.Inspector)
	b.Instance, b.Counters = "2", map[string]int64{event.PressureCounter: noon.Unix(), "pages_deferred": 3}
	b.Details = []libra.Reason{libra.Because(libra.CodePressure, why)}
	h.beat(b)
	const degraded = "degraded: libra-inspector: " + why + " (since 1 Mar 2026, 12:00:00 UTC)"
	bustest.Await(t, "web to see it", func() bool { return strings.Contains(h.get("/up").body, degraded) })
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, "those that do not are reported at once") {
		t.Errorf("/ = %s", home)
	}
	metrics := h.get("/metrics").body
	for _, want := range []string{`libra_inspector_pages_deferred{component="libra-inspector",instance="2"} 3`, `libra_inspector_pressure_seconds{component="libra-inspector",instance="2"} `} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	b.Details, b.Counters = nil, map[string]int64{event.PressureCounter: noon.Unix(), "pages_deferred": 0} // short, and no page waits
	h.beat(b)
	bustest.Await(t, "no page to wait", func() bool { return !strings.Contains(h.get("/up").body, "degraded: libra-inspector") })
}
