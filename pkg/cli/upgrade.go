package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/component"
	"libra/pkg/libra"
	"libra/pkg/release"
	"libra/pkg/store"
	"libra/pkg/upgrade"
)

// hostFlags say where Libra is installed on this machine.
func hostFlags(more ...cli.Flag) []cli.Flag {
	return append(more, databaseFlag(),
		&cli.StringFlag{Name: "root", Value: release.Root, Usage: "releases are in `FOLDER`"},
		&cli.StringFlag{Name: "settings", Value: "/etc/libra/libra.env", Usage: "the settings are in `FILE`"},
		&cli.StringFlag{Name: "server", Usage: "use the appliance at `URL` (default: LIBRA_SERVER of the settings, else " + defaultServer + ")"})
}

func (r *runner) upgradeCommand() *cli.Command {
	return &cli.Command{
		Name:      "upgrade",
		Usage:     "have this machine's Libra run another release, while it works",
		ArgsUsage: "PATH",
		Description: `   libra upgrade /root/libra-0.2.0.tar.gz
   libra upgrade --list

PATH is a release: a .tar.gz that make release has built, or a folder. It is verified,
tried with the settings in force, and installed beside the release that runs. Then the
units are restarted one by one. Each must be healthy before the next one is; if one is
not, or errors rise, everything goes back to the release before by itself, and people are
notified of that. Nothing that was accepted is lost meanwhile.

Run it as root, on the machine. Interrupted, it goes back; after kill -9, the next libra
upgrade or libra rollback does. Exit codes: 0 the release runs, 1 it failed after it
began, 2 refused: nothing has changed.`,
		Flags: hostFlags(
			&cli.BoolFlag{Name: "list", Usage: "list the installed releases", DisableDefaultText: true},
			jsonFlag(),
			&cli.BoolFlag{Name: "force", Usage: "upgrade a Libra that is not healthy", DisableDefaultText: true},
			&cli.BoolFlag{Name: "one-way", Usage: "upgrade although the release before cannot use the history afterwards", DisableDefaultText: true}),
		Action: r.upgrade,
	}
}

func (r *runner) rollbackCommand() *cli.Command {
	return &cli.Command{
		Name:  "rollback",
		Usage: "have this machine's Libra run the release before again",
		Description: `   libra rollback

Restarts the units as libra upgrade does, in reverse order, and needs no healthy Libra. An
upgrade that was interrupted is ended: everything runs the release before it. Run it
twice, and the newer release runs again.

Run it as root, on the machine. Exit codes: 0 the release before runs, 1 it failed after
it began, 2 refused: nothing has changed.`,
		Flags: hostFlags(&cli.BoolFlag{Name: "one-way", Usage: "go back although the present release cannot use the history afterwards", DisableDefaultText: true}),
		Action: func(c *cli.Context) error {
			if err := none(c); err != nil {
				return err
			}
			began := time.Now()
			version, err := upgrade.Rollback(c.Context, r.upgradeConfig(c))
			return r.upgraded("go back", version, began, err)
		},
	}
}

func (r *runner) upgrade(c *cli.Context) error {
	if c.Bool("list") {
		if err := none(c); err != nil {
			return err
		}
		return r.listReleases(c)
	}
	file, err := only(c, "PATH")
	if err != nil {
		return err
	}
	began := time.Now()
	version, err := upgrade.Upgrade(c.Context, r.upgradeConfig(c), file)
	return r.upgraded("upgrade", version, began, err)
}

// upgradeConfig is that of this machine.
func (r *runner) upgradeConfig(c *cli.Context) upgrade.Config {
	settings, database, server := c.String("settings"), c.String("database"), defaultServer
	if s := setting(settings, "LIBRA_DATABASE"); s != "" && !c.IsSet("database") {
		database = s
	}
	if s := setting(settings, "LIBRA_SERVER"); s != "" {
		server = s
	}
	if s := c.String("server"); s != "" {
		server = s
	}
	return upgrade.Config{
		Layout: release.Layout{Root: resolved(c.String("root"))}, Units: "/etc/systemd/system", Sysusers: "/etc/sysusers.d/libra.conf",
		Server: strings.TrimRight(server, "/"), Force: c.Bool("force"), OneWay: c.Bool("one-way"),
		Say: func(text string) {
			fmt.Fprintf(r.out, "%s  %s\n", r.screen.paint(dim, time.Now().Format(time.TimeOnly)), printable(text))
		},
		Check: func(ctx context.Context, folder string) (*component.Schema, []string) {
			return checkPrograms(ctx, folder, settings)
		},
		History: func(ctx context.Context) (level, least int, err error) { return historyLevel(ctx, database) },
	}
}

// resolved is a folder as the kernel names what runs from it: whole, and without links.
func resolved(folder string) string {
	whole, err := filepath.Abs(folder)
	if err != nil {
		return folder
	}
	if real, err := filepath.EvalSymlinks(whole); err == nil {
		return real
	}
	return whole
}

// historyLevel is the level of the history; 0, 0 without one.
func historyLevel(ctx context.Context, database string) (level, least int, err error) {
	if _, err := os.Stat(database); errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	history := store.NewReader(database)
	defer history.Close()
	return history.Level(ctx)
}

