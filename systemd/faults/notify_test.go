//go:build appliance

package faults_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"libra/pkg/libra"
	"libra/systemd/harness"
)

// notifyRows come first: the alarms of units that other rows kill would flap.
func notifyRows() []row {
	return []row{
		{"Slack answers 500 for a whole outage", false, withWatchedPages(slackOut)},
		{"Slack answers 429 with Retry-After", false, withWatchedPages(slackBusy)},
		{"Slack hangs", false, withWatchedPages(slackHangs)},
		{"connections to Slack are cut", false, withWatchedPages(slackCut)},
		{"kill -9 of the notifier in the POST, repeatedly", false, withWatchedPages(killedInPost)},
		{"kill -9 of the watchdog every 2 s while a page fails", false, withWatchedPages(killedWatchdog)},
	}
}

const (
	// late is the age from which on a message says how late it is, in these rows.
	late = 5 * time.Second
	// steadyPages are inspected every second, whatever Slack does.
	steadyPages = 10
)

// notifyTrial is a trial with watched pages in which notifications are expected.
type notifyTrial struct {
	*trial
	steady   *harness.WatchedSite // always up
	shaky    *harness.WatchedSite // one page, which the row takes down
	page     string               // its id
	asked    int64                // requests to steady when the period began
	since    time.Time
	expected []expected // notifications, in order
}

// expected is a transition that must be notified.
type expected struct {
	words []string      // of the message
	known time.Duration // time at which the API had it, see harness.Monotonic
}

// withWatchedPages makes a row in which notifications are expected, while watched
// pages are inspected every second.
func withWatchedPages(run func(*notifyTrial)) func(*trial) {
	return func(s *trial) {
		setRules(s, fmt.Sprintf("[notify]\nlate = %q\ngroup = \"off\"\ndigest = 100\n[thresholds.flap]\nraises = 1000\n[thresholds.restarts]\nstarts = 1000\n", late))
		defer setRules(s, "")
		h := &notifyTrial{trial: s, steady: harness.NewWatchedSite(s, ""), shaky: harness.NewWatchedSite(s, "")}
		defer h.steady.Close()
		defer h.shaky.Close()
		defer h.unwatch()
		for n := range steadyPages {
			box.WatchPage(s, h.steady.Page(n), "1s")
		}
		h.page = box.WatchPage(s, h.shaky.Page(0), "1s")
		harness.Await(s, "two inspections of the watched pages", 20*time.Second, func() bool {
			return h.steady.Requests() >= 2*steadyPages && h.shaky.Requests() >= 2
		})
		box.Sink.Reset()
		defer box.Sink.SetResponses(harness.Response{})
		s.mark()
		run(h)
		s.wantAccepted(s.checkLoad("", 0.999))
		s.wantNothingLost(20 * time.Second)
		s.wantHealthy(10 * time.Second)
	}
}

func (h *notifyTrial) unwatch() {
	for n := range steadyPages {
		box.WatchPage(h, h.steady.Page(n), "off")
	}
	box.WatchPage(h, h.shaky.Page(0), "off")
}

// setRules writes the appliance's alarms.toml and reloads it; "" is the default.
func setRules(s *trial, text string) {
	s.Helper()
	file := filepath.Join(box.Home, "etc", "alarms.toml")
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o644), os.Chmod(file, 0o644)); err != nil {
		s.Fatal(err)
	}
	box.Systemctl(s, "reload", "libra-notifier", "libra-watchdog")
}

// begin begins a period in which inspections are counted.
func (h *notifyTrial) begin() { h.asked, h.since = h.steady.Requests(), time.Now() }

// wantAllInspected ends the period: each page was inspected every second. All of
// them are due at the same time, so one inspection of each may be outside.
func (h *notifyTrial) wantAllInspected() {
	h.Helper()
	took, asked := time.Since(h.since), float64(h.steady.Requests()-h.asked)
	due := steadyPages * took.Seconds()
	h.check(asked >= 0.97*due-steadyPages, "%.0f inspections of watched pages in %s, %.0f were due", asked, ms(took), due)
	h.after("watched pages %.1f/s of %d/s in %s", asked/took.Seconds(), steadyPages, ms(took))
}

