package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
	"libra/pkg/watchdog"
)

// examine names every fault of alarms.toml.
func (s *settings) examine() []error {
	_, _, err := rules.Load(s.alarms.File, "")
	return rules.Faults(readable(err))
}

// readable adds what to do about a file that only root may read.
func readable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: chmod a+r it, and a+x its folder; no secret belongs there", err)
	}
	return err
}

// load is what alarms.toml makes of the configuration. The watchdog goes on
// whatever is wrong with the file, of which it keeps a copy that outlives a bad
// edit.
func (s *settings) load() (cfg watchdog.Config, fault error) {
	if s.cfg.State != "" {
		s.alarms.LastGood = filepath.Join(s.cfg.State, "alarms.toml.good")
	}
	file, fault, err := s.alarms.Load()
	if err != nil {
		file, fault = rules.Defaults(), err
	}
	return with(s.cfg, file.Thresholds), fault
}

// with puts thresholds into the watchdog's own terms.
func with(cfg watchdog.Config, t rules.Thresholds) watchdog.Config {
	rows := func(r rules.Rows) watchdog.Limits {
		return watchdog.Limits{Raise: r.Raise, Clear: r.Clear, Flaps: t.Flap.Raises, FlapWindow: t.Flap.Within, Calm: t.Flap.Calm}
	}
	cfg.Limits, cfg.HostLimits, cfg.PageLimits = rows(t.Component), rows(t.Host), rows(t.Page)
	cfg.Silence, cfg.Starts, cfg.RestartWindow, cfg.Behind = t.Heartbeat, t.Restarts, t.RestartsWithin, t.Behind
	cfg.Disk, cfg.Memory = percent(t.Disk), percent(t.Memory)
	cfg.Queue, cfg.QueueLength = watchdog.Waits(t.Queue), watchdog.Counts(t.QueueLength)
	cfg.Certificate, cfg.Missed = watchdog.Days(t.Certificate), t.Missed
	// All of them 0 is none; for the watchdog it would be the default.
	if cfg.Queue == (watchdog.Waits{}) {
		cfg.Queue.Critical = -1
	}
	if cfg.Certificate == (watchdog.Days{}) {
		cfg.Certificate.Critical = -1
	}
	return cfg
}

// percent: see with, on zero.
func percent(p rules.Percent) watchdog.Thresholds {
	if p == (rules.Percent{}) {
		return watchdog.Thresholds{Critical: -1}
	}
	return watchdog.Thresholds(p)
}

// troubles of a file with a fault.
func troubles(fault error) []event.Trouble {
	if fault == nil {
		return nil
	}
	return []event.Trouble{{
		ID: "alarms-file", Target: "alarms.toml", Severity: libra.Minor, Runbook: "#alarms-file",
		Summary: rules.Summary(fault), Evidence: strings.ReplaceAll(fault.Error(), "\n", "; "),
	}}
}

// settingsTroubles are of settings for which the watchdog takes the default: it
// must live to tell that those who need them do not.
func settingsTroubles(borne []error) []event.Trouble {
	var faults []string
	for _, err := range borne {
		if !daemon.Passing(err) { // a disk has alarms of its own
			faults = append(faults, err.Error())
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return []event.Trouble{{
		ID: "settings", Target: "libra.env", Severity: libra.Major, Runbook: "#settings",
		Summary:  "Settings are wrong: the watchdog goes by their defaults, others may not start",
		Evidence: strings.Join(faults, "; "),
	}}
}

// troubles are all that the watchdog is to name.
func (s *settings) troubles(fault error) []event.Trouble {
	return append(troubles(fault), s.standing...)
}

// reload takes alarms.toml over, or goes on as before and says so.
func (s *settings) reload(w *watchdog.Watchdog) error {
	cfg, fault := s.load()
	w.Apply(cfg, s.troubles(fault))
	return fault
}
