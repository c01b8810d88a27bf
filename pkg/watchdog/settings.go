package watchdog

import (
	"strings"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
)

// settings are a change while the watchdog runs.
type settings struct {
	thresholds *rules.Thresholds // nil: as they are
	troubles   []event.Trouble   // in place of those of the change before
}

// CheckAlarms names every fault of alarms.toml at path.
func CheckAlarms(path string) []error {
	_, faults := rules.Check(path)
	return faults
}

// Reload reads alarms.toml again. With a fault, which it returns, the thresholds
// of the last good file stay in force. The counters and alarms stay as they are.
func (w *Watchdog) Reload() error {
	thresholds, fault := w.load()
	w.change(settings{&thresholds, w.troubles(fault)})
	return fault
}

// load returns the thresholds of alarms.toml: of the last good one, of which
// Config.State has a copy, or the defaults, while there is a fault.
func (w *Watchdog) load() (t rules.Thresholds, fault error) {
	file, fault := w.alarms.Load()
	return file.Thresholds, fault
}

// nameFault raises a fault of alarms.toml, and clears that of before.
func (w *Watchdog) nameFault(fault error) { w.change(settings{nil, w.troubles(fault)}) }

func (w *Watchdog) change(next settings) {
	w.changing.Lock()
	defer w.changing.Unlock()
	select {
	case before := <-w.changes: // overtaken, but for what next leaves as it is
		if next.thresholds == nil {
			next.thresholds = before.thresholds
		}
	default:
	}
	w.changes <- next
}

// troubles are the faults of alarms.toml and of the settings.
func (w *Watchdog) troubles(fault error) (list []event.Trouble) {
	if fault != nil {
		list = append(list, event.Trouble{
			ID: event.AlarmsFileAlarm, Target: "alarms.toml", Severity: libra.Minor, Runbook: "#alarms-file",
			Summary: rules.Summary(fault), Evidence: strings.ReplaceAll(fault.Error(), "\n", "; "),
		})
	}
	return append(list, event.SettingTroubles(w.config().SettingsFaults)...)
}

// apply takes a change over, between two readings.
func (ev *evaluator) apply(s settings) {
	if s.thresholds != nil {
		cfg := ev.cfg
		cfg.Thresholds = *s.thresholds
		ev.cfg = cfg
		ev.live.Store(&cfg)
		ev.heartbeats.setLimit(cfg.Heartbeat)
		ev.deps.Log.Info("thresholds applied")
	}
	ev.ownTroubles = nil
	for _, t := range s.troubles {
		ev.ownTroubles = append(ev.ownTroubles, namedTrouble{t, watchdogName})
	}
}
