package inspect_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// guess inspects the page at address, which has no scheme.
func guess(t *testing.T, i *inspect.Inspector, address string) *libra.Report {
	t.Helper()
	return i.InspectPage(context.Background(), inspect.Page{URL: "https://" + address + "/", SchemeGuessed: true}, nil)
}

func hostOf(url string) string {
	_, host, _ := strings.Cut(url, "://")
	return host
}

// Where https does not answer, http does, and the report says so.
func TestGuessedSchemeIsHTTP(t *testing.T) {
	site := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Write([]byte("<p><img src=/a.png>"))
		}
	})
	r := guess(t, newInspector(t, inspect.Config{}), hostOf(site))
	if r.Outcome != libra.Complete || r.URL != "https://"+hostOf(site)+"/" || r.FinalURL != site+"/" || r.Status != 200 {
		t.Errorf("%s %d, URL %s, final %s: %q", r.Outcome, r.Status, r.URL, r.FinalURL, r.Reasons)
	}
	if !r.HasReason(libra.CodeHTTPOnly) || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "does not speak TLS") {
		t.Errorf("reasons: %q", r.Reasons)
	}
	if len(r.Assets) != 2 || r.Assets[0].URL != site+"/" || r.Assets[1].URL != site+"/a.png" || r.Assets[1].Initiator != site+"/" {
		t.Errorf("assets: %+v", r.Assets)
	}
}

// An answer over https is the page's, also one that is an error.
func TestGuessedSchemeIsHTTPS(t *testing.T) {
	status := http.StatusOK
	srv, i := secure(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
	for _, status = range []int{200, 404, 503} {
		r := guess(t, i, hostOf(srv.URL))
		if r.Status != status || r.FinalURL != srv.URL+"/" || r.HasReason(libra.CodeHTTPOnly) {
			t.Errorf("%d: %d at %s: %q", status, r.Status, r.FinalURL, r.Reasons)
		}
	}
	r := guess(t, newInspector(t, inspect.Config{}), hostOf(srv.URL))
	if r.Outcome != libra.Error || !r.HasReason(libra.CodeCertificateUntrusted) || r.HasReason(libra.CodeHTTPOnly) {
		t.Errorf("with a certificate that is not trusted: %s, %q", r.Outcome, r.Reasons)
	}
}

// A scheme that was typed is no guess, and where nothing answers https is at fault.
func TestSchemeIsKept(t *testing.T) {
	i := newInspector(t, inspect.Config{})
	site := served(t, func(w http.ResponseWriter, r *http.Request) {})
	if r := i.Inspect(context.Background(), "https://"+hostOf(site)+"/", nil); r.Outcome != libra.Error || !r.HasReason(libra.CodeNotTLS) {
		t.Errorf("typed: %s, %q", r.Outcome, r.Reasons)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if r := guess(t, i, l.Addr().String()); r.Outcome != libra.Error || !r.HasReason(libra.CodeConnectionRefused) || r.HasReason(libra.CodeHTTPOnly) || !strings.Contains(r.Reasons[0], "https://") {
		t.Errorf("nothing there: %s, %q", r.Outcome, r.Reasons)
	}
}

// The error page of a site without https says both.
func TestGuessedSchemeOfAnErrorPage(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	r := guess(t, newInspector(t, inspect.Config{}), hostOf(srv.URL))
	if r.Status != 404 || r.Outcome != libra.Error || !r.HasReason(libra.CodeHTTPOnly) || !r.HasReason(libra.CodeHTTPStatus) {
		t.Errorf("%s %d: %q", r.Outcome, r.Status, r.Reasons)
	}
}
