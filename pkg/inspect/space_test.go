package inspect_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// servedAt is served at an address of this machine, and lists the paths that were
// requested there.
func servedAt(t *testing.T, ip string, h http.HandlerFunc) (url string, asked func() []string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var paths []string
	srv := httptest.NewUnstartedServer(typed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths = append(paths, r.URL.Path)
		mu.Unlock()
		h(w, r)
	})))
	srv.Listener.Close()
	srv.Listener = listener
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(paths)
		return slices.Compact(paths)
	}
}

// Whether what a document names may be on a private address depends on the address
// that the document itself came from: the page, a frame, or a document that refreshes
// to another.
func TestPrivateFromPublic(t *testing.T) {
	private, asked := servedAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "x") })
	everything := strings.ReplaceAll(`<!doctype html><title>t</title>
		<link rel=stylesheet href=/own.css><link rel=stylesheet href=P/a.css><style>@import "P/b.css"; body { background: url(P/c.png) }</style>
		<script type=module src=/own.js></script><script src=P/d.js></script><img src=P/e.png><iframe src=P/f.html></iframe>
		<iframe srcdoc="<img src=P/g.png>"></iframe><object data=P/none><img src=P/h.png></object>
		<iframe src=/refresh.html></iframe><img src=/redirect.png>`, "P/", private+"/")
	files := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, everything)
		case "/own.css":
			fmt.Fprintf(w, `@import "%s/i.css"; p { background: url(%[1]s/j.png) } p::before { content: "x" }`, private)
		case "/own.js":
			fmt.Fprintf(w, `import "%s/k.js"`, private)
		case "/refresh.html":
			fmt.Fprintf(w, `<meta http-equiv=refresh content="0;url=%s/l.html">`, private)
		case "/redirect.png":
			http.Redirect(w, r, private+"/m.png", http.StatusFound)
		}
	}
	public, _ := servedAt(t, "127.0.1.1", files)
	sibling, _ := servedAt(t, "127.0.0.2", files)
	i := newInspector(t, inspect.Config{AsPublic: []netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")}})

	r := i.Inspect(t.Context(), public, nil)
	if got := asked(); len(got) > 0 {
		t.Errorf("a public page had requests sent to %v of the private server", got)
	}
	if r.Outcome != libra.Partial || len(r.Details) < 5 {
		t.Errorf("outcome %s, reasons %q", r.Outcome, r.Reasons)
	}
	for _, why := range r.Details {
		if why.Code != libra.CodeAddressForbidden && why.Code != libra.CodeMoreFailures {
			t.Errorf("reason %+v", why)
		}
		if why.Code == libra.CodeAddressForbidden && (!strings.Contains(why.Text, private) || !strings.Contains(why.Text, "inspect a page that is itself on")) {
			t.Errorf("reason %+v does not name what was refused, or a remedy", why)
		}
	}
	framing, _ := servedAt(t, "127.0.0.3", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `<iframe src="%s"></iframe>`, public) })
	i.Inspect(t.Context(), framing, nil)
	if got := asked(); len(got) > 0 {
		t.Errorf("a public frame of a private page had requests sent to %v of the private server", got)
	}
	if r := i.Inspect(t.Context(), sibling, nil); r.Outcome == libra.Error {
		t.Errorf("a private page: reasons %q", r.Reasons)
	}
	want := []string{"/a.css", "/b.css", "/c.png", "/d.js", "/e.png", "/f.html", "/g.png", "/h.png", "/i.css", "/k.js", "/l.html", "/m.png", "/none"}
	if got := asked(); !slices.Equal(got, want) {
		t.Errorf("a private page had requests sent to %v, want %v", got, want)
	}
}

// A public page that redirects to a private address is not inspected.
func TestPublicPageRedirectsToPrivate(t *testing.T) {
	private, asked := servedAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "x") })
	public, _ := servedAt(t, "127.0.1.1", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, private, http.StatusFound) })
	r := newInspector(t, inspect.Config{AsPublic: []netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")}}).Inspect(t.Context(), public, nil)
	if r.Outcome != libra.Error || r.Details[0].Code != libra.CodeAddressForbidden || len(asked()) != 0 {
		t.Errorf("outcome %s, reasons %+v, private server asked for %v", r.Outcome, r.Details, asked())
	}
	t.Log(r.Reasons)
}
