package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

func (h *rig) watched(page string) string {
	h.t.Helper()
	var p struct{ Every string }
	h.get("/api/pages/"+page).into(h.t, &p)
	return p.Every
}

const sampleBudget = `[ {"resourceSizes": [{"resourceType": "total", "budget": 300}]} ]`

func TestWatch(t *testing.T) {
	t.Parallel()
	h := started(t)
	const page = "https://example.org/"
	id := libra.PageID(page)
	put := func(every, budget string) answer {
		t.Helper()
		body := map[string]any{"url": page, "every": every}
		if budget != "" {
			body["budget"] = json.RawMessage(budget)
		}
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return h.post("/api/pages", string(data), "X-Libra-Client", "alice")
	}
	for every, want := range map[string]string{"often": "must be a duration", "0s": "must be from 1s to 24h", "25h": "must be from 1s to 24h", "1500ms": "must be whole seconds", "": "a budget requires a watch"} {
		if got := put(every, sampleBudget); got.code != 400 || !strings.Contains(got.body, want) {
			t.Errorf("every %q = %d %s", every, got.code, got.body)
		}
	}
	if got := put("30s", `[{"resourceSizes":[{"resourceType":"total","budget":-1}],"pth":"/"}]`); got.code != 400 || !strings.Contains(got.body, "pth") || !strings.Contains(got.body, "-1") {
		t.Errorf("a bad budget = %d %s", got.code, got.body)
	}
	if _, err := h.conn.WatchOf(t.Context(), id); err == nil {
		t.Error("what was refused is on the bus")
	}

	got := put("1m30s", sampleBudget)
	if got.code != 202 || !strings.Contains(got.body, `"every":"90s"`) || !strings.Contains(got.body, `"state":"queued"`) {
		t.Errorf("watch = %d %s", got.code, got.body)
	}
	w, err := h.conn.WatchOf(t.Context(), id)
	if err != nil || w.EveryS != 90 || w.Label != "alice" || w.Client != "127.0.0.1" || w.URL != page || string(w.Budget) != `[{"resourceSizes":[{"resourceType":"total","budget":300}]}]` {
		t.Errorf("on the bus: %+v, %v", w, err)
	}
	open, err := h.conn.OpenRequest(t.Context(), id)
	if err != nil || open.Watch == nil || open.Watch.EveryS != 90 || open.Label != "alice" || open.Client != "127.0.0.1" {
		t.Errorf("its first request: %+v, %v", open, err)
	}
	judged := reported(open, noon)
	judged.Budget = &event.Judged{Lines: 1, Over: []string{"total is over its budget"}}
	h.publish(judged, reported(request(2), noon))
	alarm := transition(1, "page."+id, libra.Raised, libra.Major, 1)
	alarm.Alarm.Scope, alarm.Alarm.Target, alarm.Alarm.Page = libra.ScopePage, page, id
	h.raise(alarm)
	bustest.Await(t, "the report", func() bool { return h.page(id).State == libra.Reported })
	var doc struct {
		Every  string
		Budget *event.Judged
		Alarms []libra.Alarm
	}
	h.get("/api/pages/"+id).into(t, &doc)
	if doc.Every != "90s" || doc.Budget == nil || len(doc.Budget.Over) != 1 || len(doc.Alarms) != 1 || doc.Alarms[0].ID != "page."+id {
		t.Errorf("the page = %+v", doc)
	}
	html := h.get("/pages/"+id, "Accept", "text/html").body
	for _, want := range []string{"Inspected every 1 min 30 s since", "requested by alice", "total is over its budget", "/alarms/page." + id, `<option value="90s" selected>`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q:\n%s", want, html)
		}
	}
	judged.Budget, judged.Request.ID = &event.Judged{Lines: 1, Over: []string{}, Within: []string{"total is 271.0 kB, within its budget of 307.2 kB (300 KB in the file)"}}, "within"
	judged.At = noon.Add(time.Minute)
	h.publish(judged)
	bustest.Await(t, "the limit and the figure on the page", func() bool {
		return strings.Contains(h.get("/pages/"+id, "Accept", "text/html").body, "Within budget:</span> total is 271.0 kB, within its budget of 307.2 kB (300 KB in the file).")
	})
	var list struct {
		Pages []struct{ ID, Every string }
		Next  string
	}
	h.get("/api/pages?watched=true").into(t, &list)
	if len(list.Pages) != 1 || list.Pages[0].ID != id || list.Pages[0].Every != "90s" || list.Next != "" {
		t.Errorf("watched pages: %+v", list)
	}
	if got := h.get("/api/pages?watched=yes"); got.code != 400 {
		t.Errorf("watched=yes = %d", got.code)
	}

	// The form changes how often, and keeps the budget.
	if got := h.form("/pages/"+id+"/watch", url.Values{"every": {"5m"}}); got.code != 303 || got.header.Get("Location") != "/pages/"+id+"#watch" {
		t.Errorf("the form = %d %s", got.code, got.body)
	}
	if w, err := h.conn.WatchOf(t.Context(), id); err != nil || w.EveryS != 300 || len(w.Budget) == 0 {
		t.Errorf("on the bus: %+v, %v", w, err)
	}
	if got := put("off", sampleBudget); got.code != 400 {
		t.Errorf("off with a budget = %d %s", got.code, got.body)
	}
	if got := put("off", ""); got.code != 200 || strings.Contains(got.body, "every") || strings.Contains(got.body, "note") {
		t.Errorf("off = %d %s", got.code, got.body)
	}
	if w, err := h.conn.WatchOf(t.Context(), id); err != nil || w.EveryS != 0 || h.watched(id) != "" {
		t.Errorf("once it has ended: %+v, %v", w, err)
	}
	if got := put("off", ""); got.code != 200 || !strings.Contains(got.body, "was not watched") {
		t.Errorf("off again = %d %s", got.code, got.body)
	}
}

// A disk that is nearly full takes no new watches, and keeps those it has.
func TestNoRoomToWatch(t *testing.T) {
	t.Parallel()
	h := started(t)
	put := func(page string) answer {
		return h.post("/api/pages", fmt.Sprintf(`{"url":%q,"every":"30s"}`, page))
	}
	h.raise(transition(1, "disk", libra.Raised, libra.Minor, 1))
	if got := put("https://example.org/a"); got.code != 202 {
		t.Errorf("while the alarm is minor = %d %s", got.code, got.body)
	}
	worse := transition(2, "disk", libra.Raised, libra.Major, 1)
	worse.Alarm.Summary = "it is worse"
	h.raise(worse)
	if got := put("https://example.org/b"); got.code != http.StatusInsufficientStorage || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "3 of 3 probes") {
		t.Errorf("while it is major = %d %s", got.code, got.body)
	}
	if got := put("https://example.org/a"); got.code != 202 {
		t.Errorf("an existing watch = %d %s", got.code, got.body)
	}
	if got := h.submit("https://example.org/c"); got.code != 202 {
		t.Errorf("one inspection = %d %s", got.code, got.body)
	}
}
