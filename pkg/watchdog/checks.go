package watchdog

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

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
	for _, t := range w.cfg.Expect {
		probes = append(probes, w.beatProbe(t))
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

// beatProbe is one component's heart.
func (w *Watchdog) beatProbe(t Target) *probe {
	short := strings.TrimPrefix(t.Component, "libra-")
	id, name := "beat."+short, t.Component
	if t.Instance != "" {
		id, name = id+"."+t.Instance, name+"@"+t.Instance
	}
	return &probe{
		alarm: libra.Alarm{
			ID: strings.ToLower(id), Scope: libra.ScopeComponent, Target: name, Severity: libra.Major,
			Summary: name + " gives no sign of life", Runbook: "#beat-" + short,
		},
		recovered: name + " is alive again",
		check:     func(_ context.Context, p *probe) Reading { return w.beats.read(p, t) },
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
