package inspect

import (
	"net/netip"
	"strings"

	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// mixed applies https://w3c.github.io/webappsec-mixed-content/: a reference over
// http from a document or style sheet over https is upgraded if it is an image or
// media of a named host, and blocked otherwise. It says whether ref is blocked, and
// labels it then.
func mixed(ref *markup.Reference, initiator string) (blocked bool) {
	if !strings.HasPrefix(ref.URL, "http://") || !strings.HasPrefix(initiator, "https://") {
		return false
	}
	u, err := weburl.Parse(ref.URL)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	switch {
	case markup.Trustworthy(ref.URL):
		return false
	case err != nil && (ref.Type == libra.Image || ref.Type == libra.Media):
		ref.URL = u.Upgraded().String()
		ref.Reason += ", over https like the page"
		return false
	}
	ref.Fetch, ref.Reason = libra.Unused, ref.Reason+", blocked: http on an https page"
	return true
}