// checkPrograms asks the programs of a release whether they can start, and which schema
// libra-recorder knows. Faults are those that keep a program from starting.
func checkPrograms(ctx context.Context, folder, settings string) (schema *component.Schema, faults []string) {
	given := givenSettings(settings)
	for _, c := range component.Required() { // an optional one is not in every release
		result, problem := checkOf(ctx, c, filepath.Join(folder, c.Name), given)
		if problem != nil {
			faults = append(faults, problem.Seen)
			continue
		}
		if result.Schema != nil {
			schema = result.Schema
		}
		for _, fault := range result.Faults {
			if !fault.Tolerable && !fault.ReloadOnly {
				faults = append(faults, c.Name+" cannot start: "+fault.Text)
			}
		}
	}
	return schema, faults
}

// upgraded prints the end of an upgrade, and returns its error with a remedy.
func (r *runner) upgraded(what, version string, began time.Time, err error) error {
	var failed *upgrade.FailedError
	switch {
	case err == nil:
		fmt.Fprintf(r.out, "%s runs, after %s\n", version, libra.FormatDuration(time.Since(began)))
		return nil
	case errors.As(err, &failed):
		for _, line := range failed.Journal {
			fmt.Fprintf(r.err, "%s  %s\n", failed.Unit, printable(line))
		}
		f := fail("cannot %s: %w", what, err)
		f.code = exitBad
		if failed.Runs == "" {
			return f.with("libra doctor says what does not run; after the correction libra rollback tries again")
		}
		return f.with("journalctl -u %s has more; libra status shows that everything works", orAll(failed.Unit))
	case errors.Is(err, release.ErrNoCurrent):
		return fail("cannot %s: %w", what, err).with("install Libra with make install once; in the appliance: scripts/appliance shell /opt/libra/bin/libra upgrade PATH")
	case errors.Is(err, fs.ErrPermission):
		return fail("cannot %s: %w", what, err).with("run it as root")
	case errors.Is(err, upgrade.ErrUnhealthy):
		return fail("cannot %s: %w", what, err).with("libra alarms and libra doctor say why; --force upgrades all the same")
	case errors.Is(err, upgrade.ErrOneWay):
		return fail("cannot %s: %w", what, err).with("make a backup (libra backup FILE); then --one-way upgrades, and nothing goes back by itself")
	case errors.Is(err, upgrade.ErrNoWayBack):
		return fail("cannot %s: %w", what, err).with("libra upgrade --list shows the installed releases")
	case errors.Is(err, release.ErrInvalid):
		return fail("cannot %s: %w", what, err).with("give a .tar.gz that make release has built, or copy it again")
	case errors.Is(err, release.ErrNoSpace):
		return fail("cannot %s: %w", what, err).with("free space there; libra upgrade --list shows the installed releases")
	}
	return fail("cannot %s: %w", what, err)
}

func orAll(unit string) string {
	if unit == "" {
		return "'libra*'"
	}
	return unit
}

// listReleases prints the installed releases, and what became of the last upgrade.
func (r *runner) listReleases(c *cli.Context) error {
	layout := release.Layout{Root: resolved(c.String("root"))}
	list, err := layout.List()
	if err != nil {
		return fail("cannot list releases: %w", err).with("install Libra with make install once, or name its folder with --root")
	}
	last, err := release.ReadRecord(release.RecordFile(layout.Root)) // its owner may be at work
	if err != nil {
		return fail("cannot read the record of the last upgrade: %w", err)
	}
	if c.Bool("json") {
		return writeJSON(r.out, map[string]any{"releases": list, "last": last})
	}
	t := table{columns: []column{left("RELEASE"), left("INSTALLED"), left("STATE")}}
	for _, one := range list {
		state := ""
		switch {
		case one.Current:
			state = "current"
		case one.Previous:
			state = "previous: libra rollback goes there"
		}
		t.add(text(one.Version), text(libra.FormatTime(one.Installed)), text(state))
	}
	t.write(r.out, r.screen)
	if last.Phase != "" {
		fmt.Fprintf(r.out, "\nlast upgrade: %s\n", printable(lastUpgrade(last)))
	}
	return nil
}

// lastUpgrade is a record in words.
func lastUpgrade(last release.Record) string {
	what := fmt.Sprintf("from %s to %s, %s, %s", last.From, last.To, libra.FormatTime(last.Began), last.Phase)
	if last.Why == "" {
		return what
	}
	return what + ": " + strings.TrimPrefix(last.Unit+": "+last.Why, ": ")
}

// seeUpgrade judges the record of the last upgrade.
func seeUpgrade(root string) []finding {
	last, err := release.ReadRecord(release.RecordFile(root))
	switch {
	case err != nil:
		return []finding{fine("upgrade", "%v", err).do("run it as root; a damaged file is set aside by the next libra upgrade")}
	case last.Phase == "":
		return nil
	}
	f := fine("upgrade", "%s", lastUpgrade(last))
	switch {
	case last.InProgress() && runsNow(root, last):
		f = f.do("wait until it ends")
		f.Warning = true
	case last.InProgress(), last.Phase == release.Broken:
		f = f.do("libra rollback ends it: everything runs " + last.From)
	case last.Phase == release.RolledBack:
		f = f.do("journalctl -u " + orAll(last.Unit) + " says more; another upgrade that succeeds ends this warning")
		f.Warning = true
	}
	return []finding{f}
}

// runsNow says whether the process of an upgrade in progress runs: who may lock it knows, and
// for others its record is not old.
func runsNow(root string, last release.Record) bool {
	unlock, err := release.Layout{Root: root}.Lock()
	if err == nil {
		unlock()
		return false
	}
	return errors.Is(err, release.ErrBusy) || time.Since(last.At) < release.Interrupted
}
