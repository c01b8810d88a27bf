package accuracy_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"libra/pkg/inspect/chromiumtest"
)

const (
	// quiet is how long no request must be in flight before a page counts as
	// loaded.
	quiet = 400 * time.Millisecond
	// stuck is how long nothing must happen before a loaded page counts as quiet
	// although requests are in flight: those of a worker, and event streams, are
	// not seen to end.
	stuck = 3 * time.Second
	// patience bounds one page.
	patience = 20 * time.Second
)

// load is what Chromium requested while it opened a page.
type load struct {
	requests map[string]int64 // URL without fragment to transferred bytes
	raw      int              // requests in all, repeated URLs included
	timeout  bool             // requests were in flight until the end
}

// urls lists the requests, sorted.
func (l *load) urls() []string {
	var out []string
	for u := range l.requests {
		out = append(out, u)
	}
	slices.Sort(out)
	return out
}

// chromium starts a headless browser, or skips the test where it is not installed.
func chromium(t testing.TB) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	opts := chromiumtest.Options(t, path, chromedp.DisableGPU,
		chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-features", "site-per-process,IsolateOrigins,Translate,BlinkGenPropertyTrees,HttpsUpgrades"),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	browser, cancelBrowser := chromedp.NewContext(alloc)
	t.Cleanup(func() { cancelBrowser(); cancelAlloc() })
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return browser
}

// recorder records the network events of one page.
type recorder struct {
	mu       sync.Mutex // guards what follows
	load     load
	url      map[network.RequestID]string
	counted  map[network.RequestID]int64 // while in flight
	open     map[network.RequestID]bool
	loaded   bool
	lastBusy time.Time
}

func (r *recorder) listen(ev any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "http") {
			return
		}
		if e.RedirectResponse != nil {
			r.load.requests[r.url[e.RequestID]] += int64(e.RedirectResponse.EncodedDataLength)
		}
		u, _, _ := strings.Cut(e.Request.URL, "#")
		r.url[e.RequestID] = u
		r.load.raw++
		r.load.requests[u] += 0
		r.open[e.RequestID] = true
	case *network.EventRequestServedFromCache:
		delete(r.open, e.RequestID)
	case *network.EventResponseReceived:
		r.counted[e.RequestID] = int64(e.Response.EncodedDataLength)
	case *network.EventDataReceived:
		r.counted[e.RequestID] += e.EncodedDataLength
	case *network.EventLoadingFinished:
		r.finish(e.RequestID, int64(e.EncodedDataLength))
	case *network.EventLoadingFailed:
		r.finish(e.RequestID, r.counted[e.RequestID])
	case *page.EventLoadEventFired:
		r.loaded = true
	default:
		return
	}
	r.lastBusy = time.Now()
}

func (r *recorder) finish(id network.RequestID, n int64) {
	if u, ok := r.url[id]; ok && r.open[id] {
		r.load.requests[u] += n
	}
	delete(r.open, id)
}

// idle says whether the page is loaded and quiet.
func (r *recorder) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := time.Since(r.lastBusy)
	return r.loaded && (len(r.open) == 0 && since > quiet || since > stuck)
}

// prepare configures the tab as the browser that package inspect imitates.
func (r *recorder) prepare(scripting, mobile bool) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
		if _, err = cdp.Call(ctx, t, network.Enable, network.EnableParams{}); err != nil {
			return v, err
		}
		if _, err = cdp.Call(ctx, t, page.Enable, page.EnableParams{}); err != nil {
			return v, err
		}
		metrics := emulation.SetDeviceMetricsOverrideParams{Width: 1280, Height: 800, DeviceScaleFactor: 1}
		if mobile {
			metrics = emulation.SetDeviceMetricsOverrideParams{Width: 412, Height: 823, DeviceScaleFactor: 1.75, Mobile: true}
		}
		if _, err = cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, metrics); err != nil {
			return v, err
		}
		_, err = cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripting})
		return v, err
	}
}

// navigate opens url and returns when the page is quiet.
func (r *recorder) navigate(url string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
		if _, err = cdp.Call(ctx, t, page.Navigate, page.NavigateParams{URL: url}); err != nil {
			return v, err
		}
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		deadline := time.Now().Add(patience)
		for !r.idle() {
			if time.Now().After(deadline) {
				r.mu.Lock()
				r.load.timeout = true
				r.mu.Unlock()
				return v, nil
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return v, ctx.Err()
			}
		}
		return v, nil
	}
}

// openPage loads url in a fresh profile, on a desktop or a phone, and returns
// its requests.
func openPage(browser context.Context, url string, scripting, mobile bool) (*load, error) {
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	defer cancel()
	r := &recorder{
		load: load{requests: map[string]int64{}}, url: map[network.RequestID]string{},
		counted: map[network.RequestID]int64{}, open: map[network.RequestID]bool{}, lastBusy: time.Now(),
	}
	if err := chromedp.Do(ctx); err != nil {
		return nil, err
	}
	chromedp.Listen(ctx, r.listen)
	ctx, cancelTime := context.WithTimeout(ctx, patience+5*time.Second)
	defer cancelTime()
	err := chromedp.Do(ctx, r.prepare(scripting, mobile), r.navigate(url))
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.open {
		r.load.requests[r.url[id]] += r.counted[id]
	}
	l := r.load
	return &l, err
}
