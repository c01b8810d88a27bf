package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"libra/pkg/web"
)

// proxy is a reverse proxy that serves the rig below a prefix.
type proxy struct {
	prefix    string
	strip     bool   // it removes the prefix, or sends paths as they are
	forwarded string // the X-Forwarded-Prefix that it sends, "" for none
	keepHost  bool   // it sends the Host of the browser, or that of its upstream
}

// before starts the proxy in front of h, which may start later.
func (p proxy) before(h *rig) (root string) {
	front := httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		upstream, err := url.Parse(h.base)
		if err != nil {
			h.t.Error(err)
		}
		if p.strip {
			r.Out.URL.Path, r.Out.URL.RawPath = strings.TrimPrefix(r.Out.URL.Path, p.prefix), strings.TrimPrefix(r.Out.URL.RawPath, p.prefix)
		}
		r.SetURL(upstream)
		if p.keepHost {
			r.Out.Host = r.In.Host
		}
		if p.forwarded != "" {
			r.Out.Header.Set("X-Forwarded-Prefix", p.forwarded)
		}
	}}
	mux := http.NewServeMux()
	mux.Handle(p.prefix+"/", &front)
	server := httptest.NewServer(mux)
	h.t.Cleanup(server.Close)
	return server.URL
}

// crawler follows every link of a site below a prefix.
type crawler struct {
	t      *testing.T
	prefix string                // of every link
	root   *url.URL              // of the site
	seen   map[string]bool       // paths and queries
	forms  map[string]url.Values // what the forms send, by their actions
}

// crawl gets everything that is reached from where, and fails the test for what
// does not answer or leads outside.
func crawl(t *testing.T, root, prefix string, where ...string) *crawler {
	t.Helper()
	u, err := url.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	c := &crawler{t, prefix, u, map[string]bool{}, map[string]url.Values{}}
	for queue := where; len(queue) > 0; queue = queue[1:] {
		if !c.seen[queue[0]] {
			c.seen[queue[0]] = true
			queue = append(queue, c.visit(queue[0])...)
		}
	}
	return c
}

// visit gets one address and returns those that it refers to.
func (c *crawler) visit(ref string) (found []string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.root.String()+ref, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close() // a stream of events has no end
	absent := strings.Contains(ref, "nowhere") || strings.Contains(ref, "/aaaaa")
	if absent != (resp.StatusCode == http.StatusNotFound) || !absent && resp.StatusCode != http.StatusOK {
		c.t.Errorf("GET %s = %s", ref, resp.Status)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	tree, err := html.Parse(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for n := range tree.Descendants() {
		if n.Type == html.ElementNode {
			found = append(found, c.refs(ref, n)...)
		}
	}
	return found
}

// refs returns the addresses of this site that an element leads to by GET.
func (c *crawler) refs(page string, n *html.Node) (found []string) {
	c.t.Helper()
	for _, a := range n.Attr {
		if !slices.Contains([]string{"href", "src", "action", "data-listen"}, a.Key) {
			continue
		}
		at, err := c.root.Parse(page)
		if err != nil {
			c.t.Fatal(err)
		}
		to, err := at.Parse(a.Val)
		if err != nil {
			c.t.Errorf("%s has %s=%q: %v", page, a.Key, a.Val, err)
			continue
		}
		if to.Host != c.root.Host {
			if !strings.HasSuffix(to.Hostname(), "example.org") && !strings.HasSuffix(to.Hostname(), ".example") { // the pages inspected
				c.t.Errorf("%s leads to %s", page, to)
			}
			continue
		}
		if !strings.HasPrefix(to.Path, c.prefix+"/") {
			c.t.Errorf("%s leads outside of %s/ by %s=%q", page, c.prefix, a.Key, a.Val)
		}
		if a.Key == "action" {
			c.forms[to.RequestURI()] = fields(n)
		} else {
			found = append(found, to.RequestURI())
		}
	}
	return found
}

// fields is what a form sends if nobody changes it, and where it requires
// something, that.
func fields(form *html.Node) url.Values {
	sent := url.Values{}
	for n := range form.Descendants() {
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		_, required := attr["required"]
		_, selected := attr["selected"]
		switch {
		case n.Data == "input" && attr["value"] == "" && required && attr["type"] == "url":
			sent.Set(attr["name"], "https://example.org/new")
		case n.Data == "input" && attr["value"] == "" && required, n.Data == "textarea" && required:
			sent.Set(attr["name"], "x")
		case n.Data == "input":
			sent.Set(attr["name"], attr["value"])
		case n.Data == "option" && selected && attr["value"] != "":
			for _, a := range n.Parent.Attr {
				if a.Key == "name" {
					sent.Set(a.Val, attr["value"])
				}
			}
		}
	}
	if sent.Has("alarm") && sent.Get("alarm") == "" {
		sent.Set("alarm", "no.such") // a silence has to match something
	}
	if sent.Has("name") {
		sent.Set("name", "Ann")
	}
	return sent
}

// send sends every form, and fails the test where the answer leads outside.
func (c *crawler) send() {
	c.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for action, values := range c.forms {
		req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.root.String()+action, strings.NewReader(values.Encode()))
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "text/html")
		req.Header.Set("Origin", c.root.String()) // as over plain HTTP, without Sec-Fetch-Site
		resp, err := client.Do(req)
		if err != nil {
			c.t.Fatal(err)
		}
		resp.Body.Close()
		if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, c.prefix+"/") {
			c.t.Errorf("POST %s = %s, Location %q", action, resp.Status, to)
		}
		for _, cookie := range resp.Cookies() {
			if cookie.Path != c.prefix+"/" {
				c.t.Errorf("POST %s sets a cookie for %q", action, cookie.Path)
			}
		}
	}
}

