package inspector

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/inspect"
	"libra/pkg/inspector/profile"
	"libra/pkg/libra"
)

// insight is what only the process that inspects a page knows of it.
type insight struct {
	Outgoing []event.Outgoing  `json:"outgoing"`
	Stacks   []event.Goroutine `json:"stacks"`
}

// lists are the lists of the insight, never nil.
func (n insight) lists() ([]event.Outgoing, []event.Goroutine) {
	return append([]event.Outgoing{}, n.Outgoing...), append([]event.Goroutine{}, n.Stacks...)
}

// insightOf looks into an inspection in this process, by the label of its goroutines.
func insightOf(label string, view *inspect.View, log *slog.Logger) (n insight) {
	for _, r := range view.Requests() {
		if len(n.Outgoing) == event.MostOutgoing {
			break
		}
		host, _ := libra.URLParts(r.URL)
		n.Outgoing = append(n.Outgoing, event.Outgoing{URL: event.Cut(r.URL, event.MostShownURL), Host: event.Cut(host, event.MostShownURL), Since: r.Since.UTC()})
	}
	stacks, err := profile.Stacks(label, event.MostStacks, event.MostFrames)
	if err != nil {
		log.Warn("cannot list the goroutines of an inspection", "err", err)
	}
	for _, s := range stacks {
		if !ofBus(s) {
			n.Stacks = append(n.Stacks, event.Goroutine(s))
		}
	}
	return n
}

// ofBus reports whether a stack is that of a goroutine of the client of the bus, which has the
// label of the inspection that happened to ask first.
func ofBus(s profile.Stack) bool {
	return strings.Contains(s.Frames[len(s.Frames)-1], "nats-io/nats")
}

// loneLabel is the label in a lone process, which has one page.
const loneLabel = "page"

// lookWord asks a lone process, on its standard input, for an insight.
const lookWord = "look"

// lone is a lone process, as its parent sees it.
type lone struct {
	pid      int
	proc     string // where the kernel shows processes; "" if nowhere
	in       io.Writer
	insights chan insight // of one: what it has answered

	mu sync.Mutex // held while it is asked
}

// lookWait is how long a lone process may take to answer.
const lookWait = 500 * time.Millisecond

// look asks the process; one that does not answer in time has nothing to show.
func (l *lone) look() insight {
	l.mu.Lock()
	defer l.mu.Unlock()
	select { // the answer to a question that was given up
	case <-l.insights:
	default:
	}
	if _, err := fmt.Fprintln(l.in, lookWord); err != nil {
		return insight{} // it has ended
	}
	select {
	case n := <-l.insights:
		return n
	case <-time.After(lookWait):
		return insight{}
	}
}

// answered keeps an insight that the process has written.
func (l *lone) answered(n insight) {
	select {
	case l.insights <- n:
	default: // nobody has taken the one before
	}
}

// answerLooks answers, in a lone process, what is asked on in, until that ends.
func answerLooks(in io.Reader, answer func()) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if lines.Text() == lookWord {
			answer()
		}
	}
}

// spent is what a process has used.
type spent struct {
	cpu      time.Duration
	resident int64 // bytes in memory now
}

// ticks are the kernel's units of processor time in /proc, in a second: USER_HZ of every
// architecture that Linux has now.
const ticks = 100

// spent reads what the process has used; not ok where it has ended.
func (l *lone) spent() (s spent, ok bool) {
	folder := filepath.Join(l.proc, strconv.Itoa(l.pid))
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	memory, err2 := os.ReadFile(filepath.Join(folder, "statm"))
	if l.proc == "" || err != nil || err2 != nil {
		return s, false
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // its name may have spaces
	f, m := strings.Fields(rest), strings.Fields(string(memory))
	if len(f) < 13 || len(m) < 2 {
		return s, false
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	pages, _ := strconv.ParseInt(m[1], 10, 64)
	return spent{time.Duration(user+system) * time.Second / ticks, pages * int64(os.Getpagesize())}, true
}

// loneSpent is what the worker's lone process has used; not ok without one.
func (w *worker) loneSpent() (spent, bool) {
	w.mu.Lock()
	l := w.lone
	w.mu.Unlock()
	if l == nil {
		return spent{}, false
	}
	return l.spent()
}

// LoneCPU is the processor time that lone processes have used so far.
func (i *Inspector) LoneCPU() time.Duration {
	total := time.Duration(i.loneCPU.Load())
	for _, s := range i.loneTimes() {
		total += s.cpu
	}
	return total
}

// LoneResident is how many bytes of lone processes are in memory.
func (i *Inspector) LoneResident() (bytes int64) {
	for _, s := range i.loneTimes() {
		bytes += s.resident
	}
	return bytes
}

// setLone notes the lone process that inspects the page; nil at its end.
func (w *worker) setLone(l *lone) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lone = l
}
