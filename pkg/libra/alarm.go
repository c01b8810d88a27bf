package libra

import "time"

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
	Runbook  string     `json:"runbook"`  // anchor in docs/operations.md
	Since    time.Time  `json:"since"`    // when it was raised
	Until    time.Time  `json:"until,omitzero"`
}

// Transition is an alarm that has just been raised or cleared.
type Transition struct {
	ID    string    `json:"id"` // unique: one per raise, one per clear
	Alarm Alarm     `json:"alarm"`
	At    time.Time `json:"at"`
	Host  string    `json:"host"`
}
