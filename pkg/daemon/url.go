package daemon

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"libra/pkg/libra"
)

// URL takes a URL of one of the schemes, with a host; "" is valid.
func URL(p *string, example string, schemes ...string) func(string) error {
	return func(s string) error {
		if s != "" && !soundURL(s, schemes) {
			return fmt.Errorf("must be a URL such as %s", example)
		}
		*p = s
		return nil
	}
}

// URLs takes several, separated by commas. It keeps what it refuses, so that
// Program.Check can go by it.
func URLs(p *string, example string, schemes ...string) func(string) error {
	return func(s string) error {
		*p = s
		for _, one := range strings.Split(s, ",") {
			if s != "" && !soundURL(strings.TrimSpace(one), schemes) {
				return fmt.Errorf("must be a URL such as %s, or several with commas between them", example)
			}
		}
		return nil
	}
}

// WebURL is URL for what people and programs reach over HTTP.
func WebURL(p *string, example string) func(string) error {
	return URL(p, example, "http", "https")
}

// BaseURL is WebURL for where people reach Libra. Its path, if any, is the one
// below which a reverse proxy serves it.
func BaseURL(p *string, example string) func(string) error {
	return func(s string) error {
		var sound string
		if err := WebURL(&sound, example)(s); err != nil {
			return err
		}
		u, err := url.Parse(s)
		if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("must be a URL such as %s, without user, query and fragment", example)
		}
		if _, plain := libra.ParsePathPrefix(u.EscapedPath()); !plain {
			return fmt.Errorf("must have a path of letters, digits, and - . _ ~ only, such as %slibra", example)
		}
		*p = sound
		return nil
	}
}

func soundURL(s string, schemes []string) bool {
	u, err := url.Parse(s)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || strings.ContainsAny(s, " \t") {
		return false
	}
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.Atoi(u.Port())
	return err == nil && port > 0 && port < 65536
}
