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

// tellingRows come first: what other rows stop and kill would flap.
func tellingRows() []row {
	return []row{
		{"Slack answers 500 for a whole outage", false, telling(slackOut)},
		{"Slack answers 429 with Retry-After", false, telling(slackBusy)},
		{"Slack hangs", false, telling(slackHangs)},
		{"connections to Slack are cut", false, telling(slackCut)},
		{"kill -9 of the notifier in the POST, again and again", false, telling(killedInPost)},
		{"kill -9 of the watchdog every 2 s while a page fails", false, telling(killedWatchdog)},
	}
}

const (
	// late is the age from which a message says how late it is, in these rows.
	late = 5 * time.Second
	// steadyPages are weighed once a second each, whatever becomes of Slack.
	steadyPages = 10
)

// herald is a scene in which people are to be told.
type herald struct {
	*scene
	steady *harness.Watched // well
	shaky  *harness.Watched // one page, down and up as the row says
	page   string           // its id
	asked  int64            // pages of steady, when the stretch of time began
	since  time.Time
	news   []news // what happened, in order
}

// news is a transition that must be told.
type news struct {
	words []string      // of the message
	known time.Duration // when it was in web's list, see harness.Monotonic
}

// telling makes a row of one in which people are to be told. Watched pages are
// inspected beside it, each every second.
func telling(run func(*herald)) func(*scene) {
	return func(s *scene) {
		rulesFile(s, fmt.Sprintf("[telling]\nlate = %q\ngroup = \"off\"\ndigest = 100\n[thresholds.flap]\nraises = 1000\n[thresholds.restarts]\nstarts = 1000\n", late))
		defer rulesFile(s, "")
		h := &herald{scene: s, steady: harness.NewWatched(s, ""), shaky: harness.NewWatched(s, "")}
		defer h.steady.Close()
		defer h.shaky.Close()
		defer h.unwatch()
		for n := range steadyPages {
			box.Watch(s, h.steady.Page(n), "1s")
		}
		h.page = box.Watch(s, h.shaky.Page(0), "1s")
		harness.Await(s, "the watched pages to be weighed again and again", 20*time.Second, func() bool {
			return h.steady.Asked() >= 2*steadyPages && h.shaky.Asked() >= 2
		})
		box.Sink.Forget()
		defer box.Sink.Behave(harness.Answer{})
		s.mark()
		run(h)
		s.taken(s.meanwhile("", 0.999))
		s.whole(20 * time.Second)
		s.well(10 * time.Second)
	}
}

func (h *herald) unwatch() {
	for n := range steadyPages {
		box.Watch(h, h.steady.Page(n), "off")
	}
	box.Watch(h, h.shaky.Page(0), "off")
}

// rulesFile writes the appliance's alarms.toml and has it taken over; "" is as
// shipped.
func rulesFile(s *scene, text string) {
	s.Helper()
	file := filepath.Join(box.Home, "etc", "alarms.toml")
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o644), os.Chmod(file, 0o644)); err != nil {
		s.Fatal(err)
	}
	box.Systemctl(s, "reload", "libra-notifier", "libra-watchdog")
}

// begin begins a stretch of time in which inspections are counted.
func (h *herald) begin() { h.asked, h.since = h.steady.Asked(), time.Now() }

// unaffected ends the stretch of time: each page was weighed every second. All
// of them are due in the same instant of a second, so one turn may be outside.
func (h *herald) unaffected() {
	h.Helper()
	took, asked := time.Since(h.since), float64(h.steady.Asked()-h.asked)
	due := steadyPages * took.Seconds()
	h.promise(asked >= 0.97*due-steadyPages, "%.0f inspections of watched pages in %s, %.0f were due", asked, ms(took), due)
	h.after("watched pages %.1f/s of %d/s in %s", asked/took.Seconds(), steadyPages, ms(took))
}

