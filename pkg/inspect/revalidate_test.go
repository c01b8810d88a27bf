package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// TestInspectPageAgain inspects a page twice: the second time images are requested
// conditionally, and both reports have the same sizes.
func TestInspectPageAgain(t *testing.T) {
	var mu sync.Mutex
	statuses := map[string]int{} // count by path and status; under mu
	mux := http.NewServeMux()
	body := strings.Repeat("x", 10_000)
	page := `<!doctype html><link rel=stylesheet href=/a.css><img src=/etag.png><img src=/date.png><img src=/fresh.png><img src=/secret.png><img src=/plain.png>`
	answer := func(path, mediaType, text string, header map[string]string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", mediaType)
			for k, v := range header {
				h.Set(k, v)
			}
			status := 200
			if v := r.Header.Get("If-None-Match"); v != "" && v == h.Get("ETag") {
				status = 304
			} else if v := r.Header.Get("If-Modified-Since"); v != "" && v == h.Get("Last-Modified") {
				status = 304
			}
			mu.Lock()
			statuses[fmt.Sprint(r.URL.Path, " ", status)]++
			mu.Unlock()
			w.WriteHeader(status)
			if status == 200 {
				fmt.Fprint(w, text)
			}
		})
	}
	answer("/{$}", "text/html", page, nil)
	answer("/a.css", "text/css", "p{}", map[string]string{"ETag": `"css"`})
	answer("/etag.png", "image/png", body, map[string]string{"ETag": `"1"`, "Cache-Control": "no-cache"})
	answer("/date.png", "image/png", body, map[string]string{"Last-Modified": "Fri, 01 May 2020 00:00:00 GMT", "Cache-Control": "max-age=0"})
	answer("/fresh.png", "image/png", body, map[string]string{"ETag": `"3"`, "Cache-Control": "max-age=86400"})
	answer("/secret.png", "image/png", body, map[string]string{"ETag": `"4"`, "Cache-Control": "no-store"})
	answer("/plain.png", "image/png", body, nil)
	url := served(t, mux.ServeHTTP) + "/"
	i := newInspector(t, inspect.Config{})
	first := i.Inspect(context.Background(), url, nil)
	again := i.InspectPage(context.Background(), inspect.Page{URL: url, Previous: first}, nil)
	for _, r := range []*libra.Report{first, again} {
		if r.Outcome != libra.Complete || r.Repeat == nil {
			t.Fatalf("got %s %q, repeat %v", r.Outcome, r.Reasons, r.Repeat)
		}
	}
	if first.Totals.Size != again.Totals.Size {
		t.Errorf("got sizes %+v first and %+v again", first.Totals.Size, again.Totals.Size)
	}
	mu.Lock()
	for _, want := range []string{"/etag.png 304", "/date.png 304", "/fresh.png 304", "/secret.png 200", "/plain.png 200", "/a.css 200"} {
		if statuses[want] == 0 {
			t.Errorf("missing answer %s; got %v", want, statuses)
		}
	}
	mu.Unlock()
	// The page, the sheet, two images that are asked about, two that are sent again.
	for _, r := range []*libra.Report{first, again} {
		got := r.Repeat
		if got.Requests != 6 || got.EncodedBytes != int64(2*len(body)+len(page)) {
			t.Errorf("a second visit: %+v, want 6 requests and %d bytes of body", got.Size, 2*len(body)+len(page))
		}
	}
	if again.Repeat.TransferBytes >= first.Repeat.TransferBytes {
		t.Errorf("measured %d bytes, not below the estimate of %d: a 304 has fewer headers", again.Repeat.TransferBytes, first.Repeat.TransferBytes)
	}
	for _, a := range again.Assets {
		if strings.HasSuffix(a.URL, "/etag.png") && (a.Cache == nil || a.Cache.NotModifiedBytes == 0 || a.Timings == nil || a.Protocol != "HTTP/1.1" || a.MediaType != "image/png") {
			t.Errorf("asset has cache %+v, timings %v, protocol %q, media type %q", a.Cache, a.Timings, a.Protocol, a.MediaType)
		}
	}
}
