package inspect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// offScreen is n images far below the viewport, which a browser requests later.
func offScreen(n int, src func(int) string) string {
	var b strings.Builder
	b.WriteString(`<!doctype html><div style="height:20000px"></div>`)
	for i := range n {
		fmt.Fprintf(&b, `<img loading=lazy width=9 height=9 src="%s">`, src(i))
	}
	return b.String()
}

// Whatever a page names, its report has a bound in bytes, which says that it is cut; the
// figures are of everything, and what a browser requests is listed before the rest.
func TestReportIsBoundedInBytes(t *testing.T) {
	numbered := func(i int) string { return fmt.Sprint(i, ".png") }
	for name, c := range map[string]struct {
		path, page string
		requests   int // of a browser
		cut        bool
	}{
		"a long base":               {"/", `<base href="/` + strings.Repeat("b", 1600) + `/">` + offScreen(4900, numbered) + `<img src=now.png>`, 2, true},
		"what JSON escapes":         {"/", offScreen(1000, func(i int) string { return fmt.Sprint("?", i, strings.Repeat("&", 2000)) }), 1, true},
		"long URLs that are needed": {"/" + strings.Repeat("p", 7000), strings.Repeat("<p>", 9) + images(400, strings.Repeat("i", 7000)), 401, true},
		"URLs of 950 kB":            {"/", offScreen(8, func(i int) string { return fmt.Sprint(i, strings.Repeat("u", 950_000)) }) + `<img src=now.png>`, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := served(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == c.path {
					fmt.Fprint(w, c.page)
				}
			})
			r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url+c.path, nil)
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > libra.MaxListBytes+20_000 || c.cut && len(data) < libra.MaxListBytes*9/10 {
				t.Errorf("the report has %d bytes, the bound is %d", len(data), libra.MaxListBytes)
			}
			if c.cut {
				wantReason(t, r, libra.Partial, "limit list_bytes")
			} else {
				wantReason(t, r, libra.Complete, "")
			}
			if r.Totals.Requests != c.requests {
				t.Errorf("%d requests, want %d", r.Totals.Requests, c.requests)
			}
			if strings.Contains(c.page, "now.png") && !slices.ContainsFunc(r.Assets, func(a libra.Asset) bool { return strings.HasSuffix(a.URL, "now.png") }) {
				t.Error("the image that a browser requests is not listed")
			}
			for _, a := range r.Assets {
				if len(a.URL) > libra.MaxURLBytes || strings.Contains(a.URL, "uuu") && !strings.Contains(a.Reason, "is shortened") {
					t.Fatalf("listed: %.300s, %s", a.URL, a.Reason)
				}
			}
		})
	}
}

// images is n images that a browser requests.
func images(n int, name string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<img src="%d%s.png">`, i, name)
	}
	return b.String()
}
