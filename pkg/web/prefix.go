package web

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"libra/pkg/libra"
	"libra/pkg/web/api"
)

// base is what BaseURL says: the origin that people's browsers see, and the path
// below which a reverse proxy serves Libra.
type base struct{ origin, host, prefix string }

func parseBase(text string) (b base) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return base{}
	}
	b.origin, b.host = u.Scheme+"://"+u.Host, u.Host
	b.prefix, _ = libra.ParsePathPrefix(u.EscapedPath())
	return b
}

// forwardedPrefix is the prefix that the reverse proxies of a request name, the
// outermost first. ok is false if they name none, or one that is not plain: the
// links of the answer then begin with the prefix of the base URL.
func forwardedPrefix(h http.Header) (prefix string, ok bool) {
	for _, value := range h.Values("X-Forwarded-Prefix") {
		part, plain := libra.ParsePathPrefix(strings.TrimSpace(value))
		if !plain {
			return "", false
		}
		prefix += part
	}
	prefix, ok = libra.ParsePathPrefix(prefix)
	return prefix, ok && prefix != ""
}

// below lets every handler see the path without the prefix, whether or not the
// proxy has removed it, and make its links with it.
func (s *Server) below(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix, forwarded := forwardedPrefix(r.Header)
		if !forwarded {
			prefix = s.base.prefix
		}
		if prefix != "" {
			r = api.WithPrefix(r, prefix)
			// A path of ours may begin like the prefix: /status below /status.
			if _, ours := mux.Handler(r); ours == "" {
				if !removePrefix(r, prefix) {
					removePrefix(r, s.base.prefix)
				}
			}
		}
		w.Header().Add("Vary", "X-Forwarded-Prefix")
		next.ServeHTTP(w, r)
	})
}

// removePrefix takes the prefix off the path of r, and reports whether it was
// there. It replaces the URL, which the caller's request shares.
func removePrefix(r *http.Request, prefix string) bool {
	cut := func(p string) (string, bool) {
		rest, ok := strings.CutPrefix(p, prefix)
		return "/" + strings.TrimPrefix(rest, "/"), ok && (rest == "" || rest[0] == '/')
	}
	rest, ok := cut(r.URL.Path)
	raw, rawOK := cut(r.URL.EscapedPath())
	if prefix == "" || !ok || !rawOK {
		return false
	}
	u := *r.URL
	u.Path, u.RawPath = rest, raw
	r.URL = &u
	return true
}

// cleanPath is p, which is escaped, without empty segments and dot segments. The redirect that
// http.ServeMux has for others leads outside of the prefix.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if clean != "/" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean
}
