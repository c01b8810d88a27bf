// Package upgrade replaces the release of Libra that runs by another one, unit by unit,
// while Libra works, and goes back by itself when something does not come up.
//
// What is checked, in which order units are restarted and why is in
// docs/operations.md#upgrades. What the package has begun is in the record (package
// release) before it is done: after kill -9 or a power cut, Upgrade and Rollback first go
// back to the release before. Which release a unit runs is not remembered but read from
// /proc. One upgrade is in progress at a time.
//
// It needs root, and talks to systemd by systemctl and to libra-web over HTTP.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/pkg/release"
)

// Config of an upgrade. The zero value of a duration is its default.
type Config struct {
	Layout   release.Layout
	Units    string // the folder of unit files: /etc/systemd/system
	Sysusers string // the file of users: /etc/sysusers.d/libra.conf
	Server   string // the URL of libra-web, without a slash at its end
	// Force upgrades an installation that is not healthy.
	Force bool
	// OneWay upgrades although the release before cannot use the history afterwards.
	OneWay bool
	// Ready is how long a unit may take to be healthy after its restart; 30 s.
	Ready time.Duration
	// Calm is how long what a restart has caused may last; 60 s.
	Calm time.Duration
	// Settle is for how long a unit must stay healthy before the next one is restarted; 3 s.
	Settle time.Duration
	// Watch is for how long everything must stay healthy at the end; 10 s.
	Watch time.Duration
	// Say takes a line for each step that is done.
	Say func(text string)
	// Check asks the programs in a folder whether they can start with the settings in
	// force; the result has the schema that libra-recorder knows, nil of a version
	// before 0.2.
	Check func(ctx context.Context, folder string) (schema *component.Schema, faults []string)
	// History is the number of migrations of the history, and the level of the oldest
	// programs that can use it; 0, 0 without a history.
	History func(ctx context.Context) (level, least int, err error)
}

// Errors of a call that has changed nothing.
var (
	ErrUnhealthy = errors.New("this Libra is not healthy")
	ErrOneWay    = errors.New("there is no way back")
	ErrRefused   = errors.New("the release cannot run here")
	ErrRuns      = errors.New("it runs already")
	ErrNoWayBack = errors.New("there is no release to go back to")
)

// FailedError says that an upgrade has failed after it began.
type FailedError struct {
	Version string // that was wanted
	Unit    string // that failed; "" where all did
	Why     error
	Journal []string // the last lines of the unit
	Runs    string   // the version that runs now; "" where going back failed, too
	Back    error    // why going back failed; nil where it did not
}

// Error says what failed and what runs now, without the journal.
func (e *FailedError) Error() string {
	what := e.Why.Error()
	if e.Unit != "" {
		what = e.Unit + ": " + what
	}
	if e.Back != nil {
		return fmt.Sprintf("%s failed, and going back failed, too: %s; %v", e.Version, what, e.Back)
	}
	return fmt.Sprintf("%s failed, %s runs again: %s", e.Version, e.Runs, what)
}

// Unwrap returns why it failed.
func (e *FailedError) Unwrap() error { return e.Why }

// upgrader is one run of Upgrade or Rollback.
type upgrader struct {
	Config
	record  release.Record
	wanted  []unit // in the order of an upgrade
	before  health
	started map[string]time.Time // when a unit was restarted
}

func newUpgrader(cfg Config) *upgrader {
	or(&cfg.Ready, 30*time.Second)
	or(&cfg.Calm, time.Minute)
	or(&cfg.Settle, 3*time.Second)
	or(&cfg.Watch, 10*time.Second)
	return &upgrader{Config: cfg, started: map[string]time.Time{}}
}

