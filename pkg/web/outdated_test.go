package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"libra/pkg/bus/bustest"
	"libra/pkg/web/state"
)

// cable is the way from a browser to web, which can be cut.
type cable struct {
	*httptest.Server
	cut atomic.Bool
}

func cableTo(t *testing.T, h *rig) *cable {
	upstream, err := url.Parse(h.base)
	if err != nil {
		t.Fatal(err)
	}
	front := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }}
	c := &cable{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		front.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { c.CloseClientConnections(); c.Close() })
	return c
}

// awaitText waits until the visible text of a page satisfies a condition.
func awaitText(t *testing.T, ctx context.Context, what string, ok func(text string) bool) {
	t.Helper()
	var text string
	var err error
	bustest.Await(t, what, func() bool {
		text, err = chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		return err == nil && ok(text)
	})
}

// A page that stays open while Libra does not respond says so, and since when what
// it shows may be wrong.
func TestBrowserSaysWhenLibraDoesNotRespond(t *testing.T) {
	t.Parallel()
	ctx := browser(t, "/status", "/api/events")
	h := started(t)
	c := cableTo(t, h)
	if err := chromedp.Do(ctx, chromedp.Navigate(c.URL+"/status"), chromedp.WaitVisible(".components")); err != nil {
		t.Fatal(err)
	}
	const outdated = "This page shows what was known at "
	awaitText(t, ctx, "the state", func(text string) bool { return strings.Contains(text, "healthy") && !strings.Contains(text, outdated) })
	c.cut.Store(true)
	c.CloseClientConnections()
	awaitText(t, ctx, "the page to say that it is outdated", func(text string) bool {
		_, since, ok := strings.Cut(text, outdated)
		return ok && strings.Contains(since, ": Libra does not respond.")
	})
	c.cut.Store(false)
	awaitText(t, ctx, "the page to be current", func(text string) bool { return !strings.Contains(text, outdated) })
}

// A list is updated while one of its links has the focus, which stays there.
func TestBrowserUpdatesWhatHasTheFocus(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	h := started(t)
	h.publish(reported(request(1), noon))
	h.awaitListed(reported(request(1), noon))
	err := chromedp.Do(ctx, chromedp.Navigate(h.base+"/"), chromedp.Focus("table.pages a"))
	h.publish(reported(request(2), noon))
	awaitText(t, ctx, "the new page in the list", func(text string) bool { return strings.Contains(text, "example.org/0002") })
	href, hrefErr := chromedp.Run(ctx, chromedp.Evaluate[string](`document.activeElement.getAttribute("href") ?? ""`))
	if err := errors.Join(err, hrefErr); err != nil || href != "/pages/"+request(1).Page {
		t.Errorf("the focus is on %q, %v", href, err)
	}
}

// The ages on every page that stays open grow.
func TestOpenPagesLookAgain(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.publish(reported(request(1), noon))
	h.awaitListed(reported(request(1), noon))
	for _, path := range []string{"/", "/pages/" + request(1).Page, "/alarms", "/status", "/capacity", "/?after=" + state.Cursor{At: noon, ID: request(1).Page}.String()} {
		if page := h.get(path, "Accept", "text/html").body; !strings.Contains(page, ` data-poll="`) {
			t.Errorf("%s does not look again by itself:\n%.600s", path, page)
		}
	}
}
