package web_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/inspect/chromiumtest"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// browser is a browser that fails the test if it complains of a page, but for an
// absent one that the test asks for. Without one here, the test is skipped.
func browser(t *testing.T, absent ...string) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here: apt-get install chromium")
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), chromiumtest.Options(t, path,
		chromedp.DisableGPU, chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var complaints []string // under mu
	err = chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if !slices.ContainsFunc(absent, func(path string) bool { return strings.HasSuffix(ev.Entry.URL, path) }) {
				complaints = append(complaints, ev.Entry.Text+" "+ev.Entry.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if len(complaints) > 0 {
			t.Errorf("the browser complains: %q", complaints)
		}
	})
	return ctx
}

//go:embed testdata/audit.js
var audit string

// Somebody with a keyboard alone acknowledges an alarm.
func TestBrowserAlarms(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	h := started(t)
	page := transition(2, "page.shop", libra.Raised, libra.Minor, 2)
	page.Alarm.Scope, page.Alarm.Target, page.Alarm.Page = libra.ScopePage, request(1).URL, request(1).Page
	h.raise(transition(1, "disk", libra.Raised, libra.Critical, 1), page, transition(3, "bus", libra.Raised, libra.Major, 3), transition(4, "bus", libra.Cleared, libra.Major, 3))
	err := chromedp.Do(ctx, chromedp.Navigate(h.base+"/alarms"), chromedp.Focus(".alarm summary"), chromedp.SendKeys(".alarm summary", kb.Enter),
		chromedp.SendKeys(".alarm input[name=name]", "Ann"), chromedp.SendKeys(".alarm input[name=text]", "on it"+kb.Enter), chromedp.WaitVisible(".alarm-title"))
	text, textErr := chromedp.Run(ctx, chromedp.Text(".done"))
	if err := errors.Join(err, textErr); err != nil || !strings.Contains(text, "Acknowledged by Ann: on it") {
		t.Fatalf("acknowledged: %q, %v", text, err)
	}
}

// tableRoles lists what assistive technology is given of the tables of a page.
func tableRoles(t *testing.T, ctx context.Context) (roles []string) {
	t.Helper()
	tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range tree.Nodes {
		var role string
		if !node.Ignored && json.Unmarshal(node.Role.Value, &role) == nil && slices.Contains([]string{"table", "row", "columnheader", "rowheader", "cell"}, role) {
			roles = append(roles, role)
		}
	}
	return roles
}

// On a phone a table looks like a list, whose rows are read as those of the table.
func TestBrowserTableIsListOnPhone(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	h := started(t)
	h.publish(reported(request(1), noon), reported(request(2), noon))
	h.awaitListed(reported(request(1), noon), reported(request(2), noon))
	const stacked = `[...document.querySelectorAll(".list tbody tr")].every((tr) => tr.cells[1].getBoundingClientRect().top >= tr.cells[0].getBoundingClientRect().bottom || tr.cells[2].getBoundingClientRect().top >= tr.cells[0].getBoundingClientRect().bottom)`
	for path, rows := range map[string]int{"/": 3, "/status": 1 + len(component.Required()), "/capacity": 1 + 5} {
		var wide []string
		for _, width := range []int64{1280, 390} {
			if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 844), chromedp.Navigate(h.base+path)); err != nil {
				t.Fatal(err)
			}
			isList, err := chromedp.Run(ctx, chromedp.Evaluate[bool](stacked))
			if err != nil || isList != (width == 390) {
				t.Errorf("%s, %d wide: a list %t, %v", path, width, isList, err)
			}
			roles := tableRoles(t, ctx)
			if n := len(slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return role != "row" })); n != rows {
				t.Errorf("%s, %d wide: %d rows: %q", path, width, n, roles)
			}
			if width == 1280 {
				wide = roles
			} else if diff := cmp.Diff(wide, roles); diff != "" {
				t.Errorf("%s (-1280 +390 wide):\n%s", path, diff)
			}
		}
	}
}

// A long address has room in the form, on a screen and on a phone.
func TestBrowserAddressHasRoom(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	h := started(t)
	for width, least := range map[int64]float64{1280: 500, 390: 230} {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 844), chromedp.Navigate(h.base)); err != nil {
			t.Fatal(err)
		}
		if got, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`document.querySelector("#url").getBoundingClientRect().width`)); err != nil || got < least {
			t.Errorf("%d wide: the field is %v wide, want at least %v (%v)", width, got, least, err)
		}
	}
}

// A reader in another zone sees times of that zone, and plans a silence in it.
func TestBrowserTimesAreLocal(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	h := started(t)
	zone := emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kathmandu"} // 5 h 45 min ahead of UTC
	if _, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, zone); err != nil {
		t.Fatal(err)
	}
	day := time.Now().UTC().Add(48 * time.Hour)
	fill := `document.querySelector(".plan").open = true;
		for (const [name, value] of [["alarm", "disk"], ["from", "` + day.Format(time.DateOnly) + `T12:00"], ["why", "new disks"]]) document.querySelector(` + "`.plan [name=${name}]`" + `).value = value;
		document.querySelector(".plan [data-zone]").textContent`
	err := chromedp.Do(ctx, chromedp.Navigate(h.base+"/alarms"))
	label, fillErr := chromedp.Run(ctx, chromedp.Evaluate[string](fill))
	sent := chromedp.Do(ctx, chromedp.Click(".plan button"), chromedp.WaitVisible(".silences li"))
	list, listErr := chromedp.Run(ctx, chromedp.Text(".silences"))
	if err := errors.Join(err, fillErr, sent, listErr); err != nil {
		t.Fatal(err)
	}
	if got := h.get("/api/silences").body; !strings.Contains(got, `"from":"`+day.Format(time.DateOnly)+`T06:15:00Z"`) {
		t.Errorf("12:00 in Kathmandu is sent as %s", got)
	}
	if label != "your time" || !strings.Contains(list, day.Format("Jan 2, 2006, ")+"12:00:00") || !strings.Contains(list, day.Format("Jan 2, 2006, ")+"2:00:00") {
		t.Errorf("the form asks for %q, and the page shows %q", label, list)
	}
}

