package address_test

import (
	"net/netip"
	"testing"

	"libra/pkg/inspect/address"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// A literal private address is refused however it is written; a name is not looked at.
func TestCheckHost(t *testing.T) {
	for _, c := range []struct{ allow, url, text string }{
		{"", "http://127.0.0.1/", "127.0.0.1 is a private address"},
		{"", "http://2130706433/", "127.0.0.1 is a private address"},
		{"", "http://0x7f.1:8080/x", "127.0.0.1 is a private address"},
		{"", "http://0/", "0.0.0.0 is a private address"},
		{"", "http://[::1]/", "::1 is a private address"},
		{"", "http://[::ffff:10.0.0.1]/", "10.0.0.1 is a private address"},
		{"", "http://[fe80::1]/", "fe80::1 is a private address"},
		{"", "https://169.254.169.254/latest", "169.254.169.254 is a private address"},
		{"", "http://localhost:3000/", `"localhost" is this machine, and 127.0.0.1 is a private address`},
		{"", "http://LOCALHOST./", `"localhost" is this machine, and 127.0.0.1 is a private address`},
		{"", "http://a.localhost/", `"a.localhost" is this machine, and 127.0.0.1 is a private address`},
		{"10.0.0.0/8", "http://127.0.0.1/", "127.0.0.1 is a private address"},
		{"127.0.0.0/8", "http://127.0.0.1/", ""},
		{"127.0.0.0/8", "http://[::ffff:127.0.0.1]/", ""},
		{"::1/128", "http://localhost/", ""},
		{"", "https://93.184.215.14/", ""},
		{"", "https://[2606:4700::1111]/", ""},
		{"", "https://example.org/", ""},
		{"", "https://localhost.example.org/", ""},
	} {
		var allow []netip.Prefix
		if c.allow != "" {
			allow = append(allow, netip.MustParsePrefix(c.allow))
		}
		u, err := weburl.Parse(c.url)
		if err != nil {
			t.Fatalf("%s: %v", c.url, err)
		}
		err = address.NewGuard(allow, address.AskOperator).CheckHost(u.Hostname())
		if c.text == "" {
			if err != nil {
				t.Errorf("%s with %q: %v", c.url, c.allow, err)
			}
			continue
		}
		if why := libra.ReasonOf(err); err == nil || why.Text != c.text || why.Code != libra.CodeAddressForbidden {
			t.Errorf("%s with %q: %+v, want %q", c.url, c.allow, why, c.text)
		}
	}
}

func TestRemedyIsForTheReader(t *testing.T) {
	ip := netip.MustParseAddr("10.1.2.3")
	for want, guard := range map[string]address.Guard{
		"allow it with --allow 10.0.0.0/8": address.NewGuard(nil, nil),
		"ask the operator of this Libra to add 10.0.0.0/8 to LIBRA_ALLOW in libra.env and to restart libra-web and the inspectors": address.NewGuard(nil, address.AskOperator),
	} {
		if got := libra.ReasonOf(guard.Check(ip)).Remedy; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The address space of an address; what is behind a translation is as public as it.
func TestSpace(t *testing.T) {
	guard := address.NewGuard([]netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("64:ff9b::/96"),
	}, nil).AsPublic([]netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")})
	for ip, want := range map[string]address.Space{
		"93.184.215.14": address.Public, "2606:4700::1111": address.Public, "127.0.0.1": address.Private, "::1": address.Private,
		"::ffff:127.0.0.1": address.Private, "127.0.1.9": address.Public, "::ffff:127.0.1.9": address.Public, "10.0.0.1": address.Forbidden,
		"fe80::1%eth0": address.Forbidden, "64:ff9b::5db8:d70e": address.Public, "64:ff9b::7f00:1": address.Private, "::127.0.0.1": address.Forbidden,
	} {
		if got := guard.Space(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: space %d, want %d", ip, got, want)
		}
	}
}
