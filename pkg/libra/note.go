package libra

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// NoteKind says what a note is.
type NoteKind string

// The kinds of notes.
const (
	Acknowledged NoteKind = "acknowledged" // somebody has it in hand: no more reminders
	Action       NoteKind = "action"       // the appliance did something about it by itself
	Silenced     NoteKind = "silenced"     // a silence was made, changed or ended
)

// Note is a line of the log of alarms beside the transitions: what people and
// the appliance itself did about them.
type Note struct {
	ID   string    `json:"id"` // unique
	Kind NoteKind  `json:"kind"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`             // who: a client's name, "libra-watchdog"
	Text string    `json:"text,omitempty"` // in their words
	// Alarm is the id of the alarm it is about, "" for a silence.
	Alarm string `json:"alarm,omitempty"`
	// Silence is the whole silence as it is from now on.
	Silence *Silence `json:"silence,omitempty"`
}

// Silence keeps alarms from being told for a while; they are raised, listed
// and recorded all the same. Planned ahead it is a maintenance window. What is
// still raised when it ends is told then.
type Silence struct {
	ID    string    `json:"id"`
	Match Match     `json:"match"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	By    string    `json:"by"`
	Why   string    `json:"why"`
}

// Match selects alarms: every field that is not empty must fit.
type Match struct {
	Alarm    string   `json:"alarm,omitempty"`    // id; * stands for anything, as in "beat.*"
	Scope    Scope    `json:"scope,omitempty"`    // exactly
	Target   string   `json:"target,omitempty"`   // * stands for anything
	Severity Severity `json:"severity,omitempty"` // this one and less severe ones
}

// LongestSilence bounds how far ahead a silence may end: the bus remembers no
// longer.
const LongestSilence = 30 * 24 * time.Hour

// Check names the fault of a silence and the remedy, if it has one.
func (s Silence) Check(now time.Time) error {
	switch m := s.Match; {
	case m == Match{}:
		return fmt.Errorf("a silence without a match would cover every alarm: name an alarm, a scope, a target or a severity (alarm \"*\" is every one)")
	case m.Scope != "" && !slices.Contains(Scopes(), m.Scope):
		return fmt.Errorf("scope %q is unknown: use %s", m.Scope, oneOf(Scopes()))
	case m.Severity != "" && m.Severity.Rank() < 0:
		return fmt.Errorf("severity %q is unknown: use %s", m.Severity, oneOf(Severities()))
	case !s.Until.After(s.From):
		return fmt.Errorf("the silence ends at %s, before it begins at %s: give a later end", s.Until.Format(time.RFC3339), s.From.Format(time.RFC3339))
	case s.Until.Sub(now) > LongestSilence:
		return fmt.Errorf("the silence ends at %s: at most %d days ahead are taken", s.Until.Format(time.RFC3339), int(LongestSilence.Hours()/24))
	}
	return nil
}

// oneOf lists words to choose from: "a, b or c".
func oneOf[S ~string](list []S) string {
	var b strings.Builder
	for i, s := range list {
		switch {
		case i > 0 && i == len(list)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	return b.String()
}

// Covers says whether s keeps a from being told at time at.
func (s Silence) Covers(a Alarm, at time.Time) bool {
	return !at.Before(s.From) && at.Before(s.Until) && s.Match.Fits(a)
}

// Fits says whether a is one of the alarms that m selects.
func (m Match) Fits(a Alarm) bool {
	return m != Match{} && like(m.Alarm, a.ID) && like(m.Target, a.Target) &&
		(m.Scope == "" || m.Scope == a.Scope) &&
		(m.Severity == "" || a.Severity.Rank() <= m.Severity.Rank())
}

// like matches * against any run of characters; "" matches all.
func like(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[last])
}
