package lab

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"libra/pkg/component"
	"libra/pkg/labapi"
	"libra/pkg/libra"
)

// Groups of kinds, as the page shows them.
const (
	groupPages      = "Pages that harm their inspector"
	groupComponents = "A component"
	groupAround     = "What Libra needs"
)

// faults are the kinds that submit a page of pkg/fault.
var faults = []labapi.Kind{
	{Name: "error", Title: "Error", Does: "Its inspection returns an error."},
	{Name: "slow", Title: "Slow calculation", Does: "Its inspection computes for 3 s."},
	{Name: "spin", Title: "Endless loop", Does: "Its inspection never ends."},
	{Name: "hunger", Title: "Memory hunger", Does: "Its inspection takes all memory."},
}

// kinds is everything that the lab can do.
func kinds() (list []labapi.Kind) {
	for _, k := range faults {
		k.Group = groupPages
		list = append(list, k)
	}
	return append(list,
		labapi.Kind{Name: "kill", Group: groupComponents, Title: "kill -9", Does: "Ends its process.", OfUnit: true},
		labapi.Kind{Name: "sigstop", Group: groupComponents, Title: "SIGSTOP", Does: "Stops its process for 3 s.", OfUnit: true},
		labapi.Kind{Name: "sqlite-locked", Group: groupAround, Title: "SQLite locked", Does: "Nobody can write for 10 s."},
		labapi.Kind{Name: "bus-stopped", Group: groupAround, Title: "Bus stopped", Does: "For 10 s."},
	)
}

// actions are what the lab does, and has done.
type actions struct {
	lab *Lab

	mu     sync.Mutex
	ending bool              // under mu; no more begin
	active map[string]active // under mu; by kind: one of each at a time
	recent []*labapi.Action  // under mu; the newest first
	count  int               // under mu
}

// active is an action in progress.
type active struct {
	cancel context.CancelFunc
	done   chan struct{} // closed once it is undone
}

func newActions(l *Lab) *actions { return &actions{lab: l, active: map[string]active{}} }

// begin begins an action and returns it; unit is "" where the kind is about none.
func (a *actions) begin(name, unit string) (labapi.Action, error) {
	at := slices.IndexFunc(kinds(), func(k labapi.Kind) bool { return k.Name == name })
	if at < 0 {
		var names []string
		for _, k := range kinds() {
			names = append(names, k.Name)
		}
		return labapi.Action{}, &labapi.Refusal{Status: http.StatusBadRequest, Text: fmt.Sprintf("invalid action %.60q", name), Remedy: "must be one of " + strings.Join(names, ", ")}
	}
	kind := kinds()[at]
	if kind.OfUnit {
		if err := checkUnit(unit); err != nil {
			return labapi.Action{}, err
		}
	} else if unit != "" {
		return labapi.Action{}, &labapi.Refusal{Status: http.StatusBadRequest, Text: fmt.Sprintf("action %s is about no unit, not about %.60q", name, unit), Remedy: "leave the unit out"}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, busy := a.active[name]; busy || a.ending {
		return labapi.Action{}, &labapi.Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("action %s is in progress", name), Remedy: "wait until it is done, or reset the lab"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), mostTime)
	done := make(chan struct{})
	a.active[name] = active{cancel, done}
	a.count++
	action := &labapi.Action{Name: name, Title: kind.Title, Unit: unit, At: time.Now().UTC(), State: labapi.Begun}
	a.recent = slices.Insert(a.recent, 0, action)
	a.recent = a.recent[:min(len(a.recent), labapi.MostActions)]
	started, n := *action, a.count
	go func() {
		defer close(done)
		defer cancel()
		a.lab.log.Warn("action begins", "action", name, "unit", unit)
		text, err := a.lab.do(ctx, name, unit, n, func(page string) { a.mu.Lock(); action.Page = page; a.mu.Unlock() })
		a.note(action, text, err)
	}()
	return started, nil
}

// mostTime bounds every action; what it has done is undone then.
const mostTime = 30 * time.Second

// note notes what came of an action.
func (a *actions) note(action *labapi.Action, text string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.active, action.Name)
	action.State, action.Text = labapi.Done, text
	if err != nil {
		action.State, action.Text = labapi.Failed, err.Error()
	}
	a.lab.log.Info("action ends", "action", action.Name, "unit", action.Unit, "result", action.Text)
}

func (a *actions) list() []labapi.Action {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []labapi.Action{}
	for _, one := range a.recent {
		list = append(list, *one)
	}
	return list
}