// expectAlarm waits until the API has the alarm in a state, and expects a message
// with words.
func (h *notifyTrial) expectAlarm(id string, state libra.AlarmState, most time.Duration, words ...string) {
	h.Helper()
	took, ok := harness.Within(most, func() bool {
		var a libra.Alarm
		code, body := box.Get(h, "/api/alarms/"+id)
		return code == http.StatusOK && json.Unmarshal([]byte(body), &a) == nil && a.State == state
	})
	h.check(ok, "%s is not %s after %s", id, state, ms(took))
	h.Logf("%s %s after %s", id, state, ms(took))
	h.expected = append(h.expected, expected{words, harness.Monotonic()})
}

// down and up take the shaky page down, and up again.
func (h *notifyTrial) down(most time.Duration) {
	h.Helper()
	h.shaky.SetDown(true)
	h.expectAlarm("page.down."+h.page, libra.Raised, most, "[major] "+h.shaky.Page(0)+" on ", "The page is down")
}

func (h *notifyTrial) up(most time.Duration) {
	h.Helper()
	h.shaky.SetDown(false)
	h.expectAlarm("page.down."+h.page, libra.Cleared, most, "[cleared] "+h.shaky.Page(0)+" on ", "The page is up again")
}

// stop and start stop an inspector, and start it.
func (h *notifyTrial) stop(instance string) {
	h.Helper()
	box.Systemctl(h, "stop", "libra-inspector@"+instance)
	h.expectAlarm("beat.inspector."+instance, libra.Raised, 3*time.Second, "[major] libra-inspector@"+instance+" on ", "was stopped")
}

func (h *notifyTrial) start(instance string) {
	h.Helper()
	box.Systemctl(h, "start", "libra-inspector@"+instance)
	h.expectAlarm("beat.inspector."+instance, libra.Cleared, 8*time.Second, "[cleared] libra-inspector@"+instance+" on ", "works again")
}

// wantAllNotified wants all expected messages, in order, each accepted once. A
// message that people saw although its call failed may be repeated, marked as a
// possible repeat.
func (h *notifyTrial) wantAllNotified(most time.Duration) (repeats int) {
	h.Helper()
	took, ok := harness.Within(most, func() bool {
		for _, n := range h.expected {
			if len(accepted(box.Sink.Calls(n.words...))) == 0 {
				return false
			}
		}
		return true
	})
	var last time.Duration // time at which people saw the previous message
	for _, n := range h.expected {
		calls := box.Sink.Calls(n.words...)
		what := strings.Join(n.words, "")
		h.check(len(accepted(calls)) == 1, "%s: accepted %d times, of %d calls", what, len(accepted(calls)), len(calls))
		shown := slices.DeleteFunc(calls, func(c harness.Call) bool { return !c.Shown })
		for i, c := range shown {
			marked := strings.Contains(c.AllText, "possible repeat")
			h.check(marked == (i > 0), "%s: seen for the %d. time, marked as a possible repeat: %t", what, i+1, marked)
			h.check(c.At > last, "%s: seen before an earlier one", what)
			if age := c.At - n.known; age > late {
				h.check(strings.Contains(c.AllText, " late: it happened "), "%s: sent %s late without saying so: %s", what, ms(age), c.Text)
			}
			last = c.At
		}
		repeats += max(0, len(shown)-1)
	}
	h.check(ok, "not all messages arrived after %s", ms(took))
	h.after("%d of %d sent, in order, %s after", len(h.expected), len(h.expected), ms(took))
	return repeats
}

// accepted returns the calls that Slack accepted.
func accepted(calls []harness.Call) (list []harness.Call) {
	for _, c := range calls {
		if c.Response == (harness.Response{}) {
			list = append(list, c)
		}
	}
	return list
}

// slackOut: alarms during an outage of Slack are sent after it.
func slackOut(h *notifyTrial) {
	const longest = 35 * time.Second // between two attempts
	box.Sink.SetResponses(harness.Response{Status: 500})
	h.begin()
	h.stop("2")
	h.down(6 * time.Second)
	h.wait(8 * time.Second)
	h.start("2")
	h.up(6 * time.Second)
	h.wait(max(0, 30*time.Second-time.Since(h.since)))
	h.wantAllInspected()
	refused := len(box.Sink.Calls())
	h.check(refused > 1 && refused < 10, "%d calls in %s", refused, ms(time.Since(h.since)))
	h.after("%d calls refused in %s", refused, ms(time.Since(h.since)))
	box.Sink.SetResponses(harness.Response{})
	h.check(h.wantAllNotified(longest) == 0, "a refused message came twice")
}

