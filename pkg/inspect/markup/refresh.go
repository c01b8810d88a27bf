package markup

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/libra"
)

// refresh is where a document sends its visitor by itself.
type refresh struct {
	url     string // "" for none
	seconds int
}

// meta visits a <meta>. As measured, Chromium follows the refresh with the
// shortest time, and of two with the same the later one, once the document and
// what it refers to has been loaded; it follows none in a sandboxed frame.
func (w *walker) meta(n *html.Node) {
	switch strings.ToLower(attr(n, "http-equiv")) {
	case "refresh":
		w.refreshTo(attr(n, "content"))
	case "default-style":
		w.prefer(strings.TrimSpace(attr(n, "content")))
	case "content-security-policy":
		w.policy(n)
	}
}

func (w *walker) refreshTo(content string) {
	seconds, target, ok := parseRefresh(content)
	if !ok || target == "" || w.env.Sandboxed {
		return
	}
	abs, ok := w.absolute(target)
	if https, _ := upgraded(abs); ok && w.doc.Upgrade && (w.env.Framed || sameHost(abs, w.doc.URL)) {
		abs = https // another site is left to itself
	}
	if !ok || abs == stripFragment(w.doc.URL) {
		return // the document itself
	}
	late := refresh{abs, seconds}
	if w.refresh.url == "" || seconds <= w.refresh.seconds {
		w.refresh, late = late, w.refresh
	}
	if late.url != "" {
		w.list(Reference{URL: late.url, Type: libra.Document, Fetch: libra.Unused, Reason: "refresh, and another one comes before it"})
	}
}

// followRefresh lists the document that the refresh leads to.
func (w *walker) followRefresh() {
	if w.refresh.url == "" {
		return
	}
	r := Reference{URL: w.refresh.url, Type: libra.Document, Fetch: libra.Fetched, Reason: "refresh at once", Kind: Frame}
	r.Width, r.Height, r.TopLevel = w.env.Width, w.env.Height, !w.env.Framed
	if w.refresh.seconds > 0 {
		r.Fetch, r.Kind, r.Reason = libra.Conditional, Leaf, fmt.Sprintf("refresh after %d s", w.refresh.seconds)
	}
	w.list(r)
}

// parseRefresh reads what a refresh says: whole seconds, what follows the point
// is ignored, and a URL, "" for the document itself.
//
// https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps
func parseRefresh(s string) (seconds int, url string, ok bool) {
	s = strings.TrimLeft(s, space)
	rest := strings.TrimLeft(s, "0123456789")
	if digits := s[:len(s)-len(rest)]; digits != "" {
		var err error
		if seconds, err = strconv.Atoi(digits); err != nil {
			seconds = 1 << 30
		}
	} else if !strings.HasPrefix(rest, ".") {
		return 0, "", false
	}
	rest = strings.TrimLeft(rest, "0123456789.")
	if rest == "" {
		return seconds, "", true
	}
	if !strings.ContainsRune(space+";,", rune(rest[0])) {
		return 0, "", false
	}
	rest = strings.TrimLeft(rest, space)
	if rest != "" && (rest[0] == ';' || rest[0] == ',') {
		rest = strings.TrimLeft(rest[1:], space)
	}
	return seconds, refreshURL(rest), true
}

// refreshURL removes "url=" and quotes.
func refreshURL(s string) string {
	if len(s) >= 3 && strings.EqualFold(s[:3], "url") {
		if after, ok := strings.CutPrefix(strings.TrimLeft(s[3:], space), "="); ok {
			s = strings.TrimLeft(after, space)
		}
	}
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		quote := s[0]
		s = s[1:]
		if end := strings.IndexByte(s, quote); end >= 0 {
			s = s[:end]
		}
	}
	return s
}
