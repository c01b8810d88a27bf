package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"libra/pkg/libra"
)

// maxValidator bounds an ETag or Last-Modified; longer ones are ignored.
const maxValidator = 256

// cacheable returns how long a browser may cache a response (RFC 9111, section
// 4.2), nil where the response does not say.
func cacheable(status int, h http.Header, now time.Time) *libra.Cache {
	control := directives(h)
	if _, ok := control["no-store"]; ok {
		return &libra.Cache{NoStore: true}
	}
	c := libra.Cache{ETag: validator(h, "Etag"), LastModified: validator(h, "Last-Modified")}
	c.FreshS = int64(freshness(status, h, control, now) / time.Second)
	if c == (libra.Cache{}) {
		return nil
	}
	return &c
}

func validator(h http.Header, name string) string {
	if v := h.Get(name); len(v) <= maxValidator {
		return v
	}
	return ""
}

// directives are those of Cache-Control, by lower-case name.
func directives(h http.Header) map[string]string {
	lines := h["Cache-Control"]
	if len(lines) == 0 {
		if strings.EqualFold(h.Get("Pragma"), "no-cache") {
			return map[string]string{"no-cache": ""}
		}
		return nil
	}
	found := map[string]string{}
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			name = strings.ToLower(name)
			if _, ok := found[name]; !ok {
				found[name] = strings.Trim(value, `"`)
			}
		}
	}
	return found
}

// freshness returns how long from now the response is fresh.
func freshness(status int, h http.Header, control map[string]string, now time.Time) time.Duration {
	if _, ok := control["no-cache"]; ok {
		return 0
	}
	age := seconds(h.Get("Age"))
	date, ok := httpTime(h, "Date")
	if !ok {
		date = now
	}
	if v, ok := control["max-age"]; ok {
		return max(seconds(v)-age, 0)
	}
	if v := h.Get("Expires"); v != "" {
		expires, err := http.ParseTime(v)
		if err != nil {
			return 0 // "0" and the like: expired
		}
		return max(expires.Sub(date)-age, 0)
	}
	switch status {
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		return forever
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusPartialContent, http.StatusNotFound, http.StatusGone:
		if modified, ok := httpTime(h, "Last-Modified"); ok {
			return max(date.Sub(modified)/10-age, 0)
		}
	}
	return 0
}

// forever is a lifetime beyond every use.
const forever = 365 * 24 * time.Hour

// httpTime parses a date of h; ok is false if it is missing or invalid.
func httpTime(h http.Header, name string) (time.Time, bool) {
	v := h.Get(name)
	if v == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(v)
	return t, err == nil
}

func seconds(v string) time.Duration {
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, int64(10*forever/time.Second))) * time.Second
}
