package libra

import (
	"slices"
	"time"
)

// Severity ranks alarms.
type Severity string

// From a note to "somebody must act now".
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Minor    Severity = "minor"
	Major    Severity = "major"
	Critical Severity = "critical"
)

// Scope says what kind of thing an alarm is about.
type Scope string

// An alarm is about a component of Libra, the host that it runs on, or a page.
const (
	ScopeComponent Scope = "component"
	ScopeHost      Scope = "host"
	ScopePage      Scope = "page"
)

// UnitsGroup begins the group of alarms about the instances of one component.
const UnitsGroup = "unit:"

// AlarmState is raised or cleared.
type AlarmState string

// Raising twice is one alarm.
const (
	Raised  AlarmState = "raised"
	Cleared AlarmState = "cleared"
)

// FlappingNote follows the summary of an alarm that is flapping.
const FlappingNote = " (flapping)"

// Alarm is one fault, past or present.
type Alarm struct {
	ID       string     `json:"id"` // [a-z0-9._-]+, stable: "bus", "beat.recorder"
	Scope    Scope      `json:"scope"`
	Target   string     `json:"target"` // what the alarm is about: "libra-recorder", a page's URL
	Severity Severity   `json:"severity"`
	State    AlarmState `json:"state"`
	Summary  string     `json:"summary"`  // one sentence: what is wrong; of a page, without its address
	Evidence string     `json:"evidence"` // what was measured against what limit
	// EvidenceDetails are the reasons in the evidence by code, for alarms about
	// pages that could not be fetched; none for others.
	EvidenceDetails []Reason  `json:"evidence_details,omitempty"`
	Runbook         string    `json:"runbook"` // anchor in docs/operations.md
	Since           time.Time `json:"since"`   // when it was raised
	Until           time.Time `json:"until,omitzero"`
	// Page is the id of the page that the alarm is about, "" for others.
	Page string `json:"page,omitempty"`
	// Cause is the id of an alarm that explains this one: while that is raised,
	// notifications of this one are suppressed.
	Cause string `json:"cause,omitempty"`
	// Group is what alarms of one likely cause have in common, such as
	// "host:example.org"; one notification can be about several of a group.
	Group string `json:"group,omitempty"`
	// Flapping says that the alarm is raised and cleared often, and stays raised
	// until it is stable.
	Flapping bool `json:"flapping,omitempty"`
}

// Severities lists them from the least to the worst.
func Severities() []Severity { return []Severity{Info, Warning, Minor, Major, Critical} }

// Rank is the index of s in Severities, -1 for an unknown severity.
func (s Severity) Rank() int { return slices.Index(Severities(), s) }

// Scopes lists what alarms can be about.
func Scopes() []Scope { return []Scope{ScopeComponent, ScopeHost, ScopePage} }

// Transition is an alarm that has just been raised or cleared.
type Transition struct {
	ID    string    `json:"id"` // unique: one per raise, one per clear
	Alarm Alarm     `json:"alarm"`
	At    time.Time `json:"at"`
	Host  string    `json:"host"`
	// Traceparent is of the request whose report has raised or cleared the alarm, "" for
	// others: the trace that its notifications belong to (W3C Trace Context).
	Traceparent string `json:"traceparent,omitempty"`
}