// A person types an address, watches, and reads the report, in a browser that
// holds the pages to their policy.
func TestBrowser(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.inspectInBrowser(h.base)
}

// The same below the path prefix of a reverse proxy: scripts, events and forms.
func TestBrowserBelowPrefix(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	root := proxy{prefix: "/libra", strip: true}.before(h)
	h.start(web.Config{BaseURL: root + "/libra/"}).ready()
	h.inspectInBrowser(root + "/libra/")
}

// inspectInBrowser has a page inspected by the form at home.
func (h *rig) inspectInBrowser(home string) {
	t := h.t
	t.Helper()
	ctx := browser(t)
	seen := make(chan struct{})
	h.inspect(func(ctx context.Context, conn *bus.Conn, j bus.Job) event.Reported {
		step := event.Step{Request: j.Request.ID, Page: j.Request.Page, Step: libra.Weighing, Found: 3, Done: 2, At: time.Now()}
		stop, err := conn.ServeStep(j.Request.Page, func() event.Step { return step })
		if err != nil {
			t.Error(err)
			return event.Reported{}
		}
		defer stop()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			conn.PublishStep(step)
			select {
			case <-tick.C:
			case <-seen:
				return reported(j.Request, time.Now().UTC())
			case <-ctx.Done():
				return event.Reported{}
			}
		}
	})

	err := chromedp.Do(ctx, chromedp.Navigate(home), chromedp.SendKeys("#url", "https://example.org/"),
		chromedp.Submit("#url"), chromedp.WaitVisible("#bar[value='2']"))
	live, liveErr := chromedp.Run(ctx, chromedp.Text("[data-live=report]"))
	close(seen)
	waited := chromedp.Do(ctx, chromedp.WaitVisible("table.assets"))
	report, reportErr := chromedp.Run(ctx, chromedp.Text("[data-live=report]"))
	if err := errors.Join(err, liveErr, waited, reportErr); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the words for screen readers", func() bool {
		said, err := chromedp.Run(ctx, chromedp.TextContent("#said"))
		return err == nil && said == "The report is ready."
	})
	for text, parts := range map[string][]string{
		live:   {"Inspecting", "fetch the assets", "2 of 3 assets"},
		report: {"10.3 kB", "/app.css", "loading=lazy", "Assets"},
	} {
		for _, want := range parts {
			if !strings.Contains(text, want) {
				t.Errorf("the page lacks %q:\n%s", want, text)
			}
		}
	}
}

// A command of the runbook is copied with the keyboard alone, with the values of
// the alarm; a reader without scripts sees the commands, and no button.
func TestBrowserCopiesCommand(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	h := started(t)
	down := transition(1, "page.shop", libra.Raised, libra.Major, 1)
	down.Alarm.Scope, down.Alarm.Target, down.Alarm.Page, down.Alarm.Runbook = libra.ScopePage, "https://shop.example/?a&b", request(1).Page, "#page-down"
	h.raise(down, transition(2, "disk", libra.Raised, libra.Minor, 2))
	read := cdpbrowser.SetPermissionParams{Permission: &cdpbrowser.PermissionDescriptor{Name: "clipboard-read"}, Setting: cdpbrowser.PermissionSettingGranted}
	if _, err := chromedp.Call(ctx, cdpbrowser.SetPermission, read); err != nil {
		t.Fatal(err)
	}
	const last = `[...document.querySelectorAll("button.copy")].at(-1)`
	for path, want := range map[string]string{"/alarms/page.shop": "libra submit --every off 'https://shop.example/?a&b'", "/alarms/disk": "journalctl --vacuum-size=500M"} {
		err := chromedp.Do(ctx, chromedp.Navigate(h.base+path))
		_, focusErr := chromedp.Run(ctx, chromedp.Evaluate[int](last+`.focus(), 0`))
		keyErr := chromedp.Do(ctx, chromedp.KeyEvent(kb.Enter))
		said, saidErr := chromedp.Run(ctx, chromedp.TextContent("#said"))
		got, readErr := chromedp.Run(ctx, chromedp.Evaluate[string](`navigator.clipboard.readText()`, chromedp.EvalAwaitPromise))
		if err := errors.Join(err, focusErr, keyErr, saidErr, readErr); err != nil || got != want || said != "Copied" {
			t.Errorf("%s: copied %q, said %q, %v", path, got, said, err)
		}
	}
	if page := h.get("/alarms/disk", "Accept", "text/html").body; !strings.Contains(page, "<pre") || strings.Contains(page, "copy") {
		t.Errorf("without scripts:\n%s", page)
	}
}
