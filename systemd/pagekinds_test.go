//go:build appliance

package systemd_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/systemd/harness"
)

// shop is a watched page whose size and status the test sets.
type shop struct {
	*httptest.Server
	image atomic.Int64 // bytes
	code  atomic.Int64
}

func newShop(t *testing.T) *shop {
	s := &shop{}
	s.code.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".png") {
			w.Header().Set("Content-Type", "image/png")
			w.Write(bytes.Repeat([]byte{1}, int(s.image.Load())))
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(int(s.code.Load()))
		io.WriteString(w, `<!doctype html><title>&lt;!channel&gt;</title><img src="/%3C!channel%3E.png">`)
	}))
	t.Cleanup(s.Close)
	return s
}

// watchPage makes libra-web watch a page at an interval, with a budget.
func watchPage(t *testing.T, url, every, budget string) (page string) {
	t.Helper()
	body := fmt.Sprintf(`{"url": %q, "every": %q}`, url, every)
	if budget != "" {
		body = strings.TrimSuffix(body, "}") + `, "budget": ` + budget + "}"
	}
	res, err := http.Post(box.URL+"/api/pages", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("watch: %s %s %v", res.Status, answer, err)
	}
	return libra.PageID(url)
}

// A watched page over its budget, and one that is down, are notified after three
// inspections, although the watchdog is killed every two seconds. A file name on
// the page cannot mention a Slack channel.
func TestPageDownAndOverBudgetAreNotified(t *testing.T) {
	awaitNoAlarms(t)
	heavy, broken := newShop(t), newShop(t)
	heavy.image.Store(3000)
	broken.image.Store(3000)
	heavyURL, brokenURL := heavy.URL+"/?a=1&b=2", broken.URL+"/"
	heavyPage := watchPage(t, heavyURL, "1s", `[{"resourceSizes": [{"resourceType": "total", "budget": 100}]}]`)
	brokenPage := watchPage(t, brokenURL, "2s", "")
	t.Cleanup(func() { watchPage(t, heavyURL, "off", ""); watchPage(t, brokenURL, "off", "") })
	for _, page := range []string{heavyPage, brokenPage} {
		harness.Await(t, "a good report", 20*time.Second, func() bool { return box.Page(t, page).State == libra.Reported })
	}

	heavy.image.Store(300_000)
	broken.code.Store(http.StatusInternalServerError)
	began := time.Now()
	sent := func() bool { return box.Sink.Message(brokenURL, "The page is down") != "" }
	for kills := 0; ; kills++ {
		if _, ok := harness.Within(2*time.Second, sent); ok {
			break // a moment after a kill there may be no process to kill
		}
		if kills == 15 {
			t.Fatalf("no message after %d kills", kills)
		}
		box.Signal(t, "libra-watchdog", syscall.SIGKILL)
	}
	t.Logf("down sent after %s, with an inspection and a kill of the watchdog every 2 s", time.Since(began).Round(time.Millisecond))
	down := libra.Alarm{
		ID: "page.down." + brokenPage, Scope: libra.ScopePage, Target: brokenURL, Page: brokenPage, Severity: libra.Major,
		Summary: "The page is down", Runbook: "#page-down",
	}
	wantNotified(t, down, "HTTP 500 Internal Server Error; 3 inspections in a row failed")
	budget := libra.Alarm{
		ID: "page.budget." + heavyPage, Scope: libra.ScopePage, Target: heavyURL, Page: heavyPage, Severity: libra.Minor,
		Summary: "The page is over its budget", Runbook: "#page-budget",
	}
	wantNotified(t, budget, "over its budget of 102.4 kB (100 KB in the file); +297.0 kB of images since ", ", biggest: <!channel>.png 300.", "; 3 inspections in a row failed")
	for _, said := range box.Sink.Messages() {
		if strings.Contains(said, "<!channel>") {
			t.Errorf("the page mentions a channel: %s", said)
		}
	}

	heavy.image.Store(3000)
	broken.Close()
	wantCleared(t, heavyURL, "The page is within its budget again")
	watchPage(t, brokenURL, "off", "")
	wantCleared(t, brokenURL, "The page is no longer watched")
	if n := strings.Count(strings.Join(box.Sink.Messages(), "\n"), "[major] "+brokenURL+" on "); n > 2 { // the text and the push preview
		t.Errorf("sent repeatedly:\n%s", strings.Join(box.Sink.Messages(), "\n---\n"))
	}
}

