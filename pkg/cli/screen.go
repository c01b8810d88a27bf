package cli

import (
	"fmt"
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

// screenOf looks at what w is. Colours are for terminals, unless NO_COLOR is
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
	return screen{terminal: true, colour: getenv("NO_COLOR") == "" && getenv("TERM") != "dumb", width: int(size.Col)}
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

// humanBytes writes n in powers of 1000, as budgets and browsers count.
func humanBytes(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), -1
	for f >= 999.95 && unit < 5 {
		f /= 1000
		unit++
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + string("kMGTPE"[unit]) + "B"
}

// moment writes a time for people, to the second.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// lasting writes a duration for people: 42s, 5m, 3h20m, 12d4h.
func lasting(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}
