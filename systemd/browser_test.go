//go:build appliance

package systemd_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"libra/pkg/inspect/chromiumtest"
)

// browser starts Debian's Chromium without its background requests.
func browser(t *testing.T) context.Context {
	t.Helper()
	opts := chromiumtest.Options(t, "/usr/bin/chromium", chromedp.DisableGPU, chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// runInBrowser runs an action and returns its value.
func runInBrowser[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A person submits an address and reads the report; an invalid one is answered with a
// remedy beside the field.
func TestBrowserSubmitsAndShowsReport(t *testing.T) {
	box.EnsureHealthy(t)
	ctx, url := browser(t), site(t).URL+"/"
	runInBrowser(t, ctx, chromedp.Navigate(box.URL+"/"))
	runInBrowser(t, ctx, chromedp.SendKeys("#url", url))
	runInBrowser(t, ctx, chromedp.Submit("#url"))
	runInBrowser(t, ctx, chromedp.WaitVisible("#assets"))
	report := runInBrowser(t, ctx, chromedp.Text("main"))
	for _, want := range []string{strings.Trim(strings.TrimPrefix(url, "http:"), "/"), "style.css", "dot.png", "2.0 kB", "complete"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report does not show %q:\n%s", want, report)
		}
	}
	if title := runInBrowser(t, ctx, chromedp.Title()); !strings.Contains(title, "127.0.0.1") {
		t.Errorf("the title is %q", title)
	}
	file := filepath.Join(box.Home, "report.png")
	if err := os.WriteFile(file, runInBrowser(t, ctx, chromedp.FullScreenshot(100)), 0o644); err != nil {
		t.Error(err)
	}
	t.Logf("screenshot of the report: %s", file)

	// An invalid address.
	runInBrowser(t, ctx, chromedp.Navigate(box.URL+"/"))
	runInBrowser(t, ctx, chromedp.Evaluate[bool](`document.querySelector("form.submit").noValidate = true`))
	runInBrowser(t, ctx, chromedp.SendKeys("#url", "ftp://example.org"))
	runInBrowser(t, ctx, chromedp.Submit("#url"))
	runInBrowser(t, ctx, chromedp.WaitVisible("#fault"))
	if fault := runInBrowser(t, ctx, chromedp.Text("#fault")); !strings.Contains(fault, "only http and https") {
		t.Errorf("an invalid address is answered with %q", fault)
	}
}
