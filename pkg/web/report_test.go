package web_test

import (
	"strings"
	"testing"

	"libra/pkg/libra"
)

// A report is headed by the page's title, and links to the page.
func TestReportHasTitleAndLink(t *testing.T) {
	t.Parallel()
	h := started(t)
	titled, untitled := reported(request(1), noon), reported(request(2), noon)
	titled.Report.Title = "Annual <report> & more"
	h.publish(titled, untitled)
	h.awaitListed(titled, untitled)
	for r, heading := range map[string]string{request(1).Page: "<bdi>Annual &lt;report&gt; &amp; more</bdi>", request(2).Page: "example.org/0002/"} {
		html := h.get("/pages/"+r, "Accept", "text/html").body
		if !strings.Contains(html, "<h1>"+heading+"</h1>") {
			t.Errorf("the page lacks the heading %q:\n%s", heading, html)
		}
	}
	if html := h.get("/pages/"+request(1).Page, "Accept", "text/html").body; !strings.Contains(html, `<a href="https://example.org/0001/" rel="noreferrer nofollow">https://example.org/0001/</a>`) {
		t.Errorf("the report does not link to its page:\n%s", html)
	}
	var p struct{ Report libra.Report }
	if h.get("/api/pages/"+request(1).Page).into(t, &p); p.Report.Title != titled.Report.Title {
		t.Errorf("title in JSON: %q", p.Report.Title)
	}
}
