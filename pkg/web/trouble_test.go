package web_test

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/pkg/web"
	"libra/pkg/web/state"
)

// watchAt has a page of request(n) watched, and returns the request with its watch.
func (h *rig) watchAt(n int) event.Request {
	h.t.Helper()
	r := request(n)
	r.Watch = &event.Watch{Page: r.Page, URL: r.URL, Site: "home", Client: "alice", EveryS: 30, At: noon.Add(time.Duration(n) * time.Second)}
	h.setWatch(*r.Watch)
	return r
}

// errorAnswer is the report of a page that answers with a status.
func errorAnswer(r event.Request, at time.Time, status int) event.Reported {
	rep := reported(r, at)
	rep.Report.Status, rep.Report.Outcome, rep.Report.Repeat = status, libra.Error, nil
	rep.Report.AddReason(libra.StatusReason(status))
	return rep
}

// inTrouble fills an appliance with 12 pages: watched ones in each kind of trouble,
// and others. It returns the ids of those in trouble, the worst first, and how many
// are watched.
func inTrouble(h *rig) (worst []string, watched int) {
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	overBudget := reported(h.watchAt(3), at(2))
	overBudget.Budget = &event.Judged{Lines: 1, Over: []string{"total is 320.0 kB, 20.0 kB over its budget of 300.0 kB"}}
	down, other := h.watchAt(1), h.watchAt(2)
	late, poison := h.watchAt(4), quarantined(h.watchAt(5), at(0))
	reports := []event.Reported{
		reported(down, at(1)), errorAnswer(again(down, "down"), at(3), 500),
		failed(other, at(1), refused), overBudget, reported(late, at(0)), poison,
		errorAnswer(request(6), at(50), 404), // not watched
		reported(h.watchAt(7), at(40)),       // nothing is wrong with it
	}
	for n := 8; n <= 12; n++ {
		reports = append(reports, reported(request(n), at(10+n)))
	}
	h.publish(reports...)
	missed := transition(1, "page.missed."+late.Page, libra.Raised, libra.Minor, 1)
	missed.Alarm.Scope, missed.Alarm.Target, missed.Alarm.Page, missed.Alarm.Evidence = libra.ScopePage, late.URL, late.Page, "not inspected for 5 min"
	h.raise(missed)
	h.awaitListed(reports...)
	return []string{down.Page, other.Page, poison.Request.Page, overBudget.Request.Page, late.Page}, 6
}

// Watched pages in trouble are first in the list, the worst first, and a client that
// pages on gets every page once, however few at a time.
func TestWorstFirst(t *testing.T) {
	t.Parallel()
	h := started(t)
	worst, watched := inTrouble(h)
	type part struct {
		Pages []struct {
			ID      string
			Trouble *struct{ Kind, Text string }
		}
		InTrouble int `json:"in_trouble"`
		Next      string
	}
	for query, total := range map[string]int{"": 12, "&watched=true": watched} {
		for _, limit := range []int{1, 2, 3, 4, 5, 6, 11, 12, 500} {
			var ids []string
			var kinds []string
			for next := ""; ; {
				var p part
				h.get(fmt.Sprintf("/api/pages?limit=%d%s&after=%s", limit, query, url.QueryEscape(next))).into(t, &p)
				if len(p.Pages) > limit || p.InTrouble != len(worst) {
					t.Fatalf("limit %d: %d pages, %d in trouble", limit, len(p.Pages), p.InTrouble)
				}
				for _, page := range p.Pages {
					ids = append(ids, page.ID)
					if page.Trouble != nil {
						kinds = append(kinds, page.Trouble.Kind+": "+page.Trouble.Text)
					}
				}
				if next = p.Next; next == "" || len(ids) > total {
					break
				}
			}
			unique := slices.Compact(slices.Sorted(slices.Values(ids)))
			if len(ids) != total || len(unique) != total || !slices.Equal(ids[:len(worst)], worst) {
				t.Errorf("limit %d%s: %q, want %d pages with %q first", limit, query, ids, total, worst)
			}
			want := []string{
				"down: HTTP 500 Internal Server Error", "down: " + refused.Text, "quarantined: the page ended its inspector 3 times and is in quarantine, the last time: panic: poison",
				"over-budget: total is 320.0 kB, 20.0 kB over its budget of 300.0 kB", "stale: not inspected for 5 min",
			}
			if !slices.Equal(kinds, want) {
				t.Errorf("limit %d%s: %q, want %q", limit, query, kinds, want)
			}
		}
	}
	for _, bad := range []string{"MDox", "LTE6MS5h", "MTp4", "NDoxLmE"} { // 0:1, -1:1.a, 1:x, 4:1.a
		if got := h.get("/api/pages?after=" + bad); got.code != 400 {
			t.Errorf("after=%s = %d", bad, got.code)
		}
	}
}

