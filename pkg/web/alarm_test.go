package web_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// transition is an alarm raised or cleared at a minute after noon.
func transition(n int, alarm string, state libra.AlarmState, severity libra.Severity, since int) libra.Transition {
	at := noon.Add(time.Duration(n) * time.Minute)
	t := libra.Transition{ID: fmt.Sprintf("t%02d", n), At: at, Host: "box", Alarm: libra.Alarm{
		ID: alarm, Scope: libra.ScopeComponent, Target: "libra-" + alarm, Severity: severity, State: state,
		Summary: alarm + " does not answer", Evidence: "3 of 3 probes", Runbook: "#" + alarm, Since: noon.Add(time.Duration(since) * time.Minute),
	}}
	if state == libra.Cleared {
		t.Alarm.Until, t.Alarm.Summary = at, alarm+" answers again"
	}
	return t
}

// raise publishes transitions, as the watchdog does, and waits until web has
// the last one.
func (h *rig) raise(list ...libra.Transition) {
	h.t.Helper()
	watchdog := h.bus.Connect("watchdog")
	for _, t := range list {
		if err := watchdog.PublishAlarm(h.t.Context(), t); err != nil {
			h.t.Fatal(err)
		}
	}
	last := list[len(list)-1]
	bustest.Await(h.t, "the alarm "+last.Alarm.ID, func() bool {
		got := h.get("/api/alarms").body
		return strings.Contains(got, last.Alarm.Summary) && !strings.Contains(got, `"stale":true`)
	})
}

func (h *rig) post(path, body string, header ...string) answer {
	h.t.Helper()
	return h.do("POST", path, body, append([]string{"Content-Type", jsonType}, header...)...)
}

// form sends what a browser would.
func (h *rig) form(path string, fields url.Values, header ...string) answer {
	h.t.Helper()
	header = append([]string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "Sec-Fetch-Site", "same-origin"}, header...)
	return h.do("POST", path, fields.Encode(), header...)
}

// onBus lists the notes that the bus has.
func (h *rig) onBus() (notes []libra.Note) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	h.bus.Connect("notifier").ConsumeNotes(ctx, cancel, func(n libra.Note) { notes = append(notes, n) })
	return notes
}

type done struct {
	ID, By, Text string
	At           time.Time
}

type alarmAnswer struct {
	libra.Alarm
	Acknowledged *done
	Silenced     *libra.Silence
	Actions      []done
	Silences     []struct {
		libra.Silence
		State string
	}
	Timeline []struct {
		ID, Kind, Alarm, By, Text string
		Severity                  libra.Severity
	}
	Next    string
	Stale   bool
	Reasons []string
}

func (h *rig) alarm(id string) (a alarmAnswer) {
	h.t.Helper()
	h.get("/api/alarms/"+id).into(h.t, &a)
	return a
}

func (a alarmAnswer) kinds() (list []string) {
	for _, e := range a.Timeline {
		list = append(list, e.Kind)
	}
	return list
}

