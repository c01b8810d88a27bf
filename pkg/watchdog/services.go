package watchdog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/component"
	"libra/pkg/libra"
	"libra/pkg/watchdog/units"
)

// Systemd returns the states of services.
type Systemd interface {
	Units(ctx context.Context, names []string) (map[string]units.Unit, error)
	// Stopping reports whether a unit is being stopped, alone or with the whole
	// machine.
	Stopping(ctx context.Context, name string) (bool, error)
	// Subscribe calls changed when a unit has changed, until ctx ends or the
	// connection is lost.
	Subscribe(ctx context.Context, changed func(units.Change)) error
}

// ownUnit is the unit of this watchdog.
const ownUnit = component.Watchdog + ".service"

// services holds the states that systemd has of the expected components. Without
// systemd it holds none, and only heartbeats are judged.
type services struct {
	deps     Deps
	interval time.Duration
	timeout  time.Duration
	names    []string
	wake     map[string][]*probe // by unit: the probes to run when it changes
	restarts chan restarted
	// stopping is set while this watchdog is being stopped, and most likely with
	// it all that it probes: nothing is raised then.
	stopping atomic.Bool

	mu    sync.Mutex
	at    time.Time             // under mu; of the last answer
	units map[string]units.Unit // under mu
	ends  map[string]string     // under mu; the result with which each last failed
	why   map[string]string     // under mu; why the last process of a unit that does not run could not go on
	count map[string]int        // under mu; restarts known so far
	times map[string][]time.Time
}

// restarted is a restart of a unit by systemd itself.
type restarted struct {
	target Target
	times  int
	result string // of the process before: "watchdog"; "" where unknown
}

// savedRestarts is what is saved of a unit for the next process.
type savedRestarts struct {
	Count int         `json:"count"`
	Times []time.Time `json:"times"`
}

func newServices(cfg Config, deps Deps) *services {
	s := &services{
		deps: deps, interval: cfg.Interval, timeout: cfg.Timeout, names: []string{ownUnit}, wake: map[string][]*probe{},
		restarts: make(chan restarted, 64), ends: map[string]string{}, why: map[string]string{}, count: map[string]int{}, times: map[string][]time.Time{},
	}
	for _, t := range cfg.Expect {
		s.names = append(s.names, t.unit())
	}
	return s
}

func (t Target) unit() string {
	_, _, name := t.names()
	return name + ".service"
}

func targetOf(unit string) Target {
	name, instance, _ := strings.Cut(strings.TrimSuffix(unit, ".service"), "@")
	return Target{name, instance}
}

// run asks at every interval, and at once when systemd signals a change,
// until ctx ends.
func (s *services) run(ctx context.Context) {
	changed := make(chan units.Change, 256)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.subscribe(ctx, changed) })
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	failing := false
	for {
		err := s.ask(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			s.deps.Log.Warn("systemd does not answer, judging units by their heartbeats alone", "err", err)
		} else if err == nil && failing {
			s.deps.Log.Info("systemd answers again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case c := <-changed:
			s.noteEnd(c)
			for range len(changed) { // one call is enough for all of them
				s.noteEnd(<-changed)
			}
		}
	}
}

func (s *services) subscribe(ctx context.Context, changed chan<- units.Change) {
	for ctx.Err() == nil {
		err := s.deps.Systemd.Subscribe(ctx, func(c units.Change) {
			if slices.Contains(s.names, c.Unit) {
				select {
				case changed <- c:
				default: // the next tick asks
				}
			}
		})
		s.deps.Log.Debug("subscription to systemd ended, starting over", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(s.interval):
		}
	}
}

// noteEnd stores the result of a process: systemd forgets it with the next one.
func (s *services) noteEnd(c units.Change) {
	if c.Result != "" && c.Result != "success" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ends[c.Unit] = c.Result
	}
}

