package weburl

import "strings"

// Standard returns the whole URL of any scheme that input names, with its
// credentials and its fragment, as [URL] has it for http and https.
func Standard(base, input string) (href string, ok bool) {
	p, d := newParser()
	u, err := p.ParseRef(base, input)
	if err != nil {
		return "", false
	}
	href = u.Href(false)
	if d.ascii != "" {
		href = strings.Replace(href, someHost, d.ascii, 1)
	}
	return href, true
}

// ResolveStandard is Resolve without the short way, ShortWay nothing else.
func (u URL) ResolveStandard(ref string) (URL, error) { return u.standard(ref, nil) }

// ShortWay: see ResolveStandard.
func (u URL) ShortWay(ref string) (URL, bool) { return u.plain(ref) }
