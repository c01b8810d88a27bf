package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspect"
	"libra/pkg/inspector"
	"libra/pkg/libra"
	"libra/pkg/web"
	"libra/pkg/web/live"
)

// inspecting runs an inspector, and submits pages of a site that does not answer until the
// test ends; it publishes samples, as every component does.
func (h *rig) inspecting(paths ...string) (urls []string) {
	h.t.Helper()
	hold := make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	conn := h.connect("inspector")
	ctx, cancel := context.WithCancel(h.t.Context())
	var wg sync.WaitGroup
	h.t.Cleanup(func() { cancel(); close(hold); wg.Wait(); site.Close() })
	cfg := inspector.Config{Instance: "1", Workers: 8, Program: os.Args[0], Inspect: inspect.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, PageTimeout: 10 * time.Minute}} // longer than a busy machine takes to look at it
	wg.Go(func() { inspector.New(cfg, conn, h.log).Run(ctx, nil) })
	began := time.Now()
	wg.Go(func() { // of half a processor
		conn.PublishSamples(ctx, "libra-inspector", "1", bus.Usage{CPU: func() time.Duration { return time.Since(began) / 2 }, Resident: func() int64 { return 30_000_000 }})
	})
	for _, path := range paths {
		urls = append(urls, site.URL+path)
		h.submit(site.URL+path, "X-Libra-Client", "alice")
	}
	return urls
}

func (h *rig) live(query string) (d live.Doc) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.get("/api/live"+query).body), &d); err != nil {
		h.t.Fatal(err)
	}
	return d
}

// running waits until so many inspections are shown, and returns them.
func (h *rig) running(n int) (rows []live.Row) {
	h.t.Helper()
	bustest.Await(h.t, "the inspections in progress", func() bool {
		rows = h.live("").Running
		return len(rows) == n
	})
	return rows
}

// Somebody who looks sees the components' samples and the inspections in progress, looks
// into one, and ends it; its page then says who did.
func TestLive(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).ready()
	h.inspecting("/a", "/b")
	rows := h.running(2)
	for _, r := range rows {
		if r.Inspector != "1" || r.Label != "alice" || r.Client != "127.0.0.1" || r.Step != libra.Fetching || r.AgeS < 0 || r.Attempt != 1 {
			t.Errorf("row: %+v", r)
		}
	}
	var d live.Doc
	bustest.Await(t, "a sample of half a processor", func() bool {
		d = h.live("")
		at := slices.Index(d.Components, "libra-inspector")
		return slices.ContainsFunc(d.Samples, func(s live.Sample) bool {
			return s.CPU[at] > 0.4 && s.CPU[at] < 0.6 && s.Memory[at] == 30_000_000 && s.Open == 2 && s.OldestS > 0
		})
	})
	bustest.Await(t, "further samples, and those alone", func() bool {
		more := h.live(fmt.Sprintf("?from=%d", d.Next))
		return len(more.Samples) > 0 && more.Samples[0].Number == d.Next
	})

	request := rows[0].Request
	var look event.Look
	if got := h.get("/api/live/" + request); got.code != 200 || json.Unmarshal([]byte(got.body), &look) != nil || len(look.Outgoing) != 1 || look.Outgoing[0].URL != rows[0].URL || len(look.Stacks) == 0 {
		t.Errorf("look: %d %s", got.code, got.body)
	}
	var journal struct {
		Journal []string `json:"journal"`
		Fault   string   `json:"journal_fault"`
	}
	if got := h.get("/api/live/" + request); json.Unmarshal([]byte(got.body), &journal) != nil || journal.Journal == nil || !strings.Contains(journal.Fault, "libra-watchdog") {
		t.Errorf("journal without a watchdog: %s", got.body)
	}
	html := h.get("/live/"+request, "Accept", "text/html").body
	for _, want := range []string{"Inspection of", request, "inspector.(*worker)", "fetch the page", `action="/live/` + request + `/end"`, "alice", `http-equiv="refresh"`} {
		if !strings.Contains(html, want) {
			t.Errorf("its page lacks %q:\n%s", want, html)
		}
	}
	if got := h.form("/live/"+request+"/end", url.Values{"name": {"Ann"}}); got.code != 303 || got.header.Get("Location") != "/pages/"+rows[0].Page {
		t.Errorf("end = %d, %q: %s", got.code, got.header.Get("Location"), got.body)
	}
	bustest.Await(t, "the page to say who ended it", func() bool {
		return strings.Contains(h.get("/pages/"+rows[0].Page, "Accept", "text/html").body, "nded by an operator (Ann)")
	})
	if got := h.do("POST", "/api/live/"+rows[1].Request+"/end", "", "X-Libra-Client", "bob"); got.code != 202 || got.header.Get("Location") != "/api/pages/"+rows[1].Page || !strings.Contains(got.body, rows[1].Request) {
		t.Errorf("end = %d: %s", got.code, got.body)
	}
	bustest.Await(t, "the other page's report", func() bool {
		return strings.Contains(h.get("/api/pages/"+rows[1].Page).body, "ended by an operator (bob)")
	})
	h.running(0)
	bustest.Await(t, "both to be counted", func() bool {
		failed := 0
		for _, s := range h.live("").Samples {
			failed += s.Failed
		}
		return failed == 2
	})
}

