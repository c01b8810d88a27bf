package fetch_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// Each case sets cookies by https://www.example.org/dir/page, unless from says
// otherwise, and asks for them at https://www.example.org/dir/other, unless to does.
func TestCookies(t *testing.T) {
	for name, c := range map[string]struct {
		set      []string
		from, to string
		want     string
	}{
		"quotes are part of the value":      {set: []string{`pass="a b"`}, want: `pass="a b"`},
		"quotes anywhere":                   {set: []string{`a=x"y`, `b="`}, want: `a=x"y; b="`},
		"no name":                           {set: []string{"lonely"}, want: "lonely"},
		"an empty name":                     {set: []string{"=lonely"}, want: "lonely"},
		"one without a name":                {set: []string{"one", "two"}, want: "two"},
		"an empty value":                    {set: []string{"a="}, want: "a="},
		"nothing":                           {set: []string{"", "=", ";", "; Secure"}},
		"equals signs in the value":         {set: []string{"a=b=c=="}, want: "a=b=c=="},
		"odd names":                         {set: []string{"a b=1", "[x]=2", `"q"=3`, "é=ü"}, want: `a b=1; [x]=2; "q"=3; é=ü`},
		"spaces and tabs around":            {set: []string{" \ta \t= \tb\t ;\tSecure "}, want: "a=b"},
		"a tab inside":                      {set: []string{"a=b\tc"}, want: "a=b\tc"},
		"control characters":                {set: []string{"a=b\x01", "b\x7f=c", "c=d;Path=/\x00"}},
		"commas do not separate":            {set: []string{"a=1, b=2"}, want: "a=1, b=2"},
		"4096 bytes":                        {set: []string{"a=" + strings.Repeat("x", 4095)}, want: "a=" + strings.Repeat("x", 4095)},
		"4097 bytes":                        {set: []string{"a=" + strings.Repeat("x", 4096)}},
		"an attribute of 1025 bytes":        {set: []string{"a=b; Domain=" + strings.Repeat("x", 1025)}, want: "a=b"},
		"an attribute of 1024 bytes":        {set: []string{"a=b; Domain=" + strings.Repeat("x", 1024)}},
		"unknown attributes":                {set: []string{"a=b; HttpOnly; Priority=High; x"}, want: "a=b"},
		"the last domain counts":            {set: []string{"a=b; Domain=example.net; Domain=example.org"}, to: "https://example.org/dir/", want: "a=b"},
		"of the host alone":                 {set: []string{"a=b"}, to: "https://x.www.example.org/dir/"},
		"of a domain":                       {set: []string{"a=b; Domain=.EXAMPLE.org"}, to: "https://other.example.org/dir/", want: "a=b"},
		"of another domain":                 {set: []string{"a=b; Domain=example.net", "a=b; Domain=ww.example.org", "c=d; Domain=a.www.example.org"}},
		"of a public suffix":                {set: []string{"a=b; Domain=org", "c=d; Domain=."}, want: "c=d"},
		"of a public suffix that is a host": {from: "https://github.io/", set: []string{"a=b; Domain=github.io; Path=/"}, to: "https://github.io/", want: "a=b"},
		"not beside a public suffix":        {from: "https://github.io/", set: []string{"a=b; Domain=github.io; Path=/"}, to: "https://x.github.io/"},
		"of an address":                     {from: "http://127.0.0.1/", set: []string{"a=b; Domain=127.0.0.1", "c=d; Domain=0.0.1"}, to: "http://127.0.0.1/", want: "a=b"},
		"the ports share cookies":           {set: []string{"a=b"}, to: "https://www.example.org:8443/dir/", want: "a=b"},
		"the folder is the path":            {set: []string{"a=b"}, to: "https://www.example.org/dir", want: "a=b"},
		"another folder":                    {set: []string{"a=b"}, to: "https://www.example.org/directory"},
		"a path":                            {set: []string{"a=b; Path=/x"}, to: "https://www.example.org/x/y", want: "a=b"},
		"beside a path":                     {set: []string{"a=b; Path=/x"}, to: "https://www.example.org/xy"},
		"a path without a slash":            {set: []string{"a=b; Path=x", "c=d; Path=", "e=f; Path"}, want: "a=b; c=d; e=f"},
		"longer paths first":                {set: []string{"a=1; Path=/", "b=2", "c=3; Path=/", "d=4; Path=/dir/other"}, want: "d=4; b=2; a=1; c=3"},
		"a new value keeps its place":       {set: []string{"a=1", "b=2", "a=3"}, want: "a=3; b=2"},
		"over http no Secure":               {set: []string{"a=1; Secure", "b=2"}, to: "http://www.example.org/dir/", want: "b=2"},
		"http sets no Secure":               {from: "http://www.example.org/dir/", set: []string{"a=1; Secure", "b=2"}, want: "b=2"},
		"this machine may":                  {from: "http://localhost/dir/", set: []string{"a=1; Secure"}, to: "http://localhost/dir/", want: "a=1"},
		"__Secure-":                         {set: []string{"__Secure-a=1", "__Secure-b=2; Secure", "__seCURE-c=3"}, want: "__Secure-b=2"},
		"__Host-":                           {set: []string{"__Host-a=1; Secure", "__Host-b=2; Secure; Path=/", "__hOST-c=3; Secure; Path=/; Domain=www.example.org", "__Host-d=4; Path=/"}, want: "__Host-b=2"},
		"a prefix without a name":           {set: []string{"__Host-a", "=__Secure-a=b; Secure", "__Host-; Secure; Path=/"}},
		"SameSite=None needs Secure":        {set: []string{"a=1; SameSite=None", "b=2; SameSite=None; Secure"}, want: "b=2"},
		"Max-Age":                           {set: []string{"a=1; Max-Age=60", "b=2; Max-Age=0", "c=3; Max-Age=-1", "d=4; Max-Age=1e3", "e=5; Max-Age=+5", "f=6; Max-Age=99999999999999999999"}, want: "a=1; d=4; e=5; f=6"},
		"Max-Age before Expires":            {set: []string{"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=2; Expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=0"}, want: "a=1"},
		"Expires":                           {set: []string{"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=2; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "c=3; Expires=soon"}, want: "b=2; c=3"},
		"what has expired removes":          {set: []string{"a=1", "b=2", "a=; Max-Age=0"}, want: "b=2"},
		"another path does not remove":      {set: []string{"a=1", "a=; Max-Age=0; Path=/"}, want: "a=1"},
	} {
		t.Run(name, func(t *testing.T) {
			var j fetch.Jar
			j.Keep(or(c.from, "https://www.example.org/dir/page"), false, true, noon, c.set...)
			if got := j.Header(or(c.to, "https://www.example.org/dir/other"), false, false, noon.Add(time.Second)); got != c.want {
				t.Errorf("%.100q: got %.100q, want %.100q", c.set, got, c.want)
			}
		})
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func TestCookiesExpire(t *testing.T) {
	var j fetch.Jar
	const url = "https://example.org/"
	j.Keep(url, false, true, noon, "a=1; Max-Age=10", "b=2")
	if got := j.Header(url, false, false, noon.Add(9*time.Second)); got != "a=1; b=2" {
		t.Errorf("before: %q", got)
	}
	if got := j.Header(url, false, false, noon.Add(10*time.Second)); got != "b=2" {
		t.Errorf("after: %q", got)
	}
}

// A page that was fetched over http cannot replace a cookie that is for TLS.
func TestSecureCookiesStay(t *testing.T) {
	var j fetch.Jar
	j.Keep("https://example.org/", false, true, noon, "a=1; Secure; Path=/")
	j.Keep("http://www.example.org/", false, true, noon, "a=2; Domain=example.org; Path=/x", "b=3; Domain=example.org")
	if got := j.Header("https://example.org/x", false, false, noon); got != "a=1; b=3" {
		t.Errorf("got %q", got)
	}
}

// What a request of another site sends and sets.
func TestSameSite(t *testing.T) {
	const url = "https://example.org/"
	lines := []string{"default=1", "lax=2; SameSite=Lax", "strict=3; SameSite=Strict", "none=4; SameSite=None; Secure", "odd=5; SameSite=x"}
	for name, c := range map[string]struct {
		foreign, opens bool
		send, set      string // what is sent of all, and what it may set
	}{
		"same site":    {false, false, "default=1; lax=2; strict=3; none=4; odd=5", "default=1; lax=2; strict=3; none=4; odd=5"},
		"sub-resource": {true, false, "none=4", "none=4"},
		"opens":        {true, true, "default=1; lax=2; none=4; odd=5", "default=1; lax=2; strict=3; none=4; odd=5"},
	} {
		var all, set fetch.Jar
		all.Keep(url, false, true, noon, lines...)
		if got := all.Header(url, c.foreign, c.opens, noon); got != c.send {
			t.Errorf("%s sends %q, want %q", name, got, c.send)
		}
		set.Keep(url, c.foreign, c.opens, noon, lines...)
		if got := set.Header(url, false, false, noon); got != c.set {
			t.Errorf("%s sets %q, want %q", name, got, c.set)
		}
	}
}

func TestJarIsBounded(t *testing.T) {
	var j fetch.Jar
	for i := range 1000 {
		j.Keep("https://example.org/", false, true, noon, fmt.Sprintf("c%d=%s", i, strings.Repeat("x", 4000)))
		if j.Bytes() > fetch.JarBytes {
			t.Fatalf("%d bytes after %d cookies", j.Bytes(), i+1)
		}
	}
	if j.Bytes() < fetch.JarBytes/2 {
		t.Errorf("only %d bytes are kept", j.Bytes())
	}
	if got := j.Header("https://example.org/", false, false, noon); len(got) > 16<<10 || len(got) < 8<<10 {
		t.Errorf("a header of %d bytes", len(got))
	}
	for i := range 1000 {
		j.Keep("https://example.org/", false, true, noon, fmt.Sprintf("c%d=; Max-Age=0", i))
	}
	if j.Bytes() != 0 {
		t.Errorf("%d bytes are left of no cookie", j.Bytes())
	}
}

func TestCookieDates(t *testing.T) {
	want := time.Date(2026, 11, 29, 8, 9, 37, 0, time.UTC)
	for _, s := range []string{
		"Sun, 29 Nov 2026 08:09:37 GMT", "Sunday, 29-Nov-26 08:09:37 GMT", "Sun Nov 29 08:09:37 2026", "29 november 2026 8:9:37",
		"2026 29 Nov 08:09:37", "08:09:37 29 NOVEMBRE 26", "Sun, 29 Nov 2026 08:09:37 +0100", "29/Nov/2026;08:09:37", "29th Nov 2026x 08:09:37.5",
	} {
		if got, ok := fetch.ParseCookieDate(s); !ok || !got.Equal(want) {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for s, year := range map[string]int{"1 Jan 70 0:0:0": 1970, "1 Jan 69 0:0:0": 2069, "1 Jan 99 0:0:0": 1999, "1 Jan 1601 0:0:0": 1601} {
		if got, ok := fetch.ParseCookieDate(s); !ok || got.Year() != year {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{
		"", "soon", "29 Nov 2026", "29 Nov 08:09:37", "Nov 2026 08:09:37", "29 2026 08:09:37", "32 Nov 2026 08:09:37", "0 Nov 2026 08:09:37",
		"31 Nov 2026 08:09:37", "29 Nov 1600 08:09:37", "29 Nov 2026 24:09:37", "29 Nov 2026 08:60:37", "29 Nov 2026 08:09:60", "29 Nov 20261 08:09:37", "29 Nov 2026 08:09",
	} {
		if got, ok := fetch.ParseCookieDate(s); ok {
			t.Errorf("%q: %v", s, got)
		}
	}
}

// A site that wants its own cookie back redirects until it gets it.
func TestRedirectWantsItsCookie(t *testing.T) {
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") == `pass="a b"` {
			io.WriteString(w, "inside")
			return
		}
		w.Header()["Set-Cookie"] = []string{`pass="a b"; Path=/`}
		w.Header().Set("Location", "/gate")
		w.WriteHeader(http.StatusFound)
	})
	got := session(t, fetch.Config{}).Get(t.Context(), fetch.Request{URL: srv.URL + "/gate", Type: libra.Document})
	if got.Err != nil || string(got.Body) != "inside" || len(got.Hops) != 2 {
		t.Errorf("%q after %d hops, %v", got.Body, len(got.Hops), got.Err)
	}
}

// localhost is another site than 127.0.0.1. A frame of it, and what that frame asks
// for, get none of the cookies that the same host got as a page.
func TestFramesOfOtherSites(t *testing.T) {
	seen := map[string]string{}
	srv := server(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.Host[:9]+r.URL.Path] = r.Header.Get("Cookie")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Add("Set-Cookie", "lax=1; Path=/")
		w.Header().Add("Set-Cookie", "none=2; Path=/; SameSite=None; Secure")
	})
	page, other := srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	s := session(t, fetch.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	for _, r := range []fetch.Request{
		{URL: page + "/", Type: libra.Document},
		{URL: page + "/image", Type: libra.Image, Referrer: page + "/"},
		{URL: other + "/image", Type: libra.Image, Referrer: page + "/"},
		{URL: other + "/again", Type: libra.Image, Referrer: page + "/"},
		{URL: other + "/frame", Type: libra.Document, Referrer: page + "/"},
		{URL: other + "/inside", Type: libra.Image, Referrer: other + "/frame"},
		{URL: page + "/inside", Type: libra.Image, Referrer: other + "/frame"},
		{URL: other + "/next", Type: libra.Document, Referrer: page + "/", TopLevel: true},
		{URL: other + "/last", Type: libra.Image, Referrer: other + "/next"},
	} {
		if res := s.Get(t.Context(), r); res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	for asked, want := range map[string]string{
		"127.0.0.1/": "", "127.0.0.1/image": "lax=1; none=2", "localhost/image": "", "localhost/again": "none=2",
		"localhost/frame": "none=2", "localhost/inside": "none=2", "127.0.0.1/inside": "none=2", "localhost/next": "none=2", "localhost/last": "none=2; lax=1",
	} {
		if seen[asked] != want {
			t.Errorf("%s got %q, want %q", asked, seen[asked], want)
		}
	}
}
