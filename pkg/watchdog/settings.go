package watchdog

import "libra/pkg/event"

// settings are a change while the watchdog runs.
type settings struct {
	cfg      *Config // nil: as it is
	troubles []event.Trouble
}

// Apply changes the thresholds of a running watchdog; its counters and alarms
// stay as they are. Of cfg only what says how much is too much is looked at:
// Limits, HostLimits, PageLimits, Missed, Certificate, Silence, Queue,
// QueueLength, Starts, RestartWindow, Aside, Behind, Disk, Memory
// and MemoryUsed.
// troubles are as for Name.
func (w *Watchdog) Apply(cfg Config, troubles []event.Trouble) {
	merged := w.merge(cfg)
	w.change(settings{&merged, troubles})
}

// Name has the watchdog raise faults that its surroundings see, instead of
// those that it was told of before.
func (w *Watchdog) Name(troubles []event.Trouble) { w.change(settings{nil, troubles}) }

func (w *Watchdog) change(next settings) {
	w.changing.Lock()
	defer w.changing.Unlock()
	select {
	case before := <-w.changes: // overtaken, but for what next leaves as it is
		if next.cfg == nil {
			next.cfg = before.cfg
		}
	default:
	}
	w.changes <- next
}

// merge is the configuration in force with the thresholds of cfg.
func (w *Watchdog) merge(cfg Config) Config {
	cfg, is := cfg.withDefaults(), *w.config()
	is.Limits, is.HostLimits, is.PageLimits = cfg.Limits, cfg.HostLimits, cfg.PageLimits
	is.Missed, is.Certificate, is.Silence = cfg.Missed, cfg.Certificate, cfg.Silence
	is.Queue, is.QueueLength, is.Starts, is.RestartWindow = cfg.Queue, cfg.QueueLength, cfg.Starts, cfg.RestartWindow
	is.Aside, is.Behind = cfg.Aside, cfg.Behind
	is.Disk, is.Memory, is.MemoryUsed = cfg.Disk, cfg.Memory, cfg.MemoryUsed
	return is
}

// apply takes a change over, between two readings.
func (b *board) apply(s settings) {
	if s.cfg != nil {
		b.cfg = *s.cfg
		b.live.Store(s.cfg)
		b.beats.patience(s.cfg.Silence)
		b.deps.Log.Info("thresholds applied")
	}
	b.own = nil
	for _, t := range s.troubles {
		b.own = append(b.own, named{t, ownName})
	}
}
