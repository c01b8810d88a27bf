package weburl_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"libra/pkg/weburl"
)

// Resolve by both ways, for what is http or https.
func TestReferences(t *testing.T) {
	const page = "https://example.org/a/b/page.html?old#top"
	for _, c := range []struct{ base, ref, want string }{
		{page, "x.png", "https://example.org/a/b/x.png"},
		{page, "/x.png", "https://example.org/x.png"},
		{page, "../x.png", "https://example.org/a/x.png"},
		{page, "../../../../x.png", "https://example.org/x.png"},
		{page, "./../c/./x.png", "https://example.org/a/c/x.png"},
		{page, "..", "https://example.org/a/"},
		{page, ".", "https://example.org/a/b/"},
		{page, "%2E%2e/x", "https://example.org/a/x"},
		{page, ".%2e", "https://example.org/a/"},
		{page, ".well-known/x", "https://example.org/a/b/.well-known/x"},
		{page, "...", "https://example.org/a/b/..."},
		{page, "?new", "https://example.org/a/b/page.html?new"},
		{page, "?", "https://example.org/a/b/page.html?"},
		{page, "#end", "https://example.org/a/b/page.html?old"},
		{page, "", "https://example.org/a/b/page.html?old"},
		{page, "//cdn.example.net/x", "https://cdn.example.net/x"},
		{page, "//cdn.example.net", "https://cdn.example.net/"},
		{page, "///cdn.example.net/x", "https://cdn.example.net/x"},
		{page, `\\cdn.example.net\x`, "https://cdn.example.net/x"},
		{page, `\x\y`, "https://example.org/x/y"},
		{page, "https:x", "https://example.org/a/b/x"},
		{page, "https:/x", "https://example.org/x"},
		{page, "http:x", "http://x/"},
		{page, "http:/x/y", "http://x/y"},
		{page, "HTTP://EXAMPLE.net:80/%7Euser", "http://example.net/%7Euser"},
		{page, " \t/a\nb\r ", "https://example.org/ab"},
		{page, "100%", "https://example.org/a/b/100%"},
		{page, "%zz%4", "https://example.org/a/b/%zz%4"},
		{page, "ä b\"<>`{}^|[]'", "https://example.org/a/b/%C3%A4%20b%22%3C%3E%60%7B%7D%5E%7C[]'"},
		{page, "?ä b\"<>`{}^|[]'", "https://example.org/a/b/page.html?%C3%A4%20b%22%3C%3E`{}^|[]%27"},
		{page, "//bücher.example/", "https://xn--bcher-kva.example/"},
		{page, "//BÜCHER.example/", "https://xn--bcher-kva.example/"},
		{page, "//b%C3%BCcher.example/", "https://xn--bcher-kva.example/"},
		{page, "//faß.example/", "https://xn--fa-hia.example/"},
		{page, "//a。b.example/", "https://a.b.example/"},
		{page, "//a_b.example/", "https://a_b.example/"},
		{page, "//user:secret@example.net/x", "https://example.net/x"},
		{page, "//127.1/", "https://127.0.0.1/"},
		{page, "//0x7f.1/", "https://127.0.0.1/"},
		{page, "//0177.0.0.1/", "https://127.0.0.1/"},
		{page, "//2130706433/", "https://127.0.0.1/"},
		{page, "//%31%32%37.0.0.1/", "https://127.0.0.1/"},
		{page, "//①②⑦.0.0.1/", "https://127.0.0.1/"},
		{page, "//127.0.0.1./", "https://127.0.0.1/"},
		{page, "//[::FFFF:127.0.0.1]:8080/", "https://[::ffff:7f00:1]:8080/"},
		{page, "//example.net:0443/", "https://example.net/"},
		{page, "//example.net:/", "https://example.net/"},
		{page, "", "https://example.org/a/b/page.html?old"},
		{"https://example.org", "x", "https://example.org/x"},
		{"https://example.org:8080/", "//example.net", "https://example.net/"},
	} {
		base, err := weburl.Parse(c.base)
		if err != nil {
			t.Fatal(err)
		}
		got, err := base.Resolve(c.ref, nil)
		if err != nil || got.String() != c.want {
			t.Errorf("%q on %q = %q, %v; want %q", c.ref, c.base, got, err, c.want)
		}
	}
}

func TestInvalid(t *testing.T) {
	for text, want := range map[string]weburl.Kind{
		"":                             weburl.NoScheme,
		"x.png":                        weburl.NoScheme,
		"//example.org/":               weburl.NoScheme,
		"ftp://example.org/":           weburl.OtherScheme,
		"mailto:a@example.org":         weburl.OtherScheme,
		"data:text/plain,x":            weburl.OtherScheme,
		"http://":                      weburl.NoHost,
		"http:///":                     weburl.NoHost,
		"http://:80/":                  weburl.NoHost,
		"http://a@/":                   weburl.NoHost,
		"http://exa mple.org/":         weburl.InvalidHost,
		"http://a%2Fb/":                weburl.InvalidHost,
		"http://a%00b/":                weburl.InvalidHost,
		"http://a<b/":                  weburl.InvalidHost,
		"http://\u00ad/":               weburl.InvalidHost,
		"http://xn--ä/":                weburl.InvalidHost,
		"http://\xff/":                 weburl.InvalidHost,
		"http://300.1.1.1/":            weburl.InvalidIPv4,
		"http://1.2.3.4.5/":            weburl.InvalidIPv4,
		"http://a.1/":                  weburl.InvalidIPv4,
		"http://-1.0.0.1/":             weburl.InvalidIPv4,
		"http://+1/":                   0,
		"http://089/":                  weburl.InvalidIPv4,
		"http://0xg/":                  0,
		"http://99999999999999999999/": weburl.InvalidIPv4,
		"http://[::1/":                 weburl.InvalidIPv6,
		"http:[":                       weburl.InvalidIPv6,
		"http://[[::1]]/":              weburl.InvalidIPv6,
		"http://[::1%25eth0]/":         weburl.InvalidIPv6,
		"http://[1:2]/":                weburl.InvalidIPv6,
		"http://example.org:65536/":    weburl.InvalidPort,
		"http://example.org:x/":        weburl.InvalidPort,
		"http://example.org:-1/":       weburl.InvalidPort,
		"http://e.org/ä" + strings.Repeat("/", 9000): weburl.TooLong,
		"http://e.org/" + strings.Repeat("/", 9000):  0,
	} {
		u, err := weburl.Parse(text)
		e := &weburl.Error{}
		if err != nil && !errors.As(err, &e) || e.Kind != want {
			t.Errorf("Parse(%.80q) = %.80q, %v (kind %d); want kind %d", text, u, err, e.Kind, want)
		}
	}
}

