package inspect_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// invisible are requests that Chromium makes and a static engine cannot see, or
// that depend on the state of the machine, each with its reason.
var invisible = map[string]string{
	"/r/i.png?icon":      "requested independently of the page load",
	"/r/i.png?shortcut":  "requested independently of the page load",
	"/r/i.png?new-image": "made by a script",
	"/r/i.png?written":   "made by a script",
	"/r/data.json?fetch": "made by a script",
}

// unseen says that a request of Chromium is one of those, or has by-script in its
// URL.
func unseen(url string) bool { return invisible[url] != "" || strings.Contains(url, "by-script") }

// misjudged are the pages whose scripts are judged wrongly.
var misjudged = map[string]string{
	"may-class.html":      "what a class would load is not looked at",
	"data-uri.html":       "the modules cannot be fetched: not known",
	"module-dynamic.html": "the function that imports is not called",
}

// TestInspectAgreesWithChromium compares the requests for each fixture page
// with those that Chromium made (package accuracy measures them).
func TestInspectAgreesWithChromium(t *testing.T) {
	data, err := os.ReadFile("testdata/site/chromium.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string][]string
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	base := fixtures(t)
	inspectors := map[string]*inspect.Inspector{
		"on": newInspector(t, inspect.Config{}), "off": newInspector(t, inspect.Config{ScriptingOff: true}),
		"mobile": newInspector(t, inspect.Config{Profile: inspect.Mobile}),
	}
	for name, modes := range want {
		for mode, i := range inspectors {
			requests, ok := modes[mode]
			if !ok && mode == "off" {
				requests, ok = modes["on"] // left out where it is the same
			}
			if !ok {
				continue
			}
			t.Run(name+"/"+mode, func(t *testing.T) {
				r := i.Inspect(context.Background(), base+"/"+name, nil)
				var got []string
				for _, a := range r.Assets {
					if a.Fetch == libra.Fetched {
						got = append(got, strings.TrimPrefix(a.URL, base))
					}
				}
				slices.Sort(got)
				got = slices.Compact(got)
				expect := slices.DeleteFunc(slices.Clone(requests), func(u string) bool { return unseen(u) })
				if diff := cmp.Diff(expect, got); diff != "" {
					t.Errorf("requests (-Chromium +libra):\n%s", diff)
				}
				more := slices.ContainsFunc(requests, func(u string) bool { return unseen(u) && !strings.Contains(invisible[u], "independently") })
				if r.MayFetchMore != more && misjudged[name] == "" {
					t.Errorf("the page may fetch more: %v, and Chromium fetches more: %v", r.MayFetchMore, more)
				}
			})
		}
	}
}

// fixtures serves the fixture pages.
func fixtures(t *testing.T) string {
	t.Helper()
	return served(t, http.FileServer(http.Dir("testdata/site")).ServeHTTP)
}
