package daemon

import (
	"context"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// Stall is how long a loop may block that has just been registered.
const Stall = 3 * time.Second

// Liveness supervises the loops of a component: it is alive while no registered
// loop exceeds the time for which it declared that it may block. systemd's
// watchdog thus ends a component that waits on something forever, although some
// timer in it still runs.
type Liveness struct {
	mu    sync.Mutex
	loops map[*Loop]allowance // under mu
}

// Loop is one loop of a component. It calls Allow in every round, before it
// does what may block, however idle it is.
type Loop struct {
	liveness *Liveness
	name     string
}

// allowance is what a loop declared last.
type allowance struct {
	at   time.Time
	time time.Duration
}

func newLiveness() *Liveness { return &Liveness{loops: map[*Loop]allowance{}} }

// Loop registers a loop, which may block for Stall until it declares otherwise.
func (h *Liveness) Loop(name string) *Loop {
	l := &Loop{h, name}
	l.Allow(Stall)
	return l
}

// Allow declares that the loop blocks for at most d before it calls Allow
// again, or Done. A call whose context ends after t is declared as t and a
// second or two for a loaded machine.
func (l *Loop) Allow(d time.Duration) {
	l.liveness.mu.Lock()
	defer l.liveness.mu.Unlock()
	l.liveness.loops[l] = allowance{time.Now(), d}
}

// Done removes a loop that has ended.
func (l *Loop) Done() {
	l.liveness.mu.Lock()
	defer l.liveness.mu.Unlock()
	delete(l.liveness.loops, l)
}

// Stalled names a loop that has exceeded its allowance, or "".
func (h *Liveness) Stalled() string {
	name, _ := h.stalled()
	return name
}

// stalled also returns how long the loop was allowed to block.
func (h *Liveness) stalled() (name string, allowed time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l, a := range h.loops {
		if time.Since(a.at) > a.time {
			return l.name, a.time
		}
	}
	return "", 0
}

// feedWatchdog feeds systemd's watchdog until ctx ends, if the unit has one.
func (p *Process) feedWatchdog(ctx context.Context) {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 4)
	defer tick.Stop()
	was := ""
	for {
		stalled, allowed := p.Liveness.stalled()
		if stalled == "" {
			p.notify(sd.SdNotifyWatchdog)
		} else if was == "" {
			p.Log.Error("a loop makes no progress, systemd will end this process", "loop", stalled, "allowed", allowed)
		}
		was = stalled
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