// The list shows what is wrong, and figures of a page in trouble are grey and dated;
// so does the page. A page that recovers stands with the others.
func TestTroubleIsMarked(t *testing.T) {
	t.Parallel()
	h := started(t)
	worst, _ := inTrouble(h)
	rows := func() []string {
		_, list, _ := strings.Cut(h.get("/", "Accept", "text/html").body, "<tbody")
		return strings.Split(list, "<tr ")[1:]
	}
	list := rows()
	for i, want := range [][]string{
		{worst[0], `<span class="tag error">down</span>`, "HTTP 500 Internal Server Error", `class="n score old"`, `class="n size old">10.3 kB <small>`},
		{worst[1], `<span class="tag error">down</span>`, refused.Text, `class="n size none"`},
		{worst[2], `<span class="tag error">quarantined</span>`},
		{worst[3], `<span class="tag error">over budget</span>`, `class="n size">10.3 kB<`},
		{worst[4], `<span class="tag error">stale</span>`, "not inspected for 5 min", `class="n size old">10.3 kB <small>`},
		{request(6).Page, `<span class="tag error">error</span>`, "HTTP 404 Not Found", `class="n size none"`},
		{request(7).Page, `<span class="tag complete">complete</span>`, `class="n size">10.3 kB<`},
	} {
		for _, part := range want {
			if !strings.Contains(list[i], part) {
				t.Errorf("row %d lacks %q:\n%s", i+1, part, list[i])
			}
		}
	}
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, "5 watched pages are in trouble") {
		t.Errorf("the first page lacks their number:\n%s", home)
	}
	page := h.get("/pages/"+worst[0], "Accept", "text/html").body
	for _, part := range []string{
		`Down since <time datetime="2026-03-01T12:03:00Z">`, "HTTP 500 Internal Server Error: check the server", "The figures below are of the last good report, <time",
		`<dl class="facts old">`, `<span class="tag error">error</span>`, "Last good report",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %q:\n%s", part, page)
		}
	}
	for _, part := range []string{"Not inspected since", "Compared with the web", "Excellent", `<span class="tag complete">complete</span>`} {
		if strings.Contains(page, part) {
			t.Errorf("the page has %q:\n%s", part, page)
		}
	}

	// The alarm knows since when.
	alarm := transition(2, "page.down."+worst[0], libra.Raised, libra.Major, 1)
	alarm.Alarm.Scope, alarm.Alarm.Page, alarm.Alarm.Since = libra.ScopePage, worst[0], noon.Add(2*time.Minute)
	h.raise(alarm)
	if page := h.get("/pages/"+worst[0], "Accept", "text/html").body; !strings.Contains(page, `Down since <time datetime="2026-03-01T12:02:00Z">`) {
		t.Errorf("the page lacks the alarm's time:\n%s", page)
	}
	fine := reported(again(request(1), "fine"), noon.Add(time.Hour))
	h.publish(fine)
	h.awaitListed(fine)
	if list := rows(); !strings.Contains(list[0], worst[1]) || !strings.Contains(list[4], worst[0]) || strings.Contains(list[4], `class="n size old"`) {
		t.Errorf("once it has recovered: %s", strings.Join(list, "\n"))
	}
}

// While no inspector runs, a watched page that is overdue is stale: it has no alarm
// of its own then. The list has it before the others, and with the first heartbeat
// of an inspector it stands with them again.
func TestStaleWithoutInspectors(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{}).connected()
	for _, c := range component.Required() {
		if c.Name != component.Inspector {
			h.beats(beatOf(c.Name))
		}
	}
	overdue, due, other, never := h.watchAt(1), h.watchAt(2), request(3), request(4)
	if got := h.submit(never.URL); got.code != 202 {
		t.Fatalf("submission = %d %s", got.code, got.body)
	}
	h.setWatch(event.Watch{Page: never.Page, URL: never.URL, Site: "home", Client: "alice", EveryS: 30, At: time.Now().Add(-time.Hour)})
	now := time.Now()
	reports := []event.Reported{reported(overdue, now.Add(-2*time.Minute)), reported(due, now), reported(other, now)}
	h.publish(reports...)
	h.awaitListed(reports...)
	type page struct {
		ID      string
		Trouble *state.Trouble
	}
	type pages struct {
		Pages     []page
		InTrouble int `json:"in_trouble"`
	}
	var list pages
	read := func() { list = pages{}; h.get("/api/pages").into(t, &list) }
	bustest.Await(t, "both overdue pages to be first", func() bool { read(); return list.InTrouble == 2 })
	stale := func() {
		t.Helper()
		if list.Pages[0].ID != overdue.Page || list.Pages[1].ID != never.Page {
			t.Errorf("not first, the newest trouble first: %+v", list)
		}
		for i, want := range []string{`^not inspected for 2 min( \d+ s)?: no inspector sends heartbeats$`, "^not inspected since it is watched: no inspector sends heartbeats$", "", ""} {
			got := list.Pages[i].Trouble
			if (got == nil) != (want == "") || got != nil && (got.Kind != state.StalePage || !regexp.MustCompile(want).MatchString(got.Text)) {
				t.Errorf("page %d has the trouble %+v, want %q", i+1, got, want)
			}
		}
	}
	stale()
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, `<span class="tag error">stale</span>`) {
		t.Errorf("the first page does not mark it:\n%s", home)
	}
	h.bus.Down()
	bustest.Await(t, "web to see it", func() bool { return strings.HasPrefix(h.get("/up").body, "UNKNOWN since ") })
	read()
	stale()
	h.bus.Up()
	h.beats(beatOf(component.Inspector))
	bustest.Await(t, "no page in trouble", func() bool { read(); return list.InTrouble == 0 })
}

