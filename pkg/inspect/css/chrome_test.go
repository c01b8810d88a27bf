package css_test

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"libra/pkg/inspect/chromiumtest"
)

// mouse gives Chromium a mouse, which it lacks where there is no screen.
const mouse = "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"

// chromium starts the browser that css.Desktop imitates.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here: the golden answers in testdata are used alone")
	}
	opts := chromiumtest.Options(t, path,
		chromedp.Flag("blink-settings", mouse),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// chromedp.EmulateViewport would take the mouse away.
	err = chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: 1280, Height: 800, DeviceScaleFactor: 1, ScreenWidth: 1280, ScreenHeight: 800,
		})
		return err
	}))
	if err != nil {
		t.Fatalf("set the viewport: %v", err)
	}
	return ctx
}
