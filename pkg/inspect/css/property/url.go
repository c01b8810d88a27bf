package property

import (
	"strings"

	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// ResolveURL makes ref absolute against base. ok is false for what is no request:
// nothing, a fragment alone (it names the document's own elements), and any
// address that is not http or https.
func ResolveURL(base markup.Base, ref string) (abs string, ok bool) {
	ref = strings.TrimLeft(ref, " \t\n\r\f")
	if ref == "" || ref[0] == '#' {
		return "", false
	}
	return base.Resolve(ref)
}

// URLs lists the url() in any value text.
func URLs(text string, base markup.Base) []string {
	ns, ok := syntax.Values(text)
	if !ok {
		return nil
	}
	var urls []string
	syntax.Walk(ns, func(n syntax.Value) {
		if ref, ok := n.URL(); ok {
			if abs, ok := ResolveURL(base, ref); ok {
				urls = append(urls, abs)
			}
		}
	})
	return urls
}
