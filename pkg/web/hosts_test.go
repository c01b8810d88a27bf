package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

type hostsAnswer struct {
	Hosts []struct {
		Host, State, Cause string
		Pages              int
		Why                []string
		Hold               *struct{ State, By, Why string }
	}
	Stale bool
}

func (h *rig) hosts() (list hostsAnswer) {
	h.t.Helper()
	h.get("/api/hosts").into(h.t, &list)
	return list
}

// A host whose breaker an inspector has opened is listed until one closes it: open,
// then half-open.
func TestHostsAreListed(t *testing.T) {
	t.Parallel()
	h := started(t)
	bustest.Await(t, "the list to be read", func() bool { return !h.hosts().Stale })
	inspector := h.bus.Connect("inspector")
	var why libra.ReasonList
	why.AddReason(libra.Because(libra.CodeConnectionRefused, "connection refused by example.org"))
	open := event.Host{
		Host: "example.org", State: libra.HostOpen, Cause: libra.HostNoAnswer, Since: time.Now(), Until: time.Now().Add(2 * time.Second), Pages: 3, Why: &why, Inspector: "1", At: time.Now(),
	}
	if _, err := inspector.PublishHost(t.Context(), open, 0); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"open", "half-open"} {
		bustest.Await(t, "the host to be "+state, func() bool {
			list := h.hosts().Hosts
			return len(list) == 1 && list[0].Host == "example.org" && list[0].State == state && list[0].Pages == 3 && list[0].Hold == nil &&
				strings.Contains(list[0].Why[0], "connection refused")
		})
	}
	if page := h.get("/status").body; !strings.Contains(page, "example.org</strong>") || !strings.Contains(page, "No answer to 3 pages in a row") {
		t.Errorf("the status page does not name the host:\n%s", page)
	}
	_, place, err := inspector.HostOf(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspector.PublishHost(t.Context(), event.Host{Host: "example.org", State: libra.HostClosed, Inspector: "2", At: time.Now()}, place); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "no host to be listed", func() bool { return len(h.hosts().Hosts) == 0 })
}

// An operator holds a host open or closed, with the API and on the page, and releases
// it: inspectors read it on the bus, and it is listed.
func TestHostsAreHeld(t *testing.T) {
	t.Parallel()
	h := started(t)
	bustest.Await(t, "the list to be read", func() bool { return !h.hosts().Stale })
	inspector := h.bus.Connect("inspector")
	const path = "/api/hosts/127.0.0.1:8000/hold"
	held := func(state libra.HostState) {
		t.Helper()
		hold, err := inspector.HoldOf(t.Context(), "127.0.0.1:8000")
		if err != nil || hold.State != state {
			t.Errorf("on the bus is %+v, %v, want %q", hold, err, state)
		}
		list := h.hosts().Hosts
		if state == "" != (len(list) == 0) || state != "" && (list[0].State != string(state) || list[0].Hold.By == "") {
			t.Errorf("listed is %+v, want %q", list, state)
		}
	}
	for range 2 { // a repeat is the same hold
		if got := h.do("POST", path, `{"state":"open","why":"new  disks"}`, "Content-Type", jsonType); got.code != 200 {
			t.Fatalf("%d %s", got.code, got.body)
		}
		held(libra.HostOpen)
	}
	if why := h.hosts().Hosts[0].Hold.Why; why != "new disks" {
		t.Errorf("the reason is %q", why)
	}
	for i, want := range []int{200, 404} {
		if got := h.do("DELETE", path, ""); got.code != want {
			t.Errorf("release, call %d: %d %s, want %d", i+1, got.code, got.body, want)
		}
		held("")
	}
	form := url.Values{"host": {"http://127.0.0.1:8000/x"}, "state": {"closed"}, "name": {"bob"}}
	if got := h.do("POST", "/hosts", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"); got.code != 303 {
		t.Errorf("the form: %d %s", got.code, got.body)
	}
	held(libra.HostClosed)
	if page := h.get("/status").body; !strings.Contains(page, "Pages are inspected also while it does not answer") || !strings.Contains(page, "by bob") {
		t.Errorf("the status page does not name the hold:\n%s", page)
	}
	for body, want := range map[string]string{
		`{"state":"ajar"}`: "must be", `{}`: `key \"state\" must be a string`, `{"state":"open","for":"2h"}`: `key \"for\" is unknown`,
	} {
		if got := h.do("POST", path, body, "Content-Type", jsonType); got.code != 400 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s", body, got.code, got.body)
		}
	}
	if got := h.do("POST", "/api/hosts/a%20b/hold", `{"state":"open"}`, "Content-Type", jsonType); got.code != 400 {
		t.Errorf("an invalid host: %d %s", got.code, got.body)
	}
}

// A page that was not asked for, because of its host, shows its last good report, marked
// stale, and why there is no newer one.
func TestPageOfASuspendedHostIsStale(t *testing.T) {
	t.Parallel()
	h := started(t)
	for n, why := range []libra.Reason{
		{Code: libra.CodeHostSuspended, Text: "example.org gave no answer to 3 pages in a row, and is asked for one at a time until it does; this one was not asked for"},
		{Code: libra.CodeHostBusy, Text: "example.org asked to wait until 12:05; this page was not asked for", Remedy: "inspect it again then"},
		{Code: libra.CodeHostHeld, Text: "alice has suspended the inspections of example.org", Remedy: "resume them with: libra hosts release example.org"},
	} {
		good := reported(request(n+1), noon)
		refused := failed(again(good.Request, string(why.Code)), noon.Add(time.Hour), why)
		h.publish(good, refused)
		bustest.Await(t, string(why.Code)+" to be known", func() bool {
			latest := h.whole(good.Request.Page).Latest
			return latest != nil && latest.Outcome == libra.Error
		})
		p := h.whole(good.Request.Page)
		if !p.Stale || !p.HasReason(why.Code) || p.Report == nil || p.Report.Outcome != libra.Complete || len(p.Report.Assets) != len(good.Report.Assets) || p.Score == nil {
			t.Errorf("%s: %+v", why.Code, p.Page)
		}
		html := h.get("/pages/"+good.Request.Page, "Accept", "text/html").body
		for _, want := range []string{why.Text, "The figures below are of the last good report", "/app.css"} {
			if !strings.Contains(html, want) {
				t.Errorf("%s: the page lacks %q:\n%s", why.Code, want, html)
			}
		}
	}
}