// An alarm is acknowledged: it is on the bus, and everybody sees by whom.
func TestAcknowledge(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.fill() // what is neither on the bus nor in SQLite never was
	h.start(web.Config{}).ready()
	h.raise(transition(1, "bus", libra.Raised, libra.Major, 1), transition(2, "web", libra.Raised, libra.Minor, 2), transition(3, "web", libra.Cleared, libra.Minor, 2), transition(4, "disk", libra.Raised, libra.Minor, 4))
	got := h.post("/api/alarms/bus/acknowledge", `{"text":" I am\non it "}`, "X-Libra-Client", "ann")
	var ack struct{ ID, By, Text, Alarm string }
	got.into(t, &ack)
	if got.code != 200 || ack.By != "ann" || ack.Text != "I am on it" || ack.Alarm != "bus" {
		t.Errorf("acknowledge = %d %s", got.code, got.body)
	}
	if notes := h.onBus(); len(notes) != 1 || notes[0].ID != ack.ID || notes[0].Kind != libra.Acknowledged || notes[0].Alarm != "bus" {
		t.Errorf("on the bus: %+v", notes)
	}
	if a := h.alarm("bus"); a.Acknowledged == nil || a.Acknowledged.By != "ann" || !slices.Equal(a.kinds(), []string{"acknowledged", "raised"}) {
		t.Errorf("the alarm = %+v", a)
	}
	// Without a text the earlier one stays, with the name of its author if that is another.
	for by, want := range map[string]string{"ann": "I am on it", "bob": "ann: I am on it"} {
		var again struct{ By, Text string }
		h.post("/api/alarms/disk/acknowledge", `{"text":"I am on it"}`, "X-Libra-Client", "ann").into(t, &again)
		h.post("/api/alarms/disk/acknowledge", ``, "X-Libra-Client", by).into(t, &again)
		if a := h.alarm("disk"); again.Text != want || again.By != by || a.Acknowledged == nil || a.Acknowledged.Text != want {
			t.Errorf("%s acknowledges again: %+v, the alarm %+v", by, again, a.Acknowledged)
		}
	}
	// Headings, buttons and the timeline name what the alarm is about, notes too.
	html := h.get("/alarms", "Accept", "text/html").body
	for want, times := range map[string]int{
		`title="bus">bus does not answer<span class="hidden">: libra-bus</span></a></h3>`: 1,
		`<span class="hidden">: bus does not answer, libra-bus</span></button>`:           2,
		`<a href="/alarms/bus" title="bus">libra-bus</a>`:                                 2,
	} {
		if got := strings.Count(html, want); got != times {
			t.Errorf("%d times %s, want %d\n%s", got, want, times, html)
		}
	}
	if list := h.get("/api/alarms?state=raised").body; !strings.Contains(list, `"text":"I am on it"`) {
		t.Errorf("the list lacks it: %s", list)
	}
	for path, want := range map[string]struct {
		code   int
		detail string
	}{
		"/api/alarms/none/acknowledge": {404, `no alarm \"none\" has ever been raised`},
		"/api/alarms/web/acknowledge":  {409, "has cleared at 1 Mar 2026, 12:03:00 UTC"},
	} {
		if got := h.post(path, ""); got.code != want.code || !strings.Contains(got.body, want.detail) || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s = %d %s", path, got.code, got.body)
		}
	}
	if got := h.post("/api/alarms/bus/acknowledge", `{"txt":"x"}`); got.code != 400 || !strings.Contains(got.body, `\"txt\" is unknown`) {
		t.Errorf("an unknown key = %d %s", got.code, got.body)
	}
	// Who acknowledged an earlier raise has not acknowledged this one.
	later := time.Now().Add(time.Minute)
	again := transition(5, "bus", libra.Raised, libra.Major, 5)
	again.At, again.Alarm.Since = later, later
	cleared := transition(4, "bus", libra.Cleared, libra.Major, 1)
	cleared.At = later.Add(-time.Second)
	h.raise(cleared, again)
	bustest.Await(t, "the second raise", func() bool { return h.alarm("bus").Since.Equal(later) })
	if a := h.alarm("bus"); a.Acknowledged != nil {
		t.Errorf("raised again: %+v", a.Acknowledged)
	}
}

// In a storm the worst is not lost among the newest.
func TestManyAlarms(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{MaxList: 2}).ready()
	h.raise(transition(1, "bus", libra.Raised, libra.Critical, 1), transition(2, "disk", libra.Raised, libra.Minor, 2), transition(3, "web", libra.Raised, libra.Minor, 3))
	var doc struct {
		Alarms []libra.Alarm
		More   int
	}
	bustest.Await(t, "all three", func() bool { h.get("/api/alarms").into(t, &doc); return doc.More == 1 })
	if doc.Alarms[0].ID != "bus" || doc.Alarms[1].ID != "web" {
		t.Errorf("the list = %+v", doc.Alarms)
	}
	html := h.get("/alarms", "Accept", "text/html").body
	if !strings.Contains(html, "3 alarms are open") || !strings.Contains(html, "1 more alarm,") || strings.Count(html, "<article") != 2 {
		t.Errorf("/alarms:\n%s", html)
	}
}

