package notifier

import (
	"maps"
	"slices"
)

// Bounds of what grows with the number of alarms, in bytes of what they take in
// the file, about.
const (
	maxOpenBytes  = 8_000_000 // more than 10,000 alarms with short texts
	maxAheadBytes = 500_000
)

// size is about what e takes in the file of a notification log, in bytes.
func (e *entry) size() int {
	const rest = 450 // names of fields, times
	a := e.Now.Alarm
	n := rest + len(e.Now.ID) + len(e.Now.Host) + len(e.Now.Traceparent) + 2*len(a.ID) + len(a.Target) + len(a.Summary) + len(a.Evidence) + len(a.Runbook) +
		len(a.Page) + len(a.Cause) + len(a.Group) + len(e.Notified) + len(e.Suppressed) + len(e.Post.Room) + len(e.Post.Stamp)
	for _, r := range a.EvidenceDetails {
		n += 50 + len(r.Code) + len(r.Text) + len(r.Remedy)
	}
	return n
}

// shrink keeps Open and Ahead in their bounds. l.mu is held.
func (l *notificationLog) shrink() {
	l.shrinkOpen()
	l.shrinkAhead()
}

// shrinkOpen drops alarms that the channel was notified of, what was sent longest
// ago first: nobody is reminded of such an alarm, it inhibits none, and its clear
// is handled as that of an alarm from before the log began. Suppressed alarms
// stay, for only the log knows them; while they alone exceed the bound, l.full
// is set.
func (l *notificationLog) shrinkOpen() {
	size := 0
	var sent []*entry
	for _, e := range l.Open {
		size += e.size()
		if e.Notified == e.Now.ID {
			sent = append(sent, e)
		}
	}
	if size > maxOpenBytes {
		slices.SortFunc(sent, func(a, b *entry) int { return a.LastSent.Compare(b.LastSent) })
		dropped := 0
		for ; dropped < len(sent) && size > maxOpenBytes*7/8; dropped++ {
			size -= sent[dropped].size()
			delete(l.Open, sent[dropped].Now.Alarm.ID)
		}
		l.log.Warn("the notification log is full, dropping the alarms that were notified first", "dropped", dropped, "bytes", size)
	}
	l.full = size > maxOpenBytes
}

// shrinkAhead drops the oldest.
func (l *notificationLog) shrinkAhead() {
	const rest = 50 // a time
	size := 0
	for alarm := range l.Ahead {
		size += rest + len(alarm)
	}
	if size <= maxAheadBytes {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(l.Ahead), func(a, b string) int { return l.Ahead[a].Compare(l.Ahead[b]) })
	for _, alarm := range oldest {
		if size -= rest + len(alarm); size < maxAheadBytes*7/8 {
			return
		}
		delete(l.Ahead, alarm)
	}
}
