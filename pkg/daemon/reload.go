package daemon

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"libra/pkg/event"
)

// Trouble adds what now returns to the troubles that the process's heartbeats name.
func (p *Process) Trouble(now func() []event.Trouble) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles = append(p.troubles, now)
}

// OnReload calls do at every SIGHUP (systemctl reload), one at a time, until
// stop is called. Before OnReload, SIGHUP ends the process. An error of do is
// logged, and what held before stays in force.
func (p *Process) OnReload(do func() error) (stop func()) {
	hup, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hup, syscall.SIGHUP)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-hup:
			}
			p.notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonic()))
			if err := do(); err != nil {
				p.Log.Error("cannot reload, the configuration before stays in force: " + err.Error())
			} else {
				p.Log.Info("reloaded")
			}
			p.notify(sd.SdNotifyReady)
		}
	})
	return func() { signal.Stop(hup); close(done); wg.Wait() }
}

// monotonic is what sd_notify(3) wants of a reload: CLOCK_MONOTONIC, in µs.
func monotonic() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return now.Nano() / 1000
}
