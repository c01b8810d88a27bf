package watchdog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
	"libra/pkg/watchdog"
)

// A page that lacks one failure to be an alarm is inspected ahead of schedule,
// once; not for an old report, nor once it is not watched any more.
func TestRecheckBeforeAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		w := r.watch(10, "")
		var ids []string
		inspect := func(change func(*event.Reported)) {
			r.report(w, change)
			r.mu.Lock()
			ids = append(ids, r.reports[len(r.reports)-1].Request.ID)
			r.mu.Unlock()
			r.advance(10, true)
		}
		for _, change := range []func(*event.Reported){nil, status(503), nil, status(503), status(503), status(503), status(503), nil, nil, nil, status(500)} {
			inspect(change)
		}
		inspect(func(a *event.Reported) { status(500)(a); a.At = a.At.Add(-5 * time.Second) })
		inspect(nil)
		inspect(status(500))
		inspect(func(a *event.Reported) {
			status(500)(a)
			ended := w
			ended.EveryS, ended.At = 0, time.Now()
			r.watches = append(r.watches, ended)
		})
		r.mu.Lock()
		defer r.mu.Unlock()
		// Half a second for the start; the fifth report, and four seconds.
		if diff := cmp.Diff([]string{"44.5 " + shop + " " + ids[4]}, r.inspectedNow); diff != "" {
			t.Errorf("weighed beside its turns (-want +got):\n%s", diff)
		}
	})
}

// Three failures in a row raise, three passes clear; a report whose reason is this
// machine counts for neither.
func TestPageDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		w := r.watch(2, "")
		for _, change := range []func(*event.Reported){
			nil, status(503), status(503), nil, // two are not three
			status(503), failed(refused),
			failed(noFiles),                           // ours
			failed(busy), failed(held), failed(ended), // nobody asked for the page, or not to its end
			func(a *event.Reported) { a.Request.Watch = nil }, // without a watch
			func(a *event.Reported) { failed(crashed)(a); a.Quarantined = true },
			status(500), status(404),
			nil, nil, status(429), nil, nil, nil,
		} {
			r.report(w, change)
			r.advance(2, true)
		}
		id := "page.down." + shop
		r.set(func() { // the quarantine has its own
			r.stored = slices.DeleteFunc(r.stored, func(t libra.Transition) bool { return t.Alarm.ID == "quarantine."+shop })
		})
		r.wantStored("24 "+id+" raised major", "38 "+id+" cleared major")
		a := r.stored[0].Alarm
		want := libra.Alarm{
			ID: id, Scope: libra.ScopePage, Target: shopURL, Severity: libra.Major, State: libra.Raised, Summary: "The page is down",
			Evidence: "HTTP 500 Internal Server Error; 3 inspections in a row failed", Runbook: "#page-down",
			Since: a.Since, Page: shop, Group: "host:shop.example",
			EvidenceDetails: []libra.Reason{{Code: libra.CodeHTTPStatus, Text: "HTTP 500 Internal Server Error", Remedy: "check the server"}},
		}
		if diff := cmp.Diff(want, a); diff != "" {
			t.Error(diff)
		}
		for _, transition := range r.stored {
			at := slices.IndexFunc(r.reports, func(a event.Reported) bool { return a.At.Equal(transition.At) })
			if at < 0 || transition.Traceparent != trace.Traceparent(r.reports[at].Request) {
				t.Errorf("%s carries %q, which is not of the report before it", transition.Alarm.State, transition.Traceparent)
			}
		}
		if a := r.stored[1].Alarm; a.EvidenceDetails != nil || a.Summary != "The page is up again" || a.Evidence != "3 inspections in a row passed" || a.Until.Sub(a.Since) != 30*time.Second {
			t.Errorf("cleared: %+v", a)
		}
	})
}

// Every error of a page is down, with what was seen: an answer, redirects without
// end, no answer.
func TestEveryErrorIsDown(t *testing.T) {
	loop := libra.Reason{Code: libra.CodeTooManyRedirects, Text: `redirected more than 20 times, the last time to "/loop"`, Remedy: "check the server's redirects"}
	garbled := libra.Reason{Code: libra.CodeBodyEncoding, Text: "body does not decode: decode gzip: unexpected EOF", Remedy: "check the server's Content-Encoding"}
	for want, change := range map[string]func(*event.Reported){
		"HTTP 404 Not Found":                                   status(404),
		"HTTP 500 Internal Server Error":                       status(500),
		"HTTP 304 Not Modified without an address to go on to": status(304),
		loop.Text: func(a *event.Reported) {
			failed(loop)(a)
			a.Report.Status = 302
		},
		refused.Text: failed(refused),
		garbled.String(): func(a *event.Reported) {
			failed(garbled)(a)
			a.Report.Status = 200
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.start()
			w := r.watch(2, "")
			for range 4 {
				r.report(w, change)
				r.advance(2, true)
			}
			if len(r.stored) != 1 || !strings.HasPrefix(r.stored[0].Alarm.ID, "page.down.") || r.evidence(0) != want+"; 3 inspections in a row failed" {
				t.Errorf("%s: %+v", want, r.stored)
			}
		})
	}
}

