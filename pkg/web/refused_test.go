package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// While another report would cost one that is not recorded, which the bus knows, requests
// are refused with the reason and the time to retry; pages can be read.
func TestRefusedWhileTheHistoryIsTooFarBehind(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.start(web.Config{HeartbeatTimeout: time.Hour}).ready()
	b := beatOf(component.Bus)
	b.Instance, b.Counters = "2", map[string]int64{event.RefusedCounter: noon.Unix()}
	b.Details = []libra.Reason{libra.Because(libra.CodeHistoryBehind, "1200 reports are not in the history yet")}
	h.beat(b)
	const why = "degraded: bus: it answers, and accepts no new inspections: 1200 reports are not in the history yet (since 1 Mar 2026, 12:00:00 UTC)"
	bustest.Await(t, "web to see it", func() bool { return strings.Contains(h.get("/up").body, why) })
	if up := h.get("/up").body; !strings.HasPrefix(up, "DEGRADED\n") || !strings.Contains(up, "refused: new inspections since 1 Mar 2026, 12:00:00 UTC") {
		t.Errorf("/up = %s", up)
	}
	r := h.post("/api/pages", `{"url":"https://example.org/"}`)
	if r.code != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" || !strings.Contains(r.body, "1200 reports") || !strings.Contains(r.body, string(libra.CodeHistoryBehind)) {
		t.Errorf("a submission got %d, %v\n%s", r.code, r.header, r.body)
	}
	if home := h.get("/", "Accept", "text/html"); home.code != http.StatusOK || !strings.Contains(home.body, "new inspections are not accepted until the history has caught up") {
		t.Errorf("/ = %d %s", home.code, home.body)
	}
	b.Counters[event.RefusedCounter], b.Details = 0, nil
	h.beat(b)
	bustest.Await(t, "requests to be accepted", func() bool {
		return h.post("/api/pages", `{"url":"https://example.org/"}`).code == http.StatusAccepted
	})
}