// A page over its budget stays in trouble while its alarm is open and its newest
// report says nothing about the budget, because it was requested by hand, or is
// partial; a report within the budget ends it.
func TestOverBudgetUntilJudgedAgain(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := h.watchAt(1)
	over := reported(r, noon)
	over.Budget = &event.Judged{Lines: 1, Over: []string{"total is 320.0 kB, 20.0 kB over its budget of 300.0 kB"}}
	h.publish(over)
	alarm := transition(1, "page.budget."+r.Page, libra.Raised, libra.Minor, 1)
	alarm.Alarm.Scope, alarm.Alarm.Target, alarm.Alarm.Page, alarm.Alarm.Evidence = libra.ScopePage, r.URL, r.Page, "total is 320.0 kB"
	h.raise(alarm)
	byHand := again(request(1), "by hand")
	byHand.Watch = nil
	partial, within := reported(again(r, "partial"), noon.Add(2*time.Minute)), reported(again(r, "within"), noon.Add(3*time.Minute))
	partial.Report.Outcome = libra.Partial
	for _, rep := range []*event.Reported{&partial, &within} {
		rep.Budget = &event.Judged{Lines: 1, Over: []string{}, Within: []string{"total is 280.0 kB, within its budget of 300.0 kB"}}
	}
	for _, step := range []struct {
		rep  event.Reported
		want string
	}{
		{reported(byHand, noon.Add(time.Minute)), "over budget"}, {partial, "over budget"}, {within, "complete"},
	} {
		h.publish(step.rep)
		h.awaitListed(step.rep)
		list := h.get("/", "Accept", "text/html").body
		if !strings.Contains(list, `">`+step.want+`</span>`) || strings.Contains(list, "total is 320.0 kB</small>") != (step.want == "over budget") {
			t.Errorf("after %s, want %s:\n%s", step.rep.Request.ID, step.want, list)
		}
	}
}

// A web server that has just started, without the bus, has the pages in trouble that
// its history knows, by their alarms.
func TestWorstFirstFromHistory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	down := request(1)
	h.fill(reported(request(2), noon.Add(time.Hour)), errorAnswer(down, noon, 503))
	alarm := transition(1, "page.down."+down.Page, libra.Raised, libra.Major, 1)
	alarm.Alarm.Scope, alarm.Alarm.Target, alarm.Alarm.Page, alarm.Alarm.Evidence = libra.ScopePage, down.URL, down.Page, "HTTP 503 Service Unavailable"
	w, err := store.Open(t.Context(), h.db)
	if err != nil {
		t.Fatal(err)
	}
	watch := event.Watch{Page: down.Page, URL: down.URL, Site: "home", Client: "alice", EveryS: 30, At: noon}
	if err := errors.Join(w.AddAlarms(t.Context(), []libra.Transition{alarm}, event.Position{}), w.AddWatches(t.Context(), []event.Watch{watch}, event.Position{}), w.Close()); err != nil {
		t.Fatal(err)
	}
	h.bus.Down()
	h.start(web.Config{})
	bustest.Await(t, "the page that is down to be first", func() bool {
		var list struct {
			Pages []struct {
				ID      string
				Trouble *struct{ Kind string }
			}
		}
		h.get("/api/pages").into(t, &list)
		return len(list.Pages) == 2 && list.Pages[0].ID == down.Page && list.Pages[0].Trouble != nil && list.Pages[0].Trouble.Kind == "down"
	})
}
