package markup

import (
	"net/netip"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"libra/pkg/weburl"
)

// UpgradesInsecure reports whether a Content-Security-Policy has the directive
// upgrade-insecure-requests.
func UpgradesInsecure(policy string) bool {
	for directive := range strings.FieldsFuncSeq(policy, func(r rune) bool { return r == ';' || r == ',' }) {
		if f := strings.Fields(directive); len(f) > 0 && strings.EqualFold(f[0], "upgrade-insecure-requests") {
			return true
		}
	}
	return false
}

// Trustworthy reports whether what an http or https URL names counts as safe from
// others on the way: https, or this machine
// (https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy).
func Trustworthy(raw string) bool {
	if strings.HasPrefix(raw, "https://") {
		return true
	}
	u, err := weburl.Parse(raw)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback() || u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost")
}

// upgradeReason follows the reason of what is requested over https although it
// is named over http.
const upgradeReason = ", over https by upgrade-insecure-requests"

// Upgrade makes r an https request where it names http and is not trustworthy
// (https://w3c.github.io/webappsec-upgrade-insecure-requests/#upgrade-request).
func (r *Reference) Upgrade() {
	if to, ok := upgraded(r.URL); ok {
		r.URL = to
		r.Reason += upgradeReason
	}
	for i := range r.Fallback {
		r.Fallback[i].Upgrade()
	}
}

func upgraded(raw string) (string, bool) {
	u, err := weburl.Parse(raw)
	if err != nil || u.Scheme() != "http" || Trustworthy(raw) {
		return raw, false
	}
	return u.Upgraded().String(), true
}

// policy visits a <meta> that holds a Content-Security-Policy, which counts in
// the head, for what follows it.
func (w *walker) policy(n *html.Node) {
	if n.Parent != nil && n.Parent.DataAtom == atom.Head && UpgradesInsecure(attr(n, "content")) {
		w.doc.Upgrade = true
	}
}
