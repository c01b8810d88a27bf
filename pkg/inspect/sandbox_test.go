package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// TestSandboxWithoutScripts compares with the requests of Chromium 156 for frames
// whose sandbox does not allow scripts, from the server's log: such a frame is
// another process, which the page's DevTools session does not show. noscript is
// read and lazy images load, but the preload scanner still requests scripts.
func TestSandboxWithoutScripts(t *testing.T) {
	pages := map[string]string{
		"/": `<!doctype html><iframe sandbox src=/in></iframe><iframe sandbox="allow-scripts" src=/scripted></iframe>
			<iframe sandbox="allow-same-origin" srcdoc="<script type=module src=/module.js></script><script type=module>import '/inline.js'</script>
			<style>@media (scripting:none){p{background:url(/none.png)}} @media (scripting){p{background:url(/some.png)}}</style><p>x<iframe src=/inner></iframe>"></iframe>`,
		"/in": `<!doctype html><script src=1.js></script><script nomodule src=2.js></script><noscript><img src=3.png><link rel=stylesheet href=4.css></noscript>
			<script>import("/5.js")</script><div style="height:9000px"></div><img loading=lazy src=6.png>`,
		"/scripted": `<!doctype html><noscript><img src=a.png></noscript><div style="height:9000px"></div><img loading=lazy src=b.png>`,
		"/inner":    `<!doctype html><noscript><img src=inner.png></noscript>`,
	}
	base := served(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, pages[r.URL.Path]) })
	got := paths(newInspector(t, inspect.Config{}).Inspect(context.Background(), base+"/", nil), libra.Fetched)
	slices.Sort(got)
	want := []string{"/", "/1.js", "/3.png", "/4.css", "/6.png", "/in", "/inner", "/inner.png", "/module.js", "/none.png", "/scripted"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
