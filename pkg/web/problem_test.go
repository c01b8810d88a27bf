package web_test

import (
	"strings"
	"testing"
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
		{"POST", "/api/pages", jsonType, `{"url":"example.org"}`, 400, "start it with https://"},
		{"POST", "/api/pages", jsonType, `{"url":"file:///etc/passwd"}`, 400, "only http and https"},
		{"POST", "/api/pages", jsonType, `{"url":7}`, 400, `"url" must be a text`},
		{"POST", "/api/pages", jsonType, `{"url":null}`, 400, `"url" must be a text`},
		{"POST", "/api/pages", jsonType, `{}`, 400, `"url" must be a text`},
		{"POST", "/api/pages", jsonType, `{"url":"https://a/"} {}`, 400, "not a JSON object"},
		{"POST", "/api/pages", jsonType, `[]`, 400, "not a JSON object"},
		{"POST", "/api/pages", jsonType, `{"url":"` + long + `"}`, 413, "65536 bytes"},
		{"POST", "/api/pages", "text/plain", `{"url":"https://a/"}`, 415, "application/json"},
		{"POST", "/api/pages", jsonType + "; charset=utf-16", `{"url":"https://a/"}`, 415, "in UTF-8"},
		{"POST", "/api/pages", jsonType + "; charset=UTF-8", `{"url":"http://127.0.0.1:99999/"}`, 400, "must be 1 to 65535"},
		{"POST", "/api/pages", jsonType, `{"url":"http://a..b/"}`, 400, "empty label"},
		{"POST", "/pages", jsonType, `{"url":"https://a/"}`, 415, "x-www-form-urlencoded"},
		{"POST", "/pages", "application/x-www-form-urlencoded", "url=" + long, 413, "65536 bytes"},
		{"DELETE", "/api/pages", "", "", 405, "GET, HEAD, POST"},
		{"GET", "/nowhere", "", "", 404, "/nowhere"},
		{"GET", "/api/pages/short", "", "", 404, "POST its URL"},
		{"GET", "/api/pages?limit=0", "", "", 400, "from 1 to 500"},
		{"GET", "/api/pages?limit=501", "", "", 400, "from 1 to 500"},
		{"GET", "/api/pages?after=x", "", "", 400, "leave it out"},
		{"GET", "/api/alarms?state=odd", "", "", 400, "raised"},
		{"GET", "/alarms?after=x", "", "", 400, "leave it out"},
		{"GET", "/alarms/bus?limit=0", "", "", 400, "from 1 to 500"},
		{"POST", "/alarms/bus/acknowledge", jsonType, `{}`, 415, "x-www-form-urlencoded"},
		{"POST", "/alarms/bus/acknowledge", "application/x-www-form-urlencoded", "name=" + long[:201], 400, "201 bytes long"},
		{"POST", "/api/alarms/bus/acknowledge", jsonType, `{"text":"` + long[:1001] + `"}`, 400, "1001 bytes long"},
		{"POST", "/pages/short/watch", "application/x-www-form-urlencoded", "every=30s", 404, "POST its URL"},
		{"POST", "/api/channels/" + long[:201] + "/test", "", "", 400, "201 bytes long"},
		{"PUT", "/api/silences", "", "", 405, "GET, HEAD, POST"},
		{"GET", "/api/events?page=odd", "", "", 400, "page id"},
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
