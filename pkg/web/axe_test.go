package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"libra/pkg/bus/bustest"
	"libra/pkg/web"
)

//go:embed testdata/axe/axe.min.js.gz
var axeCompressed []byte

// axe is the script of axe-core; testdata/axe/README.md says whence.
func axe(t *testing.T) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(axeCompressed))
	if err != nil {
		t.Fatal(err)
	}
	script, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// runAxe lists the violations of every rule, of whatever impact, with some of the
// elements; contrastAxe those of the only rule that light and dark differ in.
const (
	runAxe      = `axe.run(document, { resultTypes: ["violations"] })` + listed
	contrastAxe = `axe.run(document, { resultTypes: ["violations"], runOnly: ["color-contrast", "link-in-text-block"] })` + listed
	listed      = `.then((found) =>
	found.violations.map((v) => v.impact + " " + v.id + ": " + v.help + "\n" + v.nodes.slice(0, 3).map((n) => "  " + n.html.slice(0, 160)).join("\n")).join("\n"))`
)

// look has a browser show a page with every part of it open, on a screen and on a
// phone, in light and dark, and lists what axe-core and our own audit find.
func look(ctx context.Context, t *testing.T, script, url string) {
	t.Helper()
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	for _, window := range []struct{ width, height int64 }{{1280, 800}, {390, 844}} {
		err := chromedp.Do(ctx, chromedp.EmulateViewport(window.width, window.height), chromedp.Navigate(url))
		_, openErr := chromedp.Run(ctx, chromedp.Evaluate[int](script+`; document.querySelectorAll("details").forEach((d) => { d.open = true; }), 0`))
		if err := errors.Join(err, openErr); err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		for scheme, run := range map[string]string{"light": runAxe, "dark": contrastAxe} {
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			_, mediaErr := chromedp.Call(ctx, emulation.SetEmulatedMedia, media)
			violations, axeErr := chromedp.Run(ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
			faults, auditErr := chromedp.Run(ctx, chromedp.Evaluate[string](audit))
			if err := errors.Join(mediaErr, axeErr, auditErr); err != nil || violations+faults != "" {
				t.Errorf("%s, %d wide, %s: %v\n%s\n%s", url, window.width, scheme, err, violations, faults)
			}
		}
	}
}

// Every page in every state is free of what axe-core calls a violation, minor ones
// too, and of what our own audit finds.
func TestBrowserAccessible(t *testing.T) {
	t.Parallel()
	script := axe(t)
	h := newRig(t)
	h.fill()
	h.start(web.Config{}).ready()
	h.populate()
	paths := sitePaths()
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		t.Run(name, func(t *testing.T) {
			look(browser(t, absentPaths...), t, script, h.base+paths[name])
		})
	}
}

// The same while there is nothing to show, and while the bus is away.
func TestBrowserAccessibleWithoutData(t *testing.T) {
	t.Parallel()
	script := axe(t)
	h := newRig(t).start(impatient).ready()
	ctx := browser(t)
	for _, path := range []string{"/", "/alarms", "/board", "/status", "/capacity", "/live"} {
		look(ctx, t, script, h.base+path)
	}
	h.bus.Down()
	bustest.Await(t, "web to see it", func() bool { return strings.Contains(h.get("/up").body, "degraded: bus") })
	for _, path := range []string{"/", "/alarms", "/board", "/status", "/capacity", "/live"} {
		look(ctx, t, script, h.base+path)
	}
}
