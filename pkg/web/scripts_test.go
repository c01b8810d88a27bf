package web_test

import (
	"strings"
	"testing"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// A page whose scripts may fetch more weighs at least and scores at most what its
// report says, in the list, on its page and in JSON, and is not compared with
// other pages.
func TestScriptsMayFetchMore(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := reported(request(1), noon)
	r.Report.ScriptsNotExecuted, r.Report.MayFetchMore = &libra.Scripts{Count: 1, Bytes: 2048}, true
	r.Budget = &event.Judged{Lines: 1, Over: []string{}}
	h.publish(r)
	h.awaitListed(r)
	for path, want := range map[string][]string{
		"/": {"at least 10.3 kB", ">at least 2</td>", `title="1 script was not executed (2.0 kB decoded): it may fetch more"`, ">at most 100</span>"},
		"/pages/" + r.Request.Page: {
			"<dd>at least 10.3 kB</dd>", "<dd>at least 2</dd>", "<dd>at most 100</dd>", "1 script was not executed (2.0 kB decoded): it may fetch more.",
			"Not compared with the web&#39;s desktop pages", "scores its weight at most 1.00 of 1", "emits at least",
			"which counts at least what was fetched", `<td class="n">≥ 10.3 kB</td>`,
			"total-byte-weight: at most 1.00 for at least 10.3 kB", "at least 10.3 kB ×", "rated A&#43; at best.</dd>",
		},
	} {
		html := h.get(path, "Accept", "text/html").body
		for _, text := range want {
			if !strings.Contains(html, text) {
				t.Errorf("%s lacks %q:\n%s", path, text, html)
			}
		}
		for _, text := range []string{"Lighter than", "Excellent", "99.9 %"} {
			if strings.Contains(html, text) {
				t.Errorf("%s has %q", path, text)
			}
		}
	}
	for _, path := range []string{"/api/pages/" + r.Request.Page, "/api/pages"} {
		body := h.get(path).body
		for _, text := range []string{`"may_fetch_more":true`, `"scripts_not_executed":{"count":1,"bytes":2048`, `"score":100,"at_most":true`, `"transfer_bytes":10350`} {
			if !strings.Contains(body, text) {
				t.Errorf("%s lacks %s:\n%s", path, text, body)
			}
		}
	}
	if body := h.get("/api/pages/" + r.Request.Page).body; !strings.Contains(body, `"heavier":null`) {
		t.Errorf("no term without a share:\n%s", body)
	}
}
