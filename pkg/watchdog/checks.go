package watchdog

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"libra/pkg/libra"
)

// busAlarm is the alarm that explains the silence of every heart.
const busAlarm = "bus"

// allProbes is the whole table of what is watched.
func (w *Watchdog) allProbes() []*probe {
	probes := []*probe{w.busProbe(), w.webProbe(), w.diskProbe()}
	if w.deps.SQLite != nil {
		probes = append(probes, w.sqliteProbe())
	}
	if w.cfg.Database != "" {
		probes = append(probes, w.historyProbe())
	}
	probes = append(probes, w.queueProbe())
	for _, t := range w.cfg.Expect {
		probes = append(probes, w.beatProbe(t), w.restartProbe(t))
		switch t.Component {
		case "libra-notifier":
			probes = append(probes, w.deliveryProbe(t))
		case "libra-recorder":
			probes = append(probes, w.behindProbe(t))
		}
	}
	for _, p := range probes {
		p.limits, p.timeout = w.cfg.Limits, w.cfg.Timeout
	}
	return probes
}

func (w *Watchdog) busProbe() *probe {
	return &probe{
		alarm: libra.Alarm{
			ID: busAlarm, Scope: libra.ScopeComponent, Target: "libra-bus", Severity: libra.Critical,
			Summary: "The bus does not answer: nothing new is accepted", Runbook: "#bus",
		},
		recovered: "The bus answers again",
		check: func(ctx context.Context, p *probe) Reading {
			if err := w.deps.Bus.Ping(ctx); err != nil {
				return p.judge(ctx, err)
			}
			return p.judge(ctx, w.deps.Bus.CheckStreams(ctx))
		},
	}
}

func (w *Watchdog) sqliteProbe() *probe {
	return &probe{
		alarm: libra.Alarm{
			ID: "sqlite", Scope: libra.ScopeComponent, Target: "SQLite", Severity: libra.Major,
			Summary: "The database cannot be read: history is behind", Runbook: "#sqlite",
		},
		recovered: "The database can be read again",
		check: func(ctx context.Context, p *probe) Reading {
			return p.judge(ctx, w.deps.SQLite.Check(ctx))
		},
	}
}

func (w *Watchdog) webProbe() *probe {
	return &probe{
		alarm: libra.Alarm{
			ID: "web", Scope: libra.ScopeComponent, Target: "libra-web", Severity: libra.Critical,
			Summary: "The web server does not serve: people and programs are turned away", Runbook: "#web",
		},
		recovered: "The web server serves again",
		check: func(ctx context.Context, p *probe) Reading {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.cfg.WebURL, nil)
			if err != nil {
				return p.judge(ctx, err)
			}
			resp, err := w.deps.Web.RoundTrip(req)
			if err != nil {
				return p.judge(ctx, fmt.Errorf("GET %s: %w", w.cfg.WebURL, err))
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return p.fail("GET %s answered %s, 200 wanted", w.cfg.WebURL, resp.Status)
			}
			return Reading{Verdict: Pass}
		},
	}
}

// names are a target's in alarm ids, in anchors, and for people.
func (t Target) names() (id, short, name string) {
	short, name = strings.TrimPrefix(t.Component, "libra-"), t.Component
	id = strings.ToLower(short)
	if t.Instance != "" {
		id, name = id+"."+strings.ToLower(t.Instance), name+"@"+t.Instance
	}
	return id, short, name
}

// beatProbe is one component's heart.
func (w *Watchdog) beatProbe(t Target) *probe {
	id, short, name := t.names()
	return &probe{
		alarm: libra.Alarm{
			ID: "beat." + id, Scope: libra.ScopeComponent, Target: name, Severity: libra.Major,
			Summary: name + " gives no sign of life", Runbook: "#beat-" + short,
		},
		recovered: name + " is alive again",
		check:     func(_ context.Context, p *probe) Reading { return w.beats.read(p, t) },
	}
}

// restartProbe finds a component that comes back again and again: each time
// it looks well.
func (w *Watchdog) restartProbe(t Target) *probe {
	id, _, name := t.names()
	return &probe{
		alarm: libra.Alarm{
			ID: "restarts." + id, Scope: libra.ScopeComponent, Target: name, Severity: libra.Minor,
			Summary: name + " is restarted again and again", Runbook: "#restarts",
		},
		recovered: name + " stays up again",
		check: func(_ context.Context, p *probe) Reading {
			return w.beats.readStarts(p, t, w.cfg.Starts, w.cfg.RestartWindow)
		},
	}
}

