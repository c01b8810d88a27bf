// Libra-notifier notifies people of alarms, by the channels that alarms.toml
// lists. It writes nothing but what must outlive a crash of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"libra/cmd/internal/wire"
	"libra/pkg/daemon"
	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/rules"
)

type settings struct {
	line  wire.Line
	trace wire.Traces
	cfg   notifier.Config
	file  rules.Keeper // of alarms.toml
	// server is the URL of libra-web for programs on this host.
	server string
}

// What is in effect in place of invalid settings. The notifier goes on without
// any of them: it has to notify people of them.
const (
	asUnset  = "as if it were not set"
	inMemory = "no folder: its state is in memory only"
)

func main() {
	var s settings
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-notifier", Usage: "notifies people of alarms",
		Settings: append(append(s.line.Settings(), s.trace.Setting()),
			daemon.Setting{Name: "alarms", Default: "/etc/libra/alarms.toml", Usage: "`file` with channels, routes and thresholds; without it, the defaults hold", FlagOnly: true, Into: daemon.Text(&s.file.File)},
			daemon.Setting{Name: "credentials", Default: "/etc/libra/credentials/", Usage: "`prefix` of the files with credentials", FlagOnly: true, Into: daemon.Text(&s.cfg.Credentials)},
			daemon.Setting{Name: "base-url", Usage: "`URL` where people reach Libra's pages, for links in messages", Effect: asUnset, Into: daemon.BaseURL(&s.cfg.BaseURL, "https://libra.example.org/")},
			daemon.Setting{Name: "server", Default: "http://127.0.0.1:8080", Usage: "`URL` of libra-web; without LIBRA_BASE_URL, links in messages have the name of this host and its port", Into: daemon.WebURL(&s.server, "http://127.0.0.1:8080")},
			daemon.Setting{Name: "runbook-url", Usage: "`URL` where docs/operations.md is published, for links in messages", Effect: asUnset, Into: daemon.WebURL(&s.cfg.RunbookURL, "https://docs.example.org/operations.md")},
			daemon.Setting{Name: "notifier-socket", Default: "/run/libra-notifier/alarm.sock", Usage: "`socket` that the watchdog speaks to when the bus is away", FlagOnly: true, Into: daemon.Text(&s.cfg.Socket)},
			daemon.Setting{Name: "state", Usage: "`folder` for what must outlive a reboot", FlagOnly: true, Effect: inMemory, Into: daemon.Folder(&s.cfg.State)},
			daemon.Setting{Name: "runtime", Usage: "`folder` for what must outlive this process", FlagOnly: true, Effect: inMemory, Into: daemon.Folder(&s.cfg.Runtime)}),
		Examine: s.examine, Run: s.run,
	}))
}

// examine finds in alarms.toml what a start would survive. A channel that cannot
// be used keeps no edit from being taken over: it is an alarm of its own.
func (s *settings) examine() (faults []error) {
	f, faults := rules.Check(s.file.File)
	if len(faults) > 0 {
		return faults
	}
	s.cfg.Rules = f
	for _, err := range notifier.Check(s.cfg) {
		faults = append(faults, daemon.Tolerable(err))
	}
	return faults
}

// load reads alarms.toml: the last valid one, or the defaults, hold while it has
// a fault.
func (s *settings) load() (fault error) {
	if s.cfg.State != "" {
		s.file.LastGood = filepath.Join(s.cfg.State, "alarms.toml")
	}
	s.cfg.Rules, fault = s.file.Load()
	return fault
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	s.cfg.RulesFault = s.load()
	inForce := "the last valid one"
	if errors.Is(s.cfg.RulesFault, rules.ErrDefaults) {
		inForce = "the defaults"
	}
	for _, fault := range rules.Faults(s.cfg.RulesFault) {
		p.Log.Error("alarms.toml is invalid, using " + inForce + ": " + fault.Error())
	}
	conn, err := s.line.Connect(ctx, p, "1")
	if err != nil {
		return err
	}
	s.cfg.Version, s.cfg.Traces = daemon.Version, s.trace.Start(ctx, p, "1")
	if s.cfg.BaseURL == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("ask for the name of this host: %w", err)
		}
		s.cfg.BaseURL = libra.HostURL(host, s.server)
	}
	n := notifier.New(s.cfg, notifier.Deps{
		Bus: conn, Log: p.Log, Status: p.Status,
		Loop: func(name string) notifier.Loop { return p.Liveness.Loop(name) },
	})
	p.Count("messages_delivered", func() int64 { delivered, _ := n.Counters(); return delivered })
	p.Count("deliveries_failed", func() int64 { _, failed := n.Counters(); return failed })
	p.Count("busy_us", n.Busy)
	p.Count("slots", n.Channels)
	p.Trouble(n.Troubles)
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { s.file.Follow(ctx, n.Fault) })
	stop := p.OnReload(func() error { return s.reload(ctx, n) })
	defer func() { cancel(); stop(); watching.Wait() }()
	p.Ready("waiting for alarms")
	return n.Run(ctx)
}

func (s *settings) reload(ctx context.Context, n *notifier.Notifier) error {
	fault := s.load()
	n.Fault(fault)
	if fault != nil {
		return fault
	}
	return n.Apply(ctx, s.cfg.Rules)
}
