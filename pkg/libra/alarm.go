package libra

import (
	"slices"
	"time"
)

// Severity ranks alarms.
type Severity string

// From a note to "someone must get up".
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Minor    Severity = "minor"
	Major    Severity = "major"
	Critical Severity = "critical"
)

// Scope says what kind of thing is unwell.
type Scope string

// An alarm concerns one of Libra's parts, the host it runs on, or a page.
const (
	ScopeComponent Scope = "component"
	ScopeHost      Scope = "host"
	ScopePage      Scope = "page"
)

// AlarmState is raised or cleared; there is nothing between.
type AlarmState string

// Raising twice is one alarm.
const (
	Raised  AlarmState = "raised"
	Cleared AlarmState = "cleared"
)

// Alarm is one thing that is, or was, wrong.
type Alarm struct {
	ID       string     `json:"id"` // [a-z0-9._-]+, stable: "bus", "beat.recorder"
	Scope    Scope      `json:"scope"`
	Target   string     `json:"target"` // what is unwell: "libra-recorder", a page's URL
	Severity Severity   `json:"severity"`
	State    AlarmState `json:"state"`
	Summary  string     `json:"summary"`  // one sentence: what is wrong
	Evidence string     `json:"evidence"` // what was measured against what limit
	// EvidenceDetails are the reasons in the evidence by code, for alarms about
	// pages that could not be fetched; none for others.
	EvidenceDetails []Reason  `json:"evidence_details,omitempty"`
	Runbook         string    `json:"runbook"` // anchor in docs/operations.md
	Since           time.Time `json:"since"`   // when it was raised
	Until           time.Time `json:"until,omitzero"`
	// Page is the id of the page that the alarm is about, "" for others.
	Page string `json:"page,omitempty"`
	// Cause is the id of an alarm that explains this one: while it is raised,
	// nobody need be told of this one as well.
	Cause string `json:"cause,omitempty"`
	// Group is what alarms of one likely cause have in common, such as
	// "host:example.org"; several of a group can be told as one.
	Group string `json:"group,omitempty"`
	// Flapping says that it comes and goes, and stays raised until it is calm.
	Flapping bool `json:"flapping,omitempty"`
}

// Severities lists them from the least to the worst.
func Severities() []Severity { return []Severity{Info, Warning, Minor, Major, Critical} }

// Rank is the place of s among Severities, -1 for what is none.
func (s Severity) Rank() int { return slices.Index(Severities(), s) }

// Scopes lists what alarms can be about.
func Scopes() []Scope { return []Scope{ScopeComponent, ScopeHost, ScopePage} }

// Transition is an alarm that has just been raised or cleared.
type Transition struct {
	ID    string    `json:"id"` // unique: one per raise, one per clear
	Alarm Alarm     `json:"alarm"`
	At    time.Time `json:"at"`
	Host  string    `json:"host"`
}
