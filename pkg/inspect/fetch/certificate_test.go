package fetch_test

import (
	"net/http"
	"testing"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// The certificate that counts is that of the last server, on a connection that
// is new and on one that is used again; without TLS no certificate counts.
func TestCertificateUntil(t *testing.T) {
	srv, trust := h2server(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(page)) }))
	plain := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, srv.URL, http.StatusFound)
		}
	})
	s := session(t, fetch.Config{TLS: trust})
	for range 2 {
		got := s.Get(t.Context(), fetch.Request{URL: plain.URL + "/", Type: libra.Document})
		if got.Err != nil || !got.CertificateUntil.Equal(srv.Certificate().NotAfter) {
			t.Errorf("got %v, %v; want %v", got.CertificateUntil, got.Err, srv.Certificate().NotAfter)
		}
	}
	if got := s.Get(t.Context(), fetch.Request{URL: plain.URL + "/plain", Type: libra.Document}); !got.CertificateUntil.IsZero() {
		t.Errorf("without TLS: %v", got.CertificateUntil)
	}
}
