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

func TestMixedContent(t *testing.T) {
	const page = `<!doctype html><img src=http://named.invalid/a.png><img src=http://192.0.2.1/b.png>
		<script src=http://named.invalid/c.js></script><iframe src=http://named.invalid/d></iframe>
		<style>body { background: url(http://named.invalid/e.png) }</style><img src=http://127.0.0.1:1/f.png>`
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, page)
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	i := inspect.New(inspect.Config{Allow: loopback, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	defer i.Close()
	r := i.Inspect(context.Background(), srv.URL, nil)
	if until := srv.Certificate().NotAfter; !r.CertificateUntil.Equal(until) {
		t.Errorf("the certificate expires at %v, the report says %v", until, r.CertificateUntil)
	}
	got := map[string]libra.Fetch{}
	for _, a := range r.Assets {
		if !strings.HasPrefix(a.URL, srv.URL) {
			got[a.URL] = a.Fetch
		}
	}
	want := map[string]libra.Fetch{
		"https://named.invalid/a.png": libra.Fetched,
		"http://192.0.2.1/b.png":      libra.Unused,
		"http://named.invalid/c.js":   libra.Unused,
		"http://named.invalid/d":      libra.Unused,
		"https://named.invalid/e.png": libra.Fetched,
		"http://127.0.0.1:1/f.png":    libra.Fetched,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got) %q\n%s", r.Reasons, diff)
	}
}

// TestFontFallback: when a font source fails, the next one is requested and no
// other.
func TestFontFallback(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<!doctype html><style>@font-face { font-family: f; src: url(/gone.woff2), url(/there.woff2), url(/spare.woff2) } p { font-family: f }</style><p>text`)
		case "/gone.woff2":
			http.NotFound(w, r)
		default:
			w.Header().Set("Content-Type", "font/woff2")
			fmt.Fprint(w, "font")
		}
	}))
	defer srv.Close()
	i := inspect.New(inspect.Config{Allow: loopback})
	defer i.Close()
	r := i.Inspect(context.Background(), srv.URL+"/", nil)
	if diff := cmp.Diff([]string{"/", "/gone.woff2", "/there.woff2"}, paths(r, libra.Fetched)); diff != "" {
		t.Errorf("(-want +got) %q\n%s", r.Reasons, diff)
	}
}
