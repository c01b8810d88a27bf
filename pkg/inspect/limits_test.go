package inspect_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

func wantReason(t *testing.T, r *libra.Report, outcome libra.Outcome, part string) {
	t.Helper()
	if r.Outcome != outcome {
		t.Errorf("got outcome %s with reasons %q, want %s", r.Outcome, r.Reasons, outcome)
	}
	if part != "" && !slices.ContainsFunc(r.Reasons, func(s string) bool { return strings.Contains(s, part) }) {
		t.Errorf("got reasons %q, want one that contains %q", r.Reasons, part)
	}
}

func TestInspectAssetCap(t *testing.T) {
	var page strings.Builder
	for i := range 50 {
		fmt.Fprintf(&page, "<img src=%d.png>", i)
	}
	url := site(t, map[string]string{"/": page.String()})
	r := newInspector(t, inspect.Config{Limits: inspect.Limits{Assets: 10}}).Inspect(context.Background(), url, nil)
	wantReason(t, r, libra.Partial, "limit assets")
	if r.Totals.Requests != 10 {
		t.Errorf("got %d requests, want 10", r.Totals.Requests)
	}
}

func TestInspectImportDepth(t *testing.T) {
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprint(w, `<link rel=stylesheet href=s.css?0>`)
			return
		}
		var n int
		_, _ = fmt.Sscan(r.URL.RawQuery, &n)
		fmt.Fprintf(w, `@import "s.css?%d";`, n+1)
	})
	r := newInspector(t, inspect.Config{Limits: inspect.Limits{ImportDepth: 4}}).Inspect(context.Background(), url, nil)
	wantReason(t, r, libra.Partial, "limit import_depth")
	if r.Totals.Requests != 6 {
		t.Errorf("got %d requests, want the page, a sheet and 4 imports", r.Totals.Requests)
	}
}

func TestInspectFrameDepth(t *testing.T) {
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<iframe src="?%sx"></iframe>`, r.URL.RawQuery)
	})
	r := newInspector(t, inspect.Config{Limits: inspect.Limits{FrameDepth: 3}}).Inspect(context.Background(), url, nil)
	wantReason(t, r, libra.Partial, "limit frame_depth")
	if r.Totals.Requests != 4 {
		t.Errorf("got %d requests, want 4", r.Totals.Requests)
	}
}

func TestInspectDeadline(t *testing.T) {
	release := make(chan struct{})
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow.png" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		fmt.Fprint(w, `<!doctype html><img src=slow.png><img src=quick.png>`)
	})
	defer close(release)
	r := newInspector(t, inspect.Config{PageTimeout: 500 * time.Millisecond}).Inspect(context.Background(), url, nil)
	wantReason(t, r, libra.Partial, "limit page_timeout")
	wantPaths(t, r, libra.Fetched, "/", "/slow.png", "/quick.png")
}

func TestInspectRetryAfter(t *testing.T) {
	var asked atomic.Int32
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/busy.png":
			if asked.Add(1) == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			fmt.Fprint(w, "png")
		case "/never.png":
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, `<!doctype html><img src=busy.png>`)
		}
	})
	i := newInspector(t, inspect.Config{PageTimeout: 10 * time.Second})
	r := i.Inspect(context.Background(), url, nil)
	wantReason(t, r, libra.Complete, "")
	if n := asked.Load(); n != 2 {
		t.Errorf("got %d requests, want 2", n)
	}
	r = i.Inspect(context.Background(), url+"/never.png", nil)
	wantReason(t, r, libra.Error, "HTTP 503 Service Unavailable") // not the end of the page's time
}

func TestInspectAssetFailures(t *testing.T) {
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut.png":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		case "/500.png":
			w.WriteHeader(http.StatusInternalServerError)
		case "/404.png":
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprintf(w, `<!doctype html><img src="%s">`, r.URL.RawQuery)
		}
	})
	i := newInspector(t, inspect.Config{})
	for query, want := range map[string]libra.Outcome{
		"cut.png": libra.Partial, "500.png": libra.Partial, "404.png": libra.Complete, "http://10.0.0.1/private.png": libra.Partial,
	} {
		r := i.Inspect(context.Background(), url+"/?"+query, nil)
		if r.Outcome != want || (len(r.Reasons) > 0) != (want == libra.Partial) {
			t.Errorf("%s: got %s %q, want %s", query, r.Outcome, r.Reasons, want)
		}
		if len(r.Assets) != 2 {
			t.Errorf("%s: got %d assets, want the page and the image", query, len(r.Assets))
		}
	}
}

func TestInspectRedirectsAreRequests(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", http.RedirectHandler("/two", http.StatusFound))
	mux.Handle("/two", http.RedirectHandler("/three/", http.StatusMovedPermanently))
	mux.HandleFunc("/three/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<!doctype html><img src=i.png>`) })
	mux.Handle("/three/i.png", http.RedirectHandler("/j.png", http.StatusFound))
	mux.HandleFunc("/j.png", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "png") })
	url := served(t, mux.ServeHTTP)
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url, nil)
	wantPaths(t, r, libra.Fetched, "/", "/two", "/three/", "/three/i.png", "/j.png")
	if body, ok := r.Body(); !ok || body.URL != url+"/three/" || r.FinalURL != body.URL {
		t.Errorf("got body %q and final URL %q, want /three/", body.URL, r.FinalURL)
	}
	for _, a := range r.Assets[:3] {
		if a.Initiator != "" || a.Type != libra.Document {
			t.Errorf("hop %s: got type %s and initiator %q, want a document without one", a.URL, a.Type, a.Initiator)
		}
	}
}

