package inspect_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

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
			srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", typeOf(r.URL.Path))
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
			}))
			defer srv.Close()
			roots := x509.NewCertPool()
			roots.AddCert(srv.Certificate())
			i := inspect.New(inspect.Config{Allow: loopback, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
			defer i.Close()
			r := i.Inspect(context.Background(), srv.URL, nil)
			got := map[string]libra.Fetch{}
			for _, a := range r.Assets {
				if !strings.HasPrefix(a.URL, srv.URL) {
					got[a.URL] = a.Fetch
				}
			}
			want := map[string]libra.Fetch{
				"https://named.invalid/a.css": libra.Fetched, "https://192.0.2.1/b.js": libra.Fetched, "https://named.invalid/c": libra.Fetched,
				"https://named.invalid/d.css": libra.Fetched, "https://192.0.2.1/e.png": libra.Fetched, "https://named.invalid/framed.js": libra.Fetched,
				"https://named.invalid/srcdoc.js": libra.Fetched, "https://named.invalid/imported.css": libra.Fetched,
				"http://127.0.0.1:1/f.png": libra.Fetched, "http://other.invalid/": libra.Fetched, c.before: libra.Fetched,
			}
			if strings.HasPrefix(c.before, "http:") {
				want[c.before] = libra.Unused
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got) %q\n%s", r.Reasons, diff)
			}
		})
	}
}