// Without scripts: a name is asked for once.
func TestAlarmForms(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.raise(transition(1, "bus", libra.Raised, libra.Major, 1))
	got := h.form("/alarms/bus/acknowledge", url.Values{"name": {"Änn"}, "text": {"on it"}})
	cookie := got.header.Get("Set-Cookie")
	if got.code != 303 || got.header.Get("Location") != "/alarms/bus" || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Fatalf("the form = %d, %v", got.code, got.header)
	}
	if a := h.alarm("bus"); a.Acknowledged == nil || a.Acknowledged.By != "Änn" {
		t.Errorf("acknowledged = %+v", a.Acknowledged)
	}
	name, _, _ := strings.Cut(cookie, ";")
	html := h.get("/alarms", "Accept", "text/html", "Cookie", name).body
	for _, want := range []string{`value="Änn"`, "Acknowledged by Änn", "1 alarm is open", "3 of 3 probes", `href="/alarms/bus"`} {
		if !strings.Contains(html, want) {
			t.Errorf("/alarms lacks %q:\n%s", want, html)
		}
	}
	// A silence, with a fault first.
	fields := url.Values{"alarm": {"b*"}, "for": {"2h"}, "why": {" "}}
	if got := h.form("/silences", fields); got.code != 400 || !strings.Contains(got.body, `value="b*"`) || !strings.Contains(got.body, "the silence has no reason") || !strings.Contains(got.body, `<details class="plan" open>`) {
		t.Errorf("a silence without a reason = %d\n%s", got.code, got.body)
	}
	fields.Set("from", "2199-01-01T06:15:30.000Z") // as the page's script sends it
	if got := h.form("/silences", fields); got.code != 400 || !strings.Contains(got.body, `name="from" type="datetime-local" value="2199-01-01T06:15"`) {
		t.Errorf("the form does not keep the beginning in the form's format, %d:\n%s", got.code, got.body)
	}
	fields.Del("from")
	fields.Set("why", "moving rig")
	if got := h.form("/silences", fields); got.code != 303 || got.header.Get("Location") != "/alarms#silences" {
		t.Errorf("a silence = %d %v\n%s", got.code, got.header, got.body)
	}
	a := h.alarm("bus")
	if a.Silenced == nil || a.Silenced.Why != "moving rig" || a.Silenced.By != "127.0.0.1" {
		t.Fatalf("the alarm is not silenced: %+v", a)
	}
	html = h.get("/alarms/bus", "Accept", "text/html").body
	for _, want := range []string{"moving rig", "alarm b*", "/silences/" + a.Silenced.ID + "/end", "Acknowledged by Änn", "Raised, major"} {
		if !strings.Contains(html, want) {
			t.Errorf("/alarms/bus lacks %q:\n%s", want, html)
		}
	}
	if got := h.form("/silences/"+a.Silenced.ID+"/end", nil); got.code != 303 {
		t.Errorf("the end = %d\n%s", got.code, got.body)
	}
	if a := h.alarm("bus"); a.Silenced != nil || len(a.Silences) != 0 {
		t.Errorf("once it has ended: %+v", a)
	}
	if got := h.form("/alarms/bus/acknowledge", nil, "Sec-Fetch-Site", "cross-site"); got.code != 403 {
		t.Errorf("another site's form = %d", got.code)
	}
}

