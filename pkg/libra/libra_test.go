package libra_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
)

func TestParseURL(t *testing.T) {
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
		{"http://127.0.0.1:99999/", "", `invalid URL "http://127.0.0.1:99999/": port "99999" must be 1 to 65535`},
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
		{"http://exa mple.org/", "", "is not a URL"},
		{"http://example.org/" + strings.Repeat("a", 9000), "", "at most"},
	} {
		got, err := libra.ParseURL(c.in)
		switch {
		case c.fault == "" && (err != nil || got != c.want):
			t.Errorf("ParseURL(%q) = %q, %v; want %q", c.in, got, err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("ParseURL(%q) = %q, %v; want an error about %q", c.in, got, err, c.fault)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("ParseURL(%q) shows the password: %v", c.in, err)
		}
	}
}

func TestPageID(t *testing.T) {
	a, b := libra.PageID("https://example.org/"), libra.PageID("https://example.org/a")
	if a == b || len(a) != 20 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("page ids %q, %q", a, b)
	}
}

func TestSum(t *testing.T) {
	assets := []libra.Asset{
		{Type: libra.Document, HeaderBytes: 1, EncodedBytes: 10, DecodedBytes: 20, Fetch: libra.Fetched},
		{Type: libra.Image, HeaderBytes: 2, EncodedBytes: 100, DecodedBytes: 100, Fetch: libra.Fetched},
		{Type: libra.Image, HeaderBytes: 2, EncodedBytes: 100, DecodedBytes: 100, Fetch: libra.Lazy},
	}
	image := libra.Size{Requests: 1, HeaderBytes: 2, EncodedBytes: 100, DecodedBytes: 100, TransferBytes: 102}
	want := libra.Totals{
		Size:   libra.Size{Requests: 2, HeaderBytes: 3, EncodedBytes: 110, DecodedBytes: 120, TransferBytes: 113},
		ByType: map[libra.ResourceType]libra.Size{libra.Document: {1, 1, 10, 20, 11}, libra.Image: image},
	}
	got := libra.Sum(assets)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Sum (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]libra.ResourceType{libra.Document, libra.Image}, got.Types()); diff != "" {
		t.Error(diff)
	}
}

func TestParsePrefix(t *testing.T) {
	for in, want := range map[string]string{"127.0.0.1": "127.0.0.1/32", "10.1.2.3/8": "10.0.0.0/8", "::1": "::1/128", "localhost": "", "10.0.0.0/99": ""} {
		got, err := libra.ParsePrefix(in)
		if (want == "") != (err != nil) || err == nil && got.String() != want {
			t.Errorf("ParsePrefix(%q) = %v, %v; want %q", in, got, err, want)
		}
	}
}
