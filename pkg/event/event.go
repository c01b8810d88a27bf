// Package event is the contract between Libra's processes: the messages that they
// publish, on which subjects, in which JSON. Messages only ever gain fields, so
// that processes can be upgraded in any order; the golden files in testdata are
// the test of that. It does no input or output.
//
//	subject                                  kind      message    published by
//	libra.request.<lane>.<round>.<site>.<flow>.<page>  stream  Request  web; bus, for a due watch
//	libra.report.<page>                      stream    Reported   inspector; recorder, into a bus that has lost it
//	libra.report.<page>.failed               stream    Reported   the same, of a page that is an error
//	libra.alarm.<alarm>                      stream    libra.Transition  watchdog
//	libra.note.<alarm or silence>            stream    libra.Note        web, watchdog, recorder, notifier
//	libra.board.<note>                       stream    libra.Note        web; recorder, into a bus that has lost it
//	libra.schedule.<page>                    stream    Watch      web; recorder, into a bus that has lost it
//	libra.due.<page>                         stream    Watch      the bus itself, watchdog
//	libra.channel.<channel>                  request   Tried      web asks the notifier to send a trial message, or which channels there are
//	libra.wake.<lane>.<round>                lossy     (empty)    web, bus: a request is stored
//	libra.host.<host>                        stream    Host       inspector
//	libra.probe.<host>                       stream    Probe      inspector: it claims the one probe of a host
//	libra.hold.<host>                        stream    Hold       web
//	libra.step.<page>                        lossy     Step       inspector
//	libra.worker.<page>                      request   Step       web asks the inspector of the page
//	libra.inspector.<instance>               request   Look       web asks an inspector about a request
//	libra.journal                            request   Journal    web asks the watchdog for lines of the journal
//	libra.look                               lossy     (empty)    web: somebody looks at the live view
//	libra.sample.<component>.<instance>      lossy     Samples    all, while somebody looks
//	libra.running.<instance>                 lossy     Running    inspector, every second while somebody looks
//	libra.beat.<component>.<instance>        lossy     Heartbeat  all, every 250 ms
package event

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"strings"
	"time"

	"libra/pkg/libra"
)

// Streams, by their JetStream names.
const (
	RequestStream = "REQUESTS"
	ReportStream  = "REPORTS"
	AlarmStream   = "ALARMS"
	NoteStream    = "NOTES"
	BoardStream   = "BOARD"
	WatchStream   = "WATCHES"
)

// Streams lists them all.
func Streams() []string {
	return []string{RequestStream, ReportStream, AlarmStream, NoteStream, BoardStream, WatchStream, HostStream}
}

// Subject patterns that select every message of a kind.
const (
	AllRequests   = "libra.request.>"
	AllReports    = "libra.report.>"
	AllAlarms     = "libra.alarm.>"
	AllNotes      = "libra.note.>"
	AllBoard      = "libra.board.*"
	AllWatches    = "libra.schedule.*"
	AllDue        = "libra.due.*"
	AllChannels   = "libra.channel.*"
	AllWakes      = "libra.wake.*.*"
	AllSteps      = "libra.step.*"
	AllWorkers    = "libra.worker.*"
	AllHeartbeats = "libra.beat.>"
)

// ReportSubject holds the reports of a page; its last message is the newest good
// one.
func ReportSubject(page string) string { return "libra.report." + page }

// FailureSubject holds the reports of pages that are an error, so that the last
// good report stays the last of its own subject.
func FailureSubject(page string) string { return "libra.report." + page + ".failed" }

// AlarmSubject holds the transitions of an alarm.
func AlarmSubject(alarm string) string { return "libra.alarm." + alarm }

// NoteSubject holds the notes about an alarm, or about a silence.
func NoteSubject(n libra.Note) string {
	if n.Silence != nil {
		return "libra.note.silence-" + Token(n.Silence.ID)
	}
	return "libra.note." + n.Alarm
}

// BoardSubject holds the note on the board with an id, and never another: a second message
// on it would be a repeat.
func BoardSubject(note string) string { return "libra.board." + Token(note) }

// WatchSubject holds the newest state of a page's watch.
func WatchSubject(page string) string { return "libra.schedule." + page }

// DueSubject holds a watch of a page that is due.
func DueSubject(page string) string { return "libra.due." + page }

// ChannelSubject is answered by the notifier that has the channel.
func ChannelSubject(channel string) string { return "libra.channel." + Token(channel) }

// StepSubject carries a page's progress to those that subscribe.
func StepSubject(page string) string { return "libra.step." + page }

// WorkerSubject is answered by the inspector of the page, and by no other.
func WorkerSubject(page string) string { return "libra.worker." + page }

