package event_test

import (
	"fmt"
	"strings"
	"testing"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// placed is a message with the subject that it is published on.
type placed struct {
	subject string
	message any
}

// about lists every kind of message about one page, client, alarm, silence, component
// and channel each.
func about(url, name string) map[string]placed {
	page := libra.PageID(url)
	r := event.Request{ID: "r-" + page, Page: page, URL: url, Site: "home", Client: name, Asked: at}
	w := event.Watch{Page: page, URL: url, Site: "home", Client: name, EveryS: 30, At: at}
	due := r
	due.Watch = &w
	good := event.Reported{Request: due, At: at, Report: libra.Report{URL: url, Status: 200, Outcome: libra.Partial}}
	failed := event.Reported{Request: r, At: at, Report: libra.Report{URL: url, Outcome: libra.Error}}
	step := event.Step{Request: r.ID, Page: page, Step: libra.Weighing}
	ack := libra.Note{ID: "n1", Kind: libra.Acknowledged, Alarm: "page.down." + page}
	quiet := libra.Note{ID: "n2", Kind: libra.Silenced, Silence: &libra.Silence{ID: name}}
	board := libra.Note{ID: event.Token(name), Kind: libra.Written, Alarm: ack.Alarm}
	return map[string]placed{
		"request": {event.RequestSubject(40, r), r},
		"due":     {event.DueSubject(page), w},
		"watch":   {event.WatchSubject(page), w},
		"report":  {good.Subject(), good},
		"failure": {failed.Subject(), failed},
		"step":    {event.StepSubject(page), step},
		"worker":  {event.WorkerSubject(page), step},
		"alarm":   {event.AlarmSubject(ack.Alarm), libra.Transition{ID: "t1", Alarm: libra.Alarm{ID: ack.Alarm, State: libra.Raised}}},
		"note":    {event.NoteSubject(ack), ack},
		"silence": {event.NoteSubject(quiet), quiet},
		"board":   {event.BoardSubject(board.ID), board},
		"beat":    {event.HeartbeatSubject("libra-web", name), event.Heartbeat{Component: "libra-web", Instance: name}},
		"host":    {event.HostSubject(name), event.Host{Host: name, State: libra.HostOpen}},
		"hold":    {event.HoldSubject(name), event.Hold{Host: name}},
		"channel": {event.ChannelSubject(name), event.Tried{Channel: name}},
	}
}

// mayShare are kinds whose message is the same on two subjects.
var mayShare = map[string]bool{"due watch": true, "watch due": true, "step worker": true, "worker step": true}

// FuzzBelongs: a message belongs on its own subject, and on no other: not on that of
// another kind, and not on that of another page, client, alarm, silence, instance or
// channel.
func FuzzBelongs(f *testing.F) {
	f.Add("https://example.org/a", "https://example.org/b", "alice", "bob")
	f.Add("http://[::1]:8080/?q=%00", "https://example.org/a\n", "127.0.0.1", "h-abc")
	f.Add("https://x", "http://x", "Büro, 2. Stock", "a.b.*.>")
	f.Fuzz(func(t *testing.T, url, otherURL, name, otherName string) {
		if url == otherURL || name == otherName || name == "" || otherName == "" || len(name)+len(otherName) > event.MaxHost || len(url)+len(otherURL) > libra.MaxURLBytes-20 {
			return
		}
		ours, theirs := about("https://example.org/"+url, name), about("https://example.org/"+otherURL, otherName)
		for kind, here := range ours {
			if err := event.Belongs(here.subject, here.message); err != nil {
				t.Errorf("%s on its own subject %s: %v", kind, here.subject, err)
			}
			for other, there := range theirs {
				if event.Belongs(there.subject, here.message) == nil {
					t.Errorf("%s of %q belongs on %s", kind, url, there.subject)
				}
				if kind != other && !mayShare[kind+" "+other] && event.Belongs(ours[other].subject, here.message) == nil {
					t.Errorf("%s belongs on %s", kind, ours[other].subject)
				}
			}
		}
	})
}

// What a body says of itself must hold together, too.
func TestDisagreements(t *testing.T) {
	const url = "https://example.org/"
	page := libra.PageID(url)
	r := event.Request{ID: "r1", Page: page, URL: url, Site: "home", Client: "alice"}
	request := func(change func(*event.Request)) placed {
		changed := r
		change(&changed)
		there := r
		there.Watch = changed.Watch // which changes the flow
		return placed{event.RequestSubject(1, there), changed}
	}
	report := func(subject string, outcome libra.Outcome, status int) placed {
		return placed{subject, event.Reported{Request: r, Report: libra.Report{Outcome: outcome, Status: status}}}
	}
	for name, c := range map[string]struct {
		placed
		want string // part of the error; "" for none
	}{
		"no URL":             {request(func(r *event.Request) { r.URL = "" }), `the URL "" is not one of http or https`},
		"another URL":        {request(func(r *event.Request) { r.URL += "x" }), fmt.Sprintf(`is %s and not %q`, libra.PageID(url+"x"), page)},
		"a page and no URL":  {request(func(r *event.Request) { r.URL, r.Page = "", libra.PageID("") }), "which is not what its subject names"},
		"an option":          {request(func(r *event.Request) { r.URL = "--help" }), `the URL "--help" is not one of http or https`},
		"another site":       {request(func(r *event.Request) { r.Site = "away" }), `the request is of site "away"`},
		"another client":     {request(func(r *event.Request) { r.Client = "bob" }), `the request is of client "bob"`},
		"no id":              {request(func(r *event.Request) { r.ID = "" }), "the id of the request has 0 bytes"},
		"a long id":          {request(func(r *event.Request) { r.ID = strings.Repeat("x", 9999) }), "the id of the request has 9999 bytes"},
		"another's watch":    {request(func(r *event.Request) { r.Watch = &event.Watch{Page: "x", URL: url} }), `its watch is of page "x"`},
		"a watch elsewhere":  {request(func(r *event.Request) { r.Watch = &event.Watch{Page: page, URL: "file:///"} }), "its watch is of page"},
		"not a request":      {placed{event.ReportSubject(page), r}, "the request is for page"},
		"no answer as good":  {report(event.ReportSubject(page), libra.Error, 0), "on the subject of good reports"},
		"good as an error":   {report(event.FailureSubject(page), libra.Complete, 200), `the report is "complete" on the subject of pages that are an error`},
		"404, as once":       {report(event.ReportSubject(page), libra.Error, 404), ""},
		"404":                {report(event.FailureSubject(page), libra.Error, 404), ""},
		"a note on nothing":  {placed{event.NoteSubject(libra.Note{}), libra.Note{ID: "n1"}}, `the note is about alarm ""`},
		"a board with none":  {placed{event.BoardSubject(""), libra.Note{Kind: libra.Written}}, "the id of the note has 0 bytes"},
		"a silence on it":    {placed{event.BoardSubject("n1"), libra.Note{ID: "n1", Kind: libra.Written, Silence: &libra.Silence{ID: "s"}}}, "has a silence"},
		"board, elsewhere":   {placed{event.AlarmSubject("bus"), libra.Note{ID: "n1", Kind: libra.Written, Alarm: "bus"}}, `the note on the board is "n1"`},
		"an alarm of no id":  {placed{event.AlarmSubject(""), libra.Transition{ID: "t1"}}, `the alarm is ""`},
		"a message of what?": {placed{event.AlarmSubject("bus"), 42}, "no subject is for a int"},
	} {
		err := event.Belongs(c.subject, c.message)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
