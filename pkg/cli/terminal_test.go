package cli_test

import (
	"fmt"
	"io"
	"os"
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
	read := make(chan string)
	go func() {
		data, _ := io.ReadAll(keyboard) // ends with EIO once the screen is closed
		read <- string(data)
	}()
	cli.Main(t.Context(), args, strings.NewReader(""), screen, io.Discard, func(name string) string { return env[name] })
	screen.Close()
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
	const end = "quarter-closing-event-gallery-photograph-1.jpg"
	if !strings.Contains(plain, "…") || !strings.Contains(shown(t, 400, nil, args...), end) {
		t.Errorf("a long URL is cut on 100 columns and whole on 400; on 100:\n%s", plain)
	}
	for line := range strings.SplitSeq(plain, "\r\n") {
		if n := len([]rune(line)); n > 100 && strings.Contains(line, "…") {
			t.Errorf("a cut line has %d columns: %q", n, line)
		}
	}
}
