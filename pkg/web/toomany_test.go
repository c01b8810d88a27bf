package web_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// A client that has as many open requests as it may is refused with what it has open and
// when to try again, however it calls itself; others, and what is open already, are not.
func TestTooManyOpenRequests(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).ready()
	const greedy, modest = "198.51.100.1", "198.51.100.2"
	submit := func(client string, n int) answer {
		return h.submit(fmt.Sprintf("https://example.org/%d", n), "X-Forwarded-For", client, "X-Libra-Client", fmt.Sprint("name ", n))
	}
	for n := range bus.MostOpen {
		if got := submit(greedy, n); got.code != 202 {
			t.Fatalf("request %d: %d %s", n+1, got.code, got.body)
		}
	}
	for n := range 3 { // the second and third without asking the bus
		got := submit(greedy, bus.MostOpen+n)
		var p struct {
			Type string
			Open struct {
				Open, Most int
				Age        *int `json:"oldest_age_s"`
			} `json:"open_requests"`
			Details []libra.Reason `json:"reason_details"`
		}
		got.into(t, &p)
		if got.code != 429 || got.header.Get("Retry-After") == "" || p.Type != "urn:libra:problem:too-many-requests" || p.Details[0].Code != libra.CodeTooManyOpen ||
			p.Open.Open != bus.MostOpen || p.Open.Most != bus.MostOpen || p.Open.Age == nil || !strings.Contains(got.body, "try again") {
			t.Fatalf("one too many: %d %s", got.code, got.body)
		}
	}
	if got := submit(greedy, 3); got.code != 202 || !strings.Contains(got.body, "this is the same request") {
		t.Errorf("what is open: %d %s", got.code, got.body)
	}
	if got := submit(modest, bus.MostOpen); got.code != 202 {
		t.Errorf("another client: %d %s", got.code, got.body)
	}
	if got := h.get("/up"); !strings.HasPrefix(got.body, "OK") {
		t.Errorf("a client with too much is a fault of the bus: %s", got.body)
	}
}

// A page that is asked for twice is reported with the one report: what the bus has refused
// of it is not waited for.
func TestAskedForTwice(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{}).ready()
	twice := make(chan struct{})
	h.inspect(func(ctx context.Context, _ *bus.Conn, j bus.Job) event.Reported {
		select {
		case <-twice:
		case <-ctx.Done():
		}
		return reported(j.Request, j.Request.Asked)
	})
	const url = "https://example.org/twice"
	for _, want := range []string{`"state":"queued"`, "this is the same request"} {
		if got := h.submit(url); got.code != 202 || !strings.Contains(got.body, want) {
			t.Fatalf("%d %s, want %s", got.code, got.body, want)
		}
	}
	close(twice)
	bustest.Await(t, "the report", func() bool { return h.page(libra.PageID(url)).Report != nil })
	if p := h.page(libra.PageID(url)); p.State != libra.Reported {
		t.Errorf("with its report it is %s", p.State)
	}
}