// What is not in progress, an invalid parameter, and a bus that is away are said.
func TestLiveRefusals(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(impatient).ready()
	for path, want := range map[string]struct {
		code int
		text string
	}{
		"/api/live?from=x":  {400, `invalid from \"x\": must be the next of an answer before, or left out`},
		"/api/live?from=-1": {400, "invalid from"},
		"/api/live/nobody":  {404, `no inspector has request \"nobody\" in progress`},
		"/live/nobody":      {404, "in progress"},
	} {
		if got := h.get(path); got.code != want.code || !strings.Contains(got.body, want.text) {
			t.Errorf("%s = %d %s, want %d %s", path, got.code, got.body, want.code, want.text)
		}
	}
	if got := h.do("POST", "/api/live/nobody/end", ""); got.code != 404 {
		t.Errorf("end of nobody = %d %s", got.code, got.body)
	}
	if got := h.get("/live/nobody", "Accept", "text/html"); got.code != 404 || !strings.Contains(got.body, "This inspection is not in progress") {
		t.Errorf("for a browser: %d %s", got.code, got.body)
	}
	h.bus.Down()
	bustest.Await(t, "web to see it", func() bool { return strings.Contains(h.get("/up").body, "degraded: bus") })
	if got := h.get("/api/live/nobody"); got.code != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("while the bus is away: %d %s", got.code, got.body)
	}
	bustest.Await(t, "samples of libra-web all the same", func() bool { return len(h.live("").Samples) > 3 })
}

// Both pages are free of what axe-core calls a violation.
func TestBrowserAccessibleLive(t *testing.T) {
	t.Parallel()
	script := axe(t)
	h := newRig(t).start(web.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).ready()
	h.inspecting("/a", "/a/rather/long/path/that/goes/on/and/on/until/it/does/not/fit/into/one/line/of/a/phone/index.html")
	ctx := browser(t)
	look(ctx, t, script, h.base+"/live/"+h.running(2)[0].Request)
	look(ctx, t, script, h.base+"/live")
}

// The charts move, the table is sorted by a click, and an inspection ends by its button.
func TestBrowserLive(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	h := newRig(t).start(web.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).ready()
	h.inspecting("/a", "/b", "/c")
	h.running(3)
	const (
		first = `document.querySelector("#rows th").textContent.split("/").at(-1)`
		chart = `document.querySelector("[data-chart=cpu] path")?.getAttribute("d") ?? ""`
		wide  = `document.documentElement.scrollWidth - innerWidth`
	)
	read := func(script string) (text string) {
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(h.base+"/live"), chromedp.WaitVisible("#rows tr:nth-child(3)"), chromedp.WaitVisible("[data-chart=cpu] path")); err != nil {
		t.Fatal(err)
	}
	was := read(chart)
	bustest.Await(t, "the chart to move", func() bool { return read(chart) != was })
	for range 2 { // down and up
		was := read(first)
		if err := chromedp.Do(ctx, chromedp.Click("[data-sort=url]")); err != nil {
			t.Fatal(err)
		}
		bustest.Await(t, "another order", func() bool {
			now := read(first)
			return now != was && (now == "a" || now == "c") || was == "a" && now == "a"
		})
	}
	if sorted := read(`document.querySelector("[data-sort=url]").closest("th").getAttribute("aria-sort")`); sorted != "descending" {
		t.Errorf("sorted %q after two clicks", sorted)
	}
	for _, width := range []int64{1280, 390} {
		err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 844))
		if over, readErr := chromedp.Run(ctx, chromedp.Evaluate[int](wide)); err != nil || readErr != nil || over > 0 {
			t.Errorf("%d wide: %d too wide, %v", width, over, errors.Join(err, readErr))
		}
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 844), chromedp.Click("#rows tr:first-child a"), chromedp.WaitVisible("form.inline button"),
		chromedp.SendKeys("form.inline input", "Ann"), chromedp.Click("form.inline button"), chromedp.WaitVisible(".reasons")); err != nil {
		t.Fatal(err)
	}
	if text := read(`document.querySelector("main").textContent`); !strings.Contains(text, "nded by an operator (Ann)") {
		t.Errorf("the page of the ended inspection:\n%s", text)
	}
	if html := h.get("/live", "Accept", "text/html").body; !strings.Contains(html, "<noscript>") || !strings.Contains(html, "libra top") {
		t.Errorf("without scripts:\n%s", html)
	}
}
