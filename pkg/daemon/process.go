package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// cleanupBound is how long all cleanups of a process may take together; below
// the units' TimeoutStopSec.
const cleanupBound = 5 * time.Second

// Process is what this package gives a running component.
type Process struct {
	Name string
	// Log writes to the journal; see newHandler.
	Log *slog.Logger
	// Liveness supervises the process's loops: while one hangs, neither systemd's
	// watchdog is fed nor a heartbeat published.
	Liveness *Liveness
	// Tolerated are the faults of the configuration that the process was started
	// in spite of. Its heartbeats and its status name them.
	Tolerated []error

	started time.Time
	warning string // after every status: the invalid settings

	mu       sync.Mutex
	status   string                   // under mu
	sent     string                   // under mu; the status that systemd has
	sentAt   time.Time                // under mu
	cleanups []cleanup                // under mu
	counters []func() (string, int64) // under mu
	troubles []func() []event.Trouble // under mu
	reasons  []func() []libra.Reason  // under mu
	others   *children                // under mu; nil without any
}

// children are processes that this one has started.
type children struct {
	cpu      func() time.Duration
	resident func() int64
}

type cleanup struct {
	name string
	do   func(context.Context) error
}

func newProcess(name string, log *slog.Logger) *Process {
	return &Process{Name: name, Log: log, Liveness: newLiveness(), started: time.Now(), status: "starting"}
}

// Ready notifies systemd that the process does its work. Status is the line that
// systemctl status shows.
func (p *Process) Ready(status string) {
	status += p.warning
	p.setStatus(status)
	p.notify(sd.SdNotifyReady + "\nSTATUS=" + oneLine(status))
	p.Log.Info("ready", "status", status, "dur", time.Since(p.started).Round(time.Microsecond), "version", Version)
}

// Starting asks systemd to wait for Ready for so long from now, beyond TimeoutStartSec=.
func (p *Process) Starting(wait time.Duration) {
	p.notify(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", wait.Microseconds()))
}

// Status replaces the line that systemctl status shows. It may be called often:
// systemd is notified of a change once a second at most, since it passes each on
// to every client that subscribes to its units.
func (p *Process) Status(status string) {
	status += p.warning
	if p.setStatus(status) {
		p.notify("STATUS=" + oneLine(status))
	}
}

// ended leaves the reason why the process ends with systemd, which keeps a unit's
// last status: systemctl status, the watchdog and libra doctor show it.
func (p *Process) ended(what string, faults ...error) {
	var texts []string
	for _, err := range faults {
		texts = append(texts, oneLine(err.Error()))
	}
	p.notify("STATUS=" + event.Cut(what+": "+strings.Join(texts, "; "), mostStatus))
}

// mostStatus bounds a status, in bytes: systemd refuses a longer message.
const mostStatus = 2000

// setStatus stores the line and reports whether to notify systemd.
func (p *Process) setStatus(s string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = s
	if p.sent == s || time.Since(p.sentAt) < time.Second {
		return false
	}
	p.sent, p.sentAt = s, time.Now()
	return true
}

// Cleanup has do called when Run has returned: last in, first out, all of them
// within one bound.
func (p *Process) Cleanup(name string, do func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, cleanup{name, do})
}

// Count adds a counter to the process's heartbeats, beside that of its
// goroutines.
func (p *Process) Count(name string, value func() int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counters = append(p.counters, func() (string, int64) { return name, value() })
}

// Reasons adds to the process's heartbeats why it cannot do all of its work.
func (p *Process) Reasons(now func() []libra.Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reasons = append(p.reasons, now)
}

// Heartbeat describes the process, for the bus.
func (p *Process) Heartbeat(instance string) event.Heartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := event.Heartbeat{
		Component: p.Name, Instance: instance, Version: Version, PID: os.Getpid(),
		Started: p.started.UTC(), At: time.Now().UTC(), Status: p.status,
		Counters: map[string]int64{"goroutines": int64(runtime.NumGoroutine()), "cpu_us": cpuTime().Microseconds()},
	}
	for _, c := range p.counters {
		name, value := c()
		b.Counters[name] = value
	}
	for _, now := range p.troubles {
		b.Troubles = append(b.Troubles, now()...)
	}
	for _, now := range p.reasons {
		b.Details = append(b.Details, now()...)
	}
	return b
}

// cpuTime is the processor time that this process has used, and the processes that it
// started and that have ended.
func cpuTime() time.Duration {
	return usedBy(syscall.RUSAGE_SELF) + usedBy(syscall.RUSAGE_CHILDREN)
}

// AlsoUses adds to CPU and Resident what the processes use that this one has started: the
// processor time so far, also of those that have ended, and the bytes in memory.
func (p *Process) AlsoUses(cpu func() time.Duration, resident func() int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.others = &children{cpu, resident}
}

func (p *Process) children() *children {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.others
}

// CPU is the processor time that this process has used so far.
func (p *Process) CPU() time.Duration {
	own := usedBy(syscall.RUSAGE_SELF)
	if c := p.children(); c != nil {
		own += c.cpu()
	}
	return own
}

// Resident is how many bytes of this process are in memory.
func (p *Process) Resident() int64 {
	own := resident()
	if c := p.children(); c != nil {
		own += c.resident()
	}
	return own
}

func usedBy(who int) time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(who, &used) != nil { // it fails for no other arguments
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// resident is how many bytes of this process are in memory; 0 where the kernel does not
// say so.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64) // 0 of what is no number
	return pages * int64(os.Getpagesize())
}

func (p *Process) clean(bound time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	for {
		p.mu.Lock()
		if len(p.cleanups) == 0 {
			p.mu.Unlock()
			return
		}
		last := p.cleanups[len(p.cleanups)-1]
		p.cleanups = p.cleanups[:len(p.cleanups)-1]
		p.mu.Unlock()
		done := make(chan error, 1)
		go func() { done <- last.do(ctx) }()
		select {
		case err := <-done:
			if err != nil {
				p.Log.Warn("cleanup", "name", last.name, "err", err)
			}
		case <-ctx.Done():
			p.Log.Warn("cleanup exceeds its bound, abandoned", "name", last.name, "bound", bound)
			return
		}
	}
}

// notify sends a message to systemd; without one it does nothing.
func (p *Process) notify(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		p.Log.Warn("notify systemd", "err", err)
	}
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }
