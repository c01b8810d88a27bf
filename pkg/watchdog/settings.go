package watchdog

import "libra/pkg/event"

// settings are a change while the watchdog runs.
type settings struct {
	cfg      Config
	troubles []event.Trouble
}

// Apply changes the thresholds of a running watchdog; its counters and alarms
// stay as they are. Of cfg only what says how much is too much is looked at:
// Limits, HostLimits, PageLimits, Missed, Certificate, Silence, Queue,
// QueueLength, Starts, RestartWindow, Undelivered, Aside, Behind, Disk, Memory
// and MemoryUsed.
// troubles are faults that the watchdog itself is to raise, instead of those
// it was told of before.
func (w *Watchdog) Apply(cfg Config, troubles []event.Trouble) {
	next := settings{w.merge(cfg), troubles}
	for {
		select {
		case w.changes <- next:
			return
		default:
		}
		select {
		case <-w.changes: // overtaken
		default:
		}
	}
}

// merge is the configuration in force with the thresholds of cfg.
func (w *Watchdog) merge(cfg Config) Config {
	cfg, is := cfg.withDefaults(), *w.config()
	is.Limits, is.HostLimits, is.PageLimits = cfg.Limits, cfg.HostLimits, cfg.PageLimits
	is.Missed, is.Certificate, is.Silence = cfg.Missed, cfg.Certificate, cfg.Silence
	is.Queue, is.QueueLength, is.Starts, is.RestartWindow = cfg.Queue, cfg.QueueLength, cfg.Starts, cfg.RestartWindow
	is.Undelivered, is.Aside, is.Behind = cfg.Undelivered, cfg.Aside, cfg.Behind
	is.Disk, is.Memory, is.MemoryUsed = cfg.Disk, cfg.Memory, cfg.MemoryUsed
	return is
}

// apply takes a change over, between two readings.
func (b *board) apply(s settings) {
	b.cfg = s.cfg
	b.live.Store(&s.cfg)
	b.beats.patience(s.cfg.Silence)
	b.own = nil
	for _, t := range s.troubles {
		b.own = append(b.own, named{t, ownName})
	}
	b.deps.Log.Info("thresholds applied", "troubles", len(s.troubles))
}