func TestInspectErrorPageIsReported(t *testing.T) {
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		if r.URL.Path == "/" {
			fmt.Fprint(w, `<!doctype html><img src=i.png>`)
		}
	})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url, nil)
	wantReason(t, r, libra.Error, "HTTP 404 Not Found: check the address")
	if r.Status != 404 || r.Totals.Requests != 2 || r.Repeat != nil {
		t.Errorf("got status %d, %d requests, second visit %v; want a 404 with its image", r.Status, r.Totals.Requests, r.Repeat)
	}
}

// A page is complete or partial with a status of 2xx only. It is one reason,
// whatever else its error page lacks.
func TestInspectErrorOutcomes(t *testing.T) {
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch code, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/")); {
		case r.URL.Path == "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case r.URL.Path == "/ftp":
			http.Redirect(w, r, "ftp://example.org/", http.StatusFound)
		case code == 0:
			w.WriteHeader(http.StatusInternalServerError) // i.png
		default:
			w.WriteHeader(code)
			if code != http.StatusNoContent && code != http.StatusNotModified {
				fmt.Fprint(w, `<!doctype html><img src=i.png>`)
			}
		}
	})
	i := newInspector(t, inspect.Config{})
	for path, want := range map[string]struct {
		outcome libra.Outcome
		code    libra.Code
		text    string
	}{
		"200":  {libra.Partial, libra.CodeHTTPStatus, "image " + url + "/i.png: answered 500"},
		"203":  {libra.Partial, libra.CodeHTTPStatus, "image " + url + "/i.png: answered 500"},
		"204":  {libra.Complete, "", ""},
		"300":  {libra.Error, libra.CodeHTTPStatus, "HTTP 300 Multiple Choices without an address to go on to"},
		"302":  {libra.Error, libra.CodeHTTPStatus, "HTTP 302 Found without an address to go on to"},
		"304":  {libra.Error, libra.CodeHTTPStatus, "HTTP 304 Not Modified without an address to go on to"},
		"400":  {libra.Error, libra.CodeHTTPStatus, "HTTP 400 Bad Request"},
		"404":  {libra.Error, libra.CodeHTTPStatus, "HTTP 404 Not Found"},
		"429":  {libra.Error, libra.CodeHTTPStatus, "HTTP 429 Too Many Requests"},
		"500":  {libra.Error, libra.CodeHTTPStatus, "HTTP 500 Internal Server Error"},
		"599":  {libra.Error, libra.CodeHTTPStatus, "HTTP 599"},
		"loop": {libra.Error, libra.CodeTooManyRedirects, `redirected more than 20 times, the last time to "/loop"`},
		"ftp":  {libra.Error, libra.CodeInvalidURL, ""},
	} {
		r := i.Inspect(context.Background(), url+"/"+path, nil)
		why := libra.Reason{}
		if len(r.Details) > 0 {
			why = r.Details[0]
		}
		if r.Outcome != want.outcome || why.Code != want.code || want.text != "" && why.Text != want.text || len(r.Details) > 1 || (want.outcome == libra.Error) == (r.Repeat != nil) {
			t.Errorf("%s: got %s %+v, want %+v", path, r.Outcome, r.Details, want)
		}
	}
}

