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
