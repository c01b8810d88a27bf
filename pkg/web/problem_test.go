package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"libra/pkg/libra"
	"libra/pkg/web"
)

type problem struct {
	Type, Title, Detail, Instance string
	Status                        int
}

func TestProblems(t *testing.T) {
	t.Parallel()
	h := started(t)
	long := strings.Repeat("a", 70_000)
	for _, c := range []struct {
		method, path, contentType, body string
		code                            int
		detail                          string
	}{
		{"POST", "/api/pages", jsonType, `{"url":"https://example.org/","evry":"30s"}`, 400, `"evry"`},
		{"POST", "/api/pages", jsonType, `{"url":"/etc/passwd"}`, 400, "give one such as https://example.org/"},
		{"POST", "/api/pages", jsonType, `{"url":"file:///etc/passwd"}`, 400, "only http and https"},
		{"POST", "/api/pages", jsonType, `{"url":7}`, 400, `"url" must be a string`},
		{"POST", "/api/pages", jsonType, `{"url":null}`, 400, `"url" must be a string`},
		{"POST", "/api/pages", jsonType, `{}`, 400, `"url" must be a string`},
		{"POST", "/api/pages", jsonType, `{"url":"https://a/"} {}`, 400, "not a JSON object"},
		{"POST", "/api/pages", jsonType, `[]`, 400, "not a JSON object"},
		{"POST", "/api/pages", jsonType, `{"url":"` + long + `"}`, 413, "65536 bytes"},
		{"POST", "/api/pages", "text/plain", `{"url":"https://a/"}`, 415, "application/json"},
		{"POST", "/api/pages", jsonType + "; charset=utf-16", `{"url":"https://a/"}`, 415, "in UTF-8"},
		{"POST", "/api/pages", jsonType + "; charset=UTF-8", `{"url":"http://127.0.0.1:99999/"}`, 400, "must be 1 to 65535"},
		{"POST", "/api/pages", jsonType, `{"url":"http://a..b/"}`, 400, "empty label"},
		{"POST", "/api/pages", jsonType, `{"url":"http://127.0.0.1/"}`, 400, "127.0.0.1 is a private address: ask the operator of this Libra to add 127.0.0.0/8 to LIBRA_ALLOW"},
		{"POST", "/api/pages", jsonType, `{"url":"http://2130706433/x"}`, 400, "127.0.0.1 is a private address"},
		{"POST", "/api/pages", jsonType, `{"url":"http://[::1]:8080/"}`, 400, "::1 is a private address"},
		{"POST", "/api/pages", jsonType, `{"url":"http://localhost/"}`, 400, "is this machine, and 127.0.0.1 is a private address"},
		{"POST", "/api/pages", jsonType, `{"url":"http://10.0.0.1/","every":"30s"}`, 400, "to add 10.0.0.0/8 to LIBRA_ALLOW"},
		{"POST", "/pages", jsonType, `{"url":"https://a/"}`, 415, "x-www-form-urlencoded"},
		{"POST", "/pages", "application/x-www-form-urlencoded", "url=" + long, 413, "65536 bytes"},
		{"DELETE", "/api/pages", "", "", 405, "GET, HEAD, POST"},
		{"GET", "/nowhere", "", "", 404, "/nowhere"},
		{"GET", "/api/pages/short", "", "", 404, "POST its URL"},
		{"GET", "/api/pages?limit=0", "", "", 400, "from 1 to 500"},
		{"GET", "/api/pages?limit=501", "", "", 400, "from 1 to 500"},
		{"GET", "/api/pages?after=x", "", "", 400, "left out"},
		{"GET", "/api/alarms?state=odd", "", "", 400, "must be raised or cleared"},
		{"GET", "/alarms?after=x", "", "", 400, "left out"},
		{"GET", "/alarms/bus?limit=0", "", "", 400, "from 1 to 500"},
		{"POST", "/alarms/bus/acknowledge", jsonType, `{}`, 415, "x-www-form-urlencoded"},
		{"POST", "/alarms/bus/acknowledge", "application/x-www-form-urlencoded", "name=" + long[:201], 400, "201 bytes long"},
		{"POST", "/api/alarms/bus/acknowledge", jsonType, `{"text":"` + long[:1001] + `"}`, 400, "1001 bytes long"},
		{"POST", "/pages/short/watch", "application/x-www-form-urlencoded", "every=30s", 404, "POST its URL"},
		{"POST", "/api/channels/" + long[:201] + "/test", "", "", 400, "201 bytes long"},
		{"PUT", "/api/silences", "", "", 405, "GET, HEAD, POST"},
		{"GET", "/api/events?page=odd", "", "", 400, "must be the id of a page"},
		{"GET", "/static/none.css", "", "", 404, "none.css"},
	} {
		name := c.method + " " + c.path + " " + c.body[:min(len(c.body), 40)]
		got := h.do(c.method, c.path, c.body, "Content-Type", c.contentType)
		if got.code != c.code || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s = %d %s %s", name, got.code, got.header.Get("Content-Type"), got.body)
			continue
		}
		var p problem
		got.into(t, &p)
		path, _, _ := strings.Cut(c.path, "?")
		if p.Type == "" || p.Title == "" || p.Status != c.code || p.Instance != path || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s = %+v, want a detail with %q", name, p, c.detail)
		}
		got = h.do(c.method, c.path, c.body, "Content-Type", c.contentType, "Accept", "text/html")
		if got.code != c.code || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.body, "<main") {
			t.Errorf("%s for a browser = %d %s", name, got.code, got.header.Get("Content-Type"))
		}
	}
	if allow := h.do("DELETE", "/api/pages", "").header.Get("Allow"); allow != "GET, HEAD, POST" {
		t.Errorf("Allow = %q", allow)
	}
	golden(t, "problem.json", h.do("POST", "/api/pages", `{"urls":[]}`, "Content-Type", jsonType).body)
}

