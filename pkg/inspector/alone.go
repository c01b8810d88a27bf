package inspector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// A page whose first delivery was lost without a word may have ended the
// process that had it. It is weighed again by a process of its own, so that
// whatever it does, it does it alone.

// turn is how long a page waits to be weighed alone before it lets others by,
// and for how long it does. No more are weighed alone at a time than are
// assured a place: each takes a process's memory.
const turn = time.Second

// crashes is how many inspectors a page may end before it is left alone.
const crashes = 3

// line is what a lone process says, one JSON object to the line: how far it is,
// and at last the report.
type line struct {
	Progress *inspect.Progress `json:"progress,omitempty"`
	Report   *libra.Report     `json:"report,omitempty"`
}

// WeighAlone is the whole life of a lone process: it weighs one page and writes
// what there is to say to w.
func (i *Inspector) WeighAlone(ctx context.Context, url string, w io.Writer) error {
	defer i.engine.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go i.guard(ctx, cancel)
	out := json.NewEncoder(w)
	report := i.weigh(ctx, url, nothing, func(p inspect.Progress) { _ = out.Encode(line{Progress: &p}) }) // the last line matters
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return out.Encode(line{Report: report})
}

// nothing stands for anything: a lone process has no bus.
func nothing(context.Context) *libra.Report { return nil }

// errCrashed says that a lone process ended without a report.
var errCrashed = errors.New("ended without a report")

// errNotStarted says that there was no lone process: no page's fault.
var errNotStarted = errors.New("start an inspector for one page")

// alone has a page weighed by a lone process. errCrashed says that the page
// ended it.
func (w *worker) alone(ctx context.Context) (*libra.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Inspect.PageTimeout+aloneGrace)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.cfg.Program, append(w.cfg.Args, "--weigh", w.job.Request.URL)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { // systemd hears us, not it
		return strings.HasPrefix(kv, "NOTIFY_SOCKET=") || strings.HasPrefix(kv, "WATCHDOG_")
	})
	cmd.WaitDelay = time.Second
	out := &lines{tell: w.tell}
	errs := &tail{most: 2000}
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	err := cmd.Wait()
	switch {
	case out.report != nil:
		return out.report, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%w: it did not come to an end within %s", errCrashed, w.cfg.Inspect.PageTimeout+aloneGrace)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: %w: %s", errCrashed, err, errs.first())
	}
	return nil, errCrashed
}

// aloneGrace is what a lone process may take beyond the page's deadline, which
// it keeps by itself unless something is very wrong.
const aloneGrace = 2 * time.Second

// lines takes what a lone process says, as it says it.
type lines struct {
	tell   func(inspect.Progress)
	rest   []byte
	report *libra.Report
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		at := bytes.IndexByte(l.rest, '\n')
		if at < 0 {
			return len(p), nil
		}
		var said line
		if err := json.Unmarshal(l.rest[:at], &said); err != nil {
			return 0, fmt.Errorf("read what a lone inspector says: %w", err)
		}
		l.rest = l.rest[at+1:]
		if said.Progress != nil {
			l.tell(*said.Progress)
		}
		if said.Report != nil {
			l.report = said.Report
		}
	}
}

// tail keeps the beginning of what a process says on standard error: the
// reason, before the stacks.
type tail struct {
	most int
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p[:min(len(p), t.most-len(t.text))]...)
	return len(p), nil
}

func (t *tail) first() string {
	first, _, _ := strings.Cut(strings.TrimSpace(string(t.text)), "\n")
	return first
}
