// Libra-inspector claims requests from the bus, inspects their pages and publishes
// reports. It writes nothing; any number of instances share the work.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"libra/cmd/internal/wire"
	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/fault"
	"libra/pkg/inspect"
	"libra/pkg/inspector"
)

type settings struct {
	line  wire.Line
	trace wire.Traces
	cfg   inspector.Config
	weigh string
	fault bool
}

func main() {
	var s settings
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-inspector", Usage: "claims a request, inspects the page, publishes a report",
		Settings: append(append(s.line.Settings(), s.trace.Setting()),
			daemon.Setting{Name: "instance", Default: "1", Usage: "`name` of this instance", FlagOnly: true, Into: daemon.Text(&s.cfg.Instance)},
			daemon.Setting{Name: "workers", Default: "32", Usage: "`number` of pages to inspect at a time, at most: 8 while memory is short", Into: daemon.Count(&s.cfg.Workers, 1, 1000)},
			daemon.Setting{Name: "allow", Usage: "address `prefixes` that may be reached although not public", Partly: true, Effect: "the valid ones of it", Into: daemon.Prefixes(&s.cfg.Inspect.Allow)},
			daemon.Setting{Name: "page-timeout", Default: "60s", Usage: "`time` that one page may take", Into: daemon.Duration(&s.cfg.Inspect.PageTimeout, time.Second, time.Hour)},
			daemon.Setting{Name: "inspector-memory", Default: "176M", Usage: "`bytes` of memory that an inspector may take before it ends itself", Into: daemon.Bytes(&s.cfg.Memory, 64<<20)},
			daemon.Setting{Name: "faults", Default: "no", Usage: "let pages make this inspector fail on purpose: `yes` or no (see pkg/fault)", Into: daemon.Switch(&s.fault)},
			daemon.Setting{Name: "weigh", Usage: "inspect this `URL` alone, write progress and report as JSON lines, and exit", FlagOnly: true, Into: daemon.Text(&s.weigh)},
			daemon.Setting{Name: "profile", Default: "desktop", Usage: "`device` that opens the page: desktop or mobile", Into: s.profile}),
		Run: s.run,
	}))
}

func (s *settings) profile(name string) error {
	s.cfg.Inspect.Profile = inspect.Profile(name)
	if p := s.cfg.Inspect.Profile; p != inspect.Desktop && p != inspect.Mobile {
		return fmt.Errorf("must be %s or %s", inspect.Desktop, inspect.Mobile)
	}
	return nil
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	if s.fault {
		s.cfg.Before = fault.Inject
	}
	if s.weigh != "" {
		return inspector.New(s.cfg, nil, p.Log).InspectAlone(ctx, s.weigh, os.Stdin, os.Stdout)
	}
	var err error
	if s.cfg.Program, err = os.Executable(); err != nil {
		return err
	}
	s.cfg.Args = os.Args[1:]
	conn, err := s.line.Connect(ctx, p, s.cfg.Instance)
	if err != nil {
		return err
	}
	s.cfg.Status, s.cfg.Proc = p.Status, "/proc"
	s.cfg.Traces = s.trace.Start(ctx, p, s.cfg.Instance)
	i := inspector.New(s.cfg, conn, p.Log)
	p.Count("pages_in_hand", i.Running)
	p.Count("reports_published", i.Done)
	p.Count("pages_well", i.Well)
	p.Count("pages_melted", i.Melted)
	p.Count("pages_refused", i.Refused)
	p.Count("pages_waiting", i.Waiting)
	p.Count("busy_us", i.Busy)
	p.Count("slots", i.Slots)
	p.Count("pages_light", i.Light)
	p.Count("pages_deferred", i.Deferred)
	p.Count(event.PressureCounter, i.ShortSince)
	p.Reasons(i.Reasons)
	p.AlsoUses(i.LoneCPU, i.LoneResident)
	p.Ready("waiting for requests")
	return i.Run(ctx, p.Liveness.Loop("dispatcher"))
}
