package fetch_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// The addresses of 127.0.1.0/24 count as public in these tests, the others of this
// machine as private.
var publicHere = []netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")}

// site is a server on one address that counts its requests.
type site struct {
	*httptest.Server
	asked atomic.Int64
	mu    sync.Mutex
	conns map[string]bool // by the client's address; under mu
}

func siteAt(t *testing.T, ip string, h2 bool, h http.HandlerFunc) *site {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{conns: map[string]bool{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		s.conns[r.RemoteAddr] = true
		s.mu.Unlock()
		h(w, r)
	}))
	s.Listener.Close()
	s.Listener = listener
	if s.EnableHTTP2 = h2; h2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// as is the URL of s under another host.
func (s *site) as(host string) string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	scheme, _, _ := strings.Cut(s.URL, ":")
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

func redirectTo(url func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url(), http.StatusFound) }
}

// trusting trusts the certificates of sites.
func trusting(sites ...*site) *tls.Config {
	roots := x509.NewCertPool()
	for _, s := range sites {
		roots.AddCert(s.Certificate())
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, ServerName: "example.com"}
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(page)) }

// wantRefused checks that got was refused because it came from a public address,
// and says what to do.
func wantRefused(t *testing.T, got fetch.Result) {
	t.Helper()
	if got.Err == nil {
		t.Error("got no error, want a refusal")
		return
	}
	why := libra.ReasonOf(got.Err)
	if why.Code != libra.CodeAddressForbidden || !strings.Contains(why.Text, "is a private address, and what names it came from a public one") {
		t.Errorf("got error %v, want a refusal", got.Err)
	}
	if !strings.Contains(why.Remedy, "inspect a page that is itself on an allowed private one") {
		t.Errorf("got remedy %q", why.Remedy)
	}
}

// A redirect leads into the private space only as long as every address before it
// was private.
func TestRedirectsBetweenSpaces(t *testing.T) {
	private := siteAt(t, "127.0.0.1", false, hello)
	private6 := siteAt(t, "::1", false, redirectTo(func() string { return private.URL }))
	public := siteAt(t, "127.0.1.1", false, redirectTo(func() string { return private.URL }))
	mapped := siteAt(t, "127.0.1.1", false, redirectTo(func() string { return private.as("::ffff:127.0.0.1") }))
	named := siteAt(t, "127.0.1.1", false, redirectTo(func() string { return private.as("localhost") }))
	viaPublic := siteAt(t, "127.0.0.1", false, redirectTo(func() string { return public.URL }))
	outward := siteAt(t, "127.0.0.1", false, redirectTo(func() string { return siteURL(t, "127.0.1.1") }))
	cfg := fetch.Config{AsPublic: publicHere}
	for name, url := range map[string]string{"public": public.URL, "mapped": mapped.URL, "named": named.URL, "private, public, private": viaPublic.URL} {
		got := session(t, cfg).Get(t.Context(), fetch.Request{URL: url, Type: libra.Document})
		if wantRefused(t, got); private.asked.Load() != 0 {
			t.Fatalf("%s: the private server was asked", name)
		}
	}
	got := session(t, cfg).Get(t.Context(), fetch.Request{URL: private6.URL, Type: libra.Document})
	if got.Err != nil || !got.Private || private.asked.Load() != 1 {
		t.Errorf("private to private: error %v, private %v", got.Err, got.Private)
	}
	got = session(t, cfg).Get(t.Context(), fetch.Request{URL: outward.URL, Type: libra.Document})
	if got.Err != nil || got.Private {
		t.Errorf("private to public: error %v, private %v", got.Err, got.Private)
	}
}

func siteURL(t *testing.T, ip string) string { return siteAt(t, ip, false, hello).URL }

// What a public page names reaches no private address, however that is written, and
// allowing the address does not change that.
func TestFromPublic(t *testing.T) {
	private := siteAt(t, "127.0.0.1", false, hello)
	private6 := siteAt(t, "::1", false, hello)
	s := session(t, fetch.Config{AsPublic: publicHere})
	for _, url := range []string{
		private.URL, private.as("localhost"), private.as("::ffff:127.0.0.1"), private.as("2130706433"), private.as("0x7f.1"), private6.URL, "http://10.0.0.1/",
	} {
		wantRefused(t, s.Get(t.Context(), fetch.Request{URL: url, Type: libra.Image, FromPublic: true}))
	}
	if n := private.asked.Load() + private6.asked.Load(); n != 0 {
		t.Errorf("private servers were asked %d times", n)
	}
}

