package weburl_test

import (
	"strings"
	"testing"

	"libra/pkg/weburl"
)

func TestParsePage(t *testing.T) {
	for _, c := range []struct{ in, want, fault string }{
		{"https://Example.ORG", "https://example.org/", ""},
		{" http://example.org:80/a#top ", "http://example.org/a", ""},
		{"HTTPS://example.org:443/?q=1#x", "https://example.org/?q=1", ""},
		{"http://[::1]:8080/x", "http://[::1]:8080/x", ""},
		{"http://[::1]:80", "http://[::1]/", ""},
		{"http://[0:0::0:1]/", "http://[::1]/", ""},
		{"http://127.1/a", "http://127.0.0.1/a", ""},
		{"http://2130706433:8080/", "http://127.0.0.1:8080/", ""},
		{"http://0x7F.1/", "http://127.0.0.1/", ""},
		{"http://0177.0.0.01/", "http://127.0.0.1/", ""},
		{"http://127.0.0.1./", "http://127.0.0.1/", ""},
		{"http://0x/", "http://0.0.0.0/", ""},
		{"http://192.168.257/", "http://192.168.1.1/", ""},
		{"http://1.example.org/", "http://1.example.org/", ""},
		{"http://0xg/", "http://0xg/", ""},
		{"http://example.org.:80/", "http://example.org./", ""},
		{"http://example.org:0080/", "http://example.org/", ""},
		{"http://example.org:08080/", "http://example.org:8080/", ""},
		{"http://example.org:/", "http://example.org/", ""},
		{"http://127.0.0.1:99999/", "", `invalid URL "http://127.0.0.1:99999/": the port must be 1 to 65535`},
		{"http://127.0.0.1:0/", "", `port "0" must be 1 to 65535`},
		{"http://a..b/", "", "empty label"},
		{"http://.b/", "", "empty label"},
		{"http://./", "", "empty label"},
		{"http://300.1.1.1/", "", "not an IPv4 address"},
		{"http://1.2.3.4.5/", "", "not an IPv4 address"},
		{"http://a.1/", "", "not an IPv4 address"},
		{"http://089/", "", "not an IPv4 address"},
		{"http://4294967296/", "", "not an IPv4 address"},
		{"http://99999999999999999999/", "", "not an IPv4 address"},
		{"", "", "empty"},
		{"example.org", "", "start it with https://"},
		{"localhost:8080/x", "", "start it with https://"},
		{"example.org:8080", "", "start it with https://"},
		{"file:///etc/passwd", "", `scheme "file"`},
		{"javascript:alert(1)", "", `scheme "javascript"`},
		{"ftp://example.org/", "", `scheme "ftp"`},
		{"http://", "", "names no host"},
		{"http://:80/", "", "names no host"},
		{"http://me:secret@example.org/", "", "user name"},
		{"http:me:secret@example.org", "", "user name"},
		{`http:\\me:secret@example.org\`, "", "user name"},
		{"http://me:secret@exa mple.org/", "", "is not a URL"},
		{"http://example.org/a/../b/./c/%2e%2e/d", "http://example.org/b/d", ""},
		{"http://example.org/100%", "http://example.org/100%", ""},
		{"http://bücher.example/ä?ä#ä", "http://xn--bcher-kva.example/%C3%A4?%C3%A4", ""},
		{"https:example.org", "https://example.org/", ""},
		{`https:\\example.org\a`, "https://example.org/a", ""},
		{"http://[::1/", "", "not an IPv6 address"},
		{"http://exa mple.org/", "", "is not a URL"},
		{"http://example.org/" + strings.Repeat("a", 9000), "", "at most"},
	} {
		got, err := weburl.ParsePage(c.in)
		switch {
		case c.fault == "" && (err != nil || got.String() != c.want):
			t.Errorf("ParsePage(%q) = %q, %v; want %q", c.in, got, err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("ParsePage(%q) = %q, %v; want an error about %q", c.in, got, err, c.fault)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("ParsePage(%q) shows the password: %v", c.in, err)
		}
	}
}

// What people type without a scheme means https.
func TestParseTyped(t *testing.T) {
	for _, c := range []struct {
		in, want string
		guessed  bool
	}{
		{"example.org", "https://example.org/", true},
		{"  EXAMPLE.org/Path?q=a b#top\n", "https://example.org/Path?q=a%20b", true},
		{"example.org:8080/path", "https://example.org:8080/path", true},
		{"example.org:443", "https://example.org/", true},
		{"localhost:8080/?next=https://x.test/", "https://localhost:8080/?next=https://x.test/", true},
		{"localhost:8080", "https://localhost:8080/", true},
		{"localhost", "https://localhost/", true},
		{"127.0.0.1:8000", "https://127.0.0.1:8000/", true},
		{"[::1]:8000/x", "https://[::1]:8000/x", true},
		{"bücher.example", "https://xn--bcher-kva.example/", true},
		{"//example.org/x", "https://example.org/x", true},
		{"example.org?q", "https://example.org/?q", true},
		{"wiki", "https://wiki/", true},
		{"http.example", "https://http.example/", true},
		{"http://example.org", "http://example.org/", false},
		{"HTTPS://example.org", "https://example.org/", false},
		{"https:example.org", "https://example.org/", false},
		{`http:\\example.org`, "http://example.org/", false},
	} {
		u, guessed, err := weburl.ParseTyped(c.in)
		if err != nil || u.String() != c.want || guessed != c.guessed {
			t.Errorf("ParseTyped(%q) = %q, %v, %v; want %q, %v", c.in, u, guessed, err, c.want, c.guessed)
		}
		if again, guessed, err := weburl.ParseTyped(weburl.Unguessed(c.want)); c.guessed && (err != nil || !guessed || again != u) {
			t.Errorf("%q again: %q, %v, %v", c.in, again, guessed, err)
		}
	}
	for in, fault := range map[string]string{
		"": "empty", "/etc/passwd": "is not a URL", "?q": "is not a URL", "#top": "is not a URL", "--help": "is not a URL", "..": "is not a URL",
		"ftp://example.org": `scheme "ftp"`, "mailto:a@example.org": `scheme "mailto"`, "file:///etc/passwd": `scheme "file"`, "gopher://x": `scheme "gopher"`,
		"two words": "is not a URL", "me:secret@example.org": "user name", "example.org:99999": "must be 1 to 65535", "example.org:port": "must be 1 to 65535", "a..b": "empty label",
	} {
		u, _, err := weburl.ParseTyped(in)
		if err == nil || !strings.Contains(err.Error(), fault) || strings.Contains(err.Error(), "secret") || in != "" && strings.Contains(err.Error(), "https://"+in) {
			t.Errorf("ParseTyped(%q) = %q, %v; want an error about %q", in, u, err, fault)
		}
	}
}