func or(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Upgrade installs the release in an archive or a folder, and has every unit run it. It
// returns the version. A *FailedError says that it was begun and failed; any other error,
// that nothing has changed but what an interrupted upgrade before it had left.
func Upgrade(ctx context.Context, cfg Config, file string) (version string, err error) {
	u := newUpgrader(cfg)
	unlock, err := u.Layout.Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := u.Layout.Current(); err != nil {
		return "", err
	}
	last, err := u.Layout.LastRecord()
	if err != nil {
		return "", err
	}
	if last.InProgress() {
		if err := u.recover(ctx, last); err != nil {
			return "", err
		}
	}
	began := time.Now()
	if version, err = u.Layout.Unpack(file); err != nil {
		return "", err
	}
	u.say(began, "release %s verified and installed in %s", version, u.Layout.Dir(version))
	from, err := u.Layout.Current()
	if err != nil {
		return "", err
	}
	if err := u.examine(ctx, from, version); err != nil {
		return "", err
	}
	if err := u.move(ctx, from, version, release.Upgraded); err != nil {
		return "", err
	}
	began = time.Now()
	removed, err := u.Layout.Prune()
	if len(removed) > 0 {
		u.say(began, "removed %s", strings.Join(removed, ", "))
	}
	if err != nil {
		u.say(began, "cannot remove old releases: %v", err) // the upgrade is done
	}
	return version, nil
}

// Rollback has every unit run the release before, or ends an interrupted upgrade. It
// returns the version that runs then; its errors are as those of Upgrade.
func Rollback(ctx context.Context, cfg Config) (version string, err error) {
	cfg.Force = true // an operator goes back because something is wrong
	u := newUpgrader(cfg)
	unlock, err := u.Layout.Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	from, err := u.Layout.Current()
	if err != nil {
		return "", err
	}
	last, err := u.Layout.LastRecord()
	if err != nil {
		return "", err
	}
	if last.InProgress() || last.Phase == release.Broken {
		return last.From, u.recover(ctx, last)
	}
	if version, err = u.Layout.Previous(); err != nil || version == from {
		return "", ErrNoWayBack
	}
	if err := u.examine(ctx, from, version); err != nil {
		return "", err
	}
	return version, u.move(ctx, from, version, release.Returned)
}

// recover goes back to the release before an upgrade that was interrupted, or whose way back
// has failed.
func (u *upgrader) recover(ctx context.Context, last release.Record) (err error) {
	u.Say(fmt.Sprintf("the upgrade from %s to %s, begun %s, did not end: going back to %s", last.From, last.To, last.Began.Format(time.DateTime), last.From))
	u.record = last
	if u.record.Why == "" {
		u.record.Why = "it was interrupted"
	}
	if u.wanted, err = u.unitsOfTarget(ctx); err != nil {
		return err
	}
	if err := u.goBack(ctx); err != nil {
		return &FailedError{Version: last.To, Unit: last.Unit, Why: errors.New(u.record.Why), Back: err}
	}
	return nil
}

// move has every unit run the release to, and goes back to from when one does not.
func (u *upgrader) move(ctx context.Context, from, to string, done release.Phase) (err error) {
	u.record = release.Record{Phase: release.Upgrading, From: from, To: to, Began: time.Now().UTC()}
	if err := u.write(); err != nil {
		return err
	}
	order := slices.Clone(u.wanted)
	if done == release.Returned {
		slices.Reverse(order)
	}
	at, err := u.run(ctx, order, to)
	if err == nil {
		err = u.finish(done)
	}
	if err == nil {
		return nil
	}
	failed := &FailedError{Version: to, Unit: at, Why: err, Runs: from}
	if errors.Is(err, context.Canceled) {
		failed.Why = errors.New("it was interrupted")
	}
	after := context.WithoutCancel(ctx) // going back is not interrupted
	if at != "" {
		failed.Journal = journal(after, at, u.started[at])
	}
	u.record.Unit, u.record.Why = at, failed.Why.Error()
	u.Say("failed: " + strings.TrimPrefix(at+": "+failed.Why.Error(), ": "))
	if u.OneWay && u.restarted(component.Recorder) {
		u.record.Phase = release.Broken
		failed.Runs, failed.Back = "", errors.Join(ErrOneWay, u.write())
		return failed
	}
	if failed.Back = u.goBack(after); failed.Back != nil {
		failed.Runs = ""
	}
	return failed
}

func (u *upgrader) restarted(name string) bool {
	_, ok := u.started[name+".service"]
	return ok
}

// run switches to a release and restarts the units; at is the one that failed.
func (u *upgrader) run(ctx context.Context, order []unit, version string) (at string, err error) {
	began := time.Now()
	if err := u.switchTo(ctx, version, u.record.From); err != nil {
		return "", err
	}
	u.say(began, "current is %s; its unit files are in place", version)
	for _, one := range order {
		if err := u.write(); err != nil {
			return one.name, err
		}
		if err := u.replace(ctx, one, version, replacing{restart: true, judged: true}); err != nil {
			return one.name, err
		}
	}
	began = time.Now()
	at, err = u.watch(ctx, version)
	if err == nil {
		u.say(began, "everything stays healthy")
	}
	return at, err
}

// finish notes that the release runs.
func (u *upgrader) finish(done release.Phase) error {
	if u.record.From != u.record.To { // else the way back stays what it was
		if err := u.Layout.SetPrevious(u.record.From); err != nil {
			return err
		}
	}
	u.record.Phase = done
	return u.write()
}

// goBack has every unit run the release before. It tries all of them, whatever fails.
func (u *upgrader) goBack(ctx context.Context) error {
	u.record.Phase = release.GoingBack
	err := u.write() // a full disk must not keep it from going back
	from := u.record.From
	began := time.Now()
	serr := u.switchTo(ctx, from, u.record.To)
	if current, _ := u.Layout.Current(); serr != nil && current != from {
		return errors.Join(err, serr)
	}
	err = errors.Join(err, serr)
	u.say(began, "current is %s again", from)
	var failed error
	for _, one := range slices.Backward(u.wanted) {
		// systemd may have restarted it already.
		restart := running(ctx, one.name) != u.Layout.Dir(from) || !active(ctx, one.name)
		if _, touched := u.started[one.name]; !touched && !restart {
			continue
		}
		if rerr := u.replace(ctx, one, from, replacing{restart: restart}); rerr != nil {
			u.Say(fmt.Sprintf("failed: %s: %v", one.name, rerr))
			failed = errors.Join(failed, fmt.Errorf("%s: %w", one.name, rerr))
		}
		err = errors.Join(err, u.write())
	}
	u.record.Phase = release.RolledBack
	if failed != nil {
		u.record.Phase = release.Broken
	}
	return errors.Join(failed, err, u.write())
}

func (u *upgrader) write() error { return u.Layout.WriteRecord(u.record, time.Now()) }

func (u *upgrader) say(began time.Time, format string, args ...any) {
	u.Say(fmt.Sprintf(format, args...) + fmt.Sprintf(" (%.1f s)", time.Since(began).Seconds()))
}

// bin is the folder of a release's programs.
func (u *upgrader) bin(version string) string { return filepath.Join(u.Layout.Dir(version), "bin") }