// A page that cannot be reached is down, unless other hosts cannot be either.
func TestNetworkDown(t *testing.T) {
	route := libra.Reason{Code: libra.CodeNoRoute, Text: "no route to 192.0.2.1:443"}
	silent := libra.Reason{Code: libra.CodeNameServerSilent, Text: `no name server answered for host "shop.example"`}
	for _, c := range []struct {
		reason libra.Reason
		other  func(*event.Reported) // of another host's page; nil for none
		down   bool
	}{
		{route, nil, true},
		{silent, nil, false},
		{route, failed(route), false},
		{silent, failed(silent), false},
		{route, status(200), true},
		{silent, status(404), true},
		{route, failed(refused), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.start()
			w := r.watch(2, "")
			for range 4 {
				if c.other != nil {
					r.report(w, func(a *event.Reported) {
						c.other(a)
						a.Request.Watch, a.Request.URL, a.Request.Page = nil, "https://other.example/", libra.PageID("https://other.example/")
					})
				}
				time.Sleep(time.Millisecond)
				r.report(w, failed(c.reason))
				r.advance(2, true)
			}
			if (len(r.stored) == 1) != c.down || len(r.stored) > 1 {
				t.Errorf("%s: %+v", c.reason, r.stored)
			}
		})
	}
}

// Killed every two seconds while the page fails: raised with the third report,
// no report is lost or counts twice.
func TestPageDownWhileKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		w := r.watch(6, "")
		r.report(w, nil)
		r.advance(6, true)
		for n := range 15 {
			if n%3 == 0 {
				r.report(w, status(500))
			}
			r.advance(2, true)
			kill()
			_, kill = r.start()
		}
		id := "page.down." + shop
		r.wantStored("21 " + id + " raised major")
		if a := r.stored[0].Alarm; !strings.HasSuffix(a.Evidence, "; 3 inspections in a row failed") {
			t.Errorf("evidence %q", a.Evidence)
		}
		for range 3 {
			r.report(w, nil)
			r.advance(2, true)
			kill()
			_, kill = r.start()
		}
		r.advance(2, true)
		if len(r.stored) != 2 || r.stored[1].Alarm.State != libra.Cleared {
			t.Errorf("%+v", r.stored[1:])
		}
	})
}

// An orderly restart and a reboot keep the tally, too; reports published meanwhile
// count.
func TestPageTallyOutlivesStops(t *testing.T) {
	for _, lost := range []string{"nothing", "runtime"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			stop, _ := r.start()
			w := r.watch(30, "")
			r.report(w, status(500))
			r.advance(2, true)
			stop()
			if lost == "runtime" {
				r.cfg.Runtime = t.TempDir()
			}
			r.report(w, status(500))
			time.Sleep(5 * time.Minute)
			r.start()
			r.advance(2, true)
			r.report(w, status(500))
			r.advance(2, true)
			if len(r.stored) != 1 || r.stored[0].Alarm.ID != "page.down."+shop {
				t.Errorf("lost %s: %+v\n%s", lost, r.stored, r.log.String())
			}
		})
	}
}

func over(kind, text string) func(*event.Reported) {
	return func(a *event.Reported) {
		a.Budget = &event.Judged{Lines: 1, Over: []string{text}, OverLines: []event.OverLine{{Kind: "resourceSizes", Type: kind, Unit: "bytes"}}}
		a.Report.Assets = append(a.Report.Assets,
			libra.Asset{URL: "https://shop.example/i/hero.png?v=2", Type: libra.Image, Fetch: libra.Fetched, EncodedBytes: 1990000},
			libra.Asset{URL: "https://shop.example/i/b.png", Type: libra.Image, Fetch: libra.Fetched, EncodedBytes: 300000},
			libra.Asset{URL: "https://shop.example/lazy.png", Type: libra.Image, Fetch: libra.Lazy, EncodedBytes: 9000000})
		a.Report.Totals = libra.Sum(a.Report.Assets)
	}
}

const line = "total is 5.3 MB, 2.2 MB over its budget of 3.1 MB (3072 KB in the file)"

// The evidence of a page over its budget names what has grown since it was within.
func TestPageBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		w := r.watch(2, `[{}]`)
		within := time.Now().Add(2 * time.Second)
		for _, change := range []func(*event.Reported){
			nil, nil, over("total", line), over("total", line), status(500), over("total", line),
			nil, func(a *event.Reported) {
				a.Report.Outcome = libra.Partial
				a.Report.AddReason(libra.Reason{Code: libra.CodeLocalResources, Text: "image x: this machine cannot connect: too many open files"})
			}, nil, nil,
		} {
			r.report(w, change)
			r.advance(2, true)
		}
		id := "page.budget." + shop
		r.wantStored("10 "+id+" raised minor", "18 "+id+" cleared minor")
		want := line + "; +2.3 MB of images since " + libra.FormatTime(within) +
			", biggest: hero.png 2.0 MB; 3 inspections in a row failed"
		if r.evidence(0) != want {
			t.Errorf("evidence %q,\nwant     %q", r.evidence(0), want)
		}
	})
}