// happens waits until web lists the alarm in a state, which the watchdog is to
// see as soon as ever, and expects people to be told with words.
func (h *herald) happens(id string, state libra.AlarmState, most time.Duration, words ...string) {
	h.Helper()
	took, ok := harness.Within(most, func() bool {
		var a libra.Alarm
		code, body := box.Get(h, "/api/alarms/"+id)
		return code == http.StatusOK && json.Unmarshal([]byte(body), &a) == nil && a.State == state
	})
	h.promise(ok, "%s is not %s after %s", id, state, ms(took))
	h.Logf("%s %s after %s", id, state, ms(took))
	h.news = append(h.news, news{words, harness.Monotonic()})
}

// The shaky page goes down, and up again.
func (h *herald) down(most time.Duration) {
	h.Helper()
	h.shaky.Down(true)
	h.happens("page.down."+h.page, libra.Raised, most, "[major] "+h.shaky.Page(0)+" on ", "The page is down")
}

func (h *herald) up(most time.Duration) {
	h.Helper()
	h.shaky.Down(false)
	h.happens("page.down."+h.page, libra.Cleared, most, "[cleared] "+h.shaky.Page(0)+" on ", "The page is up again")
}

// An inspector stops, which the watchdog sees, and starts.
func (h *herald) stop(instance string) {
	h.Helper()
	box.Systemctl(h, "stop", "libra-inspector@"+instance)
	h.happens("beat.inspector."+instance, libra.Raised, 3*time.Second, "[major] libra-inspector@"+instance+" on ", "gives no sign of life")
}

func (h *herald) start(instance string) {
	h.Helper()
	box.Systemctl(h, "start", "libra-inspector@"+instance)
	h.happens("beat.inspector."+instance, libra.Cleared, 8*time.Second, "[cleared] libra-inspector@"+instance+" on ", "is alive again")
}

// told wants all that happened told: in order, each answered with yes once.
// What people saw before that, because a call of which nobody knows whether it
// arrived did arrive, is followed by marked repeats only.
func (h *herald) told(most time.Duration) (repeats int) {
	h.Helper()
	took, ok := harness.Within(most, func() bool {
		for _, n := range h.news {
			if len(taken(box.Sink.Calls(n.words...))) == 0 {
				return false
			}
		}
		return true
	})
	var last time.Duration // when people saw the one before
	for _, n := range h.news {
		calls := box.Sink.Calls(n.words...)
		what := strings.Join(n.words, "")
		h.promise(len(taken(calls)) == 1, "%s: taken %d times, of %d calls", what, len(taken(calls)), len(calls))
		shown := slices.DeleteFunc(calls, func(c harness.Call) bool { return !c.Shown })
		for i, c := range shown {
			marked := strings.Contains(c.Said, "possible repeat")
			h.promise(marked == (i > 0), "%s: seen for the %d. time, marked as a possible repeat: %t", what, i+1, marked)
			h.promise(c.At > last, "%s: seen before what happened earlier", what)
			if age := c.At - n.known; age > late {
				h.promise(strings.Contains(c.Said, " late: it happened "), "%s: told %s late, and does not say so: %s", what, ms(age), c.Text)
			}
			last = c.At
		}
		repeats += max(0, len(shown)-1)
	}
	h.promise(ok, "not all is told %s later", ms(took))
	h.after("%d of %d told, in order, %s after", len(h.news), len(h.news), ms(took))
	return repeats
}

// taken are the calls that were answered with yes.
func taken(calls []harness.Call) (yes []harness.Call) {
	for _, c := range calls {
		if c.Answer == (harness.Answer{}) {
			yes = append(yes, c)
		}
	}
	return yes
}

