package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// pollEvery is how often what is waited for is looked at.
const pollEvery = 200 * time.Millisecond

// wait waits until check returns nil, and returns its last error after the time most.
func wait(ctx context.Context, most time.Duration, check func() error) error {
	until := time.Now().Add(most)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := check()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(until) {
			return fmt.Errorf("after %s: %w", most, err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// hold wants check to return nil for a time.
func hold(ctx context.Context, d time.Duration, check func() error) error {
	until := time.Now().Add(d)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for time.Now().Before(until) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := check(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// replacing says how a unit is replaced.
type replacing struct {
	restart bool // else it runs the release already, and is only checked
	judged  bool // compare the errors of everything with those before, too
}

// replace restarts a unit, and returns when it runs the release, is healthy and has stayed
// so.
func (u *upgrader) replace(ctx context.Context, one unit, version string, how replacing) error {
	began := time.Now()
	if how.restart {
		u.started[one.name] = began
		if err := u.restart(ctx, one.name); err != nil {
			return err
		}
	}
	ready := time.Since(began)
	is := stateOf(ctx, one.name)
	if err := wait(ctx, u.Ready, func() error { return u.healthy(ctx, one, is, version) }); err != nil {
		return err
	}
	healthy := time.Since(began)
	from, err := u.look(ctx)
	if err != nil {
		return err
	}
	if err := hold(ctx, u.Settle, func() error { return u.stays(ctx, one.name, is) }); err != nil {
		return err
	}
	// What a restart has caused passes; what stays is new.
	var now health
	err = wait(ctx, u.Calm, func() error { now, err = u.look(ctx); return errors.Join(err, u.worse(now)) })
	if err == nil && how.judged {
		err = u.before.rise(from, now)
	}
	if err != nil {
		return err
	}
	u.say(began, "%s: ready after %.1f s, healthy with %s after %.1f s", strings.TrimSuffix(one.name, ".service"), ready.Seconds(), version, healthy.Seconds())
	return nil
}

// restart returns when a unit is ready again.
func (u *upgrader) restart(ctx context.Context, name string) error {
	since := time.Now()
	starting, cancel := context.WithTimeout(ctx, u.Ready)
	defer cancel()
	_, _ = systemctl(starting, "reset-failed", name) // most have not failed
	_, err := systemctl(starting, "restart", name)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return whyNot(ctx, name, since, err)
	}
	return nil
}

// whyNot says why a unit does not start, by the last line of its process.
func whyNot(ctx context.Context, name string, since time.Time, err error) error {
	is := stateOf(ctx, name)
	if lines := journal(ctx, name, since); is.result != "success" && len(lines) > 0 {
		return fmt.Errorf("it does not start (%s): %s", is.result, lines[len(lines)-1])
	}
	return fmt.Errorf("it does not start: %w", err)
}

// healthy returns nil while a unit runs the release, and the heartbeats of that process
// arrive.
func (u *upgrader) healthy(ctx context.Context, one unit, is state, version string) error {
	if err := u.stays(ctx, one.name, is); err != nil {
		return err
	}
	if dir := running(ctx, one.name); dir != u.Layout.Dir(version) {
		return fmt.Errorf("it runs %q, not %s", dir, u.Layout.Dir(version))
	}
	now, err := u.look(ctx)
	if err != nil {
		return err
	}
	beat, ok := now.beat(one, is.pid)
	switch {
	case !ok:
		return errors.New("it is ready, and no heartbeat of it arrives")
	case beat.State != "healthy":
		return fmt.Errorf("its heartbeats say that it is %s: %s", beat.State, beat.Status)
	}
	return nil
}

// stays returns nil while a unit is active with the same process.
func (u *upgrader) stays(ctx context.Context, name string, was state) error {
	now := stateOf(ctx, name)
	switch {
	case now.active != "active":
		return fmt.Errorf("it does not stay up: %s (%s), %s", now.active, now.sub, now.result)
	case now.pid != was.pid || now.restarts != was.restarts:
		return fmt.Errorf("it does not stay up: systemd has restarted it %s times", now.restarts)
	}
	return nil
}

// worse returns what is wrong now and was not before.
func (u *upgrader) worse(now health) error {
	var news []string
	for _, trouble := range now.troubles {
		if !slices.Contains(u.before.troubles, trouble) {
			news = append(news, trouble)
		}
	}
	if news == nil {
		return nil
	}
	return errors.New("new trouble: " + strings.Join(news, "; "))
}

// measure measures the errors that there are without an upgrade.
func (u *upgrader) measure(ctx context.Context) error {
	from := u.before
	if err := hold(ctx, u.Settle, func() error { return nil }); err != nil {
		return err
	}
	now, err := u.look(ctx)
	if err != nil {
		return nil // not healthy, and forced
	}
	u.before.usual = now.since(from)
	return nil
}

// watch wants everything to stay as healthy as before, at the end; at is a unit that does
// not.
func (u *upgrader) watch(ctx context.Context, version string) (at string, err error) {
	were := map[string]state{}
	for _, one := range u.wanted {
		were[one.name] = stateOf(ctx, one.name)
	}
	from, err := u.look(ctx)
	if err != nil {
		return "", err
	}
	err = hold(ctx, u.Watch, func() error {
		for _, one := range u.wanted {
			if err := u.stays(ctx, one.name, were[one.name]); err != nil {
				at = one.name
				return err
			}
		}
		return nil
	})
	if err != nil {
		return at, err
	}
	for _, one := range u.wanted {
		if err := wait(ctx, u.Ready, func() error { return u.healthy(ctx, one, were[one.name], version) }); err != nil {
			return one.name, err
		}
	}
	now := health{}
	err = wait(ctx, u.Calm, func() error { now, err = u.look(ctx); return errors.Join(err, u.worse(now)) })
	if err == nil {
		err = u.before.rise(from, now)
	}
	return "", err
}
