package web_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// An address without a scheme means https: over the API, as a watch and in the form.
func TestTypedAddresses(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).ready()
	for typed, want := range map[string]string{
		"example.org": "https://example.org/", " Example.ORG/Path ": "https://example.org/Path", "localhost:8080": "https://localhost:8080/",
		"127.0.0.1:8000/x?y": "https://127.0.0.1:8000/x?y", "bücher.example": "https://xn--bcher-kva.example/",
	} {
		var doc struct{ ID, URL string }
		got := h.submit(typed)
		if got.into(t, &doc); got.code != 202 || doc.URL != want || doc.ID != libra.PageID(want) {
			t.Errorf("%q = %d %s", typed, got.code, got.body)
		}
		if open, err := h.conn.OpenRequest(t.Context(), libra.PageID(want)); err != nil || !open.SchemeGuessed || open.URL != want {
			t.Errorf("%q on the bus: %+v, %v", typed, open, err)
		}
	}
	h.submit("https://example.org/typed")
	if open, err := h.conn.OpenRequest(t.Context(), libra.PageID("https://example.org/typed")); err != nil || open.SchemeGuessed {
		t.Errorf("a scheme that was typed: %+v, %v", open, err)
	}
	if got := h.post("/api/pages", `{"url":"watched.example","every":"1h"}`); got.code != 202 || !strings.Contains(got.body, `"url":"https://watched.example/"`) {
		t.Errorf("watch = %d %s", got.code, got.body)
	}
	if w, err := h.conn.WatchOf(t.Context(), libra.PageID("https://watched.example/")); err != nil || !w.SchemeGuessed {
		t.Errorf("the watch: %+v, %v", w, err)
	}
	got := h.do("POST", "/pages", "url=form.example%2Fx", "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html")
	if want := "/pages/" + libra.PageID("https://form.example/x"); got.code != 303 || got.header.Get("Location") != want {
		t.Errorf("form = %d, Location %q", got.code, got.header.Get("Location"))
	}
	if home := h.get("/", "Accept", "text/html"); strings.Contains(home.body, `type="url"`) {
		t.Error("a browser would refuse an address without a scheme in the form")
	}
}

// However an address is written, one that no inspector may reach is refused.
func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()
	h := started(t)
	for _, text := range []string{"127.1", "0x7f.1", "0177.0.0.1:8080", "http://2130706433/", "①②⑦.0.0.1", "%31%32%37.0.0.1", "[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]/", "LOCALHOST.", "10.1"} {
		if got := h.submit(text); got.code != 400 || !strings.Contains(got.body, "is a private address") {
			t.Errorf("%s = %d %s", text, got.code, got.body)
		}
	}
}

// A page that was inspected over http shows that, and is inspected again in the same
// way.
func TestPageOverHTTP(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := reported(request(1), noon)
	r.Request.SchemeGuessed = true
	r.Report.FinalURL = "http://example.org/0001/"
	r.Report.AddReason(libra.Reason{Code: libra.CodeHTTPOnly, Text: "inspected over http, because https does not answer"})
	h.publish(r)
	h.awaitListed(r)
	page := h.get("/pages/"+r.Request.Page, "Accept", "text/html").body
	for _, want := range []string{"Inspected over http:", "because https does not answer", `name="url" value="example.org/0001/"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "Redirected to") {
		t.Error("the page says that it was redirected")
	}
}

// A page that an earlier version knew by a URL that is written differently today
// keeps its id: it is read, watched and submitted under it, and is not doubled.
func TestPagesOfEarlierVersions(t *testing.T) {
	t.Parallel()
	forms := []string{"https://example.org/a/../b", "https://example.org/?q=ä", "http://b%C3%BCcher.example/", "http://[::ffff:8.8.8.8]/"}
	h := newRig(t)
	for i, form := range forms {
		r := request(i)
		r.URL, r.Page = form, libra.PageID(form)
		h.fill(reported(r, time.Now().Add(-30*24*time.Hour)))
	}
	watched := event.Watch{Page: libra.PageID(forms[0]), URL: forms[0], Site: "home", Client: "alice", EveryS: 3600, At: noon}
	h.setWatch(watched)
	h.start(web.Config{}).ready()
	bustest.Await(t, "the watch", func() bool { return h.watched(watched.Page) != "" })
	for _, form := range forms {
		id := libra.PageID(form)
		if p := h.page(id); p.URL != form || p.Report == nil {
			t.Errorf("%s is %q", form, p.URL)
		}
		var doc struct{ ID, URL string }
		if h.submit(form).into(t, &doc); doc.ID != id || doc.URL != form {
			t.Errorf("submitted again, %s is page %s, %s", form, doc.ID, doc.URL)
		}
	}
	for text, want := range map[string]string{"https://example.org/b": "https://example.org/b", "https://example.org/c/../d": "https://example.org/d", "https://example.org/a/../b#x": "https://example.org/b"} {
		var doc struct{ ID, URL string }
		if h.submit(text).into(t, &doc); doc.URL != want || doc.ID != libra.PageID(want) {
			t.Errorf("%s is page %s, %s", text, doc.ID, doc.URL)
		}
	}
	form := url.Values{"every": {"2h"}}.Encode()
	if got := h.do("POST", "/pages/"+watched.Page+"/watch", form, "Content-Type", "application/x-www-form-urlencoded"); got.code != 303 {
		t.Errorf("its form = %d %s", got.code, got.body)
	}
	if got := h.watched(watched.Page); got != "2h" {
		t.Errorf("after the form it is watched every %q", got)
	}
	if got := h.watched(libra.PageID("https://example.org/b")); got != "" {
		t.Errorf("the page of today's form is watched every %q", got)
	}
	if got := h.post("/api/pages", fmt.Sprintf(`{"url":%q,"every":"off"}`, forms[0])); got.code != 200 || !strings.Contains(got.body, watched.Page) || strings.Contains(got.body, "not watched") {
		t.Errorf("off = %d %s", got.code, got.body)
	}
	if got := h.watched(watched.Page); got != "" {
		t.Errorf("it is still watched every %q", got)
	}
}
