// Package lab is the test site, the load generator and the switches of libra-lab, with which
// people see what Libra does under load and while parts of it fail.
//
//   - A site on a loopback address: pages with a style sheet, a script and images.
//   - A generator that submits pages of that site at the rate of a dial, 0 to MostRate a
//     second, whether or not earlier submissions have an answer, and reads from libra-web.
//   - A dial for the number of inspectors, which are started and stopped as units.
//   - Actions: pages that harm their inspector, signals to units, the database locked, the bus
//     stopped. Each is bounded in time and undone by a reset and when the lab ends.
//
// Everything is in memory: after kill -9 the dial is at 0, and the next process continues
// stopped processes and starts the bus. What is kept is bounded: mostInFlight submissions in
// progress, buckets of the last seconds with mostLatencies each, labapi.MostActions actions.
package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"libra/pkg/component"
	"libra/pkg/labapi"
)

// Limits of the dials.
const (
	MostRate       = 200
	MostInspectors = 8
)

// Config of a lab.
type Config struct {
	Web     string // URL of libra-web, on the loopback
	Site    string // address of the test site, on the loopback
	Runtime string // folder of the control socket
	// Lock is the command that holds the database locked until it ends.
	Lock []string
	// Systemctl is the program; "systemctl" where it is "".
	Systemctl string
	// LockFor, BusFor and StopFor are how long the database is locked, the bus stopped, and
	// a process stopped by SIGSTOP; 10 s, 10 s and 3 s.
	LockFor, BusFor, StopFor time.Duration
	// Status takes one line for systemctl status, every second. May be nil.
	Status func(string)
}

// Loop says how long a round may block; see daemon.Loop.
type Loop interface{ Allow(d time.Duration) }

// Lab is all of it.
type Lab struct {
	cfg     Config
	log     *slog.Logger
	units   units
	load    *generator
	actions *actions
	site    string // URL

	mu         sync.Mutex
	inspectors int // under mu; what the dial was set to

	dialing sync.Mutex // held while inspectors are started and stopped
}

// New returns a lab that does nothing yet.
func New(cfg Config, log *slog.Logger) *Lab {
	orDefault(&cfg.Systemctl, "systemctl")
	orDefault(&cfg.LockFor, 10*time.Second)
	orDefault(&cfg.BusFor, 10*time.Second)
	orDefault(&cfg.StopFor, 3*time.Second)
	l := &Lab{cfg: cfg, log: log, units: units{cfg.Systemctl}}
	l.actions = newActions(l)
	return l
}

func orDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// CheckLoopback refuses an address, host:port, that other machines may reach.
func CheckLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("must be an address of the loopback such as 127.0.0.1:8090")
	}
	return nil
}

// Run serves the site and the control socket, and generates load, until ctx ends; it then
// undoes what is still in effect. loop supervises the generator.
func (l *Lab) Run(ctx context.Context, loop Loop) error {
	site, err := listenLoopback(l.cfg.Site)
	if err != nil {
		return err
	}
	defer site.Close()
	control, err := listenControl(l.cfg.Runtime)
	if err != nil {
		return err
	}
	defer control.Close()
	l.site = "http://" + site.Addr().String()
	l.load = newGenerator(l.cfg.Web, l.site)
	l.recover(ctx)
	l.countInspectors(ctx)

	work, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, 2)
	wg.Go(func() { failed <- serve(work, site, newSite()) })
	wg.Go(func() { failed <- serve(work, control, l.controls()) })
	wg.Go(func() { l.load.run(work, loop, l.status) })
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	l.actions.end()
	stop()
	l.undo()
	wg.Wait()
	return err
}

func (l *Lab) status() {
	if l.cfg.Status == nil {
		return
	}
	s := l.State()
	line := fmt.Sprintf("dial %d/s, %d inspectors, %d accepted, %d reads failed", s.Rate, s.Inspectors, s.Total.Accepted, s.Total.ReadsFailed)
	if n := l.actions.running(); n > 0 {
		line += fmt.Sprintf(", %d actions in progress", n)
	}
	l.cfg.Status(line)
}

