// Package journal reads lines of the journal, by journalctl: systemd's own reader, which
// knows every format of the files. It needs membership of the group systemd-journal.
package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
)

// id is the form of a request's id: long enough to be nobody else's, and without anything
// that a pattern would read. libra-web faces the network, and is to read no other lines.
var id = regexp.MustCompile(`^[0-9a-z][0-9a-z-]{22,63}$`)

// longAgo is how far back the journal is read.
const longAgo = 24 * time.Hour

// longest is how long journalctl may take: it looks through all that was logged since then.
const longest = 2 * time.Second

// Answer answers libra-web.
func Answer(ctx context.Context, ask event.JournalAsk) event.Journal {
	lines, err := Lines(ctx, ask.Request, ask.Since)
	answer := event.Journal{Request: ask.Request, Lines: append([]string{}, lines...)}
	if err != nil {
		answer.Fault = event.Cut(err.Error(), event.MostLine)
	}
	return answer
}

// Lines are the newest lines of Libra's units that name a request, the oldest first, since
// a time: event.MostLines at most, each cut to event.MostLine bytes.
func Lines(ctx context.Context, request string, since time.Time) ([]string, error) {
	if !id.MatchString(request) {
		return nil, fmt.Errorf("invalid request %q: must be 23 to 64 small letters, digits and -", event.Cut(request, 100))
	}
	if earliest := time.Now().Add(-longAgo); since.Before(earliest) {
		since = earliest
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, "journalctl", "--quiet", "--no-pager", "--output=short-iso-precise", "--no-hostname", "--unit=libra*",
		"--reverse", "--grep=request="+request+"( |$)", "--case-sensitive=yes", fmt.Sprintf("--since=@%d", since.Unix()), fmt.Sprintf("--lines=%d", event.MostLines))
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.WaitDelay = time.Second
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &bounded{&out, event.MostLines * 4 * event.MostLine}, &bounded{&faults, 1000}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("journalctl has not answered within %s", longest)
	case errors.As(err, &exit) && exit.ExitCode() == 1 && faults.Len() == 0: // no line matches
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("journalctl: %w: %s", err, strings.TrimSpace(faults.String()))
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, event.Cut(strings.ToValidUTF8(strings.TrimRight(line, "\n"), "?"), event.MostLine))
	}
	lines = lines[:min(len(lines), event.MostLines)] // the newest first
	slices.Reverse(lines)
	return lines, nil
}

// bounded keeps the first bytes that are written, and takes the others.
type bounded struct {
	to   *bytes.Buffer
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.to.Write(p[:min(len(p), b.most-b.to.Len())])
	return len(p), nil
}
