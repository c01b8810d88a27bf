package notifier

import (
	"fmt"
	"time"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// entry is an alarm that is raised, as one channel knows it.
type entry struct {
	// Now is the newest raise that the channel has been handed.
	Now libra.Transition `json:"now"`
	// Told is the id of the raise that was told last, "" for none yet.
	Told string `json:"told,omitempty"`
	// Word is when the channel last said a word about it.
	Word time.Time `json:"word,omitzero"`
	// Why says in words why Now was withheld.
	Why string `json:"why,omitempty"`
	// Post is where the provider has what was told.
	Post place `json:"post,omitzero"`
	// After is the id of the clear of the raise before, while that is being
	// told.
	After string `json:"after,omitempty"`
}

// place is a provider's own name of a message, for those that can change it.
type place struct {
	Room   string `json:"room"`
	Stamp  string `json:"stamp"`
	Shared bool   `json:"shared,omitempty"` // it tells of several alarms
}

// verdict is what is to be done about an entry now.
//
//	             withheld <----- a silence, a cause, a group, a route
//	                | ends
//	raise ------> told ----interval over----> reminded
//	                | clear                      | clear
//	                '-----------> told <---------'
//
// The clear of what was never told is not told.
type verdict int

const (
	nothing verdict = iota
	tell
	withhold
	remind
)

// circumstances are all that a verdict rests on, besides the entry.
type circumstances struct {
	now     time.Time
	routed  bool           // the channel is one that is told
	silence *libra.Silence // that covers the alarm now
	acked   bool           // somebody has it in hand
	telling rules.Telling
	// cause is when the alarm that explains this one was cleared: nil where
	// nothing explains it, the zero time while it is raised.
	cause *time.Time
	// group is when the first alarm of its group was told, the zero time
	// where that is this one, or too long ago.
	group time.Time
}

// decide is the whole of what is told, withheld and reminded of. It is pure;
// why says in words why something is withheld.
func decide(e entry, c circumstances) (v verdict, why string) {
	if e.Told == e.Now.ID {
		return reminder(e, c), ""
	}
	// Whoever knows of it is told how it goes on, wherever it would go now.
	known := e.Told != ""
	switch {
	case !known && !c.routed:
		return withhold, "it went to other channels"
	case c.silence != nil:
		return withhold, fmt.Sprintf("it was silenced by %s until %s: %s", c.silence.By, clock(c.silence.Until), c.silence.Why)
	case known:
		return tell, ""
	case c.cause != nil && (c.cause.IsZero() || c.now.Sub(*c.cause) < c.telling.Settle):
		return withhold, fmt.Sprintf("it was explained by the alarm %s", e.Now.Alarm.Cause)
	case !c.group.IsZero() && c.now.Sub(c.group) < c.telling.Group:
		return withhold, ""
	}
	return tell, ""
}

func reminder(e entry, c circumstances) verdict {
	interval := c.telling.Remind[e.Now.Alarm.Severity]
	explained := c.cause != nil && c.cause.IsZero()
	if interval > 0 && c.now.Sub(e.Word) >= interval && c.routed && c.silence == nil && !c.acked && !explained {
		return remind
	}
	return nothing
}
