// Libra-notifier tells people about alarms: Slack, through an incoming webhook.
// It writes nothing but what must outlive a crash of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"libra/cmd/internal/wire"
	"libra/pkg/daemon"
	"libra/pkg/notifier"
)

type settings struct {
	line    wire.Line
	cfg     notifier.Config
	webhook string
}

func main() {
	var s settings
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-notifier", Usage: "tells people about alarms",
		Settings: append(s.line.Settings(),
			daemon.Setting{Name: "slack-webhook", Usage: "`file` with the URL of a Slack incoming webhook; where there is none, alarms are only logged", FlagOnly: true, Into: daemon.Text(&s.webhook)},
			daemon.Setting{Name: "base-url", Usage: "`URL` where people reach Libra's pages, for links in messages", Into: daemon.Text(&s.cfg.BaseURL)},
			daemon.Setting{Name: "runbook-url", Usage: "`URL` where docs/operations.md is published, for links in messages", Into: daemon.Text(&s.cfg.RunbookURL)},
			daemon.Setting{Name: "notifier-socket", Default: "/run/libra-notifier/alarm.sock", Usage: "`socket` that the watchdog speaks to when the bus is away", FlagOnly: true, Into: daemon.Text(&s.cfg.Socket)},
			daemon.Setting{Name: "runtime", Usage: "`folder` for what must outlive this process", FlagOnly: true, Into: daemon.Folder(&s.cfg.Runtime)}),
		Run: s.run,
	}))
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	if s.webhook != "" {
		if _, err := os.Stat(s.webhook); err == nil {
			s.cfg.WebhookFile = s.webhook
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: --slack-webhook: %w", daemon.ErrConfig, err)
		}
	}
	conn, err := s.line.Connect(ctx, p, "notifier", "1")
	if err != nil {
		return err
	}
	s.cfg.Version = daemon.Version
	n, err := notifier.New(s.cfg, notifier.Deps{
		Bus: conn, Log: p.Log, Status: p.Status,
		Loop: func(name string) func() { return p.Heart.Loop(name).Beat },
	})
	if err != nil {
		return fmt.Errorf("%w: %w", daemon.ErrConfig, err)
	}
	p.Count("messages_delivered", func() int64 { delivered, _ := n.Counters(); return delivered })
	p.Count("undelivered_seconds", func() int64 { return int64(n.Undelivered().Seconds()) })
	p.Count("deliveries_failed", func() int64 { _, failed := n.Counters(); return failed })
	p.Ready("waiting for alarms")
	return n.Run(ctx)
}
