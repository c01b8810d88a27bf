package daemon

import (
	"context"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// Stall is how long a loop may block that has just been registered.
const Stall = 3 * time.Second

// Heart beats while no registered loop exceeds the time for which it declared
// that it may block. A component that waits on something for ever is thus ended
// by systemd's watchdog although some timer in it still runs.
type Heart struct {
	mu    sync.Mutex
	loops map[*Loop]allowance // under mu
}

// Loop is one loop of a component. It calls Allow in every round, before it
// does what may block, however idle it is.
type Loop struct {
	heart *Heart
	name  string
}

// allowance is what a loop declared last.
type allowance struct {
	at   time.Time
	time time.Duration
}

func newHeart() *Heart { return &Heart{loops: map[*Loop]allowance{}} }

// Loop registers a loop, which may block for Stall until it says otherwise.
func (h *Heart) Loop(name string) *Loop {
	l := &Loop{h, name}
	l.Allow(Stall)
	return l
}

// Allow declares that the loop blocks for at most d before it calls Allow
// again, or Done. A call whose context ends after t is declared as t and a
// second or two for a loaded machine.
func (l *Loop) Allow(d time.Duration) {
	l.heart.mu.Lock()
	defer l.heart.mu.Unlock()
	l.heart.loops[l] = allowance{time.Now(), d}
}

// Done takes the loop out: it has ended, as it should.
func (l *Loop) Done() {
	l.heart.mu.Lock()
	defer l.heart.mu.Unlock()
	delete(l.heart.loops, l)
}

// Stalled names a loop that has exceeded its allowance, or "" when all is well.
func (h *Heart) Stalled() string {
	name, _ := h.stalled()
	return name
}

// stalled also returns how long the loop was allowed to block.
func (h *Heart) stalled() (name string, allowed time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l, a := range h.loops {
		if time.Since(a.at) > a.time {
			return l.name, a.time
		}
	}
	return "", 0
}

// heartbeat feeds systemd's watchdog until ctx ends, if the unit has one.
func (p *Process) heartbeat(ctx context.Context) {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 4)
	defer tick.Stop()
	was := ""
	for {
		stalled, allowed := p.Heart.stalled()
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