func (a *actions) running() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.active)
}

// cancel ends every action early, and waits until it is undone.
func (a *actions) cancel() {
	a.mu.Lock()
	list := slices.Collect(maps.Values(a.active))
	a.mu.Unlock()
	for _, one := range list {
		one.cancel()
	}
	for _, one := range list {
		<-one.done
	}
}

// end lets no more actions begin.
func (a *actions) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ending = true
}

// ends reports whether the lab ends.
func (a *actions) ends() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ending
}

// do does what a kind says, and undoes it, at the latest when ctx ends. It returns what came
// of it. n is another one each time.
func (l *Lab) do(ctx context.Context, name, unit string, n int, page func(id string)) (string, error) {
	switch name {
	case "kill":
		return l.kill(ctx, unit)
	case "sigstop":
		return l.sigstop(ctx, unit)
	case "sqlite-locked":
		return l.lock(ctx)
	case "bus-stopped":
		return l.stopBus(ctx)
	}
	code, body, err := l.load.post(ctx, 0, fmt.Sprintf("%s/libra-fault/%s/%x-%d", l.site, name, time.Now().Unix(), n))
	switch {
	case err != nil:
		return "", fmt.Errorf("submit page: %s", plain(err))
	case code != http.StatusAccepted:
		return "", fmt.Errorf("submit page: %d %.200s", code, detail(body))
	}
	page(idOf(body))
	return "submitted", nil
}

// kill ends a unit's process and waits for another one.
func (l *Lab) kill(ctx context.Context, unit string) (string, error) {
	pid, err := l.units.pid(ctx, unit)
	if err != nil {
		return "", err
	}
	if pid == 0 {
		return "", fmt.Errorf("unit %s does not run: start it first", unit)
	}
	began := time.Now()
	if err := l.units.signal(ctx, "KILL", unit); err != nil {
		return "", err
	}
	for !l.units.ready(ctx, unit, pid) {
		if wait(ctx, 50*time.Millisecond) != nil {
			return "", fmt.Errorf("unit %s is not active again", unit)
		}
	}
	return "another process is ready after " + libra.FormatDuration(time.Since(began)), nil
}

// sigstop stops a unit's process and continues it.
func (l *Lab) sigstop(ctx context.Context, unit string) (string, error) {
	pid, err := l.units.pid(ctx, unit)
	if err != nil {
		return "", err
	}
	if pid == 0 {
		return "", fmt.Errorf("unit %s does not run: start it first", unit)
	}
	began := time.Now()
	err = l.units.signal(ctx, "STOP", unit)
	if err == nil {
		_ = wait(ctx, l.cfg.StopFor) // earlier, if ctx ends
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), callFor)
	defer cancel()
	if contErr := l.units.signal(undo, "CONT", unit); err == nil {
		err = contErr
	}
	return "continued after " + libra.FormatDuration(time.Since(began)), err
}

// stopBus stops the bus and starts it.
func (l *Lab) stopBus(ctx context.Context) (string, error) {
	began := time.Now()
	err := l.units.do(ctx, "stop", component.Bus)
	if err == nil {
		_ = wait(ctx, l.cfg.BusFor)
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), callFor)
	defer cancel()
	if startErr := l.start(undo, component.Bus); err == nil {
		err = startErr
	}
	return "started again after " + libra.FormatDuration(time.Since(began)), err
}

// lock has a process hold the database locked until its input ends, also when this process
// is killed.
func (l *Lab) lock(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.LockFor)
	defer cancel()
	cmd := exec.Command(l.cfg.Lock[0], l.cfg.Lock[1:]...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = nil, &limited{&said}
	input, err := cmd.StdinPipe()
	if err != nil {
		return "", fmt.Errorf("lock database: %w", err)
	}
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", fmt.Errorf("lock database: %w", err)
	}
	release := context.AfterFunc(ctx, func() { input.Close() })
	defer release()
	began := time.Now()
	locked, _ := io.ReadAll(io.LimitReader(output, 100)) // "locked", and the end of the process
	if err := cmd.Wait(); err != nil || !strings.HasPrefix(string(locked), "locked") {
		return "", fmt.Errorf("lock database: %v: %s", err, strings.TrimSpace(said.String()))
	}
	return "released after " + libra.FormatDuration(time.Since(began)), nil
}

// limited takes the first 300 bytes.
type limited struct{ b *strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), max(0, mostFault-l.b.Len()))])
	return len(p), nil
}

// wait waits for d, and returns an error if ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
