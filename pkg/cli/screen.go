package cli

import (
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// screen is what a writer ends on. The zero value is a file or a pipe.
type screen struct {
	terminal bool
	colour   bool
	width    int // columns; 0 where lines have no end
}

// screenOf looks at what w is. COLUMNS counts on a terminal only: what a script
// reads stays whole in any environment. Colours are for terminals, unless NO_COLOR is
// set (https://no-color.org) or the terminal is dumb.
func screenOf(w io.Writer, getenv func(string) string) screen {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return screen{}
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return screen{}
	}
	width := int(size.Col)
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		width = n // as in POSIX: the person's own choice
	}
	return screen{terminal: true, colour: getenv("NO_COLOR") == "" && getenv("TERM") != "dumb", width: width}
}

// Colours, as SGR parameters of ECMA-48.
const (
	plain  = ""
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s screen) paint(colour, text string) string {
	if !s.colour || colour == plain {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// printable makes text of strangers safe for a terminal: whatever is no
// printable character is escaped as in Go source.
func printable(s string) string {
	odd := func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if odd(r) {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// moment writes a time for people, to the second, in the zone of this machine or
// of TZ.
func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
