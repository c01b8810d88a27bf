package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"libra/pkg/cli"
)

// terminal opens a pseudo-terminal of so many columns.
func terminal(t *testing.T, columns uint16) (screen, keyboard *os.File) {
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	return screen, keyboard
}

// shown is what a command leaves on a terminal.
func shown(t *testing.T, columns uint16, env map[string]string, args ...string) string {
	screen, keyboard := terminal(t, columns)
	defer screen.Close()
	// The end is marked: what is written just before a terminal closes may be lost.
	const end = '\x1e'
	read := make(chan string)
	go func() {
		text, _ := bufio.NewReader(keyboard).ReadString(end)
		read <- strings.TrimSuffix(text, string(end))
	}()
	cli.Main(t.Context(), args, strings.NewReader(""), screen, io.Discard, func(name string) string { return env[name] })
	if _, err := screen.WriteString(string(end)); err != nil {
		t.Fatal(err)
	}
	return <-read
}

func TestTerminal(t *testing.T) {
	args := []string{"page", "e7dmo5dvmrcm2qwxt4nu", "--server", server(t)}
	got := shown(t, 100, nil, args...)
	if !strings.Contains(got, "\x1b[31m404\x1b[0m") {
		t.Errorf("no colour on a terminal: %q", got)
	}
	plain := shown(t, 100, map[string]string{"NO_COLOR": "1"}, args...)
	if strings.Contains(plain, "\x1b") {
		t.Errorf("colour in spite of NO_COLOR: %q", plain)
	}
	if strings.Contains(shown(t, 100, map[string]string{"TERM": "dumb"}, args...), "\x1b") {
		t.Error("colour on a dumb terminal")
	}
}

// tableTitles is the first line of a table.
var tableTitles = regexp.MustCompile(`^ *[A-Z0-9]+(  +[A-Z0-9]+)+$`)

// tablesOf are the lines of the tables in an output, notes below rows included.
func tablesOf(out string) (lines []string) {
	inside := false
	for line := range strings.SplitSeq(out, "\r\n") {
		inside = line != "" && (inside || tableTitles.MatchString(line))
		if inside {
			lines = append(lines, line)
		}
	}
	return lines
}

// Every table fits the terminal: an id goes before a URL is cut, and what is left out
// is named.
func TestTablesFitTheTerminal(t *testing.T) {
	url := server(t)
	env := map[string]string{"NO_COLOR": "1"}
	for _, args := range [][]string{
		{"pages"},
		{"pages", "--watched"},
		{"page", "e7dmo5dvmrcm2qwxt4nu"},
		{"page", "dddddddddddddddddddd"},
		{"status"},
		{"alarms", "--all"},
		{"alarms", "show", "bus"},
		{"alarms", "history"},
		{"alarms", "silences"},
	} {
		for _, columns := range []int{60, 80, 200} {
			out := shown(t, uint16(columns), env, append(args, "--server", url)...)
			lines := tablesOf(out)
			if len(lines) < 3 {
				t.Fatalf("%v on %d columns has no table:\n%s", args, columns, out)
			}
			for _, line := range lines {
				if n := len([]rune(line)); n > columns {
					t.Errorf("%v on %d columns: a line has %d:\n%s", args, columns, n, line)
				}
			}
		}
	}
	narrow := shown(t, 60, env, "pages", "--server", url)
	if strings.Contains(narrow, "e7dmo5dvmrcm2qwxt4nu") || !strings.Contains(narrow, "https://flaky.example/\r\n") || !strings.Contains(narrow, "(no room for: ID, SCORE, REQUESTS, REPORTED, EVERY)") {
		t.Errorf("60 columns:\n%s", narrow)
	}
	if got := shown(t, 300, map[string]string{"NO_COLOR": "1", "COLUMNS": "60"}, "pages", "--server", url); got != narrow {
		t.Errorf("COLUMNS=60 on 300 columns:\n%s", got)
	}
	// What acts on an alarm or a silence needs its id, wherever that stands.
	if got := shown(t, 60, env, "alarms", "--server", url); !strings.Contains(got, "alarm beat.recorder") {
		t.Errorf("no id of an alarm on 60 columns:\n%s", got)
	}
	if got := shown(t, 60, env, "alarms", "silences", "--server", url); !strings.Contains(got, "s1") {
		t.Errorf("no id of a silence on 60 columns:\n%s", got)
	}
	const end = "quarter-closing-event-gallery-photograph-1.jpg"
	if got := shown(t, 80, env, "page", "e7dmo5dvmrcm2qwxt4nu", "--server", url); !strings.Contains(got, "…") || !strings.Contains(got, "photograph-1.jpg") || strings.Contains(got, end) {
		t.Errorf("a long URL is not cut in its middle on 80 columns:\n%s", got)
	}
	if !strings.Contains(shown(t, 400, env, "page", "e7dmo5dvmrcm2qwxt4nu", "--server", url), end) {
		t.Error("a long URL is cut on 400 columns")
	}
}

// A pipe gets every column whole, whatever COLUMNS says.
func TestPipeIsWhole(t *testing.T) {
	url := server(t)
	var out strings.Builder
	cli.Main(t.Context(), []string{"pages", "--server", url}, strings.NewReader(""), &out, io.Discard, func(name string) string { return map[string]string{"COLUMNS": "60"}[name] })
	golden(t, "pages.txt", strings.ReplaceAll(out.String(), url, "http://appliance"))
}