func TestErrorsShowNoPassword(t *testing.T) {
	for _, text := range []string{"http://me:secret@exa mple/", "http://me:secret@a.1/", "http://me:secret@x:y/", "http://me:secret@/", "http://me:secret@[1]/"} {
		if _, err := weburl.Parse(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Parse(%q): %v", text, err)
		}
	}
	u, err := weburl.Parse("http://me:secret@example.org/")
	if err != nil || u.String() != "http://example.org/" || !u.HasCredentials() {
		t.Errorf("with a password: %q, %v, %v", u, u.HasCredentials(), err)
	}
}

func TestParts(t *testing.T) {
	u, err := weburl.Parse("HTTPS://user@[::1]:8443/a%2fb?q=1&r#x")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"Scheme": {u.Scheme(), "https"}, "Host": {u.Host(), "[::1]:8443"}, "Hostname": {u.Hostname(), "::1"},
		"Port": {u.Port(), "8443"}, "Origin": {u.Origin(), "https://[::1]:8443"}, "Path": {u.Path(), "/a%2fb"}, "Query": {u.Query(), "q=1&r"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s = %q, want %q", name, c[0], c[1])
		}
	}
}

// net/http writes into the request exactly what the standard says.
func TestNetURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://example.org":             "/",
		"http://example.org/a?":          "/a?",
		"http://example.org/100%":        "/100%",
		"http://example.org/%zz?%":       "/%zz?%",
		"http://example.org/a%2Fb":       "/a%2Fb",
		"http://example.org/a^b[c]'d":    "/a%5Eb[c]'d",
		"http://example.org//x":          "//x",
		"http://example.org//100%":       "http://example.org//100%",
		"http://example.org/a;b,c:d@e!$": "/a;b,c:d@e!$",
		"http://example.org/*":           "/*",
		"http://example.org/?a b":        "/?a%20b",
	} {
		u, err := weburl.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		req := &http.Request{Method: "GET", URL: u.NetURL(), Host: u.Host(), Header: http.Header{}}
		if err := req.Write(&b); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if line, _, _ := strings.Cut(b.String(), "\r\n"); line != "GET "+want+" HTTP/1.1" {
			t.Errorf("%q: %q, want %q", text, line, want)
		}
	}
}

// The short way gives the answer of the library, or none.
func FuzzPlain(f *testing.F) {
	bases := []string{"", "http://example.org/", "https://example.org:8080/a/b/c.html?q", "http://127.0.0.1/x//y/"}
	for i, ref := range []string{
		"http://example.org", "https://example.org:443/a?b#c", "//a.b/c", "/x/./y", "../x", "./", "..", "?q", "#f", "a:b", "a/b:c?d:e",
		"http://a.b:080/", "http://a..b/", "http://1.2/", "http://a.0x1/", "http://xn--a/", "/%2e/", "/.%2E", "...", ".a", "http://a_b.c/|", "../../..//x", "https://a.b:65536/", "http://127.0.0.1:80/x", "http://127.0.0.1:8080", "//127.0.0.01/", "http://1.2.3/", "http://256.1.1.1/",
	} {
		f.Add(ref, i)
	}
	f.Fuzz(func(t *testing.T, ref string, n int) {
		var base weburl.URL
		if text := bases[uint(n)%uint(len(bases))]; text != "" {
			base, _ = weburl.Parse(text)
		}
		short, ok := base.ShortWay(ref)
		if !ok || len(ref) > 4096 {
			return
		}
		if long, err := base.ResolveStandard(ref); err != nil || long != short {
			t.Errorf("%q on %q: %+v, by the library %+v, %v", ref, base, short, long, err)
		}
	})
}

// What a URL wrote is parsed to itself.
func FuzzAgain(f *testing.F) {
	for _, text := range []string{"http://a/b?c", "http://u:p@a:1/%", "http://[::1]/", "http://0x7f.1/", "http://ä/ä?ä", "http:\\\\a//.//..%2e"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := weburl.Parse(text)
		if err != nil {
			return
		}
		v, err := weburl.Parse(u.String())
		if err != nil || v.String() != u.String() || v.Host() != u.Host() || v.Path() != u.Path() || v.Query() != u.Query() {
			t.Errorf("%q: %q is parsed to %q, %v", text, u, v, err)
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	base, _ := weburl.Parse("https://example.org/a/b/page.html")
	for name, ref := range map[string]string{"absolute": "https://cdn.example.org/static/main.css?v=12", "relative": "../img/logo.png", "odd": "bild ä.png"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				base.Resolve(ref, nil)
			}
		})
	}
}
