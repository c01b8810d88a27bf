package libra_test

import (
	"testing"

	"libra/pkg/libra"
)

func TestHostURL(t *testing.T) {
	for _, c := range []struct{ host, server, want string }{
		{"box", "http://127.0.0.1:8080", "http://box:8080"},
		{"box.example.org", "http://127.0.0.1:80/", "http://box.example.org"},
		{"box", "http://127.0.0.1", "http://box"},
		{"", "http://127.0.0.1:8080", ""},
		{"box", "http://[::1", ""},
	} {
		if got := libra.HostURL(c.host, c.server); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.host, c.server, got, c.want)
		}
	}
}
