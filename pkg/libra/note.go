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
	Acknowledged NoteKind = "acknowledged" // somebody works on it: no more reminders
	Action       NoteKind = "action"       // the appliance did something about it by itself
	Silenced     NoteKind = "silenced"     // a silence was made, changed or ended
	Written      NoteKind = "written"      // somebody wrote it on the board
)

// Note is a line of the log of alarms beside the transitions: what people and
// the appliance itself did about them, and what people wrote on the board.
type Note struct {
	ID   string    `json:"id"` // unique
	Kind NoteKind  `json:"kind"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`             // who: a client's name, "libra-watchdog"
	Text string    `json:"text,omitempty"` // in their words
	// Alarm is the id of the alarm it is about, "" for a silence. A note on the board may
	// be about none.
	Alarm string `json:"alarm,omitempty"`
	// Page is the id of the page that a note on the board is about, "" for none.
	Page string `json:"page,omitempty"`
	// Silence is the whole silence as it is from now on.
	Silence *Silence `json:"silence,omitempty"`
}

// MostNoteText bounds the text of a note on the board, in characters.
const MostNoteText = 1000

// Silence suppresses the notifications of alarms for a while; the alarms are
// raised, listed and recorded all the same. Planned ahead it is a maintenance
// window. An alarm that is still raised when the silence ends is notified then.
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

// Check returns a [Reason] if the silence is invalid.
func (s Silence) Check(now time.Time) error {
	invalid := func(remedy, format string, args ...any) error {
		return Reason{Code: CodeInvalidParameter, Text: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	from, until := FormatTime(s.From), FormatTime(s.Until)
	switch m := s.Match; {
	case m == Match{}:
		return invalid(`name an alarm, a scope, a target or a severity (alarm "*" is every one)`, "a silence without a match would cover every alarm")
	case m.Scope != "" && !slices.Contains(Scopes(), m.Scope):
		return invalid("use "+oneOf(Scopes()), "scope %q is unknown", m.Scope)
	case m.Severity != "" && m.Severity.Rank() < 0:
		return invalid("use "+oneOf(Severities()), "severity %q is unknown", m.Severity)
	case !s.Until.After(s.From):
		return invalid("give a later end", "the silence ends at %s, which is not after its begin at %s", until, from)
	case s.Until.Sub(now) > LongestSilence:
		return invalid(fmt.Sprintf("give an end at most %d days from now", int(LongestSilence.Hours()/24)), "the silence ends at %s", until)
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

// Covers says whether s suppresses notifications of a at a time.
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