func TestSilences(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.raise(transition(1, "disk", libra.Raised, libra.Major, 1), transition(2, "beat.web", libra.Raised, libra.Minor, 2))
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for body, want := range map[string]string{
		`{"for":"2h","why":"x"}`:                "would cover every alarm",
		`{"match":{"alarm":"disk"},"why":"x"}`:  `either \"for\"`,
		`{"match":{"alarm":"disk"},"for":"2h"}`: "no reason",
		`{"match":{"alarm":"disk"},"for":"2h","until":"` + in(time.Hour) + `","why":"x"}`: `only one of \"for\" and \"until\"`,
		`{"match":{"alarm":"disk"},"for":"soon","why":"x"}`:                               `invalid for \"soon\": must be a duration`,
		`{"match":{"alarm":"disk"},"for":"31d","why":"x"}`:                                "at most 30 days",
		`{"match":{"alarm":"disk"},"for":"-2h","why":"x"}`:                                "not after its begin",
		`{"match":{"alarm":"disk"},"until":"tonight","why":"x"}`:                          `invalid until \"tonight\": must be a time`,
		`{"match":{"alarm":"disk"},"from":"2020-01-01T00:00:00Z","for":"2h","why":"x"}`:   "ended at 1 Jan 2020, 02:00:00 UTC already",
		`{"match":{"scope":"pages"},"for":"2h","why":"x"}`:                                `scope \"pages\" is unknown`,
		`{"match":{"severity":"bad"},"for":"2h","why":"x"}`:                               `severity \"bad\" is unknown`,
		`{"match":{"alarms":"disk"},"for":"2h","why":"x"}`:                                `key \"alarms\" is unknown: allowed are alarm, scope, severity, target; send`,
		`{"match":"disk","for":"2h","why":"x"}`:                                           `\"match\" is not a JSON object`,
		`{"match":{"alarm":"disk"},"for":2,"why":"x"}`:                                    `key \"for\" must be a string`,
		`{"match":{"alarm":"disk"},"for":"2h","why":"` + strings.Repeat("x", 1001) + `"}`: "1001 bytes long",
	} {
		if got := h.post("/api/silences", body); got.code != 400 || !strings.Contains(got.body, want) {
			t.Errorf("%s = %d %s, want %q", body, got.code, got.body, want)
		}
	}
	if notes := h.onBus(); len(notes) != 0 {
		t.Errorf("what was refused is on the bus: %+v", notes)
	}

	type silence struct {
		libra.Silence
		State string
	}
	make := func(body string) (s silence) {
		t.Helper()
		got := h.post("/api/silences", body, "X-Libra-Client", "ann")
		got.into(t, &s)
		if got.code != 201 {
			t.Fatalf("%s = %d %s", body, got.code, got.body)
		}
		return s
	}
	now := make(`{"match":{"alarm":"beat.*"},"for":"2h","why":"new web"}`)
	later := make(`{"match":{"scope":"component","severity":"major"},"from":"` + in(time.Hour) + `","for":"1d","why":"maintenance"}`)
	if now.State != "in force" || now.By != "ann" || later.State != "planned" || later.Until.Sub(later.From) != 24*time.Hour {
		t.Errorf("silences %+v and %+v", now, later)
	}
	var list struct{ Silences []silence }
	h.get("/api/silences").into(t, &list)
	if diff := cmp.Diff([]silence{now, later}, list.Silences); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	if a := h.alarm("beat.web"); a.Silenced == nil || a.Silenced.ID != now.ID || len(a.Silences) != 2 {
		t.Errorf("what it covers: %+v", a)
	}
	if a := h.alarm("disk"); a.Silenced != nil || len(a.Silences) != 1 {
		t.Errorf("what it does not cover: %+v", a)
	}
	if got := h.do("DELETE", "/api/silences/"+now.ID, "", "X-Libra-Client", "bob"); got.code != 200 || !strings.Contains(got.body, `"state":"ended"`) {
		t.Errorf("the end = %d %s", got.code, got.body)
	}
	for _, id := range []string{now.ID, "none"} {
		if got := h.do("DELETE", "/api/silences/"+id, ""); got.code != 404 || !strings.Contains(got.body, "/api/silences lists") {
			t.Errorf("the end of %s = %d %s", id, got.code, got.body)
		}
	}
	notes := h.onBus()
	if len(notes) != 3 || notes[2].By != "bob" || notes[2].Silence.ID != now.ID || notes[2].Silence.By != "ann" || notes[2].Silence.Until.After(time.Now()) {
		t.Errorf("on the bus: %+v", notes)
	}
	html := h.get("/alarms", "Accept", "text/html").body
	for _, want := range []string{"scope component, severity up to major", "Cancel", "Silence ended by bob", "Maintenance window planned by ann"} {
		if !strings.Contains(html, want) {
			t.Errorf("/alarms lacks %q:\n%s", want, html)
		}
	}
	if got := h.do("DELETE", "/api/silences/"+later.ID, ""); got.code != 200 || !strings.Contains(got.body, `"state":"ended"`) {
		t.Errorf("the end of a planned one = %d %s", got.code, got.body)
	}
	list.Silences = nil
	if h.get("/api/silences").into(t, &list); len(list.Silences) != 0 {
		t.Errorf("silences once both have ended: %+v", list.Silences)
	}
}

// A silence that was made by a clock that was ahead can be ended all the same,
// for a reader of its newest note.
func TestSilenceFromTheFuture(t *testing.T) {
	t.Parallel()
	h := started(t)
	now := time.Now().UTC()
	sil := libra.Silence{ID: "s1", Match: libra.Match{Alarm: "disk"}, From: now, Until: now.Add(3 * time.Hour), By: "ann", Why: "new disks"}
	made := libra.Note{ID: "n1", Kind: libra.Silenced, At: now.Add(time.Hour), By: "ann", Silence: &sil}
	if err := h.bus.Connect("web").PublishNote(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	listed := func() bool { return strings.Contains(h.get("/api/silences").body, "new disks") }
	bustest.Await(t, "the silence", listed)
	if got := h.do("DELETE", "/api/silences/s1", ""); got.code != 200 || listed() {
		t.Errorf("the end = %d %s; still listed: %v", got.code, got.body, listed())
	}
	notes := h.onBus()
	if last := notes[len(notes)-1]; len(notes) != 2 || !last.At.After(made.At) || last.Silence.Until.After(time.Now()) {
		t.Errorf("on the bus: %+v", notes)
	}
}

// Two silences cover an alarm: it is silenced until the later end.
func TestSilencedUntilTheLastEnds(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.raise(transition(1, "disk", libra.Raised, libra.Minor, 1))
	for _, body := range []string{`{"match":{"alarm":"disk"},"for":"1h","why":"first"}`, `{"match":{"alarm":"d*"},"for":"3h","why":"longest"}`, `{"match":{"alarm":"*"},"for":"2h","why":"third"}`} {
		if got := h.post("/api/silences", body); got.code != 201 {
			t.Fatalf("%s = %d %s", body, got.code, got.body)
		}
	}
	if a := h.alarm("disk"); a.Silenced == nil || a.Silenced.Why != "longest" || len(a.Silences) != 3 {
		t.Errorf("silenced = %+v of %d", a.Silenced, len(a.Silences))
	}
}