// slackBusy: no call before the Retry-After of Slack.
func slackBusy(h *notifyTrial) {
	const wait = 6 * time.Second
	busy := harness.Response{Status: http.StatusTooManyRequests, RetryAfter: strconv.Itoa(int(wait / time.Second))}
	box.Sink.SetResponses(harness.Response{}, busy, busy)
	h.begin()
	h.down(6 * time.Second)
	h.up(6 * time.Second)
	h.check(h.wantAllNotified(3*wait) == 0, "a refused message came twice")
	h.wantAllInspected()
	calls := box.Sink.Calls()
	for i, c := range calls[:len(calls)-1] {
		if c.Response == busy {
			gap := calls[i+1].At - c.At
			h.check(gap >= wait, "called again %s after a 429 with Retry-After: %s", ms(gap), busy.RetryAfter)
			h.after("called again %s after Retry-After: %s", ms(gap), busy.RetryAfter)
		}
	}
}

// slackHangs: a hanging Slack does not delay inspections and alarms.
func slackHangs(h *notifyTrial) {
	box.Sink.SetResponses(harness.Response{Hang: true})
	h.begin()
	h.down(6 * time.Second)
	h.stop("1")
	h.up(6 * time.Second)
	h.start("1")
	h.wait(max(0, 20*time.Second-time.Since(h.since))) // the timeout of a call is 10 s
	h.wantAllInspected()
	hung := len(box.Sink.Calls())
	h.check(hung > 1, "%d calls hung", hung)
	box.Sink.SetResponses(harness.Response{})
	repeats := h.wantAllNotified(15 * time.Second)
	h.check(repeats <= hung, "%d repeats of %d calls that hung", repeats, hung)
	h.after("%d calls hung, %d repeats, marked", hung, repeats)
}

// slackCut: the message arrives, the response does not.
func slackCut(h *notifyTrial) {
	cut := harness.Response{Cut: true}
	box.Sink.SetResponses(harness.Response{}, cut, cut, cut)
	h.begin()
	h.down(6 * time.Second)
	h.up(6 * time.Second)
	repeats := h.wantAllNotified(20 * time.Second)
	h.wantAllInspected()
	h.check(repeats <= 3, "%d repeats of 3 calls that were cut", repeats)
	h.after("3 calls cut, %d repeats, marked", repeats)
}

// killedInPost kills the notifier in each of its calls.
func killedInPost(h *notifyTrial) {
	const kills = 5
	box.Sink.SetResponses(harness.Response{Hang: true})
	h.begin()
	h.down(6 * time.Second)
	h.up(6 * time.Second)
	var killed time.Duration
	var again []string
	for n := range kills {
		harness.Await(h, "a call", 10*time.Second, func() bool { return len(box.Sink.Calls()) > n })
		if n > 0 {
			again = append(again, ms(box.Sink.Calls()[n].At-killed))
		}
		killed = h.kill("libra-notifier")
	}
	box.Sink.SetResponses(harness.Response{})
	h.after("called again %s after the kill", strings.Join(again, ", "))
	repeats := h.wantAllNotified(15 * time.Second)
	h.wantAllInspected()
	h.check(repeats <= kills, "%d repeats after %d kills", repeats, kills)
	h.after("%d kills, %d repeats, marked", kills, repeats)
}

// killedWatchdog: the counters of the watchdog survive.
func killedWatchdog(h *notifyTrial) {
	const most = 5 * time.Second // 3 failures at 1 s, and a restart
	h.begin()
	end, done := make(chan struct{}), make(chan struct{})
	kills := 0
	go func() {
		defer close(done)
		for tick := time.Tick(2 * time.Second); ; {
			h.kill("libra-watchdog")
			kills++
			select {
			case <-end:
				return
			case <-tick:
			}
		}
	}()
	h.down(8 * time.Second)
	bad := h.shaky.FirstError()
	h.wait(4 * time.Second)
	h.up(8 * time.Second)
	h.wait(6 * time.Second)
	close(end)
	<-done
	h.check(h.wantAllNotified(5*time.Second) == 0, "a message came twice")
	h.wantAllInspected()
	if calls := box.Sink.Calls(h.expected[0].words...); len(calls) > 0 {
		took := calls[0].At - bad
		h.check(took <= most, "sent %s after the first failure, %s promised", ms(took), most)
		h.after("%d kills; sent %s after the first of 3 failures", kills, ms(took))
	}
}
