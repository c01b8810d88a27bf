//go:build appliance

package systemd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/systemd/house"
)

// One test for each kind of alarm, from its real cause to what Slack received
// and what the API says.

// alarmDoc is what the API says of one alarm.
type alarmDoc struct {
	libra.Alarm
	Actions []struct{ By, Text string }
}

func alarmOf(t testing.TB, id string) (a alarmDoc, known bool) {
	t.Helper()
	code, body := box.Get(t, "/api/alarms/"+id)
	if code != http.StatusOK {
		return a, false
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return a, true
}

// told wants an alarm at Slack's, field by field, and the same in the API.
func told(t *testing.T, want libra.Alarm, evidence ...string) {
	t.Helper()
	atSlack(t, want, want.Target, evidence...)
	listed(t, want, evidence...)
}

// atSlack wants an alarm at Slack's, with its target as Slack is to see it.
func atSlack(t *testing.T, want libra.Alarm, target string, evidence ...string) {
	t.Helper()
	words := append([]string{"[" + string(want.Severity) + "] ", target, want.Summary, strings.TrimPrefix(want.Runbook, "#")}, evidence...)
	took, ok := house.Within(20*time.Second, func() bool { return box.Sink.Said(words...) != "" })
	if !ok {
		t.Errorf("nobody was told %q; told was:\n%s", words, strings.Join(box.Sink.All(), "\n---\n"))
	}
	t.Logf("%s: %s: told after %s", target, want.Summary, took.Round(time.Millisecond))
}

// listed wants an alarm in the API.
func listed(t *testing.T, want libra.Alarm, evidence ...string) {
	t.Helper()
	var a alarmDoc
	house.Within(10*time.Second, func() (known bool) { a, known = alarmOf(t, want.ID); return known && a.State == libra.Raised })
	if a.ID != want.ID || a.Severity != want.Severity || a.Target != want.Target || a.Summary != want.Summary || a.Runbook != want.Runbook ||
		a.Scope != want.Scope || a.State != libra.Raised || a.Since.IsZero() || a.Page != want.Page {
		t.Errorf("the API says %+v, want %+v", a, want)
	}
	for _, e := range evidence {
		if !strings.Contains(a.Evidence, unescape.Replace(e)) {
			t.Errorf("the API's evidence is %q, want %q", a.Evidence, e)
		}
	}
}

// quiet waits until no part is said to be unwell, as those are that an earlier
// test has stopped, and forgets what was told of them. An alarm that flaps is
// not waited for.
func quiet(t *testing.T) {
	t.Helper()
	box.Settle(t)
	var open []string
	_, ok := house.Within(30*time.Second, func() bool {
		var list struct{ Alarms []libra.Alarm }
		code, body := box.Get(t, "/api/alarms?state=raised")
		if err := json.Unmarshal([]byte(body), &list); code != http.StatusOK || err != nil {
			return false
		}
		open = nil
		for _, a := range list.Alarms {
			if a.Scope == libra.ScopeComponent && !a.Flapping && a.ID != "history" && !strings.HasPrefix(a.ID, "restarts.") {
				open = append(open, a.ID+": "+a.Evidence)
			}
		}
		return len(open) == 0
	})
	if !ok {
		t.Fatalf("still raised: %q", open)
	}
	box.Sink.Forget()
}

var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// over wants the end of an alarm at Slack's.
func over(t *testing.T, target, summary string) {
	t.Helper()
	_, ok := house.Within(30*time.Second, func() bool { return box.Sink.Said("[cleared] ", target, summary) != "" })
	if !ok {
		t.Errorf("nobody was told that %s: %s; told was:\n%s", target, summary, strings.Join(box.Sink.All(), "\n---\n"))
	}
}

// actions wants the timeline of an alarm to say what was done.
func actions(t *testing.T, id, text string) {
	t.Helper()
	var a alarmDoc
	_, ok := house.Within(15*time.Second, func() bool {
		a, _ = alarmOf(t, id)
		for _, done := range a.Actions {
			if done.By == "libra-watchdog" && strings.Contains(done.Text, text) {
				return true
			}
		}
		return false
	})
	if !ok {
		t.Errorf("what was done about %s is %+v, want %q", id, a.Actions, text)
	}
}

// part is the alarm of a component that does not live.
func part(id, target string) libra.Alarm {
	runbook, _, _ := strings.Cut(strings.ReplaceAll(id, ".", "-"), "-1")
	runbook, _, _ = strings.Cut(runbook, "-2")
	return libra.Alarm{
		ID: id, Scope: libra.ScopeComponent, Target: target, Severity: libra.Major, Summary: target + " gives no sign of life", Runbook: "#" + runbook,
	}
}

// Parts that are stopped, hang, do not listen or crash again and again; and the
// bus, whose alarm is told while it is down.
func TestPartsAreTold(t *testing.T) {
	quiet(t)
	t.Cleanup(func() { box.Settle(t) })
	box.Signal(t, "libra-recorder", syscall.SIGSTOP)
	box.Systemctl(t, "stop", "libra-inspector@1")
	box.Systemctl(t, "stop", "libra-web.socket", "libra-web")
	atSlack(t, part("beat.inspector.1", "libra-inspector@1"), "libra-inspector@1", "libra-inspector@1.service was stopped (dead)")
	atSlack(t, part("beat.web", "libra-web"), "libra-web", "libra-web.service was stopped (dead)")
	atSlack(t, libra.Alarm{
		Target: "libra-web", Severity: libra.Critical, Runbook: "#web",
		Summary: "The web server does not serve: people and programs are turned away",
	}, "libra-web", "connection refused")
	atSlack(t, part("beat.recorder", "libra-recorder"), "libra-recorder", "no beat for ")
	box.Systemctl(t, "start", "libra-web.socket", "libra-web", "libra-inspector@1")

	for range 30 { // the start limit is 20 in 30 s
		if box.Show(t, "libra-inspector@2", "ActiveState") == "failed" {
			break
		}
		if pid := box.MainPID(t, "libra-inspector@2"); pid != 0 {
			box.Inside("kill", "-KILL", fmt.Sprint(pid)) // it may have ended by itself
		}
		house.Within(5*time.Second, func() bool {
			state := box.Show(t, "libra-inspector@2", "ActiveState")
			return state == "active" || state == "failed"
		})
	}
	told(t, libra.Alarm{
		ID: "restarts.inspector.2", Scope: libra.ScopeComponent, Target: "libra-inspector@2", Severity: libra.Minor,
		Summary: "libra-inspector@2 is restarted again and again", Runbook: "#restarts",
	}, "limit 5")
	told(t, part("beat.inspector.2", "libra-inspector@2"), "systemd has given it up after ", "(start-limit-hit)")
	actions(t, "restarts.inspector.2", "systemd started libra-inspector@2 again")
	actions(t, "beat.recorder", "systemd started libra-recorder again: it hung, and was ended")
	box.Settle(t)
	for _, target := range []string{"libra-inspector@1", "libra-recorder", "libra-inspector@2", "libra-web"} {
		over(t, target, target+" is alive again")
	}
	over(t, "libra-web", "The web server serves again")

	box.Systemctl(t, "stop", "libra-bus")
	atSlack(t, libra.Alarm{
		Target: "libra-bus", Severity: libra.Critical, Runbook: "#bus", Summary: "The bus does not answer: nothing new is accepted",
	}, "libra-bus", "libra-bus.service was stopped (dead)")
	box.Systemctl(t, "start", "libra-bus")
	over(t, "libra-bus", "The bus answers again")
}

// rulesFile writes the appliance's alarms.toml, in which nothing flaps.
func rulesFile(t testing.TB, text string) {
	t.Helper()
	if err := writeRules(&box, text); err != nil {
		t.Fatal(err)
	}
}

func writeRules(h *house.House, text string) error {
	if !strings.Contains(text, "[thresholds.flap]") {
		text += "\n[thresholds.flap]\nraises = 1000\n" // the tests stop the same parts again and again
	}
	file := filepath.Join(h.Home, "etc", "alarms.toml")
	return errors.Join(os.WriteFile(file, []byte(text), 0o644), os.Chmod(file, 0o644))
}

// Thresholds are edited live: a good edit is taken over by a reload, a bad one
// is refused with its line, is an alarm, and changes nothing, over a kill too.
// Among them a channel whose provider refuses, which is an alarm at once.
func TestThresholdsAreEditedLive(t *testing.T) {
	quiet(t)
	disk := libra.Alarm{
		ID: "disk", Scope: libra.ScopeHost, Target: "/var/lib/libra/history", Severity: libra.Major,
		Summary: "The disk under /var/lib/libra/history is filling up", Runbook: "#disk",
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	rulesFile(t, `
channel = [
	{name = "slack", type = "slack", credential = "slack-webhook"},
	{name = "ops", type = "webhook", url = "`+gone.URL+`/"},
]
[thresholds.disk]
minor = 0.0001
major = 0.0001
[thresholds.queue]
minor = "1s"
`)
	t.Cleanup(func() {
		rulesFile(t, "")
		box.Systemctl(t, "reload", "libra-watchdog", "libra-notifier")
		box.Settle(t)
	})
	pid := box.MainPID(t, "libra-watchdog")
	box.Systemctl(t, "reload", "libra-watchdog", "libra-notifier")
	box.Systemctl(t, "stop", "libra-inspector@1", "libra-inspector@2")
	box.Submit(t, newShop(t).URL+"/queue")
	told(t, disk, "% used, limit 0.0001 %, ")
	actions(t, "disk", "new watches are refused until less than 0.0001 % is in use")

	told(t, libra.Alarm{
		ID: "queue", Scope: libra.ScopeComponent, Target: "libra-inspector", Severity: libra.Minor, Summary: "Requests wait too long", Runbook: "#queue",
	}, "1 request waiting, the oldest for ", ", limit 1s; ")
	box.Systemctl(t, "start", "libra-inspector@1", "libra-inspector@2")
	told(t, libra.Alarm{
		ID: "channel.ops", Scope: libra.ScopeComponent, Target: "channel ops", Severity: libra.Major,
		Summary: "Alarms do not reach people by the channel ops", Runbook: "#channel",
	}, "404")

	rulesFile(t, "[thresholds.disk]\nminor = 0.0001\nmagor = 50\n")
	if out, err := box.Inside("systemctl", "reload", "libra-watchdog"); err == nil {
		t.Errorf("a bad edit is taken: %s", out)
	}
	if journal := box.Journal(t, "-u", "libra-watchdog"); !strings.Contains(journal, "alarms.toml:3: ") {
		t.Error("the journal does not name the line")
	}
	told(t, libra.Alarm{
		ID: "alarms-file", Scope: libra.ScopeComponent, Target: "alarms.toml", Severity: libra.Minor,
		Summary: "alarms.toml is refused: the last good one stays in force", Runbook: "#alarms-file",
	}, "alarms.toml:3: ", "magor")
	if now := box.MainPID(t, "libra-watchdog"); now != pid {
		t.Errorf("reload replaced process %d by %d", pid, now)
	}
	box.Signal(t, "libra-watchdog", syscall.SIGKILL)
	house.Await(t, "the watchdog's return", 20*time.Second, func() bool {
		now := box.MainPID(t, "libra-watchdog")
		return now != 0 && now != pid && strings.Contains(box.Show(t, "libra-watchdog", "StatusText"), "disk") // still raised, by the old file
	})
	rulesFile(t, "[thresholds.disk]\nminor = 0\nmajor = 0\ncritical = 0\n")
	over(t, "alarms.toml", "alarms.toml is well again")
	box.Systemctl(t, "reload", "libra-watchdog", "libra-notifier")
	over(t, "channel ops", "channel ops is well again")
	over(t, "/var/lib/libra/history", "has room again")
	over(t, "libra-inspector", "Requests are answered in time again")
	actions(t, "disk", "new watches are taken again")
}

// shop is a watched page that is heavy, broken or well, as the test says.
type shop struct {
	*httptest.Server
	image atomic.Int64 // bytes
	code  atomic.Int64
}

func newShop(t *testing.T) *shop {
	s := &shop{}
	s.code.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".png") {
			w.Header().Set("Content-Type", "image/png")
			w.Write(bytes.Repeat([]byte{1}, int(s.image.Load())))
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(int(s.code.Load()))
		io.WriteString(w, `<!doctype html><title>&lt;!channel&gt;</title><img src="/%3C!channel%3E.png">`)
	}))
	t.Cleanup(s.Close)
	return s
}

