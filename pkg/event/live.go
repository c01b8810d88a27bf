package event

import (
	"time"

	"libra/pkg/libra"
)

// The live view: what is collected only while somebody looks. libra-web publishes an
// empty message on LookSubject every second then. For LookedFor after each, components
// publish samples of themselves, and inspectors what they have in progress.
const (
	LookSubject = "libra.look"
	LookedFor   = 3 * time.Second
	AllSamples  = "libra.sample.>"
	AllRunning  = "libra.running.*"
)

// SampleSubject carries what a process uses.
func SampleSubject(component, instance string) string {
	return "libra.sample." + Token(component) + "." + Token(instance)
}

// RunningSubject carries what an inspector has in progress.
func RunningSubject(inspector string) string { return "libra.running." + Token(inspector) }

// SampleEvery is the time of a sample; MostSamples of them are in a message.
const (
	SampleEvery = 100 * time.Millisecond
	MostSamples = 5
)

// SampleAt is the number of the sample that ends at a time, or after it: Unix time in units
// of SampleEvery.
func SampleAt(t time.Time) int64 { return t.UnixMilli() / SampleEvery.Milliseconds() }

// Samples are what a process has used, MostSamples in a row.
type Samples struct {
	Component string   `json:"component"`
	Instance  string   `json:"instance"`
	Samples   []Sample `json:"samples"` // the oldest first
}

// Sample is what a process has used since the sample before.
type Sample struct {
	Number   int64 `json:"number"`
	Took     int64 `json:"took"`           // numbers since the sample before: more than one where it was late
	TookUS   int64 `json:"took_us"`        // microseconds since then
	CPUUS    int64 `json:"cpu_us"`         // processor time
	Resident int64 `json:"resident_bytes"` // in memory
}

// Running is what an inspector has in progress, every second while somebody looks.
type Running struct {
	Inspector string    `json:"inspector"`
	At        time.Time `json:"at"`
	Count     int       `json:"count"` // of all, also those that are not listed
	// Inspections are those that use most CPU, and of these the oldest first: MostRunning
	// at most.
	Inspections []Inspection `json:"inspections"`
}

// MostRunning bounds [Running.Inspections].
const MostRunning = 50

// Inspection is one that is in progress.
type Inspection struct {
	Request string     `json:"request"`
	Page    string     `json:"page"`
	URL     string     `json:"url"` // cut to MostShownURL
	Client  string     `json:"client"`
	Label   string     `json:"label,omitempty"` // what the client calls itself
	Attempt int        `json:"attempt"`
	Alone   bool       `json:"alone,omitempty"` // in a process of its own
	Step    libra.Step `json:"step"`
	Found   int        `json:"found"`
	Done    int        `json:"done"`
	Since   time.Time  `json:"since"` // when it was claimed
	// CPUMS is the processor time of the second before At, in milliseconds: by a profile of
	// 100 samples a second, or by the kernel's count of its own process.
	CPUMS int64 `json:"cpu_ms"`
	// HeldBytes are those of bodies and documents that it holds in memory, or of its own
	// process.
	HeldBytes int64 `json:"held_bytes"`
}

// MostShownURL bounds a URL of the live view, in bytes.
const MostShownURL = 300

// AllInspectors are the subjects on which inspectors answer.
const AllInspectors = "libra.inspector.*"

// InspectorSubject is answered by an inspector.
func InspectorSubject(instance string) string { return "libra.inspector." + Token(instance) }

// Ask is what libra-web asks an inspector about a request that it may have in progress.
type Ask struct {
	Do      string `json:"do"`
	Request string `json:"request"`
	By      string `json:"by,omitempty"` // who ends it
}

// What [Ask.Do] may be.
const (
	AskLook = "look" // answered with a Look
	AskEnd  = "end"  // answered with a Look without lists
)

// Look is what an inspector shows of an inspection. Where it does not have the request, only
// Inspector is set.
type Look struct {
	Inspection
	Inspector string      `json:"inspector"`
	At        time.Time   `json:"at"`
	Asked     time.Time   `json:"asked"` // when the request was made
	Steps     []StepTime  `json:"steps"`
	Outgoing  []Outgoing  `json:"outgoing"` // the oldest first, MostOutgoing at most
	Stacks    []Goroutine `json:"stacks"`   // MostStacks at most
}

// StepTime is when an inspection came to a step.
type StepTime struct {
	Step libra.Step `json:"step"`
	At   time.Time  `json:"at"`
}

// Outgoing is a request to a host that is not answered yet.
type Outgoing struct {
	URL   string    `json:"url"` // cut to MostShownURL
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// Goroutine is the stack of goroutines of an inspection: "function file:line" of each
// frame, the innermost first, MostFrames at most.
type Goroutine struct {
	Count  int      `json:"count"` // that have this stack
	Frames []string `json:"frames"`
}

// Bounds of a [Look].
const (
	MostOutgoing = 64
	MostStacks   = 24
	MostFrames   = 32
	MostSteps    = 32
)

// JournalSubject is answered by libra-watchdog, which may read the journal.
const JournalSubject = "libra.journal"

// JournalAsk asks for the lines of the journal that name a request.
type JournalAsk struct {
	Request string    `json:"request"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"` // when nobody waits for the answer any more
}

// Journal is the answer: the newest MostLines lines, the oldest first.
type Journal struct {
	Request string   `json:"request"`
	Lines   []string `json:"lines"`           // each cut to MostLine bytes
	Fault   string   `json:"fault,omitempty"` // why they could not be read
}

// Bounds of a [Journal].
const (
	MostLines = 100
	MostLine  = 600
)