// deliveryProbe takes the notifier's own word.
func (w *Watchdog) deliveryProbe(t Target) *probe {
	return &probe{
		alarm: libra.Alarm{
			ID: "delivery", Scope: libra.ScopeComponent, Target: t.Component, Severity: libra.Major,
			Summary: "Alarms do not reach people", Runbook: "#delivery",
		},
		recovered: "Alarms reach people again",
		check: func(_ context.Context, p *probe) Reading {
			return w.beats.readFailing(p, t, "undelivered_seconds", w.cfg.Undelivered)
		},
	}
}

// queueProbe looks how long the oldest request has been open. When the bus
// does not say, that is the bus's fault.
func (w *Watchdog) queueProbe() *probe {
	return &probe{
		byWay: true,
		alarm: libra.Alarm{
			ID: "queue", Scope: libra.ScopeComponent, Target: "libra-inspector", Severity: libra.Minor,
			Summary: "Requests wait too long", Runbook: "#queue",
		},
		recovered: "Requests are answered in time again",
		check: func(ctx context.Context, p *probe) Reading {
			open, since, err := w.deps.Bus.OldestRequest(ctx)
			wait := time.Since(since)
			switch {
			case err != nil:
				return Reading{Evidence: "the bus does not say: " + err.Error()}
			case open == 0 || wait < w.cfg.Wait:
				return Reading{Verdict: Pass}
			}
			r := p.fail("%d requests are open, the oldest for %s, limit %s", open, wait.Round(time.Second), w.cfg.Wait)
			if wait >= w.cfg.LongWait {
				r.Severity = libra.Major
			}
			return r
		},
	}
}

// Thresholds are percentages of a disk in use. 0 is none.
type Thresholds struct {
	Minor, Major, Critical float64
}

// over says how bad it is that used per cent are in use, and which threshold
// that passes.
func (t Thresholds) over(used float64) (s libra.Severity, limit float64) {
	switch {
	case t.Critical > 0 && used >= t.Critical:
		return libra.Critical, t.Critical
	case t.Major > 0 && used >= t.Major:
		return libra.Major, t.Major
	case t.Minor > 0 && used >= t.Minor:
		return libra.Minor, t.Minor
	}
	return "", 0
}

func (w *Watchdog) diskProbe() *probe {
	folder := filepath.Clean(w.cfg.Folder)
	return &probe{
		alarm: libra.Alarm{
			ID: "disk", Scope: libra.ScopeHost, Target: folder, Severity: libra.Minor,
			Summary: "The disk under " + folder + " is filling up", Runbook: "#disk",
		},
		recovered: "The disk under " + folder + " has room again",
		check: func(_ context.Context, p *probe) Reading {
			var fs unix.Statfs_t
			if err := unix.Statfs(folder, &fs); err != nil {
				return Reading{Evidence: fmt.Sprintf("cannot look at %q: %v", folder, err)}
			}
			return p.judgeDisk(fs, w.cfg.Disk)
		},
	}
}

// judgeDisk counts as df does: what is kept for root is neither used nor free.
// Few inodes are as bad as few bytes.
func (p *probe) judgeDisk(fs unix.Statfs_t, limits Thresholds) Reading {
	used, what := percent(fs.Blocks-fs.Bfree, fs.Bavail), "space"
	if inodes := percent(fs.Files-fs.Ffree, fs.Ffree); inodes > used {
		used, what = inodes, "inodes"
	}
	severity, limit := limits.over(used)
	if severity == "" {
		return Reading{Verdict: Pass}
	}
	free := float64(fs.Bavail) * float64(fs.Bsize) / (1 << 20)
	return Reading{Fail, severity, fmt.Sprintf("%s %.1f %% used, limit %g %%, %.0f MiB free", what, used, limit, free)}
}

func percent(used, free uint64) float64 {
	if used+free == 0 {
		return 0 // no such thing on this file system
	}
	return 100 * float64(used) / float64(used+free)
}