// However much a client sends, it is refused with a status of its own, and the
// next one is served.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	h := started(t)
	const form = "application/x-www-form-urlencoded"
	megabyte := strings.Repeat("a", 1<<20)
	for _, c := range []struct{ path, contentType, body string }{
		{"/api/pages", jsonType, `{"url":"https://a/` + megabyte + `"}`},
		{"/api/silences", jsonType, `{"why":"` + megabyte + `"}`},
		{"/api/alarms/bus/acknowledge", jsonType, `{"text":"` + megabyte + `"}`},
		{"/api/channels/ops/test", "", megabyte},
		{"/pages", form, "url=" + megabyte},
		{"/pages/" + request(1).Page + "/watch", form, "every=" + megabyte},
		{"/silences", form, "why=" + megabyte},
		{"/silences/x/end", form, "name=" + megabyte},
		{"/alarms/bus/acknowledge", form, "text=" + megabyte},
	} {
		if got := h.do("POST", c.path, c.body, "Content-Type", c.contentType); got.code != 413 || !strings.Contains(got.body, "65536 bytes") {
			t.Errorf("%s with 1 MB = %d %s", c.path, got.code, got.body)
		}
	}
	many := http.Header{}
	for n := range 4000 {
		many.Set(fmt.Sprintf("X-%d", n), "y")
	}
	for name, header := range map[string]http.Header{"a header of 40 kB": {"X-Long": {megabyte[:40<<10]}}, "4000 headers": many} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", h.base+"/up", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close() // not read: the server resets the connection
		if resp.StatusCode != 431 {
			t.Errorf("%s = %d", name, resp.StatusCode)
		}
	}
	for _, path := range []string{"/api/pages/" + megabyte[:8000], "/alarms/" + megabyte[:8000], "/" + megabyte[:8000]} {
		if got := h.get(path); got.code != 404 && got.code != 503 {
			t.Errorf("a path of 8 kB = %d %s", got.code, got.body)
		}
	}
	if got := h.get("/up"); got.code != 200 {
		t.Errorf("/up afterwards = %d %s", got.code, got.body)
	}
}

// A browser is answered in words for people: what was asked for, why it was not
// had, where to go. Nothing of it is for programs, and a time is in an element
// that the page's script writes in the reader's zone.
func TestProblemsForPeople(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.fill()
	h.start(web.Config{}).ready()
	ill := quarantined(request(1), noon)
	h.publish(ill)
	h.raise(transition(1, "bus", libra.Raised, libra.Major, 1), transition(2, "bus", libra.Cleared, libra.Major, 1))
	h.listed("quarantined", 1)
	for _, c := range []struct {
		method, path, form string
		code               int
		want               []string
	}{
		{"GET", "/nowhere", "", 404, []string{"<title>There is no such page", "You asked for /nowhere", "may be mistyped", `<a href="/">All pages</a>`, `<a href="/alarms">Alarms</a>`}},
		{"GET", "/pages/" + strings.Repeat("a", 20), "", 404, []string{"<h1>Libra has no such page</h1>", "&#34;aaaaaaaaaaaaaaaaaaaa&#34;", "enter its address"}},
		{"GET", "/pages/short", "", 404, []string{"<h1>Libra has no such page</h1>"}},
		{"GET", "/alarms/none", "", 404, []string{"<h1>There is no such alarm</h1>", "&#34;none&#34;"}},
		{"GET", "/silences", "", 405, []string{"<h1>There is nothing to read here</h1>", "/silences is where a form is sent"}},
		{"GET", "/alarms?after=x", "", 400, []string{"<h1>This link leads nowhere</h1>"}},
		{"GET", "/?after=x", "", 400, []string{"<h1>This link leads nowhere</h1>"}},
		{"POST", "/silences/x/end", "name=", 404, []string{"<h1>This silence is over</h1>"}},
		{"POST", "/alarms/bus/acknowledge", "name=", 409, []string{"<h1>This alarm has cleared</h1>", `cleared by itself on <time datetime="2026-03-01T12:02:00Z">`, `<a href="/alarms/bus">`}},
		{"POST", "/pages", "url=" + url.QueryEscape(ill.Request.URL), 409, []string{
			"<h1>This page is in quarantine</h1>", `since <time datetime="2026-03-01T12:00:00Z">`, "ended its inspector 3 times", `<a href="/pages/` + ill.Request.Page + `">`,
		}},
		{"POST", "/pages/" + request(2).Page + "/release", "", 404, []string{"<h1>Libra has no such page</h1>"}},
	} {
		got := h.do(c.method, c.path, c.form, "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "Sec-Fetch-Site", "same-origin")
		if got.code != c.code || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s %s = %d %s", c.method, c.path, got.code, got.header.Get("Content-Type"))
		}
		for _, want := range c.want {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s %s lacks %q:\n%s", c.method, c.path, want, got.body)
			}
		}
		_, main, _ := strings.Cut(got.body, "<main")
		main, _, _ = strings.Cut(main, "</main>")
		text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(main, "")
		if found := regexp.MustCompile(`(?i)/api/|\bjson\b|\bPOST\b|\bprograms?\b|urn:|\d{4}-\d\d-\d\dT\S*|reason_details|\bbus cannot\b`).FindString(text); found != "" {
			t.Errorf("%s %s says %q:\n%s", c.method, c.path, found, text)
		}
	}
}
