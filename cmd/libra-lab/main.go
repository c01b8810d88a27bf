// Libra-lab shows what Libra does under load and while parts of it fail: a test site, a load
// generator with a dial, and switches that end, stop and start units. It does nothing unless
// LIBRA_LAB is on, and writes nothing; docs/lab.md is a demonstration with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"libra/cmd/internal/wire"
	"libra/pkg/daemon"
	"libra/pkg/lab"
	"libra/pkg/store"
)

type settings struct {
	line     wire.Line
	cfg      lab.Config
	on       bool
	database string
	lock     string
}

func main() {
	var s settings
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-lab", Usage: "shows Libra under load and while parts of it fail",
		Settings: append(s.line.Settings(),
			daemon.Setting{Name: "lab", Default: "off", Usage: "let people load Libra and break parts of it: `on` or off", Into: daemon.Switch(&s.on)},
			daemon.Setting{Name: "lab-site", Default: "127.0.0.1:8090", Usage: "`address` of the loopback for the test site", Into: s.site},
			daemon.Setting{Name: "server", Default: "http://127.0.0.1:8080", Usage: "`URL` of libra-web, on the loopback", Into: s.server},
			daemon.Setting{Name: "database", Default: "/var/lib/libra/history/libra.db", Usage: "SQLite `file` to lock", Partly: true, Effect: "that path, which cannot be read", Into: daemon.Path(&s.database)},
			daemon.Setting{Name: "runtime", Default: "/run/libra-lab", Usage: "`folder` of the control socket", FlagOnly: true, Into: daemon.Text(&s.cfg.Runtime)},
			daemon.Setting{Name: "lock", Usage: "hold the SQLite `file` locked until the input ends, and exit", FlagOnly: true, Into: daemon.Text(&s.lock)}),
		Run: s.run,
	}))
}

func (s *settings) site(address string) error {
	if err := lab.CheckLoopback(address); err != nil {
		return err
	}
	return daemon.Address(&s.cfg.Site)(address)
}

func (s *settings) server(text string) error {
	var sound string
	if err := daemon.WebURL(&sound, "http://127.0.0.1:8080")(text); err != nil {
		return err
	}
	s.cfg.Web = sound
	return nil
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	if s.lock != "" {
		return holdLocked(ctx, s.lock)
	}
	if !s.on {
		return fmt.Errorf("%w: the lab is off: set LIBRA_LAB=on in /etc/libra/libra.env to load this Libra and break parts of it on purpose", daemon.ErrConfig)
	}
	if err := checkServer(s.cfg.Web); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	s.cfg.Lock = lockCommand(program, s.database)
	if _, err := s.line.Connect(ctx, p, "1"); err != nil {
		return err
	}
	s.cfg.Status = p.Status
	l := lab.New(s.cfg, p.Log)
	p.Ready("the test site is at http://" + s.cfg.Site + "/")
	return l.Run(ctx, p.Liveness.Loop("generator"))
}

// checkServer refuses to load a machine other than this one.
func checkServer(server string) error {
	u, err := url.Parse(server)
	if err != nil {
		return fmt.Errorf("%w: LIBRA_SERVER is %q: %w", daemon.ErrConfig, server, err)
	}
	if lab.CheckLoopback(u.Hostname()+":0") != nil {
		return fmt.Errorf("%w: LIBRA_SERVER is %q, which is not on the loopback: the lab loads this machine only", daemon.ErrConfig, server)
	}
	return nil
}

// lockCommand runs this program as the user who owns the database, in a unit of its own,
// which systemd ends should it exceed its time.
func lockCommand(program, database string) []string {
	return []string{
		"systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--unit=libra-lab-lock", "--property=User=libra-recorder", "--property=Group=libra-history",
		"--property=RuntimeMaxSec=30", "--property=UMask=0027", "--property=IPAddressDeny=any", "--property=ReadWritePaths=" + filepath.Dir(database), "--", program, "--lock", database,
	}
}

// longest bounds how long the database is locked.
const longest = 30 * time.Second

// holdLocked holds a database locked until standard input ends.
func holdLocked(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until it ends, or cannot be read
		cancel()
	}()
	err := store.HoldLocked(ctx, file, func() { fmt.Println("locked") })
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
