// Package daemon is what every one of Libra's processes runs on: it reads flags
// and environment, reports every fault of them at once, gives the component a
// logger and a context that ends with SIGTERM, notifies systemd when it is ready
// and for as long as its loops make progress, and turns its end into an exit
// code:
//
//	0  stopped when asked to
//	1  an error that a restart may mend
//	2  an error of the configuration that a restart cannot mend
//
// A disk that is full, read-only or faulty is no fault of the configuration: see
// Transient and Tolerable.
//
// A panic or SIGABRT ends the process by signal with every goroutine's stack
// on standard error, never with the Go runtime's usual exit code 2, which
// would read as a fault of the configuration.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"libra/pkg/component"
)

// Version is set by the build (-ldflags -X); SemVer, as the bus wants it.
var Version = "0.0.0"

// ErrConfig marks an error of Run as a fault of the configuration: exit 2.
var ErrConfig = errors.New("configuration")

// Program is one daemon.
type Program struct {
	Name     string // as its unit is called: "libra-web"
	Usage    string // what it does, in one sentence
	Settings []Setting
	// Check validates settings together, whatever is wrong with one of them: all
	// faults are reported at once. May be nil.
	Check func() []error
	// Examine is Check for --check alone: it names faults in what a start
	// would survive, such as a file of which there is an earlier good copy. May
	// be nil.
	Examine func() []error
	// Schema of the history, of the program that writes it; nil of the others.
	Schema *component.Schema
	// Run does the work until ctx ends. It returns when all of its
	// goroutines have.
	Run func(ctx context.Context, p *Process) error
}

// Main runs the program with the process's own arguments and environment and
// returns its exit code.
func Main(p Program) int {
	debug.SetTraceback("crash")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends at once
	return p.Main(ctx, os.Args, os.Stdout, os.Stderr)
}

// Main is the whole life of a process, apart from signals.
func (p Program) Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	level := &slog.LevelVar{}
	log := slog.New(newHandler(stderr, level, os.Getenv))
	faults := unknownSettings(os.Environ())
	settings := values(append(slices.Clone(p.Settings), logSetting(level)), &faults)
	asked, err := readFlags(p.Name, args[1:], settings)
	switch {
	case asked.help:
		p.printHelp(stdout, settings)
		return 0
	case asked.version:
		fmt.Fprintln(stdout, p.Name, "version", Version)
		return 0
	case err != nil:
		faults = append(faults, err)
	}
	if asked.understood && p.Check != nil {
		faults = append(faults, p.Check()...)
	}
	if asked.check && asked.understood && p.Examine != nil {
		for _, err := range p.Examine() {
			faults = append(faults, examined{err})
		}
	}
	code := exitCode(faults)
	switch {
	case asked.check && asked.json:
		p.writeCheck(stdout, faults)
	case asked.check:
		p.printCheck(stdout, stderr, log, faults)
	default:
		logFaults(log, faults)
	}
	if code != 0 && !asked.check {
		newProcess(p.Name, log).ended("cannot start", fatal(faults)...)
	}
	if code != 0 || asked.check {
		return code
	}
	return p.run(ctx, log, faults)
}

func (p Program) run(ctx context.Context, log *slog.Logger, tolerated []error) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	proc := newProcess(p.Name, log)
	proc.tolerate(slices.DeleteFunc(tolerated, Transient))
	var beside sync.WaitGroup
	beside.Go(func() { proc.feedWatchdog(ctx) })
	beside.Go(func() { <-ctx.Done(); proc.notify("STOPPING=1") })

	err := p.Run(ctx, proc)
	cancel()
	beside.Wait()
	proc.clean(cleanupBound)
	switch {
	case err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil:
		log.Info("stopped", "after", time.Since(proc.started).Round(time.Millisecond))
		return 0
	case errors.Is(err, ErrConfig) && !Transient(err):
		log.Error("cannot start: " + err.Error())
		proc.ended("cannot start", err)
		return 2
	}
	log.Error("cannot continue: " + err.Error())
	proc.ended("cannot continue", err)
	return 1
}
