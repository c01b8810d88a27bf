package daemon

import (
	"context"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// Stall is how long a loop may go without progress before the heart stops.
const Stall = 3 * time.Second

// Heart beats while every loop that was registered with it makes progress.
// A component that waits on something for ever is thus ended by systemd's
// watchdog although some timer in it still runs.
type Heart struct {
	mu    sync.Mutex
	loops map[*Loop]time.Time // last progress, under mu
}

// Loop is one loop of a component. It calls Beat at least once a second,
// however idle it is.
type Loop struct {
	heart *Heart
	name  string
}

func newHeart() *Heart { return &Heart{loops: map[*Loop]time.Time{}} }

// Loop registers a loop, which counts as having just made progress.
func (h *Heart) Loop(name string) *Loop {
	l := &Loop{h, name}
	l.Beat()
	return l
}

// Beat says that the loop has gone round.
func (l *Loop) Beat() {
	l.heart.mu.Lock()
	defer l.heart.mu.Unlock()
	l.heart.loops[l] = time.Now()
}

// Done takes the loop out: it has ended, as it should.
func (l *Loop) Done() {
	l.heart.mu.Lock()
	defer l.heart.mu.Unlock()
	delete(l.heart.loops, l)
}

// Stalled names a loop without progress, or "" when all is well.
func (h *Heart) Stalled() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l, at := range h.loops {
		if time.Since(at) > Stall {
			return l.name
		}
	}
	return ""
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
		stalled := p.Heart.Stalled()
		if stalled == "" {
			p.notify(sd.SdNotifyWatchdog)
		} else if was == "" {
			p.Log.Error("a loop makes no progress, systemd will end this process", "loop", stalled, "for", Stall)
		}
		was = stalled
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