// watch asks web to have a page weighed again and again.
func watch(t *testing.T, url, every, budget string) (page string) {
	t.Helper()
	body := fmt.Sprintf(`{"url": %q, "every": %q}`, url, every)
	if budget != "" {
		body = strings.TrimSuffix(body, "}") + `, "budget": ` + budget + "}"
	}
	res, err := http.Post(box.URL+"/api/pages", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("watch: %s %s %v", res.Status, answer, err)
	}
	return libra.PageID(url)
}

// A watched page that is too heavy, and one that is down, are told after three
// inspections, on time although the watchdog is killed every two seconds; no
// name on the page pings a channel.
func TestWatchedPagesAreTold(t *testing.T) {
	quiet(t)
	heavy, broken := newShop(t), newShop(t)
	heavy.image.Store(3000)
	broken.image.Store(3000)
	heavyURL, brokenURL := heavy.URL+"/?a=1&b=2", broken.URL+"/"
	heavyPage := watch(t, heavyURL, "1s", `[{"resourceSizes": [{"resourceType": "total", "budget": 100}]}]`)
	brokenPage := watch(t, brokenURL, "2s", "")
	t.Cleanup(func() { watch(t, heavyURL, "off", ""); watch(t, brokenURL, "off", "") })
	for _, page := range []string{heavyPage, brokenPage} {
		house.Await(t, "a good report", 20*time.Second, func() bool { return box.Page(t, page).State == libra.Reported })
	}

	heavy.image.Store(300_000)
	broken.code.Store(http.StatusInternalServerError)
	began := time.Now()
	for kills := 0; box.Sink.Said(brokenURL, "The page is down") == ""; kills++ {
		if kills == 15 {
			t.Fatalf("killed %d times, nobody was told", kills)
		}
		house.Within(2*time.Second, func() bool { return box.Sink.Said(brokenURL, "The page is down") != "" })
		box.Signal(t, "libra-watchdog", syscall.SIGKILL)
	}
	t.Logf("down told after %s, with an inspection every 2 s and the watchdog killed as often", time.Since(began).Round(time.Millisecond))
	down := libra.Alarm{
		ID: "page.down." + brokenPage, Scope: libra.ScopePage, Target: brokenURL, Page: brokenPage, Severity: libra.Major,
		Summary: "The page is down", Runbook: "#page-down",
	}
	told(t, down, "HTTP 500 Internal Server Error; 3 of 3 inspections in a row failed")
	budget := libra.Alarm{
		ID: "page.budget." + heavyPage, Scope: libra.ScopePage, Target: heavyURL, Page: heavyPage, Severity: libra.Minor,
		Summary: "The page is over its budget", Runbook: "#page-budget",
	}
	escaped := strings.ReplaceAll(heavyURL, "&", "&amp;")
	evidence := []string{"over its budget of 100.0 KB; +290.0 KB of images since ", ", biggest: &lt;!channel&gt;.png 293.", "; 3 of 3 inspections in a row failed"}
	atSlack(t, budget, escaped, evidence...)
	listed(t, budget, evidence...)
	for _, said := range box.Sink.All() {
		if strings.Contains(said, "<!channel>") {
			t.Errorf("the page pings a channel: %s", said)
		}
	}

	heavy.image.Store(3000)
	broken.Close()
	over(t, escaped, "The page is within its budget again")
	watch(t, brokenURL, "off", "")
	over(t, brokenURL, "The page is no longer watched")
	if n := strings.Count(strings.Join(box.Sink.All(), "\n"), "[major] "+brokenURL+" on "); n > 2 { // the text, and what phones show of it
		t.Errorf("told again and again:\n%s", strings.Join(box.Sink.All(), "\n---\n"))
	}
}

