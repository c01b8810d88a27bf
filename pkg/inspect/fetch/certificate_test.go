package fetch_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

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

// A chain lasts as long as the certificate of it that expires first. Of two chains
// that vouch for a server, the one that lasts longer counts.
func TestCertificateUntilOfChain(t *testing.T) {
	days := func(n int) time.Time { return time.Now().AddDate(0, 0, n).Truncate(time.Second).UTC() }
	root := authority(t, "root", days(3000), nil)
	soon := authority(t, "intermediate", days(5), root)
	later := &issued{key: soon.key} // the same authority, signed again
	later.sign(t, caTemplate("intermediate", days(200)), root)
	for name, tt := range map[string]struct {
		leaf   time.Time
		chain  []*issued
		issuer *issued
		want   time.Time
	}{
		"leaf":         {days(3), []*issued{soon}, soon, days(3)},
		"intermediate": {days(300), []*issued{soon}, soon, days(5)},
		"cross-signed": {days(300), []*issued{soon, later}, soon, days(200)},
		"root":         {days(9000), nil, root, days(3000)},
	} {
		leaf := issue(t, &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: tt.leaf}, tt.issuer)
		sent := tls.Certificate{PrivateKey: leaf.key, Certificate: [][]byte{leaf.cert.Raw}}
		for _, c := range tt.chain {
			sent.Certificate = append(sent.Certificate, c.cert.Raw)
		}
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{sent}}
		srv.StartTLS()
		t.Cleanup(srv.Close)
		roots := x509.NewCertPool()
		roots.AddCert(root.cert)
		s := session(t, fetch.Config{TLS: &tls.Config{RootCAs: roots}})
		if got := s.Get(t.Context(), fetch.Request{URL: srv.URL}); got.Err != nil || !got.CertificateUntil.Equal(tt.want) {
			t.Errorf("%s: got %s, %v; want %s", name, got.CertificateUntil, got.Err, tt.want)
		}
	}
}

// issued is a certificate with its key.
type issued struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func caTemplate(name string, until time.Time) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
}

func authority(t *testing.T, name string, until time.Time, by *issued) *issued {
	t.Helper()
	return issue(t, caTemplate(name, until), by)
}

// issue makes a certificate; without an issuer it signs itself.
func issue(t *testing.T, template *x509.Certificate, by *issued) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &issued{key: key}
	c.sign(t, template, by)
	return c
}

func (c *issued) sign(t *testing.T, template *x509.Certificate, by *issued) {
	t.Helper()
	template.NotBefore, template.SerialNumber = time.Now().AddDate(-1, 0, 0), big.NewInt(time.Now().UnixNano())
	parent, key := template, c.key
	if by != nil {
		parent, key = by.cert, by.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &c.key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c.cert, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
}
