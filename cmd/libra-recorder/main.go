// Libra-recorder stores every report, alarm, note and watch, and the board, in SQLite. It is the
// only process that writes the history, and it writes nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"libra/cmd/internal/wire"
	"libra/pkg/component"
	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/recorder"
	"libra/pkg/store"
)

type settings struct {
	line  wire.Line
	trace wire.Traces
	cfg   recorder.Config

	pruneAt int
}

func main() {
	var s settings
	level, least := store.Schema()
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-recorder", Usage: "stores every report, alarm, note and watch, and the board, in SQLite",
		Settings: append(append(s.line.Settings(), s.trace.Setting()),
			daemon.Setting{Name: "database", Default: "/var/lib/libra/history/libra.db", Usage: "SQLite `file` to write, in a folder of its own", Vital: true, Into: s.database},
			daemon.Setting{Name: "prune-at", Default: "80", Usage: "`per cent` of the disk in use from which the oldest reports are removed from the history; 0 keeps them all", Instead: "0", Effect: "0: nothing is removed", Into: daemon.Count(&s.pruneAt, 0, 100)}),
		Schema: &component.Schema{Level: level, Least: least},
		Run:    s.run,
	}))
}

func (s *settings) database(file string) error {
	if err := daemon.Path(&s.cfg.Path)(file); err != nil {
		return err
	}
	folder := filepath.Dir(file)
	return daemon.Folder(&folder)(folder)
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	conn, err := s.line.Connect(ctx, p, "1")
	if err != nil {
		return err
	}
	s.cfg.PruneAt = float64(s.pruneAt)
	s.cfg.Traces = s.trace.Start(ctx, p, "1")
	r := recorder.New(s.cfg, conn, p.Log, p.Status)
	p.Count("reports_recorded", r.Recorded)
	p.Count("reports_restored", r.Restored)
	p.Count("reports_lost", r.Lost)
	p.Count(event.LostCounter, r.LostAt)
	p.Count(event.MissingCounter, r.Missing)
	p.Count(event.MissingOthersCounter, r.MissingOthers)
	p.Count("behind_since_unix", r.BehindSince)
	p.Count("history_grown_bytes", r.Grown)
	p.Count("prune_at_percent", func() int64 { return int64(s.pruneAt) })
	p.Count("busy_us", r.Busy)
	p.Count("slots", func() int64 { return 1 }) // the one writer
	p.Count(event.RestoringCounter, r.RestoringSince)
	p.Reasons(r.Reasons)
	loops := recorder.Loops{
		Reports: p.Liveness.Loop("reports"), Alarms: p.Liveness.Loop("alarms"),
		Notes: p.Liveness.Loop("notes"), Board: p.Liveness.Loop("board"), Watches: p.Liveness.Loop("watches"),
	}
	p.Ready("recording into " + s.cfg.Path)
	err = r.Run(ctx, loops)
	if errors.Is(err, store.ErrSchema) { // a restart cannot mend it
		return fmt.Errorf("%w: %w", daemon.ErrConfig, err)
	}
	return err
}
