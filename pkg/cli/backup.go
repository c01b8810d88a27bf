package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
	"libra/pkg/store"
)

// databaseFlag names the history's file.
func databaseFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "database", Value: "/var/lib/libra/history/libra.db", EnvVars: []string{"LIBRA_DATABASE"},
		Usage: "the history is in `FILE`",
	}
}

func (r *runner) backupCommand() *cli.Command {
	return &cli.Command{
		Name:      "backup",
		Usage:     "copy the history to a file, while everything runs",
		ArgsUsage: "FILE",
		Description: `   libra backup /srv/backup/libra-monday.db

The copy is consistent and complete, or is not made. FILE must not exist. Run it
on the machine, or inside the appliance, as a user that may read the history
(root, or a member of libra-history).`,
		Flags: []cli.Flag{databaseFlag()},
		Action: func(c *cli.Context) error {
			file, err := only(c, "FILE")
			if err != nil {
				return err
			}
			start := time.Now()
			if err := store.Backup(c.Context, c.String("database"), file); err != nil {
				return fail("cannot back up: %w", err).with("%s", backupHint(file, err))
			}
			reports, err := store.Verify(c.Context, file)
			if err != nil {
				return fail("cannot read the backup again: %w", err).with("try again, on another disk")
			}
			info, err := os.Stat(file)
			if err != nil {
				return fail("cannot look at the backup: %w", err)
			}
			fmt.Fprintf(r.out, "%s in %s, %s, in %s\n", libra.Several(reports, "report"), file, libra.FormatBytes(info.Size()), libra.FormatDuration(time.Since(start)))
			return nil
		},
	}
}

func (r *runner) restoreCommand() *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "replace the history by a backup",
		ArgsUsage: "FILE",
		Description: `   libra restore /srv/backup/libra-monday.db
   libra restore --force /srv/backup/libra-monday.db

Libra may run meanwhile: libra-recorder opens the backup and adds what it lacks of
the last days from the bus. Without --force an existing history is not replaced;
with it, the old one is set aside under a dated name. Run it as root.`,
		Flags: []cli.Flag{databaseFlag(), &cli.BoolFlag{Name: "force", Usage: "set an existing history aside", DisableDefaultText: true}},
		Action: func(c *cli.Context) error {
			file, err := only(c, "FILE")
			if err != nil {
				return err
			}
			aside, err := store.Restore(c.Context, file, c.String("database"), c.Bool("force"), time.Now())
			if errors.Is(err, store.ErrExists) {
				return fail("cannot restore: %w", err).with("give --force to set it aside under a dated name")
			}
			if errors.Is(err, store.ErrNoFolder) {
				return fail("cannot restore to %s: %w", c.String("database"), err).with("start Libra here once (systemctl start libra.target), or give --database (or LIBRA_DATABASE) the path of the history on this machine")
			}
			if errors.Is(err, fs.ErrNotExist) {
				return fail("cannot restore: %w", err).with("give the path of a file that libra backup has made")
			}
			if err != nil {
				return fail("cannot restore: %w", err).with("%s", storeHint(err))
			}
			fmt.Fprintf(r.out, "%s replaced %s", file, c.String("database"))
			if _, err := os.Stat(aside); err == nil {
				fmt.Fprintf(r.out, "; the database before it is %s", aside)
			}
			fmt.Fprintln(r.out)
			return nil
		},
	}
}

// backupHint returns the remedy for a fault of FILE or of the history.
func backupHint(file string, err error) string {
	folder := filepath.Dir(file)
	switch {
	case !errors.Is(err, store.ErrTarget):
		return storeHint(err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("make the folder first, mkdir -p %s, or name another", folder)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("run it as a user that may write in %s, or name another folder", folder)
	}
	return fmt.Sprintf("look at the disk under %s (df, df -i, dmesg), or name a FILE on another", folder)
}

func storeHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run it as root"
	case errors.Is(err, store.ErrExists):
		return "give another name, or remove the file"
	case errors.Is(err, store.ErrDamaged):
		return "this file is damaged, or is not a database of Libra: give another one"
	}
	return "give --database (or LIBRA_DATABASE) the path of the history on this machine"
}