// A page that redirects without end is down.
func TestEndlessRedirectIsNotified(t *testing.T) {
	awaitNoAlarms(t)
	s := httptest.NewServer(http.RedirectHandler("/loop", http.StatusFound))
	t.Cleanup(s.Close)
	url := s.URL + "/loop"
	page := watchPage(t, url, "1s", "")
	t.Cleanup(func() { watchPage(t, url, "off", "") })
	wantNotified(t, libra.Alarm{
		ID: "page.down." + page, Scope: libra.ScopePage, Target: url, Page: page, Severity: libra.Major,
		Summary: "The page is down", Runbook: "#page-down",
	}, `redirected more than 20 times, the last time to "/loop"`, "; 3 inspections in a row failed")
	watchPage(t, url, "off", "")
	wantCleared(t, url, "The page is no longer watched")
}

// A watched page without reports, because no inspector gets its due watch, raises
// an alarm, which clears with the next inspection.
func TestMissedInspectionIsNotified(t *testing.T) {
	box.EnsureHealthy(t)
	enableFaults(t, "LIBRA_PAGE_TIMEOUT=1s\n")
	setRules(t, "[thresholds]\nmissed = 1\n")
	t.Cleanup(func() {
		setRules(t, "")
		box.Systemctl(t, "restart", "libra-watchdog")
	})
	box.Systemctl(t, "restart", "libra-watchdog")
	awaitNoAlarms(t)
	url := newShop(t).URL + "/missed"
	page := watchPage(t, url, "1s", "")
	t.Cleanup(func() { watchPage(t, url, "off", "") })
	harness.Await(t, "a report", 20*time.Second, func() bool { return box.Page(t, page).State == libra.Reported })
	box.PauseWatches(t, true)
	t.Cleanup(func() { box.PauseWatches(t, false) })
	wantNotified(t, libra.Alarm{
		ID: "page.missed." + page, Scope: libra.ScopePage, Target: url, Page: page, Severity: libra.Minor,
		Summary: "The page is not inspected on schedule", Runbook: "#page-missed",
	}, "; one is due every 1 s, limit 2 s")
	box.PauseWatches(t, false)
	wantCleared(t, url, "The page is inspected on schedule again")
}

// A certificate that expires soon raises an alarm with the days left, which clears
// with a new certificate.
func TestExpiringCertificateIsNotified(t *testing.T) {
	soon, later := selfSigned(t, 5*24*time.Hour+time.Hour), selfSigned(t, 90*24*time.Hour)
	roots := filepath.Join(box.Home, "etc", "roots.pem")
	var trusted []byte
	for _, c := range []*tls.Certificate{soon, later} {
		trusted = append(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})...)
	}
	if err := errors.Join(os.WriteFile(roots, trusted, 0o644), os.Chmod(roots, 0o644)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(roots) })
	setInspectorSettings(t, "SSL_CERT_FILE=/etc/libra/roots.pem\n")
	awaitNoAlarms(t)

	var shown atomic.Pointer[tls.Certificate]
	shown.Store(soon)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // the next connection gets the current certificate
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><title>Shop</title>")
	}))
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*shown.Load()}}, nil
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	url := s.URL + "/"
	page := watchPage(t, url, "1s", "")
	t.Cleanup(func() { watchPage(t, url, "off", "") })
	wantNotified(t, libra.Alarm{
		ID: "page.certificate." + page, Scope: libra.ScopePage, Target: url, Page: page, Severity: libra.Major,
		Summary: "The certificate expires soon", Runbook: "#page-certificate",
	}, "expires on ", libra.FormatTime(soon.Leaf.NotAfter), ", in 5 days", ", limit 7 days") // in Slack, the time is in an element
	shown.Store(later)
	wantCleared(t, url, "The certificate is valid for long enough again")
}

// selfSigned returns a self-signed certificate for 127.0.0.1 that expires after a
// time.
func selfSigned(t *testing.T, lasts time.Duration) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	wanted := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "shop " + lasts.String()},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lasts), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, wanted, wanted, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(signed)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key, Leaf: leaf}
}
