package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
)

func TestMixedContent(t *testing.T) {
	const page = `<!doctype html><img src=http://named.invalid/a.png><img src=http://192.0.2.1/b.png>
		<script src=http://named.invalid/c.js></script><iframe src=http://named.invalid/d></iframe>
		<style>body { background: url(http://named.invalid/e.png) }</style><img src=http://127.0.0.1:1/f.png>`
	srv, i := secure(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	r := i.Inspect(context.Background(), srv.URL, nil)
	if until := srv.Certificate().NotAfter; !r.CertificateUntil.Equal(until) {
		t.Errorf("the certificate expires at %v, the report says %v", until, r.CertificateUntil)
	}
	want := map[string]libra.Fetch{
		"https://named.invalid/a.png": libra.Fetched,
		"http://192.0.2.1/b.png":      libra.Unused,
		"http://named.invalid/c.js":   libra.Unused,
		"http://named.invalid/d":      libra.Unused,
		"https://named.invalid/e.png": libra.Fetched,
		"http://127.0.0.1:1/f.png":    libra.Fetched,
	}
	if diff := cmp.Diff(want, elsewhere(r, srv.URL)); diff != "" {
		t.Errorf("(-want +got) %q\n%s", r.Reasons, diff)
	}
}

// TestUpgradeInsecureRequests: URLs over http are requested over https, in frames
// and style sheets too, but for loopback addresses, which are trustworthy.
func TestUpgradeInsecureRequests(t *testing.T) {
	const head, policy = `<!doctype html><head><script src=http://named.invalid/before.js></script>`, "default-src * ; Upgrade-Insecure-Requests"
	const rest = `<link rel=stylesheet href=http://named.invalid/a.css><script src=http://192.0.2.1/b.js></script>
		<iframe src=http://named.invalid/c></iframe><iframe src=/frame></iframe><iframe srcdoc="<script src=http://named.invalid/srcdoc.js></script>"></iframe>
		<style>@import "http://named.invalid/d.css"; body { background: url(http://192.0.2.1/e.png) }</style>
		<link rel=stylesheet href=/s.css><img src=http://127.0.0.1:1/f.png><meta http-equiv=refresh content="0;url=http://other.invalid/">`
	for _, c := range []struct{ name, header, page, before string }{
		{"header", policy, head + rest, "https://named.invalid/before.js"},
		{"meta", "", head + `<meta http-equiv=content-security-policy content="` + policy + `">` + rest, "http://named.invalid/before.js"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, i := secure(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/":
					if c.header != "" {
						w.Header().Set("Content-Security-Policy", c.header)
					}
					fmt.Fprint(w, c.page)
				case "/frame":
					fmt.Fprint(w, `<script src=http://named.invalid/framed.js></script>`)
				case "/s.css":
					fmt.Fprint(w, `@import "http://named.invalid/imported.css";`)
				}
			})
			r := i.Inspect(context.Background(), srv.URL, nil)
			want := map[string]libra.Fetch{
				"https://named.invalid/a.css": libra.Fetched, "https://192.0.2.1/b.js": libra.Fetched, "https://named.invalid/c": libra.Fetched,
				"https://named.invalid/d.css": libra.Fetched, "https://192.0.2.1/e.png": libra.Fetched, "https://named.invalid/framed.js": libra.Fetched,
				"https://named.invalid/srcdoc.js": libra.Fetched, "https://named.invalid/imported.css": libra.Fetched,
				"http://127.0.0.1:1/f.png": libra.Fetched, "http://other.invalid/": libra.Fetched, c.before: libra.Fetched,
			}
			if strings.HasPrefix(c.before, "http:") {
				want[c.before] = libra.Unused
			}
			if diff := cmp.Diff(want, elsewhere(r, srv.URL)); diff != "" {
				t.Errorf("(-want +got) %q\n%s", r.Reasons, diff)
			}
		})
	}
}

// elsewhere returns the labels of the assets that are not at base, by URL.
func elsewhere(r *libra.Report, base string) map[string]libra.Fetch {
	found := map[string]libra.Fetch{}
	for _, a := range r.Assets {
		if !strings.HasPrefix(a.URL, base) {
			found[a.URL] = a.Fetch
		}
	}
	return found
}
