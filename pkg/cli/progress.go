package cli

import (
	"fmt"
	"io"
)

// progress is one line on a terminal that is written over and over, and gone
// in the end. Where standard error is no terminal it writes nothing.
type progress struct {
	w     io.Writer
	shown string
}

func (r *runner) progress() *progress {
	if !r.errScreen.terminal {
		return &progress{w: io.Discard}
	}
	return &progress{w: r.err}
}

// eraseLine moves to the start of the line and erases it (ECMA-48 EL).
const eraseLine = "\r\x1b[K"

func (p *progress) show(what string, done, found int) {
	line := what
	if found > 0 {
		line = fmt.Sprintf("%s %d of %d", what, done, found)
	}
	if line != p.shown {
		p.shown = line
		fmt.Fprint(p.w, eraseLine+line)
	}
}

func (p *progress) clear() {
	if p.shown != "" {
		p.shown = ""
		fmt.Fprint(p.w, eraseLine)
	}
}