// State is everything about the lab.
func (l *Lab) State() labapi.State {
	l.mu.Lock()
	inspectors := l.inspectors
	l.mu.Unlock()
	s := labapi.State{
		At: time.Now().UTC(), Site: l.site, MostRate: MostRate, Inspectors: inspectors, MostInspectors: MostInspectors,
		WindowS: int(window / time.Second), Kinds: kinds(), Units: unitNames(), Actions: l.actions.list(),
	}
	s.Rate, s.Total, s.Last, s.Fault = l.load.state(time.Now())
	return s
}

// SetRate sets the dial.
func (l *Lab) SetRate(rate int) error {
	if rate < 0 || rate > MostRate {
		return invalid("rate", rate, 0, MostRate)
	}
	l.load.setRate(rate)
	l.log.Info("dial set", "rate", rate)
	return nil
}

func invalid(what string, value, least, most int) error {
	return &labapi.Refusal{Status: 400, Text: fmt.Sprintf("invalid %s %d", what, value), Remedy: fmt.Sprintf("must be a whole number from %d to %d", least, most)}
}

// SetInspectors starts and stops inspectors, so that those from 1 to n run.
func (l *Lab) SetInspectors(ctx context.Context, n int) error {
	if n < 1 || n > MostInspectors {
		return invalid("number of inspectors", n, 1, MostInspectors)
	}
	l.dialing.Lock()
	defer l.dialing.Unlock()
	var start, stop []string
	for k := 1; k <= MostInspectors; k++ {
		if k <= n {
			start = append(start, inspectorUnit(k))
		} else {
			stop = append(stop, inspectorUnit(k))
		}
	}
	err := l.start(ctx, start...)
	if len(stop) > 0 {
		err = errors.Join(err, l.units.do(ctx, "stop", append([]string{"--no-block"}, stop...)...))
	}
	if err != nil {
		return fmt.Errorf("set number of inspectors: %w", err)
	}
	l.mu.Lock()
	l.inspectors = n
	l.mu.Unlock()
	l.log.Info("number of inspectors set", "inspectors", n)
	return nil
}

// countInspectors reads how many inspectors run.
func (l *Lab) countInspectors(ctx context.Context) {
	n := 0
	for k := 1; k <= MostInspectors; k++ {
		if pid, err := l.units.pid(ctx, inspectorUnit(k)); err == nil && pid > 0 {
			n++
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inspectors = n
}

// Reset sets the dials to what they are after a start, and undoes every action.
func (l *Lab) Reset(ctx context.Context) error {
	l.load.reset()
	l.actions.cancel()
	inspector, _ := component.Find(component.Inspector)
	return errors.Join(l.SetInspectors(ctx, inspector.Instances), l.heal(ctx))
}

// undo is the reset at the end.
func (l *Lab) undo() {
	ctx, cancel := context.WithTimeout(context.Background(), undoFor)
	defer cancel()
	if err := l.Reset(ctx); err != nil {
		l.log.Warn("not everything is undone", "err", err)
	}
}

// undoFor bounds what the end takes; TimeoutStopSec= of the unit is longer.
const undoFor = 8 * time.Second

// recover undoes what a process before this one has left.
func (l *Lab) recover(ctx context.Context) {
	if err := l.heal(ctx); err != nil {
		l.log.Warn("what an earlier process has left is not undone", "err", err)
	}
}

// heal continues every process that may be stopped and starts the bus.
func (l *Lab) heal(ctx context.Context) error {
	return errors.Join(l.units.signal(ctx, "CONT", unitNames()...), l.start(ctx, component.Bus))
}

// start starts units. When the lab ends because libra.target is stopped, they stay stopped.
func (l *Lab) start(ctx context.Context, names ...string) error {
	if l.actions.ends() && l.units.do(ctx, "is-active", "--quiet", "libra.target") != nil {
		return nil
	}
	return l.units.do(ctx, "start", names...)
}
