package event_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	at  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	req = event.Request{ID: "r1", Page: "p1", URL: "https://example.org/", Site: "home", Client: "alice", Label: "ci", Asked: at}
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

var watch = event.Watch{Page: "p1", URL: req.URL, Site: "home", Client: "alice", EveryS: 30, At: at, SchemeGuessed: true, Budget: json.RawMessage(`[]`)}

var timedOut = libra.ReasonList{
	Reasons: []string{"one asset timed out: try again"},
	Details: []libra.Reason{{Code: libra.CodeAnswerTimeout, Text: "one asset timed out", Remedy: "try again"}},
}

var running = event.Inspection{
	Request: "r1", Page: "p1", URL: req.URL, Client: "10.0.0.1", Label: "ci", Attempt: 2, Alone: true, Step: libra.Weighing, Found: 9, Done: 4, Since: at, CPUMS: 7, HeldBytes: 8,
}

// messages holds one full example of everything that crosses a process border.
var messages = map[string]any{
	"request": req,
	"reported": event.Reported{Request: req, Attempt: 2, Inspector: "1", At: at, Report: libra.Report{
		URL: req.URL, FinalURL: req.URL, Title: "A page", Status: 200, RetryAfterS: 9, Started: at, DurationMS: 12, Outcome: libra.Partial, ReasonList: timedOut,
		Totals: libra.Totals{Size: libra.Size{Requests: 1, HeaderBytes: 2, EncodedBytes: 3, DecodedBytes: 4, TransferBytes: 5}, ByType: map[libra.ResourceType]libra.Size{libra.Document: {Requests: 1}}},
		Assets: []libra.Asset{{
			URL: req.URL, Type: libra.Document, Status: 200, HeaderBytes: 2, EncodedBytes: 3, DecodedBytes: 4, Fetch: libra.Fetched, Reason: "the page", Error: "cut", ErrorCode: libra.CodeBodyCut,
			FramingBytes: 6, MediaType: "text/html", Protocol: "HTTP/2.0", StartMS: 0.5, Timings: &libra.Timings{Blocked: 1, DNS: 2, Connect: 3, TLS: 4, Wait: 5, Receive: 6},
			Cache: &libra.Cache{ETag: `"x"`, LastModified: "m", FreshS: 7, NoStore: true, NotModifiedBytes: 8},
		}},
		Repeat: &libra.Totals{Size: libra.Size{Requests: 1}, ByType: map[libra.ResourceType]libra.Size{}},
	}},
	"watched": event.Reported{
		Request: event.Request{ID: "r2", Page: "p1", URL: req.URL, Site: "home", Client: "alice", Asked: at, SchemeGuessed: true, Release: true, Watch: &watch, Traceparent: parent},
		Attempt: 1, Inspector: "1", At: at, Claimed: at, Quarantined: true, Budget: &event.Judged{Lines: 2, Over: []string{"total is 4.1 kB over"}, Within: []string{"image is 1 request, within its budget of 2 requests"}, OverLines: []event.OverLine{
			{Kind: "resourceSizes", Type: "total", Unit: "bytes", Budgeted: 1024, Actual: 5120, Over: 4096},
		}},
		Report: libra.Report{URL: req.URL, Outcome: libra.Complete, ReasonList: libra.NoReasons(), CertificateUntil: at, Assets: []libra.Asset{}},
	},
	"watch": watch,
	"tried": event.Tried{Channel: "ops", OK: false, Answer: "no such channel", TookMS: 3, Channels: []string{"slack"}},
	"note": libra.Note{ID: "n1", Kind: libra.Silenced, At: at, By: "alice", Text: "planned", Silence: &libra.Silence{
		ID: "s1", Match: libra.Match{Alarm: "beat.*", Scope: libra.ScopeComponent, Target: "libra-*", Severity: libra.Minor},
		From: at, Until: at.Add(time.Hour), By: "alice", Why: "planned",
	}},
	"acknowledged": libra.Note{ID: "n2", Kind: libra.Acknowledged, At: at, By: "alice", Text: "on it", Alarm: "bus"},
	"board":        libra.Note{ID: "n3", Kind: libra.Written, At: at, By: "alice", Text: "the new disks are in", Alarm: "disk", Page: "p1"},
	"host": event.Host{
		Host: "example.org", State: libra.HostOpen, Cause: libra.HostNoAnswer, Since: at, Until: at.Add(time.Second), PauseMS: 1000, Pages: 3, Why: &timedOut, Inspector: "1", At: at,
	},
	"probe":       event.Probe{Host: "example.org", Inspector: "1", Page: "p1", At: at},
	"hold":        event.Hold{Host: "example.org", State: libra.HostOpen, By: "alice", Why: "repairs", At: at},
	"step":        event.Step{Request: "r1", Page: "p1", Step: libra.Weighing, Found: 9, Done: 4, Inspector: "1", At: at, Round: 7, Why: "w"},
	"samples":     event.Samples{Component: "libra-web", Instance: "1", Samples: []event.Sample{{Number: 9, Took: 1, TookUS: 100_000, CPUUS: 5, Resident: 6}}},
	"running":     event.Running{Inspector: "1", At: at, Count: 2, Inspections: []event.Inspection{running}},
	"journal-ask": event.JournalAsk{Request: "r1", Since: at, Until: at},
	"journal":     event.Journal{Request: "r1", Lines: []string{"l"}, Fault: "f"},
	"ask":         event.Ask{Do: event.AskEnd, Request: "r1", By: "alice"},
	"look": event.Look{
		Inspection: running, Inspector: "1", At: at, Steps: []event.StepTime{{Step: libra.Fetching, At: at}},
		Outgoing: []event.Outgoing{{URL: "https://example.org/a.css", Host: "example.org", Since: at}}, Stacks: []event.Goroutine{{Count: 1, Frames: []string{"main.main main.go:1"}}}, Asked: at,
	},
	"beat": event.Heartbeat{Component: "libra-web", Instance: "1", Version: "1.0.0", PID: 7, Started: at, At: at, EveryMS: 250, Status: "well", Counters: map[string]int64{"requests": 3}, Troubles: []event.Trouble{
		{ID: "channel.ops", Target: "channel ops", Summary: "s", Evidence: "e", Severity: libra.Major, Runbook: "#channel"},
	}, Details: timedOut.Details},
	"transition": libra.Transition{ID: "t1", At: at, Host: "box", Traceparent: parent, Alarm: libra.Alarm{
		ID: "bus", Scope: libra.ScopeComponent, Target: "libra-bus", Severity: libra.Critical, State: libra.Cleared,
		Summary: "s", Evidence: "e", Runbook: "#bus", Since: at, Until: at,
		Page: "p1", Cause: "host", Group: "g", Flapping: true, EvidenceDetails: timedOut.Details,
	}},
}