// HeartbeatSubject carries the heartbeats of a component.
func HeartbeatSubject(component, instance string) string {
	return "libra.beat." + Token(component) + "." + Token(instance)
}

// Token makes s safe as one token of a subject: short plain words stay as they
// are, everything else becomes "h-" and a hash.
func Token(s string) string {
	plain := s != "" && len(s) <= 32 && !strings.HasPrefix(s, "h-")
	for i := 0; plain && i < len(s); i++ {
		c := s[i]
		plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if plain {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "h-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:16]
}

// Request asks for one inspection of one page.
type Request struct {
	ID     string    `json:"id"` // unique; every log line of the work carries it
	Page   string    `json:"page"`
	URL    string    `json:"url"`
	Site   string    `json:"site"`
	Client string    `json:"client"`          // who asks, and whose turns it takes: an address
	Label  string    `json:"label,omitempty"` // what the client calls itself: X-Libra-Client
	Asked  time.Time `json:"asked"`
	// SchemeGuessed: who typed the URL left https:// out, so that http will do where
	// https does not answer.
	SchemeGuessed bool `json:"scheme_guessed,omitempty"`
	// Release asks for a page that is in quarantine.
	Release bool `json:"release,omitempty"`
	// Watch is the watch that was due, null for a request without one.
	Watch *Watch `json:"watch,omitempty"`
	// Traceparent is what who asked sent of a trace of theirs (W3C Trace Context); "" where
	// the trace begins with the request. See package trace.
	Traceparent string `json:"traceparent,omitempty"`
}

// Watch has a page inspected at an interval.
type Watch struct {
	Page   string    `json:"page"`
	URL    string    `json:"url"`
	Site   string    `json:"site"`
	Client string    `json:"client"` // who asks, as of a request
	Label  string    `json:"label,omitempty"`
	EveryS int       `json:"every_s"` // seconds; 0: not watched any more
	At     time.Time `json:"at"`      // since when it is so
	// SchemeGuessed is that of its requests.
	SchemeGuessed bool `json:"scheme_guessed,omitempty"`
	// Budget is a LightWallet budget file, null for none.
	Budget json.RawMessage `json:"budget,omitempty"`
}

// Tried is the outcome of a trial message.
type Tried struct {
	Channel string `json:"channel"`
	OK      bool   `json:"ok"`
	Answer  string `json:"answer"` // the provider's, or why no provider answered
	TookMS  int64  `json:"took_ms"`
	// Channels lists those there are, where Channel is not among them.
	Channels []string `json:"channels,omitempty"`
	// Routes are those in force, with Channels: nil only from earlier versions.
	Routes []Route `json:"routes,omitzero"`
}

// Route is a route of alarms.toml, see rules.Route.
type Route struct {
	Scope    libra.Scope    `json:"scope,omitempty"`
	Severity libra.Severity `json:"severity,omitempty"`
	Alarm    string         `json:"alarm,omitempty"`
	Target   string         `json:"target,omitempty"`
	Channels []string       `json:"channels"`
}

// Reported answers a request. A request delivered twice is answered twice
// with the same Request.ID; a reader that stores answers keeps the first.
type Reported struct {
	Request   Request   `json:"request"`
	Attempt   int       `json:"attempt"`   // delivery number, from 1, without those that were given back
	Inspector string    `json:"inspector"` // instance that did the work
	At        time.Time `json:"at"`
	// Claimed is when that instance claimed the request; the zero time from earlier versions.
	Claimed time.Time    `json:"claimed,omitzero"`
	Report  libra.Report `json:"report"`
	// Quarantined says that the page has ended its inspector repeatedly, and is
	// not inspected until a request with Release.
	Quarantined bool `json:"quarantined,omitempty"`
	// Budget is the result of the report against Request.Watch.Budget; null
	// without one, and for a page that is an error.
	Budget *Judged `json:"budget,omitempty"`
}

// Judged is the result of a report against a budget.
type Judged struct {
	Lines int      `json:"lines"` // of the budget that is for this page
	Over  []string `json:"over"`  // those that are over, in words; never null
	// Within are those that are not over, in words, and those that could not be
	// judged: the first [MostWithin].
	Within []string `json:"within,omitempty"`
	// OverLines are the same lines by their figures; messages of versions that
	// had only the words have none.
	OverLines []OverLine `json:"over_lines,omitempty"`
}

// MostWithin bounds [Judged.Within]: web keeps it in memory for every page.
const MostWithin = 20

// OverLine is a line of a budget that a report is over.
type OverLine struct {
	Kind     string `json:"kind"`     // the file's list: "resourceSizes", "resourceCounts", "maxDeltaVsLast"
	Type     string `json:"type"`     // a libra.ResourceType, "total" or "third-party"
	Unit     string `json:"unit"`     // "bytes" or "requests"
	Budgeted int64  `json:"budgeted"` // what is allowed
	Actual   int64  `json:"actual"`   // what there is; of a delta, the growth
	Over     int64  `json:"over"`     // Actual - Budgeted
}

// Subject is the subject that the answer is published on.
func (r Reported) Subject() string {
	if r.Report.Outcome == libra.Error {
		return FailureSubject(r.Request.Page)
	}
	return ReportSubject(r.Request.Page)
}

// Step is how far a worker is with a page.
type Step struct {
	Request   string     `json:"request"`
	Page      string     `json:"page"`
	Step      libra.Step `json:"step"`
	Found     int        `json:"found"` // assets known so far
	Done      int        `json:"done"`  // assets measured so far
	Inspector string     `json:"inspector"`
	At        time.Time  `json:"at"`
	Round     int64      `json:"round,omitempty"` // of the request; 0 of a request without one, and while it waits
	Why       string     `json:"why,omitempty"`   // why the page waits; "" in any other step
}

// Heartbeat is the periodic message of a component whose loops make
// progress.
type Heartbeat struct {
	Component string           `json:"component"` // "libra-web"
	Instance  string           `json:"instance"`  // "1"
	Version   string           `json:"version"`
	PID       int              `json:"pid"`
	Started   time.Time        `json:"started"`
	At        time.Time        `json:"at"`
	EveryMS   int              `json:"every_ms,omitempty"` // its interval; 0 of versions that send one every second
	Status    string           `json:"status"`             // one line, as systemctl status shows it
	Counters  map[string]int64 `json:"counters"`           // ever-growing counts, snake_case
	// Troubles are the faults that the component wants an alarm for.
	Troubles []Trouble `json:"troubles,omitempty"`
	// Details are the reasons why the component cannot do all of its work.
	Details []libra.Reason `json:"reason_details,omitempty"`
}

// StoppedCounter is the counter of libra-bus's heartbeats that says since when one of
// its streams stores nothing, in Unix seconds; 0 while all of them store.
const StoppedCounter = "stopped_since_unix"

// RestoringCounter is the counter of a component's heartbeats that says since when it
// publishes again what the bus has lost, in Unix seconds; 0 while it does not.
const RestoringCounter = "restoring_since_unix"

// RefusedCounter is the counter of libra-bus's heartbeats that says since when no request
// may be accepted, in Unix seconds, because too many reports are not recorded; 0 while
// they may be.
const RefusedCounter = "refused_since_unix"

// Counters of libra-bus's heartbeats: how many watches are due and wait because their
// client has as many open requests as it may, and since when the first of them does, in
// Unix seconds; 0 while none waits.
const (
	WaitingCounter      = "watches_waiting"
	WaitingSinceCounter = "watches_waiting_since_unix"
)

// LostAlarm is the alarm about what the history lacks for good. The recorder's
// heartbeats say when it found the newest gap that nobody has acknowledged (LostCounter,
// unix time; 0 for none), how many reports all of those have (MissingCounter), and how many
// transitions of alarms and notes (MissingOthersCounter).
const (
	LostAlarm            = "lost"
	LostCounter          = "lost_at_unix"
	MissingCounter       = "reports_missing"
	MissingOthersCounter = "alarms_and_notes_missing"
)

// PressureCounter is the counter of an inspector's heartbeats that says since when the
// host is short of memory or CPU, in Unix seconds; 0 while it is not.
const PressureCounter = "pressure_since_unix"

// Trouble is a fault that a component sees in something it depends on, and
// that is an alarm while the component's heartbeats name it.
type Trouble struct {
	ID       string         `json:"id"`       // of the alarm: "channel.ops"
	Target   string         `json:"target"`   // what has the fault: "channel ops"
	Summary  string         `json:"summary"`  // one sentence
	Evidence string         `json:"evidence"` // what was seen
	Severity libra.Severity `json:"severity"`
	Runbook  string         `json:"runbook"` // anchor in docs/operations.md
}

// Position is a place in a stream. A stream that was made again has other
// positions, however equal the numbers.
type Position struct {
	Created  time.Time // when the stream was made
	Sequence uint64    // of the last message taken; 0 before the first
}

// Missed are the streams of which a gap is missed, and what one of their messages is. Of the
// others only the newest of a subject counts.
func Missed() map[string]string {
	return map[string]string{ReportStream: "report", AlarmStream: "transition", NoteStream: "note", BoardStream: "board note"}
}

// Gap is what the bus no longer had of a stream when it was read.
type Gap struct {
	Stream  string
	Created time.Time // when the incarnation of the stream was made that had it
	Count   uint64
	First   uint64    // its sequence
	Until   time.Time // when the first message after it was stored, or the stream was made again
}
