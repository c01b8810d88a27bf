package watchdog

import "libra/pkg/rules"

// Thresholds are those in force.
func (w *Watchdog) Thresholds() rules.Thresholds { return w.config().Thresholds }
