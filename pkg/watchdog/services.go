package watchdog

import (
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

// Systemd knows how services are.
type Systemd interface {
	Units(ctx context.Context, names []string) (map[string]units.Unit, error)
	// Leaving says whether a unit is being stopped, alone or with the whole
	// machine.
	Leaving(ctx context.Context, name string) (bool, error)
	// Follow calls changed when something of a unit has changed, until ctx
	// ends or it cannot.
	Follow(ctx context.Context, changed func(units.Change)) error
}

// ownUnit is this watchdog's.
const ownUnit = component.Watchdog + ".service"

// services knows what systemd says of the expected components. Where there is
// no systemd it knows nothing, and hearts are all there is to go by.
type services struct {
	deps     Deps
	interval time.Duration
	timeout  time.Duration
	names    []string
	wake     map[string][]*probe // by unit: who asks again when it changes
	restarts chan restarted
	// left says that this watchdog is being stopped, and most likely with it
	// all that it watches: nobody need be told of the end of anything.
	left atomic.Bool

	mu    sync.Mutex
	at    time.Time             // under mu; of the last answer
	units map[string]units.Unit // under mu
	ends  map[string]string     // under mu; how each last ended other than well
	count map[string]int        // under mu; restarts that are known of
	times map[string][]time.Time
}

// restarted says that systemd has started a unit again by itself.
type restarted struct {
	target Target
	times  int
	result string // of the process before: "watchdog"; "" is not known
}

// restartsKept is what the next process should know of a unit.
type restartsKept struct {
	Count int         `json:"count"`
	Times []time.Time `json:"times"`
}

func newServices(cfg Config, deps Deps) *services {
	s := &services{
		deps: deps, interval: cfg.Interval, timeout: cfg.Timeout, names: []string{ownUnit}, wake: map[string][]*probe{},
		restarts: make(chan restarted, 64), ends: map[string]string{}, count: map[string]int{}, times: map[string][]time.Time{},
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

// watch asks at every interval, and at once when systemd says that something
// has changed, until ctx ends.
func (s *services) watch(ctx context.Context) {
	changed := make(chan units.Change, 256)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.follow(ctx, changed) })
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	failing := false
	for {
		err := s.ask(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			s.deps.Log.Warn("systemd does not say how the units are, going by their hearts alone", "err", err)
		} else if err == nil && failing {
			s.deps.Log.Info("systemd says how the units are again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case c := <-changed:
			s.note(c)
			for range len(changed) { // one question is enough for all of them
				s.note(<-changed)
			}
		}
	}
}

func (s *services) follow(ctx context.Context, changed chan<- units.Change) {
	for ctx.Err() == nil {
		err := s.deps.Systemd.Follow(ctx, func(c units.Change) {
			if slices.Contains(s.names, c.Unit) {
				select {
				case changed <- c:
				default: // asked about soon enough
				}
			}
		})
		s.deps.Log.Debug("listening to systemd, starting over", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(s.interval):
		}
	}
}

// note keeps how a process has ended: systemd forgets it with the next one.
func (s *services) note(c units.Change) {
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
	if is[ownUnit].Leaving() || s.left.Load() {
		s.leaving(try)
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
	}
	s.mu.Unlock()
	for _, n := range news {
		select {
		case s.restarts <- n:
		default: // a log line less
		}
	}
	for name, u := range is {
		if u != was[name] {
			for _, p := range s.wake[name] {
				p.now()
			}
		}
	}
	return nil
}

// leaving asks whether this watchdog is being stopped. Where systemd, or the way
// to it, has gone already, what it said last holds.
func (s *services) leaving(ctx context.Context) bool {
	if s.deps.Systemd == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout/4) // whoever waits has bad news
	defer cancel()
	if is, err := s.deps.Systemd.Leaving(ctx, ownUnit); err == nil && s.left.Swap(is) != is {
		s.deps.Log.Info("being stopped, alone or with all others: nothing is raised meanwhile", "stopping", is)
	}
	return s.left.Load()
}

func lastOf[T any](list []T, most int) []T { return list[max(0, len(list)-most):] }

// of is what systemd said of a unit just now. known is false where it did not.
func (s *services) of(name string) (u units.Unit, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) > 2*s.interval+s.timeout {
		return u, false // old
	}
	u, known = s.units[name]
	return u, known && u.Load == "loaded"
}

// down says in what way a unit does not run although it should. A unit on its
// way up or down is not; its heart decides.
func (s *services) down(name string) (how string, down bool) {
	u, known := s.of(name)
	if !known || u.Job != "" && u.Job != "stop" {
		return "", false
	}
	switch {
	case u.Active == "failed" && u.Result == "exit-code" && u.ExitStatus == 2:
		return name + " has failed: exit code 2, its configuration is wrong", true
	case u.Active == "failed" && (u.Restarts > 0 || u.Result == "start-limit-hit"):
		// Where it had ended badly, that stays the result when the limit is hit.
		return fmt.Sprintf("%s has failed (%s); systemd has given it up after %s, too many in too short a time (start-limit-hit)", name, u.Result, libra.Several(u.Restarts, "restart")), true
	case u.Active == "failed":
		return fmt.Sprintf("%s has failed: %s", name, u.Result), true
	case u.Active == "inactive" && u.Job == "" && !u.Triggered:
		return fmt.Sprintf("%s was stopped (%s)", name, u.Sub), true
	}
	return "", false
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

// kept is what the next process should know.
func (s *services) kept() map[string]restartsKept {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]restartsKept{}
	for name, n := range s.count {
		if n > 0 || len(s.times[name]) > 0 {
			all[name] = restartsKept{n, s.times[name]}
		}
	}
	return all
}

func (s *services) resume(kept map[string]restartsKept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, k := range kept {
		s.count[name], s.times[name] = k.Count, k.Times
	}
}