// What is odd about the heads of responses is said, of the first few by name; the
// report is complete all the same.
func TestInspectNoticesOddHeads(t *testing.T) {
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		body := "x"
		if r.URL.Path == "/" {
			body = "<!doctype html><img src=1.png><img src=2.png><img src=3.png><img src=4.png>"
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nno colon\r\nContent-Type: %s\r\n\r\n%s", w.Header().Get("Content-Type"), body)
	})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url, nil)
	if r.Outcome != libra.Complete || r.Totals.Requests != 5 {
		t.Errorf("got %s with %d requests, want complete with 5", r.Outcome, r.Totals.Requests)
	}
	const skipped = `the header line "no colon" is skipped: it is not "name: value"`
	want := []libra.Reason{
		{Code: libra.CodeMalformedHeader, Text: "the page: " + skipped, Remedy: "correct the server's header"},
		{Code: libra.CodeMalformedHeader, Text: "image " + url + "/1.png: " + skipped, Remedy: "correct the server's header"},
		{Code: libra.CodeMalformedHeader, Text: "image " + url + "/2.png: " + skipped, Remedy: "correct the server's header"},
		{Code: libra.CodeMalformedHeader, Text: "2 more responses with invalid headers"},
	}
	if diff := cmp.Diff(want, r.Details); diff != "" {
		t.Error(diff)
	}
}

func TestInspectIntegrity(t *testing.T) {
	const sheet = `@import "b.css";`
	sum := sha256.Sum256([]byte(sheet))
	good := "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	for integrity, want := range map[string]int{good: 3, "sha256-AAAA": 2, "sha256-AAAA " + good: 3, "md5-x": 3} {
		url := site(t, map[string]string{
			"/":      `<!doctype html><link rel=stylesheet href=a.css integrity="` + integrity + `">`,
			"/a.css": sheet, "/b.css": "",
		})
		if r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url, nil); r.Totals.Requests != want {
			t.Errorf("integrity %q: got %d requests, want %d", integrity, r.Totals.Requests, want)
		}
	}
}

func TestInspectConcurrently(t *testing.T) {
	url := fixtures(t)
	i := newInspector(t, inspect.Config{})
	want := i.Inspect(context.Background(), url+"/mixed.html", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := i.Inspect(context.Background(), url+"/mixed.html", nil)
			if diff := cmp.Diff(want.Assets, got.Assets, cmpopts.IgnoreFields(libra.Asset{}, "StartMS", "Timings", "Cache")); diff != "" {
				t.Errorf("assets differ between inspections (-first +later):\n%s", diff)
			}
		})
	}
	wg.Wait()
}

func TestInspectMobile(t *testing.T) {
	url := site(t, map[string]string{"/": `<!doctype html><meta name=viewport content="width=device-width"><img src=1x.png srcset="2x.png 2x"><picture><source media="(max-width: 500px)" srcset=small.png><img src=large.png></picture>`})
	r := newInspector(t, inspect.Config{Profile: inspect.Mobile}).Inspect(context.Background(), url, nil)
	wantPaths(t, r, libra.Fetched, "/", "/2x.png", "/small.png")
	wantPaths(t, r, libra.Conditional, "/1x.png", "/large.png")
}
