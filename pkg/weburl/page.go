package weburl

import (
	"errors"
	"fmt"
	"strings"

	"libra/pkg/libra"
)

// example is a remedy.
const example = "give one such as https://example.org/"

// ParsePage checks that text can name a page and returns its URL; the id of the
// page is libra.PageID of its text. Beyond the standard, a page has no user name,
// a port that can be connected to, and a host whose labels are not empty.
// The error is a [libra.Reason] with CodeInvalidURL; its text has the value at
// fault.
func ParsePage(text string) (URL, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return URL{}, invalid(example, "the URL is empty")
	}
	if len(text) > libra.MaxURLBytes {
		return URL{}, invalid("", "URL %.40q… is %d bytes long: must be at most %d", text, len(text), libra.MaxURLBytes)
	}
	u, err := Parse(text)
	if err != nil {
		return URL{}, notPage(text, err)
	}
	name := strings.TrimSuffix(u.Hostname(), ".")
	switch {
	case u.HasCredentials():
		return URL{}, invalid("remove what stands before the @", "URL %q carries a user name", Redacted(text))
	case u.Port() == "0":
		return URL{}, invalid("", "invalid URL %.200q: port \"0\" must be 1 to 65535", text)
	case name == "" || name[0] == '.' || strings.Contains(name, ".."):
		return URL{}, invalid("check its dots", "invalid URL %.200q: host %q has an empty label", text, u.Hostname())
	}
	return u, nil
}

// ParseTyped is ParsePage for an address that a person typed: without a scheme,
// https is meant, as in browsers, and guessed says so. A host with a port has none:
// "localhost:8080".
func ParseTyped(text string) (u URL, guessed bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" || hasWebScheme(text) {
		u, err = ParsePage(text)
		return u, false, err
	}
	rest, relative := strings.CutPrefix(text, "//")
	if !relative && strings.ContainsRune(`/\?#-.`, rune(text[0])) {
		return URL{}, false, invalid(example, "%q is not a URL", text)
	}
	u, err = ParsePage("https://" + rest)
	if err != nil {
		r := libra.ReasonOf(err)
		r.Text = strings.Replace(r.Text, "https://", "", 1) // what was not typed
		err = r
	}
	return u, true, err
}

// hasWebScheme reports whether text begins with a scheme rather than with a host and
// its port.
func hasWebScheme(text string) bool {
	text = clean(text)
	scheme, ok := schemeOf(text)
	return ok && (strings.HasPrefix(text[len(scheme):], "://") || scheme == "http" || scheme == "https" || knownScheme[scheme])
}

// Unguessed returns the text that ParseTyped reads as the page at url, whose scheme
// was guessed.
func Unguessed(url string) string { return strings.TrimPrefix(url, "https://") }

// notPage explains why Parse refused text.
func notPage(text string, err error) error {
	e := &Error{}
	errors.As(err, &e)
	shown := Redacted(text)
	switch e.Kind {
	case NoScheme:
		return invalid("start it with https:// or http://", "%q is not a URL", shown)
	case OtherScheme:
		if !strings.Contains(text, "://") && !knownScheme[e.Part] {
			return invalid("start it with https:// or http://", "%q is not a URL", shown)
		}
		return invalid("only http and https can be inspected", "URL %q has scheme %q", shown, e.Part)
	case NoHost:
		return invalid(example, "URL %q names no host", shown)
	case InvalidPort:
		return invalid("", "invalid URL %.200q: the port must be 1 to 65535", shown)
	case TooLong:
		return invalid("", "URL %.40q… is longer than %d bytes when written out", shown, maxOdd)
	}
	return invalid("check its spelling", "%.200q is not a URL: %s", shown, e)
}

// knownScheme holds what people paste that is a URL but no web page; anything
// else before a colon is a host ("localhost:8080").
var knownScheme = map[string]bool{"file": true, "data": true, "javascript": true, "mailto": true, "tel": true, "about": true, "blob": true, "ftp": true, "ws": true, "wss": true}

// Redacted returns text with nothing of what stands before an @ in its authority,
// which could be a password.
func Redacted(text string) string {
	start := 0
	if scheme, ok := schemeOf(text); ok {
		start = len(scheme) + 1
	}
	for start < len(text) && (text[start] == '/' || text[start] == '\\') {
		start++
	}
	end := len(text)
	if i := strings.IndexAny(text[start:], `/\?#`); i >= 0 {
		end = start + i
	}
	if at := strings.LastIndexByte(text[start:end], '@'); at >= 0 {
		return text[:start] + "xxxxx" + text[start+at:]
	}
	return text
}

func invalid(remedy, format string, args ...any) error {
	return libra.Reason{Code: libra.CodeInvalidURL, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}
