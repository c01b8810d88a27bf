package runbook

import (
	"net"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"libra/pkg/libra"
)

// Values are what the placeholders of a runbook's commands stand for, by their
// names in capitals.
type Values map[string]string

// The placeholders.
const (
	PageURL     = "URL"      // of the page
	PageHost    = "HOST"     // of that URL, without its port
	PageAddress = "HOST:443" // with its port
	PageID      = "ID"       // of the page
	Unit        = "UNIT"     // the systemd unit of the component
	Channel     = "CHANNEL"  // of notifications
)

// unitName matches a component, with its instance.
var unitName = regexp.MustCompile(`^libra-[a-z]+(@[A-Za-z0-9]+)?$`)

// ValuesOf are the values that an alarm names.
func ValuesOf(a libra.Alarm) Values {
	v := Values{}
	if u, err := url.Parse(a.Target); a.Scope == libra.ScopePage && err == nil && u.Hostname() != "" {
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80"}[u.Scheme]
		}
		if port == "" {
			port = "443"
		}
		v[PageURL], v[PageHost], v[PageAddress], v[PageID] = a.Target, u.Hostname(), net.JoinHostPort(u.Hostname(), port), a.Page
		if a.Page == "" {
			v[PageID] = libra.PageID(a.Target)
		}
	}
	if unitName.MatchString(a.Target) {
		v[Unit] = a.Target
	}
	if name, ok := strings.CutPrefix(a.Target, "channel "); ok {
		v[Channel] = name
	}
	return v
}

// placeholder matches a whole word, which may be one: not the end of LIBRA_NATS_URL.
var placeholder = regexp.MustCompile(`[A-Za-z0-9_-]+(?::443)?`)

// Fill replaces the placeholders of a command, each by one word of a shell. A value
// that cannot safely be pasted into a terminal is left out.
func (v Values) Fill(command string) string {
	return placeholder.ReplaceAllStringFunc(command, func(word string) string {
		value := v[word]
		if value == "" || strings.HasPrefix(value, "-") || strings.ContainsFunc(value, notPrinted) {
			return word
		}
		return quote(value)
	})
}

// notPrinted reports whether a terminal may act on r, or show it as something else.
func notPrinted(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }

// bare matches what a shell takes as it is.
var bare = regexp.MustCompile(`^[A-Za-z0-9@%+=:,./_-]+$`)

// quote writes a value as one word of a POSIX shell.
func quote(value string) string {
	if bare.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
