package web_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// A person types an address, watches, and reads the report, in a browser that
// holds the pages to their policy.
func TestBrowser(t *testing.T) {
	t.Parallel() // it waits more than it works
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here: apt-get install chromium")
	}
	h := started(t)
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

	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var mu sync.Mutex
	var complaints []string // under mu
	err = chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			complaints = append(complaints, ev.Entry.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	err = chromedp.Do(ctx, chromedp.Navigate(h.base), chromedp.SendKeys("#url", "https://example.org/"),
		chromedp.Submit("#url"), chromedp.WaitVisible("#bar[value='2']"))
	live, liveErr := chromedp.Run(ctx, chromedp.Text("[data-live=report]"))
	close(seen)
	waited := chromedp.Do(ctx, chromedp.WaitVisible("table.assets"))
	report, reportErr := chromedp.Run(ctx, chromedp.Text("[data-live=report]"))
	said, saidErr := chromedp.Run(ctx, chromedp.TextContent("#said"))
	if err := errors.Join(err, liveErr, waited, reportErr, saidErr); err != nil {
		t.Fatal(err)
	}
	for text, parts := range map[string][]string{
		live:   {"Being weighed", "weighing", "2 of 3 assets"},
		report: {"10.3 kB", "/app.css", "loading=lazy", "Every asset"},
		said:   {"The report is there"},
	} {
		for _, want := range parts {
			if !strings.Contains(text, want) {
				t.Errorf("the page lacks %q:\n%s", want, text)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
}
