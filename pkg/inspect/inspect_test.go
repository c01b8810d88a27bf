package inspect_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// loopback allows the addresses of the tests' own servers.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// site serves bodies by path.
func site(t *testing.T, files map[string]string) string {
	t.Helper()
	return served(t, func(w http.ResponseWriter, r *http.Request) {
		if body, ok := files[r.URL.Path]; ok {
			fmt.Fprint(w, body)
			return
		}
		http.NotFound(w, r)
	})
}

// served serves what h writes; the suffix of a path sets its type.
func served(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(typed(h))
	t.Cleanup(srv.Close)
	return srv.URL
}

// secure is served over TLS, with an inspector that trusts the server.
func secure(t *testing.T, h http.HandlerFunc) (*httptest.Server, *inspect.Inspector) {
	t.Helper()
	srv := httptest.NewTLSServer(typed(h))
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return srv, newInspector(t, inspect.Config{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
}

// typed sets the type of each response by the suffix of the path.
func typed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", typeOf(r.URL.Path))
		if typeOf(r.URL.Path) == "" {
			w.Header()["Content-Type"] = nil // none at all
		}
		if strings.HasPrefix(filepath.Base(r.URL.Path), "nosniff") {
			w.Header().Set("X-Content-Type-Options", "nosniff")
		}
		h.ServeHTTP(w, r)
	})
}

func typeOf(path string) string {
	types := map[string]string{
		".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".png": "image/png", ".gif": "image/gif",
		".svg": "image/svg+xml", ".wav": "audio/wav", ".vtt": "text/vtt", ".ttf": "font/ttf", ".woff2": "font/woff2",
		".txt": "text/plain", ".csv": "text/csv", ".bin": "",
	}
	if t, ok := types[filepath.Ext(path)]; ok {
		return t
	}
	return "text/html"
}

// TestMain has names looked up at a name server of its own, which knows none:
// fixtures name hosts below .invalid, and a name server that does not answer
// costs 5 s for each.
func TestMain(m *testing.M) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go answerNoSuchHost(server)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	m.Run()
}

// answerNoSuchHost turns each query into its answer: QR set, RCODE NXDOMAIN
// (RFC 1035, 4.1.1).
func answerNoSuchHost(server net.PacketConn) {
	query := make([]byte, 512)
	for {
		n, from, err := server.ReadFrom(query)
		if err != nil {
			return
		}
		if n > 3 {
			query[2], query[3] = query[2]|0x80, query[3]&0xf0|3
			_, _ = server.WriteTo(query[:n], from)
		}
	}
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

// wantPaths compares the assets with a label, in the report's order.
func wantPaths(t *testing.T, r *libra.Report, f libra.Fetch, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, paths(r, f)); diff != "" {
		t.Errorf("%s (-want +got), reasons %q:\n%s", f, r.Reasons, diff)
	}
}

func TestInspectReportsAPage(t *testing.T) {
	files := map[string]string{
		"/": `<!doctype html><title> The
			page </title><link rel=stylesheet href=a.css><script src=m.js type=module></script><img src="a b.png#x"><iframe src=f/></iframe>`,
		"/a.css":       `@import "b.css"; p { color: red }`,
		"/b.css":       `@import "a.css";`,
		"/m.js":        `import "./n.js"; // import "./never.js"`,
		"/n.js":        `export default 1`,
		"/a b.png":     "png",
		"/f/":          `<title>A frame</title><img src=inner.png>`,
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
	if r.Title != "The page" {
		t.Errorf("title %q", r.Title)
	}
	wantPaths(t, r, libra.Fetched, "/", "/a.css", "/m.js", "/a%20b.png", "/f/", "/b.css", "/n.js", "/f/inner.png")
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
	for name, c := range map[string]struct {
		url    string
		code   libra.Code
		remedy string
	}{
		"not a URL":       {"nonsense", libra.CodeInvalidURL, "start it with https:// or http://"},
		"file":            {"file:///etc/passwd", libra.CodeInvalidURL, "only http and https can be inspected"},
		"refused address": {"http://10.0.0.1/", libra.CodeAddressForbidden, "allow it with --allow 10.0.0.0/8"},
		"no server":       {"http://127.0.0.1:2/", libra.CodeConnectionRefused, "check that the server is up and the port is right"},
		"no such host":    {"http://no-such-host.invalid/", libra.CodeHostNotFound, "check the spelling"},
	} {
		t.Run(name, func(t *testing.T) {
			r := i.Inspect(context.Background(), c.url, nil)
			if r.Outcome != libra.Error || len(r.Reasons) != 1 || len(r.Details) != 1 || !strings.HasSuffix(r.Reasons[0], r.Details[0].String()) {
				t.Fatalf("got %s %q %+v, want failed with one reason", r.Outcome, r.Reasons, r.Details)
			}
			if why := r.Details[0]; why.Code != c.code || why.Remedy != c.remedy || strings.Contains(why.Text, "cannot fetch") {
				t.Errorf("got reason %+v, want code %s and remedy %q", why, c.code, c.remedy)
			}
			if strings.Contains(strings.Join(r.Reasons, ""), "\n") {
				t.Errorf("reason is not one line: %q", r.Reasons)
			}
		})
	}
}

// TestFontFallback: when a font source fails, the next one is requested and no
// other.
func TestFontFallback(t *testing.T) {
	url := site(t, map[string]string{
		"/":            `<!doctype html><style>@font-face { font-family: f; src: url(/gone.woff2), url(/there.woff2), url(/spare.woff2) } p { font-family: f }</style><p>text`,
		"/there.woff2": "font",
	})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url, nil)
	wantPaths(t, r, libra.Fetched, "/", "/gone.woff2", "/there.woff2")
}

// TestXMLHasNoQuirks: in an XML document, which names no document type, classes are
// compared with case.
func TestXMLHasNoQuirks(t *testing.T) {
	url := site(t, map[string]string{
		"/page.svg": `<svg xmlns="http://www.w3.org/2000/svg"><style>.same{cursor:url(/same.png),auto} .OTHER{cursor:url(/other.png),auto}</style>
			<path class="same other"/></svg>`,
		"/same.png": "png",
	})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url+"/page.svg", nil)
	wantPaths(t, r, libra.Fetched, "/page.svg", "/same.png")
}
