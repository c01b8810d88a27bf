package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// loopback lets an inspector reach the tests' own servers.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// site serves bodies by path; ".css" and the like set the type.
func site(t *testing.T, files map[string]string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", typeOf(r.URL.Path))
		fmt.Fprint(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func typeOf(path string) string {
	for suffix, t := range map[string]string{".css": "text/css", ".js": "text/javascript", ".png": "image/png", ".svg": "image/svg+xml"} {
		if strings.HasSuffix(path, suffix) {
			return t
		}
	}
	return "text/html; charset=utf-8"
}

func newInspector(t *testing.T, cfg inspect.Config) *inspect.Inspector {
	t.Helper()
	cfg.Allow = loopback
	i := inspect.New(cfg)
	t.Cleanup(i.Close)
	return i
}

// paths lists the assets with a label, without the server's address.
func paths(r *libra.Report, f libra.Fetch) []string {
	var out []string
	for _, a := range r.Assets {
		if a.Fetch == f {
			_, path, _ := strings.Cut(strings.TrimPrefix(a.URL, "http://"), "/")
			out = append(out, "/"+path)
		}
	}
	return out
}

func TestInspectWeighsAPage(t *testing.T) {
	files := map[string]string{
		"/":            `<!doctype html><link rel=stylesheet href=a.css><script src=m.js type=module></script><img src="a b.png#x"><iframe src=f/></iframe>`,
		"/a.css":       `@import "b.css"; p { color: red }`,
		"/b.css":       `@import "a.css";`,
		"/m.js":        `import "./n.js"; // import "./never.js"`,
		"/n.js":        `export default 1`,
		"/a b.png":     "png",
		"/f/":          `<img src=inner.png>`,
		"/f/inner.png": "inner",
	}
	url := site(t, files)
	var steps []libra.Step
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url, func(p inspect.Progress) {
		if len(steps) == 0 || steps[len(steps)-1] != p.Step {
			steps = append(steps, p.Step)
		}
	})
	if r.Outcome != libra.Complete || r.Status != 200 || r.FinalURL != url+"/" {
		t.Errorf("got outcome %s, status %d, final URL %s, reasons %q", r.Outcome, r.Status, r.FinalURL, r.Reasons)
	}
	want := []string{"/", "/a.css", "/m.js", "/a%20b.png", "/f/", "/b.css", "/n.js", "/f/inner.png"}
	if diff := cmp.Diff(want, paths(r, libra.Fetched)); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
	var body int
	for _, s := range files {
		body += len(s)
	}
	if got := r.Totals.DecodedBytes; got != int64(body) {
		t.Errorf("decoded bytes: got %d, want %d", got, body)
	}
	if diff := cmp.Diff([]libra.Step{libra.Fetching, libra.Discovering, libra.Weighing, libra.Reporting}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestInspectFailures(t *testing.T) {
	i := newInspector(t, inspect.Config{PageTimeout: 20 * time.Second})
	for name, c := range map[string]struct{ url, reason string }{
		"not a URL":       {"nonsense", "start it with https://"},
		"file":            {"file:///etc/passwd", "only http and https"},
		"refused address": {"http://10.0.0.1/", "allow it with --allow"},
		"no server":       {"http://127.0.0.1:2/", "check that the server is up"},
		"no such host":    {"http://no-such-host.invalid/", "check the spelling"},
	} {
		t.Run(name, func(t *testing.T) {
			r := i.Inspect(context.Background(), c.url, nil)
			if r.Outcome != libra.Failed || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], c.reason) {
				t.Errorf("got %s %q, want failed with one reason that holds %q", r.Outcome, r.Reasons, c.reason)
			}
			if strings.Contains(strings.Join(r.Reasons, ""), "\n") {
				t.Errorf("reason is not one line: %q", r.Reasons)
			}
		})
	}
}
