package watchdog

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"libra/pkg/component"
	"libra/pkg/libra"
	"libra/pkg/rules"
)

// busAlarm is the alarm that explains why no heartbeat arrives.
const busAlarm = "bus"

// webAlarm and notifierAlarm are, with busAlarm, vital: see vitals.
const (
	webAlarm      = "web"
	notifierAlarm = "beat.notifier"
)

// diskAlarm and queueAlarm explain other alarms, or get notes of automatic actions.
const (
	diskAlarm  = "disk"
	queueAlarm = "queue"
)

// allProbes is the table of all that is probed.
func (w *Watchdog) allProbes() []*probe {
	cfg := w.config()
	probes := []*probe{w.busProbe(), w.webProbe(), w.diskProbe(), w.memoryProbe()}
	if w.deps.SQLite != nil {
		probes = append(probes, w.sqliteProbe())
	}
	if cfg.Database != "" {
		probes = append(probes, w.historyProbe())
	}
	if cfg.UpgradeRecord != "" {
		probes = append(probes, w.upgradeProbe())
	}
	probes = append(probes, w.queueProbe())
	for _, t := range cfg.Expect {
		probes = append(probes, w.beatProbe(t), w.restartProbe(t))
		if t.Component == component.Recorder {
			probes = append(probes, w.behindProbe(t), w.lostProbe(t))
		}
	}
	for _, p := range probes {
		p.timeout, p.wake = cfg.Timeout, make(chan struct{}, 1)
		p.stopping = w.services.askStopping
		p.raiseAfter = func() int { return p.streak.limits(*w.config()).Raise }
		if unit := p.unit; unit != "" {
			w.services.wake[unit] = append(w.services.wake[unit], p)
		}
	}
	return probes
}

func (w *Watchdog) busProbe() *probe {
	return &probe{
		unit: Target{component.Bus, ""}.unit(),
		alarm: libra.Alarm{
			ID: busAlarm, Scope: libra.ScopeComponent, Target: component.Bus, Severity: libra.Critical,
			Summary: nothingAccepted + component.Bus + " does not answer", Runbook: "#bus",
		},
		recovered: "Libra accepts requests again",
		check: func(ctx context.Context, p *probe) Reading {
			err := w.deps.Bus.Ping(ctx)
			if err == nil {
				err = w.deps.Bus.CheckStreams(ctx)
			}
			r := p.judge(ctx, err)
			return w.explained(r, component.Bus, nothingAccepted)
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
			ID: webAlarm, Scope: libra.ScopeComponent, Target: component.Web, Severity: libra.Critical,
			Summary: "Libra's pages and API cannot be used: " + component.Web + " does not serve them", Runbook: "#web",
		},
		recovered: "Libra's pages and API can be used again",
		check: func(ctx context.Context, p *probe) Reading {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.config().WebURL, nil)
			if err != nil {
				return p.judge(ctx, err)
			}
			resp, err := w.deps.Web.RoundTrip(req)
			if err != nil {
				return w.explained(p.judge(ctx, fmt.Errorf("GET %s: %w", w.config().WebURL, err)), component.Web, "")
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return w.explained(p.fail("GET %s answered %s, 200 wanted", w.config().WebURL, resp.Status), component.Web, "")
			}
			return Reading{Verdict: Pass}
		},
	}
}

// names are a target's names in alarm ids, in anchors of the runbook, and in texts.
func (t Target) names() (id, short, name string) {
	short, name = strings.TrimPrefix(t.Component, "libra-"), t.Component
	id = strings.ToLower(short)
	if t.Instance != "" {
		id, name = id+"."+strings.ToLower(t.Instance), name+"@"+t.Instance
	}
	return id, short, name
}

// nothingAccepted begins the summaries of the alarm of the bus.
const nothingAccepted = "Libra accepts no requests: "

// beatProbe judges one component's heartbeats, and whether its unit runs. Those of
// several instances are a group: what stops one may well stop the others.
func (w *Watchdog) beatProbe(t Target) *probe {
	id, short, name := t.names()
	group := ""
	if t.Instance != "" {
		group = libra.UnitsGroup + t.Component
	}
	return &probe{
		unit: t.unit(),
		alarm: libra.Alarm{
			ID: "beat." + id, Scope: libra.ScopeComponent, Target: name, Severity: libra.Major, Group: group,
			Summary: name + " does not respond", Runbook: "#beat-" + short,
		},
		recovered: name + " works again",
		check: func(_ context.Context, p *probe) Reading {
			// For the bus, its own alarm is raised as soon.
			if how, down := w.services.down(t.unit()); down && t.Component != component.Bus {
				r := p.fail("%s", how.evidence)
				r.Summary = name + " " + how.what
				return r
			}
			return w.explained(w.heartbeats.read(p, t), name, "") // one that never starts has left its reason
		},
	}
}

// restartProbe finds a component that restarts repeatedly, and is healthy each
// time: while it is not, the alarm about that explains this one.
func (w *Watchdog) restartProbe(t Target) *probe {
	id, _, name := t.names()
	down := "beat." + id
	if t.Component == component.Bus {
		down = busAlarm
	}
	return &probe{
		alarm: libra.Alarm{
			ID: "restarts." + id, Scope: libra.ScopeComponent, Target: name, Severity: libra.Minor,
			Summary: name + " restarts repeatedly", Runbook: "#restarts",
		},
		recovered: name + " stays up again",
		check: func(_ context.Context, p *probe) Reading {
			cfg := w.config()
			r := w.heartbeats.readStarts(p, t, cfg.Restarts, w.services.recent(t.unit(), cfg.RestartsWithin), cfg.RestartsWithin)
			if r.Verdict == Fail {
				r.Cause, r.Evidence = down, strings.Join(append([]string{r.Evidence}, w.services.reason(t.unit())...), "; ")
			}
			return r
		},
	}
}

// exceeded returns how bad it is that used per cent are in use, and the limit
// that passes; "" where it passes none.
func exceeded(used float64, t rules.Percent) (s libra.Severity, limit float64) {
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
	folder := filepath.Clean(w.config().Folder)
	return &probe{
		streak: ofHost,
		alarm: libra.Alarm{
			ID: diskAlarm, Scope: libra.ScopeHost, Target: folder, Severity: libra.Minor,
			Summary: "The disk under " + folder + " is filling up", Runbook: "#disk",
		},
		recovered: "The disk under " + folder + " has room again",
		check: func(_ context.Context, p *probe) Reading {
			var fs unix.Statfs_t
			if err := unix.Statfs(folder, &fs); err != nil {
				return Reading{Evidence: fmt.Sprintf("cannot look at %q: %v", folder, err)}
			}
			return judgeDisk(fs, w.config().Disk)
		},
	}
}

// judgeDisk counts as df does: space reserved for root is neither used nor free.
// Few free inodes are as bad as few free bytes.
func judgeDisk(fs unix.Statfs_t, limits rules.Percent) Reading {
	used, what := percent(fs.Blocks-fs.Bfree, fs.Bavail), "space"
	if inodes := percent(fs.Files-fs.Ffree, fs.Ffree); inodes > used {
		used, what = inodes, "inodes"
	}
	free := int64(fs.Bavail) * fs.Bsize
	return judgeShare(used, limits, what+" %s used", libra.FormatBytes(free)+" free")
}

func percent(used, free uint64) float64 {
	if used+free == 0 {
		return 0 // this file system does not count them
	}
	return 100 * float64(used) / float64(used+free)
}