// Below a path prefix every link, form and script of every page leads to an
// address below it that answers, whether the prefix is known from BaseURL or from
// the proxy, and whether the proxy removes it or not.
func TestEveryLinkStaysBelowPrefix(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		base string // path of the base URL; "" without a base URL
		proxy
	}{
		"removed, base URL":               {"/libra/", proxy{prefix: "/libra", strip: true}},
		"kept, base URL":                  {"/tools/libra", proxy{prefix: "/tools/libra"}},
		"removed, X-Forwarded-Prefix":     {"", proxy{prefix: "/libra", strip: true, forwarded: "/libra", keepHost: true}},
		"kept, X-Forwarded-Prefix":        {"/other", proxy{prefix: "/libra", forwarded: "/libra/"}},
		"removed, like a path of Libra's": {"/status", proxy{prefix: "/status", strip: true}},
		"kept, like a path of Libra's":    {"/status", proxy{prefix: "/status"}},
		"no prefix":                       {"/", proxy{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRig(t)
			h.fill() // what is neither on the bus nor in SQLite never was
			root := c.before(h)
			cfg := web.Config{}
			if c.base != "" {
				cfg.BaseURL = root + c.base
			}
			h.start(cfg).ready()
			h.populate()
			var where []string
			for _, path := range sitePaths() {
				where = append(where, c.prefix+path)
			}
			crawled := crawl(t, root, c.prefix, where...)
			if len(crawled.seen) < 60 || len(crawled.forms) < 10 {
				t.Errorf("only %d addresses and %d forms were found", len(crawled.seen), len(crawled.forms))
			}
			crawled.send()
		})
	}
}

// What the API answers names addresses below the prefix, too.
func TestAPIBelowPrefix(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.fill()
	h.start(web.Config{BaseURL: "https://libra.example.org/libra/"}).ready()
	id := request(1).Page
	if got := h.submit(request(1).URL); got.code != 202 || got.header.Get("Location") != "/libra/api/pages/"+id {
		t.Errorf("submit = %d, Location %q", got.code, got.header.Get("Location"))
	}
	var p problem
	h.get("/libra/api/pages/short").into(t, &p)
	if p.Status != 404 || p.Instance != "/libra/api/pages/short" {
		t.Errorf("problem = %+v", p)
	}
	for from, to := range map[string]string{"/libra//alarms?after=x": "/libra/alarms?after=x", "/libra/api/../status": "/libra/status", "//alarms": "/libra/alarms", "/libra//evil.example/": "/libra/evil.example/", "/libra//alarms/a%2F..%2Fb?x=%2F": "/libra/alarms/a%2F..%2Fb?x=%2F"} {
		if got := h.get(from); got.code != 307 || got.header.Get("Location") != to {
			t.Errorf("GET %s = %d, Location %q, want %q", from, got.code, got.header.Get("Location"), to)
		}
	}
	h.get("/libra/alarms/a%2F%2Fb").into(t, &p)
	if p.Status != 404 || p.Instance != "/libra/alarms/a%2F%2Fb" {
		t.Errorf("an id with slashes: problem = %+v", p)
	}
	for _, path := range []string{"/libra", "/libra/", "/libra/up", "/up", "/libra/api/pages/" + id} {
		if got := h.get(path); got.code != 200 {
			t.Errorf("GET %s = %d", path, got.code)
		}
	}
	if got := h.get("/librarian/alarms"); got.code != 404 {
		t.Errorf("a path that only begins like the prefix = %d", got.code)
	}
}

// Whatever a request says of its prefix: a link leads nowhere else, and nothing
// of it is in the page unless it is a plain path.
func TestHostileForwardedPrefix(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{BaseURL: "https://libra.example.org/libra"}).ready()
	for _, evil := range []string{"//evil.example", "https://evil.example", `/"><script>alert(1)</script>`, "/a/../..", "javascript:alert(1)", `/\evil.example`, "/" + strings.Repeat("a", 300), "/a, /b"} {
		page := h.get("/", "Accept", "text/html", "X-Forwarded-Prefix", evil).body
		if strings.Contains(page, "evil") || strings.Contains(page, "alert(1)") || !strings.Contains(page, `href="/libra/alarms"`) {
			t.Errorf("X-Forwarded-Prefix: %s gives\n%s", evil, page)
		}
		if got := h.submit(request(1).URL, "X-Forwarded-Prefix", evil); got.header.Get("Location") != "/libra/api/pages/"+request(1).Page {
			t.Errorf("X-Forwarded-Prefix: %s gives Location %q", evil, got.header.Get("Location"))
		}
	}
	got := h.get("/", "Accept", "text/html", "X-Forwarded-Prefix", "/tools/libra/")
	if !strings.Contains(got.body, `href="/tools/libra/alarms"`) || !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "X-Forwarded-Prefix") {
		t.Errorf("a plain prefix gives %v\n%s", got.header, got.body)
	}
}
