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
	"sync"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/inspector/profile"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// A page that is delivered a second time may have ended the process that claimed
// it first. A process of its own inspects it then, so that it can end no other
// page's inspection.

// crashes is how many inspectors a page may end before it is quarantined.
const crashes = 3

// inspectAlone has a process of its own inspect the page, until there is a report
// or the page has ended crashes of them, including the inspector that claimed it
// first.
func (w *worker) inspectAlone(ctx context.Context) state {
	select {
	case w.alone <- struct{}{}:
		defer func() { <-w.alone }()
	default: // others have the slot: thousands may be under suspicion after a restart
		return w.crowded
	}
	w.begins(w.job.Round)
	w.progress(inspect.Progress{Step: libra.Fetching})
	ended := 0
	if !w.job.Request.Release {
		ended = 1
	}
	for {
		report, err := w.runAlone(ctx)
		if err == nil {
			w.report = report
			return w.publish
		}
		if errors.Is(err, errNotStarted) {
			w.log.Error("cannot inspect the page alone, inspecting it among the others", "err", err)
			return w.inspectHere(ctx)
		}
		if !errors.Is(err, errCrashed) {
			return w.retry
		}
		ended++
		w.log.Error("a page ended its inspector", "url", w.job.Request.URL, "crashes", ended, "err", err)
		if ended >= crashes {
			w.poison, w.report = true, quarantined(w.job.Request.URL, ended, err)
			return w.publish
		}
	}
}

// quarantined is the report of a page that is not inspected from now on.
func quarantined(url string, ended int, err error) *libra.Report {
	r := failed(url)
	r.AddReason(libra.Reason{
		Code:   libra.CodeQuarantined,
		Text:   fmt.Sprintf("the page ended its inspector %d times and is in quarantine, the last time: %v", ended, err),
		Remedy: "release it with: libra release " + url,
	})
	return r
}

// line is one line of a lone process's output, a JSON object: its progress, what it was
// asked for, and at last the report.
type line struct {
	Progress *inspect.Progress `json:"progress,omitempty"`
	Insight  *insight          `json:"insight,omitempty"`
	Report   *libra.Report     `json:"report,omitempty"`
}

// InspectAlone is what a lone process runs: it inspects one page and writes its
// progress and the report to w. A line [lookWord] of in is answered with an insight.
func (i *Inspector) InspectAlone(ctx context.Context, url string, in io.Reader, w io.Writer) (err error) {
	defer i.engine.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go i.guard(ctx, cancel)
	var mu sync.Mutex
	out := json.NewEncoder(w) // under mu
	write := func(l line) error {
		mu.Lock()
		defer mu.Unlock()
		return out.Encode(l)
	}
	page := lonePage(url)
	page.View = &inspect.View{}
	go answerLooks(in, func() {
		n := insightOf(loneLabel, page.View, i.log)
		_ = write(line{Insight: &n}) // the last line counts
	})
	profile.Label(ctx, loneLabel, func(ctx context.Context) {
		report := i.inspect(ctx, page, nothing, func(p inspect.Progress) { _ = write(line{Progress: &p}) })
		if err = context.Cause(ctx); err == nil {
			err = write(line{Report: report})
		}
	})
	return err
}

// argument names the page to a lone process; one whose scheme is guessed has none.
func argument(page inspect.Page) string {
	if page.SchemeGuessed {
		return weburl.Unguessed(page.URL)
	}
	return page.URL
}

// lonePage is the page that argument names.
func lonePage(argument string) inspect.Page {
	if strings.HasPrefix(argument, "https://") || strings.HasPrefix(argument, "http://") {
		return inspect.Page{URL: argument}
	}
	return inspect.Page{URL: "https://" + argument, SchemeGuessed: true}
}

// nothing is the previous report of a lone process, which has no bus.
func nothing(context.Context) *libra.Report { return nil }

// errCrashed says that a lone process ended without a report.
var errCrashed = errors.New("ended without a report")

// errNotStarted says that there was no lone process, which is not the page's fault.
var errNotStarted = errors.New("start an inspector for one page")

// runAlone has a lone process inspect the page. errCrashed says that the page
// ended it.
func (w *worker) runAlone(ctx context.Context) (*libra.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Inspect.PageTimeout+aloneGrace)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.cfg.Program, append(w.cfg.Args, "--weigh", argument(w.page(ctx)))...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { // this process notifies systemd, not the lone one
		return strings.HasPrefix(kv, "NOTIFY_SOCKET=") || strings.HasPrefix(kv, "WATCHDOG_")
	})
	cmd.WaitDelay = time.Second
	own := &lone{proc: w.cfg.Proc, insights: make(chan insight, 1)}
	out := &lineReader{progress: w.progress, insight: own.answered}
	errs := &head{most: 2000}
	cmd.Stdout, cmd.Stderr = out, errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	own.pid, own.in = cmd.Process.Pid, in
	w.setLone(own)
	err = cmd.Wait()
	w.setLone(nil)
	w.loneCPU.Add(int64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()))
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

// aloneGrace is what a lone process may take beyond the page's deadline, which it
// exceeds only when it hangs.
const aloneGrace = 2 * time.Second

// lineReader decodes the output of a lone process as it is written.
type lineReader struct {
	progress func(inspect.Progress)
	insight  func(insight)
	rest     []byte
	report   *libra.Report
}

func (l *lineReader) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		at := bytes.IndexByte(l.rest, '\n')
		if at < 0 {
			return len(p), nil
		}
		var next line
		if err := json.Unmarshal(l.rest[:at], &next); err != nil {
			return 0, fmt.Errorf("read the output of a lone inspector: %w", err)
		}
		l.rest = l.rest[at+1:]
		if next.Progress != nil {
			l.progress(*next.Progress)
		}
		if next.Insight != nil {
			l.insight(*next.Insight)
		}
		if next.Report != nil {
			l.report = next.Report
		}
	}
}

// head keeps the beginning of a process's standard error: the reason, before the
// stacks.
type head struct {
	most int
	text []byte
}

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), h.most-len(h.text))]...)
	return len(p), nil
}

func (h *head) first() string {
	first, _, _ := strings.Cut(strings.TrimSpace(string(h.text)), "\n")
	return first
}