// slackOut: everything that happens while Slack refuses is told afterwards.
func slackOut(h *herald) {
	const longest = 35 * time.Second // between two attempts
	box.Sink.Behave(harness.Answer{Status: 500})
	h.begin()
	h.stop("2")
	h.down(6 * time.Second)
	h.last(8 * time.Second)
	h.start("2")
	h.up(6 * time.Second)
	h.last(max(0, 30*time.Second-time.Since(h.since)))
	h.unaffected()
	refused := len(box.Sink.Calls())
	h.promise(refused > 1 && refused < 10, "%d calls in %s", refused, ms(time.Since(h.since)))
	h.after("%d calls refused in %s", refused, ms(time.Since(h.since)))
	box.Sink.Behave(harness.Answer{})
	h.promise(h.told(longest) == 0, "what was refused came twice")
}

// slackBusy: no call before the time that Slack asked for.
func slackBusy(h *herald) {
	const wait = 6 * time.Second
	busy := harness.Answer{Status: http.StatusTooManyRequests, RetryAfter: strconv.Itoa(int(wait / time.Second))}
	box.Sink.Behave(harness.Answer{}, busy, busy)
	h.begin()
	h.down(6 * time.Second)
	h.up(6 * time.Second)
	h.promise(h.told(3*wait) == 0, "what was refused came twice")
	h.unaffected()
	calls := box.Sink.Calls()
	for i, c := range calls[:len(calls)-1] {
		if c.Answer == busy {
			gap := calls[i+1].At - c.At
			h.promise(gap >= wait, "called again %s after a 429 with Retry-After: %s", ms(gap), busy.RetryAfter)
			h.after("called again %s after Retry-After: %s", ms(gap), busy.RetryAfter)
		}
	}
}

// slackHangs: whoever waits for Slack, it is not those who weigh and watch.
func slackHangs(h *herald) {
	box.Sink.Behave(harness.Answer{Hang: true})
	h.begin()
	h.down(6 * time.Second)
	h.stop("1")
	h.up(6 * time.Second)
	h.start("1")
	h.last(max(0, 20*time.Second-time.Since(h.since))) // the notifier gives a call 10 s
	h.unaffected()
	hung := len(box.Sink.Calls())
	h.promise(hung > 1, "%d calls hung", hung)
	box.Sink.Behave(harness.Answer{})
	repeats := h.told(15 * time.Second)
	h.promise(repeats <= hung, "%d repeats of %d calls that hung", repeats, hung)
	h.after("%d calls hung, %d repeats, marked", hung, repeats)
}

// slackCut: the message arrived, the answer did not.
func slackCut(h *herald) {
	cut := harness.Answer{Cut: true}
	box.Sink.Behave(harness.Answer{}, cut, cut, cut)
	h.begin()
	h.down(6 * time.Second)
	h.up(6 * time.Second)
	repeats := h.told(20 * time.Second)
	h.unaffected()
	h.promise(repeats <= 3, "%d repeats of 3 calls that were cut", repeats)
	h.after("3 calls cut, %d repeats, marked", repeats)
}

// killedInPost kills the notifier as often as it has begun to tell.
func killedInPost(h *herald) {
	const kills = 5
	box.Sink.Behave(harness.Answer{Hang: true})
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
	box.Sink.Behave(harness.Answer{})
	h.after("called again %s after the kill", strings.Join(again, ", "))
	repeats := h.told(15 * time.Second)
	h.unaffected()
	h.promise(repeats <= kills, "%d repeats after %d kills", repeats, kills)
	h.after("%d kills, %d repeats, marked", kills, repeats)
}

// killedWatchdog: what it has counted survives.
func killedWatchdog(h *herald) {
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
	bad := h.shaky.Bad()
	h.last(4 * time.Second)
	h.up(8 * time.Second)
	h.last(6 * time.Second)
	close(end)
	<-done
	h.promise(h.told(5*time.Second) == 0, "told twice")
	h.unaffected()
	if calls := box.Sink.Calls(h.news[0].words...); len(calls) > 0 {
		took := calls[0].At - bad
		h.promise(took <= most, "told %s after the first failure, %s promised", ms(took), most)
		h.after("%d kills; told %s after the first of 3 failures", kills, ms(took))
	}
}
