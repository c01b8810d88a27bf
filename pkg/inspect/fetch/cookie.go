package fetch

import (
	"strconv"
	"strings"
	"time"
)

// The limits of one cookie (RFC 6265bis, section 5.6).
const (
	maxCookieBytes    = 4096 // of name and value
	maxAttributeBytes = 1024 // longer attributes are ignored
)

// siteRule is which requests get a cookie that come from another site.
type siteRule int

const (
	siteDefault siteRule = iota // as siteLax
	siteNone                    // all
	siteLax                     // those of a page that is opened
	siteStrict                  // none
)

// cookie is a Set-Cookie line, or a cookie of the jar.
type cookie struct {
	name, value string
	domain      string    // of the attribute; in the jar that which it is for
	hostOnly    bool      // domain is a host, and its subdomains do not get the cookie
	path        string    // "" or the attribute; in the jar never ""
	expires     time.Time // zero: never, within one inspection
	secure      bool
	site        siteRule
	created     int // in the order of the jar
}

// parseCookie parses a Set-Cookie line (RFC 6265bis, section 5.6). net/http's
// parser drops quotes, cookies without a name and those with spaces
// (https://go.dev/issue/46443).
func parseCookie(line string, now time.Time) (c cookie, ok bool) {
	if strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0 {
		return c, false
	}
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, hasName := strings.Cut(pair, "=")
	if !hasName {
		name, value = "", pair
	}
	c.name, c.value = trimSpace(name), trimSpace(value)
	if n := len(c.name) + len(c.value); n == 0 || n > maxCookieBytes {
		return c, false
	}
	maxAge := false
	for attribute := range strings.SplitSeq(attributes, ";") {
		key, value, _ := strings.Cut(attribute, "=")
		if key, value = trimSpace(key), trimSpace(value); len(value) > maxAttributeBytes {
			continue
		}
		switch strings.ToLower(key) {
		case "expires":
			if t, ok := parseCookieDate(value); ok && !maxAge {
				c.expires = t
			}
		case "max-age":
			if t, ok := parseMaxAge(value, now); ok {
				c.expires, maxAge = t, true
			}
		case "domain":
			c.domain = strings.ToLower(strings.TrimPrefix(value, "."))
		case "path":
			c.path = value
		case "secure":
			c.secure = true
		case "samesite":
			c.site = map[string]siteRule{"none": siteNone, "lax": siteLax, "strict": siteStrict}[strings.ToLower(value)]
		}
	}
	if c.path != "" && c.path[0] != '/' {
		c.path = ""
	}
	return c, true
}

// prefixed reports whether c may have its name: those that begin with __Secure- or
// __Host- promise what the cookie has to keep. A value without a name would be
// sent as if it were one.
func (c *cookie) prefixed() bool {
	name := c.name
	if name == "" {
		name = c.value
	}
	switch {
	case hasPrefixFold(name, "__Secure-"):
		return c.name != "" && c.secure
	case hasPrefixFold(name, "__Host-"):
		return c.name != "" && c.secure && c.domain == "" && c.path == "/"
	}
	return true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func trimSpace(s string) string { return strings.Trim(s, " \t") }

// parseMaxAge returns when a cookie with the Max-Age s expires.
func parseMaxAge(s string, now time.Time) (time.Time, bool) {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(s, 10, 32)
	switch {
	case n <= 0:
		return time.Unix(0, 0), true
	case err != nil:
		n = 1 << 30
	}
	return now.Add(time.Duration(n) * time.Second), true
}

// parseCookieDate reads the date of an Expires attribute, in which parts may
// stand in any order (RFC 6265bis, section 5.1.1).
func parseCookieDate(s string) (time.Time, bool) {
	year, month, day, hour := -1, 0, -1, -1
	var minute, second int
	for _, token := range strings.FieldsFunc(s, dateDelimiter) {
		h, m, sec, isTime := clock(token)
		n, digits := leadingNumber(token)
		switch {
		case hour < 0 && isTime:
			hour, minute, second = h, m, sec
		case day < 0 && (digits == 1 || digits == 2):
			day = n
		case month == 0 && monthOf(token) > 0:
			month = monthOf(token)
		case year < 0 && digits >= 2 && digits <= 4:
			year = n
		}
	}
	switch {
	case year >= 70 && year <= 99:
		year += 1900
	case year >= 0 && year <= 69:
		year += 2000
	}
	if day < 1 || day > 31 || month == 0 || year < 1601 || hour < 0 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day // "31 Feb" is no date
}

func dateDelimiter(r rune) bool {
	return r == '\t' || r >= ' ' && r <= '/' || r >= ';' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~'
}

// clock reads h:m:s, after which anything but a digit may follow.
func clock(token string) (h, m, s int, ok bool) {
	parts := strings.SplitN(token, ":", 3)
	if len(parts) < 3 {
		return 0, 0, 0, false
	}
	h, hDigits := leadingNumber(parts[0])
	m, mDigits := leadingNumber(parts[1])
	s, sDigits := leadingNumber(parts[2])
	return h, m, s, hDigits == len(parts[0]) && mDigits == len(parts[1]) && min(hDigits, mDigits, sDigits) >= 1 && max(hDigits, mDigits, sDigits) <= 2
}

// leadingNumber returns the number that token begins with, and its digits.
func leadingNumber(token string) (n, digits int) {
	for digits < len(token) && token[digits] >= '0' && token[digits] <= '9' {
		digits++
	}
	if digits <= 4 {
		n, _ = strconv.Atoi(token[:digits])
	}
	return n, digits
}

func monthOf(token string) int {
	if len(token) < 3 {
		return 0
	}
	i := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(token[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return i/3 + 1
}
