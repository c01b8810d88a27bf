// Libra-watchdog probes every component every second, and raises and clears alarms.
// It writes its own small state and nothing else.
package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"libra/cmd/internal/wire"
	"libra/pkg/daemon"
	"libra/pkg/release"
	"libra/pkg/store"
	"libra/pkg/watchdog"
	"libra/pkg/watchdog/journal"
	"libra/pkg/watchdog/units"
)

type settings struct {
	line       wire.Line
	cfg        watchdog.Config
	server     string
	database   string
	inspectors int
}

// inMemory is in effect in place of a folder that cannot be written: the watchdog
// goes on without any of its settings, because it has to raise an alarm of them.
const inMemory = "no folder: its state is in memory only"

func main() {
	var s settings
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-watchdog", Usage: "probes every component, raises and clears alarms",
		Settings: append(s.line.Settings(),
			daemon.Setting{Name: "server", Default: "http://127.0.0.1:8080", Usage: "`URL` of libra-web", Into: daemon.WebURL(&s.server, "http://127.0.0.1:8080")},
			daemon.Setting{Name: "inspectors", Default: "2", Usage: "`number` of inspectors that must be running", Into: daemon.Count(&s.inspectors, 0, 1000)},
			daemon.Setting{Name: "database", Default: "/var/lib/libra/history/libra.db", Usage: "SQLite `file` to read", Partly: true, Effect: "that path, which cannot be read", Into: daemon.Path(&s.database)},
			daemon.Setting{Name: "page-timeout", Default: "60s", Usage: "`time` that one page may take", Into: daemon.Duration(&s.cfg.PageTimeout, time.Second, time.Hour)},
			daemon.Setting{Name: "alarms", Default: "/etc/libra/alarms.toml", Usage: "`file` with thresholds; without one, the defaults hold", FlagOnly: true, Into: daemon.Text(&s.cfg.AlarmsFile)},
			daemon.Setting{Name: "notifier-socket", Default: "/run/libra-notifier/alarm.sock", Usage: "`socket` of the notifier, for when the bus is away", FlagOnly: true, Into: daemon.Text(&s.cfg.NotifierSocket)},
			daemon.Setting{Name: "heartbeat-url-file", Usage: "`file` with the URL of an outside service that expects a request every 30 s; without one, none is sent", FlagOnly: true, Effect: "none: no outside heartbeat is sent", Into: s.heartbeat},
			daemon.Setting{Name: "state", Usage: "`folder` for what must outlive a reboot", FlagOnly: true, Effect: inMemory, Into: daemon.Folder(&s.cfg.State)},
			daemon.Setting{Name: "runtime", Usage: "`folder` for what must outlive this process", FlagOnly: true, Effect: inMemory, Into: daemon.Folder(&s.cfg.Runtime)}),
		Examine: func() []error { return watchdog.CheckAlarms(s.cfg.AlarmsFile) },
		Run:     s.run,
	}))
}

func (s *settings) heartbeat(file string) (err error) {
	s.cfg.HeartbeatURL, err = watchdog.ReadHeartbeatURL(file)
	return err
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	conn, err := s.line.Connect(ctx, p, "1")
	if err != nil {
		return err
	}
	history := store.NewReader(s.database)
	p.Cleanup("history", func(context.Context) error { return history.Close() })
	s.cfg.WebURL = strings.TrimRight(s.server, "/") + "/up"
	s.cfg.Database = s.database
	s.cfg.UpgradeRecord = release.RecordFile(release.Root)
	s.cfg.Folder = filepath.Dir(s.database)
	s.cfg.Expect = watchdog.Expected(s.inspectors)
	systemd := &units.Systemd{}
	p.Cleanup("D-Bus", func(context.Context) error { return systemd.Close() })
	s.cfg.SettingsFaults = p.Tolerated
	w := watchdog.New(s.cfg, watchdog.Deps{
		Bus: conn, SQLite: history, Systemd: systemd, Log: p.Log, Loop: p.Liveness.Loop("probes"), Status: p.Status,
	})
	stop, err := conn.ServeJournal(ctx, journal.Answer)
	if err != nil {
		return err
	}
	defer stop()
	defer p.OnReload(w.Reload)()
	p.Ready("probing every component")
	return w.Run(ctx)
}
