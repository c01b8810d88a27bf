package watchdog

import (
	"slices"
	"time"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// Verdict is the result of one reading.
type Verdict int

// An unclear reading is no result: the watchdog itself, or what is between it and
// the target, is at fault.
const (
	Unclear Verdict = iota
	Pass
	Fail
)

// Reading is the outcome of one probe.
type Reading struct {
	Verdict  Verdict
	Severity libra.Severity // of a failure
	Summary  string         // of a failure; "" for that of the probe's alarm
	Evidence string         // what was measured against what limit
	Details  []libra.Reason // of the evidence, where it has codes
	Cause    string         // of a failure: the alarm that explains it, while that is raised
}

// State is the state of a target.
type State string

// Every target starts unknown. Bad means: the alarm is raised.
//
//	          pass                    Raise fails in a row
//	unknown ---------> good     any ----------------------> bad
//	                             ^    Clear passes in a row  |
//	                             '---------------------------'
const (
	Unknown State = "unknown"
	Good    State = "good"
	Bad     State = "bad"
)

// Limits are how many consecutive readings change the state.
type Limits struct {
	rules.Streak
	rules.Flap
}

// Tally is the state of a target and the counters that lead to the next one.
type Tally struct {
	State    State          `json:"state"`
	Fails    int            `json:"fails,omitzero"`    // in a row
	Passes   int            `json:"passes,omitzero"`   // in a row
	Eased    int            `json:"eased,omitzero"`    // in a row, less severe than the alarm
	Severity libra.Severity `json:"severity,omitzero"` // of the alarm, while bad
	Since    time.Time      `json:"since,omitzero"`    // first failure of the row that raised, or may raise
	Raises   []time.Time    `json:"raises,omitempty"`  // within the flap window, oldest first
	Flapping bool           `json:"flapping,omitzero"`
}

// Change is what a reading did to the alarm.
type Change string

// Worse and Ease are published as a raised alarm with another severity, Update as
// one with other evidence; no reading makes it.
const (
	Nothing Change = ""
	Raise   Change = "raise"
	Worse   Change = "worse"
	Ease    Change = "ease"
	Update  Change = "update"
	Clear   Change = "clear"
)

// Next is the one transition function: the tally after a reading at time now.
// It keeps t as it is.
func (t Tally) Next(r Reading, now time.Time, l Limits) (Tally, Change) {
	switch r.Verdict {
	case Pass:
		return t.pass(l)
	case Fail:
		return t.fail(r.Severity, now, l)
	}
	return t, Nothing
}

func (t Tally) pass(l Limits) (Tally, Change) {
	need := l.Clear
	if t.Flapping {
		need = l.Calm
	}
	t.Fails, t.Eased, t.Passes = 0, 0, min(t.Passes+1, need)
	if t.State != Bad {
		t.State, t.Since = Good, time.Time{}
		return t, Nothing
	}
	if t.Passes < need {
		return t, Nothing
	}
	t.State, t.Severity, t.Since, t.Flapping = Good, "", time.Time{}, false
	return t, Clear
}

func (t Tally) fail(severity libra.Severity, now time.Time, l Limits) (Tally, Change) {
	t.Passes = 0
	t.Fails++
	if t.State != Bad {
		if t.Fails == 1 {
			t.Since = now
		}
		if t.Fails < l.Raise {
			return t, Nothing
		}
		return t.raise(severity, now, l), Raise
	}
	switch was, is := t.Severity.Rank(), severity.Rank(); {
	case is > was:
		t.Severity, t.Eased = severity, 0
		return t, Worse
	case is == was:
		t.Eased = 0
	default:
		if t.Eased++; t.Eased >= l.Clear {
			t.Severity, t.Eased = severity, 0
			return t, Ease
		}
	}
	return t, Nothing
}

func (t Tally) raise(severity libra.Severity, now time.Time, l Limits) Tally {
	t.State, t.Severity, t.Eased = Bad, severity, 0
	recent := slices.DeleteFunc(slices.Clone(t.Raises), func(at time.Time) bool { return now.Sub(at) > l.Within })
	t.Raises = append(recent, now)
	t.Flapping = len(t.Raises) >= l.Raises
	return t
}