// A message may gain fields; what is in a golden file must stay readable.
func TestGolden(t *testing.T) {
	for name, msg := range messages {
		file := filepath.Join("testdata", name+".json")
		got, err := json.MarshalIndent(msg, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s changed its form (-golden +now):\n%s", name, diff)
		}
	}
}

func TestRequestSubject(t *testing.T) {
	asked := event.Request{Site: "home", Client: "10.0.0.1", Page: "p1"}
	watched := asked
	watched.Watch = &watch
	for subject, want := range map[string]event.RequestPlace{
		event.RequestSubject(1, asked):     {Lane: 1, Round: 1, Site: "home", Flow: event.Token("10.0.0.1"), Page: "p1"},
		event.RequestSubject(130, watched): {Lane: 2, Round: 130, Site: "home", Flow: event.Token("watches of 10.0.0.1"), Page: "p1"},
	} {
		if got, ok := event.RequestOf(subject); !ok || got != want {
			t.Errorf("RequestOf(%q) = %+v, %v, want %+v", subject, got, ok, want)
		}
	}
	for _, subject := range []string{
		"libra.report.p1", "libra.request.home.alice.p1", "libra.request.2.1.home.alice.p1", "libra.request.32.32.home.alice.p1",
		"libra.request.0.0.home.alice.p1", "libra.request.x.1.home.alice.p1", "libra.request.1.-31.home.alice.p1",
	} {
		if at, ok := event.RequestOf(subject); ok {
			t.Errorf("RequestOf(%q) = %+v, want none", subject, at)
		}
	}
}

func TestWakeSubject(t *testing.T) {
	if lane, round, ok := event.WakeOf(event.WakeSubject(3, 67)); !ok || lane != 3 || round != 67 {
		t.Errorf("got lane %d, round %d, %v", lane, round, ok)
	}
	for _, subject := range []string{"libra.wake.32.32", "libra.wake.-1.1", "libra.wake.1", "libra.step.1.1"} {
		if _, _, ok := event.WakeOf(subject); ok {
			t.Errorf("%q passes for a wake-up", subject)
		}
	}
}

func TestToken(t *testing.T) {
	if got := event.Token("alice-2"); got != "alice-2" {
		t.Errorf("plain word became %q", got)
	}
	seen := map[string]string{}
	for _, s := range []string{"", "a.b", "a b", "a>b", "*", "10.0.0.1", "h-x", "ü", string(make([]byte, 99))} {
		got := event.Token(s)
		if got == s || len(got) != 18 || seen[got] != "" {
			t.Errorf("Token(%q) = %q, also of %q", s, got, seen[got])
		}
		seen[got] = s
	}
}

// docs/operations.md describes every field of a result against a budget.
func TestJudgedIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| field of `budget` |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, doc := range []reflect.Type{reflect.TypeFor[event.Judged](), reflect.TypeFor[event.OverLine]()} {
		for i := range doc.NumField() {
			name, _, _ := strings.Cut(doc.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(table, "`"+name+"`") {
				t.Errorf("%s: docs/operations.md lacks `%s`:\n%s", doc, name, table)
			}
		}
	}
}
