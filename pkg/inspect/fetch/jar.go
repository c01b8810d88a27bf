package fetch

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

const (
	// jarBytes bounds the cookies of one session; beyond it the oldest go. Chromium
	// keeps 180 of a site.
	jarBytes = 512 << 10
	// cookieOverhead is what a cookie takes beside its text.
	cookieOverhead = 200
	// maxCookieLine bounds a Cookie header.
	maxCookieLine = 16 << 10
)

// jar holds the cookies of one inspection by RFC 6265bis, section 5.7 and 5.8, with
// Chromium's defaults: a cookie without SameSite is Lax, and SameSite=None needs
// Secure. It is safe for concurrent use.
type jar struct {
	mu      sync.Mutex
	cookies []cookie // under mu, in the order of their creation
	bytes   int64    // under mu: of cookies
	created int      // under mu: how many were
}

// visit is a request as cookies see it.
type visit struct {
	url weburl.URL
	// foreign: the request is for another site than that of the page, or comes from
	// a frame of another site.
	foreign bool
	// opens: the response replaces the page.
	opens bool
	now   time.Time
}

// visit returns the request of r for u, as cookies see it.
func (s *Session) visit(r Request, u weburl.URL) visit {
	v := visit{url: u, opens: r.Type == libra.Document && (r.TopLevel || r.Referrer == ""), now: time.Now()}
	top := s.top.Load()
	if top == nil || r.Referrer == "" {
		return v // the page itself, which nothing leads to
	}
	from, _ := weburl.Parse(r.Referrer)
	v.foreign = !sameSite(*top, u) || !sameSite(*top, from)
	return v
}

// secure: cookies for TLS alone may be sent and set. Chromium trusts this machine, too.
func (v visit) secure() bool { return trustworthy(v.url) }

// keep stores the cookies of a response.
func (j *jar) keep(v visit, lines []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range lines {
		if c, ok := parseCookie(line, v.now); ok && j.accepts(v, &c) {
			j.put(c, v.now)
		}
	}
}

// accepts reports whether v may set c, and completes it.
func (j *jar) accepts(v visit, c *cookie) bool {
	switch {
	case c.secure && !v.secure(), c.site == siteNone && !c.secure, !c.prefixed():
		return false
	case c.site != siteNone && v.foreign && !v.opens:
		return false
	}
	host := v.url.Hostname()
	if suffix, _ := publicsuffix.PublicSuffix(c.domain); c.domain != "" && suffix == c.domain {
		if c.domain != host {
			return false
		}
		c.domain = ""
	}
	if c.domain == "" {
		c.domain, c.hostOnly = host, true
	} else if !domainMatch(host, c.domain) {
		return false
	}
	if c.path == "" {
		c.path = defaultPath(v.url.Path())
	}
	return c.secure || v.secure() || !slices.ContainsFunc(j.cookies, func(old cookie) bool {
		return old.secure && old.name == c.name && (domainMatch(old.domain, c.domain) || domainMatch(c.domain, old.domain)) && pathMatch(c.path, old.path)
	})
}

// put stores c in the place of the cookie of the same name, domain and path.
func (j *jar) put(c cookie, now time.Time) {
	c.created = j.created
	if i := slices.IndexFunc(j.cookies, func(old cookie) bool {
		return old.name == c.name && old.domain == c.domain && old.hostOnly == c.hostOnly && old.path == c.path
	}); i >= 0 {
		c.created = j.cookies[i].created
		j.remove(i)
	}
	if !c.expires.IsZero() && !c.expires.After(now) {
		return
	}
	j.created++
	// The line they come from may be much longer, and must not be retained.
	c.name, c.value, c.domain, c.path = strings.Clone(c.name), strings.Clone(c.value), strings.Clone(c.domain), strings.Clone(c.path)
	j.cookies = append(j.cookies, c)
	for j.bytes += c.size(); j.bytes > jarBytes; {
		j.remove(0)
	}
}

func (j *jar) remove(i int) {
	j.bytes -= j.cookies[i].size()
	j.cookies = slices.Delete(j.cookies, i, i+1)
}

func (c *cookie) size() int64 {
	return int64(len(c.name)+len(c.value)+len(c.domain)+len(c.path)) + cookieOverhead
}

// header returns the Cookie header of a request, "" without cookies.
func (j *jar) header(v visit) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []cookie
	for _, c := range j.cookies {
		if c.goesWith(v) {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b cookie) int {
		if n := len(b.path) - len(a.path); n != 0 {
			return n
		}
		return a.created - b.created
	})
	var line strings.Builder
	for _, c := range list {
		if line.Len()+len(c.name)+len(c.value)+3 > maxCookieLine {
			break
		}
		if line.Len() > 0 {
			line.WriteString("; ")
		}
		if c.name != "" {
			line.WriteString(c.name)
			line.WriteByte('=')
		}
		line.WriteString(c.value)
	}
	return line.String()
}

func (c *cookie) goesWith(v visit) bool {
	host := v.url.Hostname()
	switch {
	case c.hostOnly && host != c.domain, !domainMatch(host, c.domain), !pathMatch(v.url.Path(), c.path):
		return false
	case c.secure && !v.secure(), !c.expires.IsZero() && !c.expires.After(v.now):
		return false
	case c.site == siteNone || !v.foreign:
		return true
	}
	return v.opens && c.site != siteStrict
}

// domainMatch: host is domain, or a subdomain of it.
func domainMatch(host, domain string) bool {
	if host == domain {
		return true
	}
	if !strings.HasSuffix(host, "."+domain) {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err != nil
}

// defaultPath is the folder of a path.
func defaultPath(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// pathMatch: path is folder, or lies in it.
func pathMatch(path, folder string) bool {
	rest, ok := strings.CutPrefix(path, folder)
	return ok && (rest == "" || folder[len(folder)-1] == '/' || rest[0] == '/')
}
