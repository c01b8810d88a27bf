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

// The watches of a client take no more of the bus than is left for others: however many it
// asks for, another client may set one. One that takes no more than before is stored, an
// end makes room.
func TestShareOfWatches(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).ready()
	const greedy, modest = "198.51.100.1", "198.51.100.2"
	watch := func(client string, n int, every string, budget int) answer {
		body := fmt.Sprintf(`{"url":"https://example.org/%d","every":%q}`, n, every)
		if budget > 0 {
			body = fmt.Sprintf(`{"url":"https://example.org/%d","every":%q,"budget":[{"path":"/%s"}]}`, n, every, strings.Repeat("x", budget))
		}
		return h.post("/api/pages", body, "X-Forwarded-For", client, "X-Libra-Client", fmt.Sprint("name ", n))
	}
	_, all, err := h.conn.WatchSpace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const large = 60_000
	n := 0
	for ; ; n++ {
		got := watch(greedy, n, "1h", large)
		if got.code == 202 {
			continue
		}
		if got.code != 429 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "too-many-watches") || !strings.Contains(got.body, "end some, or give them smaller budgets") {
			t.Fatalf("watch %d: %d %s", n+1, got.code, got.body)
		}
		break
	}
	if takes := int64(2 * n * large); n < 3 || takes < all*4/10 || takes > all/2 { // each is stored again when it is due
		t.Fatalf("one client has set %d watches of %d bytes, of %d, want about half", n, large, all)
	}
	for what, got := range map[string]answer{
		"as large":         watch(greedy, 0, "2h", large),
		"smaller":          watch(greedy, 1, "1h", large/2),
		"another client's": watch(modest, 1000, "1h", large),
	} {
		if got.code != 202 {
			t.Errorf("%s: %d %s", what, got.code, got.body)
		}
	}
	if got := watch(greedy, n, "1h", large); got.code != 429 {
		t.Errorf("one more: %d %s", got.code, got.body)
	}
	for i := range 3 {
		if got := watch(greedy, i, "off", 0); got.code != 200 {
			t.Errorf("an end: %d %s", got.code, got.body)
		}
	}
	bustest.Await(t, "room for another", func() bool { return watch(greedy, n, "1h", large/2).code == 202 })
}
