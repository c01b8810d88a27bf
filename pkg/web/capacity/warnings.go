package capacity

import (
	"fmt"
	"time"

	"libra/pkg/libra"
)

// How long before something is full a warning names it.
const (
	queueNotice = 24 * time.Hour
	diskNotice  = 7 * 24 * time.Hour
)

// warnings says what has no room for more, or soon will have none.
func warnings(doc Doc) []string {
	list := []string{}
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, s := range doc.Stages {
		if s.Utilisation != nil && *s.Utilisation >= Target {
			add("stage %s is %s in use: from %s on, what arrives waits", s.Stage, percent(*s.Utilisation), percent(Target))
		}
	}
	if p := doc.Processor; p.Cores > 0 && p.Utilisation >= Target {
		add("Libra uses %s of %s", percent(p.Utilisation), libra.Several(p.Cores, "processor"))
	}
	if q := doc.Queue; q != nil && soon(q.FullInS, queueNotice) {
		add("the queue is full in %s: requests are refused then", span(*q.FullInS))
	}
	if q := doc.Queue; q != nil && q.WatchesWaiting > 0 && q.WatchesWaitS > doc.Watches.EveryS {
		add("%s due and waiting, the longest for %s: their client has as many open requests as it may; set longer intervals, end some, or add inspectors", several(int(q.WatchesWaiting)), span(q.WatchesWaitS))
	}
	if h := doc.History; h != nil {
		switch {
		case h.PruneAtPercent == 0 && soon(h.FullInS, diskNotice):
			add("the disk of the history is full in %s: nothing is recorded then", span(*h.FullInS))
		case h.PruneAtPercent > 0 && h.PruneInS != nil && *h.PruneInS == 0:
			add("the disk of the history is %.0f %% full: the oldest reports are removed, and it holds those of %s", h.DiskPercent, span(*h.HoldsDays*86400))
		case h.PruneAtPercent > 0 && soon(h.PruneInS, diskNotice):
			add("the disk of the history is %d %% full in %s: the oldest reports are removed from then on", h.PruneAtPercent, span(*h.PruneInS))
		}
	}
	w, i := doc.Watches, doc.Inspector
	switch {
	case w.Fit == nil || w.Count == 0:
	case w.Count > *w.Fit && !w.AtLeast:
		add("%s, and %d fit: %s no room for more", several(w.Count), *w.Fit, scarce(w.LimitedBy))
	case i.Up > 1 && w.Count > *i.FitWithout && !i.AtLeast:
		add("%s, and %d fit while one inspector is away", several(w.Count), *i.FitWithout)
	}
	return list
}

func several(watches int) string { return libra.Plural(watches, "watch", "watches") }

func scarce(by StageName) string {
	if by == Processors {
		return "the processors have"
	}
	return "stage " + string(by) + " has"
}

// soon reports whether something is so many seconds away, and less than notice.
func soon(inS *float64, notice time.Duration) bool {
	return inS != nil && *inS < notice.Seconds()
}

// percent writes a share for people.
func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// span writes seconds for people.
func span(seconds float64) string {
	const most = 10 * 365 * 24 * time.Hour
	if seconds >= most.Seconds() {
		return "more than 10 years"
	}
	return libra.FormatDuration(time.Duration(seconds * float64(time.Second)))
}
