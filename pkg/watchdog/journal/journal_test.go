package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libra/pkg/event"
	"libra/pkg/watchdog/journal"
)

// What could be read as a pattern, an option or a path is refused before anything runs.
func TestInvalidRequest(t *testing.T) {
	for _, request := range []string{"", ".*", "-x y", "a\nb", "a'b", "../x", "e", strings.Repeat("a", 22), strings.Repeat("a", 65)} {
		if lines, err := journal.Lines(t.Context(), request, time.Now()); err == nil || !strings.Contains(err.Error(), "invalid request") {
			t.Errorf("%q: %v, %v", request, lines, err)
		}
	}
}

// Whatever journalctl writes, and however it ends, so much of it is kept, or an error says
// what it was. It is a program in its place: a journal is only where systemd runs, in
// the appliance's tests.
func TestWhatJournalctlWrites(t *testing.T) {
	long := strings.Repeat("x", 2*event.MostLine)
	for name, c := range map[string]struct {
		script string
		lines  int
		last   string
		fault  string
	}{
		"lines":         {`printf 'new\nold\n'`, 2, "new", ""},
		"none":          {`exit 1`, 0, "", ""},
		"a long line":   {`printf '` + long + `'`, 1, long[:event.MostLine-3] + "…", ""},
		"no UTF-8":      {`printf 'a\377b\n'`, 1, "a?b", ""},
		"many lines":    {fmt.Sprintf(`i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); done`, event.MostLines+50), event.MostLines, "line 0", ""},
		"no permission": {`echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1`, 0, "", "insufficient permissions"},
		"a hang":        {`exec sleep 60`, 0, "", "has not answered within 2s"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
			lines, err := journal.Lines(t.Context(), "06h2xkmdd16gkfqcxsdg4v5s", time.Unix(1, 0))
			if len(lines) != c.lines || len(lines) > 0 && lines[len(lines)-1] != c.last {
				t.Errorf("%d lines, want %d, the last %q", len(lines), c.lines, c.last)
				if len(lines) > 0 {
					t.Errorf("got the last %q", lines[len(lines)-1])
				}
			}
			if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("error %v, want %q", err, c.fault)
			}
		})
	}
}