// A watched page of which nothing is heard, because nobody hears that it is due,
// is told; and when it is weighed again, that.
func TestMissedIsTold(t *testing.T) {
	box.Settle(t)
	allowFaults(t, "LIBRA_PAGE_TIMEOUT=1s\n")
	rulesFile(t, "[thresholds]\nmissed = 1\n")
	t.Cleanup(func() {
		rulesFile(t, "")
		box.Systemctl(t, "restart", "libra-watchdog")
	})
	box.Systemctl(t, "restart", "libra-watchdog")
	quiet(t)
	url := newShop(t).URL + "/missed"
	page := watch(t, url, "1s", "")
	t.Cleanup(func() { watch(t, url, "off", "") })
	house.Await(t, "a report", 20*time.Second, func() bool { return box.Page(t, page).State == libra.Reported })
	box.PauseWatches(t, true)
	t.Cleanup(func() { box.PauseWatches(t, false) })
	told(t, libra.Alarm{
		ID: "page.missed." + page, Scope: libra.ScopePage, Target: url, Page: page, Severity: libra.Minor,
		Summary: "The page is not weighed when it should be", Runbook: "#page-missed",
	}, "; one is due every 1s, limit 2s; ")
	box.PauseWatches(t, false)
	over(t, url, "The page is weighed on time again")
}