func (s *services) ask(ctx context.Context) error {
	try, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	is, err := s.deps.Systemd.Units(try, s.names)
	if err != nil {
		return err
	}
	if is[ownUnit].Stopping() || s.stopping.Load() {
		s.askStopping(try)
	}
	s.mu.Lock()
	was := s.units
	s.at, s.units = time.Now(), is
	var news []restarted
	for name, u := range is {
		if n, known := s.count[name]; known && u.Restarts > n {
			s.times[name] = lastOf(append(s.times[name], slices.Repeat([]time.Time{s.at}, min(u.Restarts-n, mostStarts))...), mostStarts)
			news = append(news, restarted{targetOf(name), u.Restarts - n, s.ends[name]})
			delete(s.ends, name)
		}
		s.count[name] = u.Restarts
		if u.Active == "active" {
			delete(s.why, name)
		} else if strings.HasPrefix(u.Status, "cannot ") { // systemd forgets it with the next process
			s.why[name] = u.Status
		}
	}
	s.mu.Unlock()
	for _, n := range news {
		select {
		case s.restarts <- n:
		default: // one note less
		}
	}
	for name, u := range is {
		if u != was[name] {
			for _, p := range s.wake[name] {
				p.readNow()
			}
		}
	}
	return nil
}

// askStopping asks whether this watchdog is being stopped. Where systemd, or
// D-Bus, has stopped already, its last answer holds.
func (s *services) askStopping(ctx context.Context) bool {
	if s.deps.Systemd == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout/4) // an alarm waits for this
	defer cancel()
	if is, err := s.deps.Systemd.Stopping(ctx, ownUnit); err == nil && s.stopping.Swap(is) != is {
		s.deps.Log.Info("being stopped, alone or with all others: no alarm is raised meanwhile", "stopping", is)
	}
	return s.stopping.Load()
}

func lastOf[T any](list []T, most int) []T { return list[max(0, len(list)-most):] }

// of is the state of a unit just now. known is false where systemd did not answer.
func (s *services) of(name string) (u units.Unit, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) > 2*s.interval+s.timeout {
		return u, false // old
	}
	u, known = s.units[name]
	return u, known && u.Load == "loaded"
}

// downUnit is how a unit is down, as systemd has it.
type downUnit struct {
	what     string // completes the unit's name: "was stopped"
	evidence string
}

// What a unit that is down has done. systemd restarts a component that ends by
// itself, so that one that is inactive and has not failed was stopped by somebody.
const (
	wasStopped = "was stopped"
	hasFailed  = "has failed"
)

// down returns how a unit is down although it should run. A unit that is starting or
// stopping is not down; its heartbeats decide.
func (s *services) down(name string) (how downUnit, down bool) {
	u, known := s.of(name)
	if !known || u.Job != "" && u.Job != "stop" {
		return downUnit{}, false
	}
	switch {
	case u.Active == "failed" && u.Result == "exit-code" && u.ExitStatus == 2:
		return downUnit{hasFailed, name + " has failed: exit code 2; " + cmp.Or(u.Status, "its configuration is wrong")}, true
	case u.Active == "failed" && (u.Restarts > 0 || u.Result == "start-limit-hit"):
		// Result stays that of the last process when the start limit is hit.
		given := fmt.Sprintf("%s has failed (%s); systemd has given it up after %s, too many in too short a time (start-limit-hit)", name, u.Result, libra.Several(u.Restarts, "restart"))
		return downUnit{hasFailed, strings.Join(append([]string{given}, s.reason(name)...), "; ")}, true
	case u.Active == "failed":
		return downUnit{hasFailed, fmt.Sprintf("%s has failed: %s", name, strings.Join(append([]string{u.Result}, s.reason(name)...), "; "))}, true
	case u.Active == "inactive" && u.Job == "" && u.TriggerFailed != "":
		return downUnit{hasFailed, fmt.Sprintf("%s does not run: %s has failed; if its port is in use, ss -ltnp shows by which process", name, u.TriggerFailed)}, true
	case u.Active == "inactive" && u.Job == "" && !u.Triggered:
		return downUnit{wasStopped, fmt.Sprintf("%s is %s: it was stopped, and has not failed", name, u.Active)}, true
	}
	return downUnit{}, false
}

// recent counts the restarts of a unit within a window.
func (s *services) recent(name string, window time.Duration) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.times[name] {
		if time.Since(at) < window {
			n++
		}
	}
	return n
}

// saved is what the next process needs.
func (s *services) saved() map[string]savedRestarts {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]savedRestarts{}
	for name, n := range s.count {
		if n > 0 || len(s.times[name]) > 0 {
			all[name] = savedRestarts{n, s.times[name]}
		}
	}
	return all
}

func (s *services) resume(saved map[string]savedRestarts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, k := range saved {
		s.count[name], s.times[name] = k.Count, k.Times
	}
}