const imageLine = "image is 2.3 MB, 242.0 kB over its budget of 2.0 MB (2000 KB in the file)"

// The evidence of a page that was never within its budget names its biggest asset.
func TestPageBudgetFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		w := r.watch(2, `[{}]`)
		for range 3 {
			r.report(w, over("image", imageLine))
			r.advance(2, true)
		}
		if want := imageLine + "; biggest: hero.png 2.0 MB; 3 inspections in a row failed"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
		r.watch(2, "") // the budget is taken away
		r.advance(2, true)
		if len(r.stored) != 2 || r.stored[1].Alarm.Summary != "The page has no budget any more" {
			t.Errorf("%+v", r.stored[1:])
		}
	})
}

func TestPageCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		w := r.watch(2, "")
		for _, left := range []time.Duration{0, 22 * 24 * time.Hour, 20 * 24 * time.Hour, 0, 6*24*time.Hour + time.Hour, time.Hour, 90 * 24 * time.Hour, -time.Hour} {
			r.report(w, func(a *event.Reported) {
				if left != 0 {
					a.Report.CertificateUntil = time.Now().Add(left)
				}
			})
			r.advance(2, true)
		}
		id := "page.certificate." + shop
		r.wantStored("4 "+id+" raised minor", "8 "+id+" raised major", "10 "+id+" raised critical", "12 "+id+" cleared critical", "14 "+id+" raised critical")
		if !strings.HasSuffix(r.evidence(1), ", in 6 days 1 h, limit 7 days") {
			t.Errorf("evidence %q", r.evidence(1))
		}
		for i, want := range []string{"The certificate expires soon", "The certificate expires soon", "The certificate expires soon", "The certificate is valid for long enough again", "The certificate has expired"} {
			if got := r.stored[i].Alarm.Summary; got != want {
				t.Errorf("%d: %q, want %q", i, got, want)
			}
		}
	})
}

// A watched page without reports is an alarm, but not while no inspector works or
// the bus is away.
func TestPageMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.PageTimeout = 10 * time.Second
		r.cfg.Expect = []watchdog.Target{{Component: "libra-inspector", Instance: "1"}}
		r.heartbeat = event.Heartbeat{Component: "libra-inspector", Instance: "1", PID: 7}
		r.start()
		w := r.watch(10, "")
		r.report(w, nil)
		r.advance(39, true)
		r.set(func() { r.bus = errDown })
		r.advance(20, false)
		r.set(func() { r.bus = nil; r.stored = nil })
		r.advance(38, true)
		id := "page.missed." + shop
		for _, s := range r.stored {
			if s.Alarm.ID == id {
				t.Errorf("too early: %+v", s)
			}
		}
		r.set(func() { r.stored = nil })
		r.advance(10, true)
		if len(r.stored) != 1 || r.stored[0].Alarm.ID != id ||
			!strings.HasPrefix(r.stored[0].Alarm.Evidence, "no report for 41 s; one is due every 10 s, limit 40 s") && !strings.HasPrefix(r.stored[0].Alarm.Evidence, "no report for 40 s; one is due every 10 s, limit 40 s") {
			t.Fatalf("%+v", r.stored)
		}
		r.report(w, nil)
		r.advance(5, true)
		if len(r.stored) != 2 || r.stored[1].Alarm.State != libra.Cleared {
			t.Fatalf("%+v", r.stored)
		}
	})
}

// Many pages that are not inspected at once are raised over several rounds, so that
// no round takes longer than it may.
func TestManyPagesMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.PageTimeout = 10 * time.Second
		r.cfg.Expect = []watchdog.Target{{Component: "libra-inspector", Instance: "1"}}
		r.heartbeat = event.Heartbeat{Component: "libra-inspector", Instance: "1", PID: 7}
		r.start()
		for i := range 600 {
			url := fmt.Sprintf("https://shop%d.example/", i)
			r.set(func() {
				r.watches = append(r.watches, event.Watch{Page: libra.PageID(url), URL: url, EveryS: 10, At: time.Now()})
			})
		}
		r.advance(50, true)
		rounds := map[time.Time]int{}
		for _, s := range r.stored {
			rounds[s.At]++
		}
		if len(r.stored) != 600 {
			t.Errorf("%d alarms of 600 pages", len(r.stored))
		}
		for at, n := range rounds {
			if n > 250 {
				t.Errorf("%d alarms in the round of %s", n, at.Sub(r.began))
			}
		}
	})
}

// The end of a watch clears the alarms of its page.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		w := r.watch(2, "")
		for range 3 {
			r.report(w, status(500))
			r.advance(2, true)
		}
		kill()
		r.watch(0, "")
		r.start()
		r.report(w, status(500)) // was under way
		r.advance(5, true)
		if len(r.stored) != 2 || r.stored[1].Alarm.State != libra.Cleared || r.stored[1].Alarm.Summary != "The page is no longer watched" {
			t.Fatalf("%+v", r.stored)
		}
		w = r.watch(2, "")
		for range 2 {
			r.report(w, status(500))
			r.advance(2, true)
		}
		if len(r.stored) != 2 {
			t.Errorf("an old row counts for a new watch: %+v", r.stored[2:])
		}
	})
}
