package watchdog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// behindProbe judges the recorder's own counter.
func (w *Watchdog) behindProbe(t Target) *probe {
	return &probe{
		alarm: libra.Alarm{
			ID: "behind", Scope: libra.ScopeComponent, Target: t.Component, Severity: libra.Major,
			Summary: "History is behind: nothing is recorded", Runbook: "#behind",
		},
		recovered: "History is recorded again",
		check: func(_ context.Context, p *probe) Reading {
			return w.heartbeats.readSince(p, t, "behind_since_unix", w.config().Behind)
		},
	}
}

// lostProbe judges what the recorder says of what the history lacks for good. The
// recorder ends it: by an acknowledgement, or 7 days after the newest gap.
func (w *Watchdog) lostProbe(t Target) *probe {
	return &probe{
		alarm: libra.Alarm{
			ID: event.LostAlarm, Scope: libra.ScopeComponent, Target: t.Component, Severity: libra.Major,
			Summary: "Reports, alarms or notes are missing from the history, and from the bus: they are lost", Runbook: "#lost",
		},
		recovered: "What was lost is acknowledged, or 7 days old",
		check: func(_ context.Context, p *probe) Reading {
			unix, _, arriving := w.heartbeats.counter(t, event.LostCounter)
			if !arriving {
				return Reading{Evidence: "no heartbeat arrives"}
			}
			if unix == 0 {
				return Reading{Verdict: Pass}
			}
			missing, _, _ := w.heartbeats.counter(t, event.MissingCounter)
			what := libra.Several(int(missing), "report")
			if others, _, _ := w.heartbeats.counter(t, event.MissingOthersCounter); others > 0 {
				what += " and " + libra.Plural(int(others), "alarm or note", "alarms or notes")
			}
			return p.fail("%s, the newest gap found %s; an alarm for 7 days, or until it is acknowledged",
				what, libra.FormatTime(time.Unix(unix, 0).UTC()))
		},
	}
}

// historyProbe finds databases that were damaged and set aside: everything works
// again, but an operator should find out why.
func (w *Watchdog) historyProbe() *probe {
	return &probe{
		alarm: libra.Alarm{
			ID: "history", Scope: libra.ScopeComponent, Target: "history", Severity: libra.Minor,
			Summary: "A damaged database was set aside: find out why, then move it away", Runbook: "#history",
		},
		recovered: "No damaged database was set aside recently",
		check: func(_ context.Context, p *probe) Reading {
			newest, at, count, err := setAside(w.config().Database)
			if err != nil {
				return Reading{Evidence: "cannot look for damaged databases: " + err.Error()}
			}
			age, aside := time.Since(at), w.config().Aside
			if count == 0 || age >= aside {
				return Reading{Verdict: Pass}
			}
			old, bound := libra.FormatDurationBoth(max(age, 0), aside)
			return p.fail("%d beside the database, the newest %s, %s old, an alarm for %s", count, newest, old, bound)
		},
	}
}

// setAside finds the newest of the files that were set aside.
func setAside(database string) (newest string, at time.Time, count int, err error) {
	folder, name := filepath.Split(database)
	files, err := os.ReadDir(filepath.Clean(folder))
	if err != nil {
		return "", at, 0, err
	}
	prefix := name + ".damaged-"
	for _, f := range files {
		when, ok := strings.CutPrefix(f.Name(), prefix)
		if !ok || strings.HasSuffix(when, "-wal") || strings.HasSuffix(when, "-shm") {
			continue
		}
		// The file's own time is that of its last write, maybe long before.
		set, err := time.Parse("20060102T150405.000Z", when)
		if err != nil {
			info, err := f.Info()
			if err != nil {
				continue // moved away meanwhile
			}
			set = info.ModTime()
		}
		if count++; count == 1 || set.After(at) {
			newest, at = filepath.Join(folder, f.Name()), set
		}
	}
	return newest, at, count, nil
}
