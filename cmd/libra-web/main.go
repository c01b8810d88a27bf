// Libra-web is what people and programs talk to over HTTP. It writes nothing:
// what it knows it reads from the bus and from SQLite.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"libra/cmd/internal/wire"
	"libra/pkg/daemon"
	"libra/pkg/inspect/score"
	"libra/pkg/labapi"
	"libra/pkg/store"
	"libra/pkg/web"
)

type settings struct {
	line     wire.Line
	trace    wire.Traces
	cfg      web.Config
	listen   string
	database string
	lab      bool

	listenFault error // of the address, which only a process without a socket needs
}

// asUnset is in effect in place of invalid URLs.
const asUnset = "as if it were not set"

func main() {
	var s settings
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-web", Usage: "serves the pages and the API, to people and programs",
		Settings: append(append(s.line.Settings(), s.trace.Setting()),
			daemon.Setting{Name: "listen", Default: "127.0.0.1:8080", Usage: "`address` to listen at, without a socket from systemd", Partly: true, Effect: "the address of libra-web.socket", Into: s.address},
			daemon.Setting{Name: "base-url", Usage: "`URL` where people reach Libra's pages, with the path of a reverse proxy: requests for another host name are refused", Effect: asUnset, Into: daemon.BaseURL(&s.cfg.BaseURL, "https://libra.example.org/")},
			daemon.Setting{Name: "runbook-url", Usage: "`URL` where docs/operations.md is published, for links from alarms", Effect: asUnset, Into: daemon.WebURL(&s.cfg.RunbookURL, "https://docs.example.org/operations.md")},
			daemon.Setting{Name: "allow", Usage: "address `prefixes` of pages that are accepted although not public, as the inspectors'", Partly: true, Effect: "the valid ones of it", Into: daemon.Prefixes(&s.cfg.Allow)},
			daemon.Setting{Name: "trusted-proxies", Usage: "address `prefixes` of reverse proxies whose X-Forwarded-For is believed", Partly: true, Effect: "the valid ones of it", Into: daemon.Prefixes(&s.cfg.TrustedProxies)},
			daemon.Setting{Name: "profile", Default: "desktop", Usage: "`device` whose pages a score compares with: desktop or mobile, as the inspectors'", Into: s.profile},
			daemon.Setting{Name: "cache", Default: "12M", Usage: "`bytes` of memory for the newest reports", Into: daemon.Bytes(&s.cfg.Bounds.Reports, 1<<20)},
			daemon.Setting{Name: "site", Default: "home", Usage: "`name` of this place in the subjects of requests", Into: daemon.Text(&s.cfg.Site)},
			daemon.Setting{Name: "lab", Default: "off", Usage: "let people operate libra-lab on /lab: `on` or off", Into: daemon.Switch(&s.lab)},
			daemon.Setting{Name: "database", Default: "/var/lib/libra/history/libra.db", Usage: "SQLite `file` to read", Partly: true, Effect: "that path, which cannot be read", Into: daemon.Path(&s.database)}),
		Run: s.run,
	}))
}

func (s *settings) address(text string) error {
	s.listenFault = daemon.Address(&s.listen)(text)
	return s.listenFault
}

func (s *settings) profile(name string) error {
	if name != score.Desktop && name != score.Mobile {
		return fmt.Errorf("must be %s or %s", score.Desktop, score.Mobile)
	}
	s.cfg.Profile = name
	return nil
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	listener, err := s.listener()
	if err != nil {
		return err
	}
	conn, err := s.line.Connect(ctx, p, "1")
	if err != nil {
		return err
	}
	history := store.NewReader(s.database)
	p.Cleanup("history", func(context.Context) error { return history.Close() })
	s.cfg.Version, s.cfg.Hosts, s.cfg.Status = daemon.Version, []string{s.listen}, p.Status
	if host, err := os.Hostname(); err == nil { // links in messages have it, where no LIBRA_BASE_URL is set
		s.cfg.Hosts = append(s.cfg.Hosts, host)
	}
	s.cfg.Traces = s.trace.Start(ctx, p, "1")
	if s.lab {
		s.cfg.Lab = labapi.Socket
	}
	server := web.New(s.cfg, p.Log, conn, history, p.Liveness.Loop("answering"))
	p.Count("requests_submitted", server.Submitted)
	p.Count("requests_refused", server.Refused)
	p.Count("busy_us", server.Busy)
	p.Count("slots", server.Slots)
	p.Ready("answering at http://" + listener.Addr().String() + "/")
	return server.Run(ctx, listener)
}

// listener is systemd's, which outlives this process, or our own.
func (s *settings) listener() (net.Listener, error) {
	handed, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take the socket from systemd: %w", err)
	}
	if len(handed) == 1 {
		return handed[0], nil
	}
	if len(handed) > 1 {
		return nil, fmt.Errorf("%w: libra-web.socket passes %d sockets: set one ListenStream=", daemon.ErrConfig, len(handed))
	}
	if s.listenFault != nil {
		return nil, fmt.Errorf("%w: LIBRA_LISTEN is invalid: it %w", daemon.ErrConfig, s.listenFault)
	}
	l, err := net.Listen("tcp", s.listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: LIBRA_LISTEN is %q, which another process has (ss -ltnp shows which): end that, or choose another port", daemon.ErrConfig, s.listen)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: LIBRA_LISTEN is %q: %w", daemon.ErrConfig, s.listen, err)
	}
	return l, nil
}