// A connection that a private page has opened carries nothing for a public one, over
// either protocol; connections to public addresses are shared.
func TestConnectionsStayInTheirSpace(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		private, public := siteAt(t, "127.0.0.1", h2, hello), siteAt(t, "127.0.1.1", h2, hello)
		cfg := fetch.Config{Allow: loopback, AsPublic: publicHere}
		if h2 {
			cfg.TLS = trusting(private, public)
		}
		client := fetch.New(cfg)
		t.Cleanup(client.Close)
		get := func(url string, fromPublic bool) fetch.Result {
			return client.Session().Get(t.Context(), fetch.Request{URL: url, Type: libra.Image, FromPublic: fromPublic})
		}
		for range 2 {
			if got := get(private.URL, false); got.Err != nil || !got.Private {
				t.Fatalf("HTTP/2 %v: error %v, private %v", h2, got.Err, got.Private)
			}
			wantRefused(t, get(private.URL, true))
			if got := get(public.URL, false); got.Err != nil || got.Private {
				t.Fatalf("HTTP/2 %v: error %v, private %v", h2, got.Err, got.Private)
			}
			if got := get(public.URL, true); got.Err != nil || got.Private {
				t.Fatalf("HTTP/2 %v: error %v, private %v", h2, got.Err, got.Private)
			}
		}
		if n := private.asked.Load(); n != 2 {
			t.Errorf("HTTP/2 %v: the private server was asked %d times, want 2", h2, n)
		}
		if len(private.conns) != 1 || len(public.conns) != 1 {
			t.Errorf("HTTP/2 %v: %d and %d connections, want one each", h2, len(private.conns), len(public.conns))
		}
	}
}

// The address that is dialled decides, not the name: a name that resolves to a
// private address after a public page was had from it is refused, and one that has
// both is reached at its public one.
func TestRebinding(t *testing.T) {
	names := nameServer(t)
	private := siteAt(t, "127.0.0.7", false, hello)
	_, port, _ := net.SplitHostPort(private.Listener.Addr().String())
	listener, err := net.Listen("tcp", "127.0.1.7:"+port)
	if err != nil {
		t.Skip(err)
	}
	public := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that the name is resolved again
		hello(w, r)
	})}
	go public.Serve(listener) //nolint:errcheck // ends with the test
	t.Cleanup(func() { public.Close() })

	s := session(t, fetch.Config{AsPublic: publicHere})
	url := "http://rebind.test:" + port + "/"
	names.set("127.0.1.7")
	got := s.Get(t.Context(), fetch.Request{URL: url, Type: libra.Document})
	if got.Err != nil || got.Private {
		t.Fatalf("page: error %v, private %v", got.Err, got.Private)
	}
	names.set("127.0.0.7")
	wantRefused(t, s.Get(t.Context(), fetch.Request{URL: url + "x", Type: libra.Image, FromPublic: true}))
	if private.asked.Load() != 0 {
		t.Error("the private server was asked")
	}
	if got := s.Get(t.Context(), fetch.Request{URL: url, Type: libra.Document}); got.Err != nil || !got.Private {
		t.Errorf("a page on an allowed private address: error %v, private %v", got.Err, got.Private)
	}
	names.set("127.0.0.7", "127.0.1.7")
	if got := s.Get(t.Context(), fetch.Request{URL: url, Type: libra.Image, FromPublic: true}); got.Err != nil || got.Private {
		t.Errorf("a name with both: error %v, private %v", got.Err, got.Private)
	}
	names.set("127.0.1.7")
	if got := s.Get(t.Context(), fetch.Request{URL: url + "again", Type: libra.Document}); got.Err != nil {
		t.Errorf("a name that was private: %v", got.Err)
	}
}

// names answers every query for an IPv4 address with the addresses that are set.
type names struct {
	mu    sync.Mutex
	addrs []string // under mu
}

func (n *names) set(addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs = addrs
}

// nameServer is the resolver of the process until the test ends.
func nameServer(t *testing.T) *names {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	was := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = was; server.Close() })
	n := &names{}
	go n.serve(server)
	return n
}

func (n *names) serve(server net.PacketConn) {
	query := make([]byte, 512)
	for {
		size, from, err := server.ReadFrom(query)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(query[:size]) != nil || len(m.Questions) == 0 {
			continue
		}
		m.Response, m.Additionals = true, nil
		n.mu.Lock()
		for _, addr := range n.addrs {
			if m.Questions[0].Type == dnsmessage.TypeA {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()},
				})
			}
		}
		n.mu.Unlock()
		if answer, err := m.Pack(); err == nil {
			_, _ = server.WriteTo(answer, from)
		}
	}
}
