package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
)

// liveAnswer is what GET /api/live answers.
type liveAnswer struct {
	Cores      int          `json:"cores"`
	EveryMS    int64        `json:"every_ms"`
	Components []string     `json:"components"`
	Samples    []liveSample `json:"samples"`
	Next       int64        `json:"next"`
	Running    []running    `json:"running"`
	Count      int          `json:"running_count"`
}

type liveSample struct {
	Succeeded   int       `json:"succeeded"`
	Failed      int       `json:"failed"`
	CPU         []float64 `json:"cpu"`
	Memory      []int64   `json:"memory"`
	Open        int       `json:"open_requests"`
	OldestS     float64   `json:"oldest_s"`
	Connections int       `json:"connections"`
}

// running is an inspection in progress.
type running struct {
	Request   string  `json:"request"`
	Page      string  `json:"page"`
	URL       string  `json:"url"`
	Client    string  `json:"client"`
	Label     string  `json:"label"`
	Attempt   int     `json:"attempt"`
	Alone     bool    `json:"alone"`
	Step      string  `json:"step"`
	Found     int     `json:"found"`
	Done      int     `json:"done"`
	CPUMS     int64   `json:"cpu_ms"`
	HeldBytes int64   `json:"held_bytes"`
	Inspector string  `json:"inspector"`
	AgeS      float64 `json:"age_s"`
}

// lookAnswer is what GET /api/live/{request} answers.
type lookAnswer struct {
	running
	At    time.Time `json:"at"`
	Since time.Time `json:"since"`
	Steps []struct {
		Step string    `json:"step"`
		At   time.Time `json:"at"`
	} `json:"steps"`
	Outgoing []struct {
		URL   string    `json:"url"`
		Since time.Time `json:"since"`
	} `json:"outgoing"`
	Stacks []struct {
		Count  int      `json:"count"`
		Frames []string `json:"frames"`
	} `json:"stacks"`
	Journal      []string `json:"journal"`
	JournalFault string   `json:"journal_fault"`
}

func (r *runner) topCommand() *cli.Command {
	return &cli.Command{
		Name:      "top",
		Usage:     "show what the appliance is doing: live, or one inspection in progress",
		ArgsUsage: "[REQUEST]",
		Description: `On a terminal it shows the last second, every second, until Ctrl-C: inspections,
processors and memory of each component, the queue, and the inspections in
progress, those that use most CPU first. In a pipe it shows that once.

With a REQUEST it looks into that inspection: its steps, its pending requests, its
lines of the journal, and where its goroutines are.

   libra top
   libra top REQUEST
   libra top --json | jq '.running[0].request'

Exit codes: 0 shown, 2 no such inspection, or no appliance.`,
		Flags:  applianceFlags(&cli.BoolFlag{Name: "once", Usage: "show it once, also on a terminal"}),
		Action: r.top,
	}
}

func (r *runner) endCommand() *cli.Command {
	return &cli.Command{
		Name:      "end",
		Usage:     "end an inspection in progress",
		ArgsUsage: "REQUEST",
		Description: `The page is reported as ended by an operator. If the inspection does not end
within a second, its process ends; the other pages of that process are inspected
by another one.

   libra top                 shows the requests
   libra end REQUEST

Exit codes: 0 it ends, 2 no such inspection, or no appliance.`,
		Flags:  applianceFlags(),
		Action: r.end,
	}
}

func (r *runner) end(c *cli.Context) error {
	request, err := only(c, "request")
	if err != nil {
		return err
	}
	var ended struct {
		URL       string `json:"url"`
		Page      string `json:"page"`
		Inspector string `json:"inspector"`
	}
	printed, err := r.call(c, "end the inspection", http.MethodPost, livePath(request)+"/end", nil, &ended)
	if err == nil && !printed {
		fmt.Fprintf(r.out, "inspector %s ends the inspection of %s\n", printable(ended.Inspector), printable(ended.URL))
	}
	return err
}

func livePath(request string) string { return "/api/live/" + url.PathEscape(request) }

func (r *runner) top(c *cli.Context) error {
	if c.Args().Len() > 0 {
		return r.lookInto(c)
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	if r.screen.terminal && !c.Bool("once") && !c.Bool("json") {
		return r.topAgain(c.Context, k)
	}
	data, last, err := k.lastSecond(c.Context, nil)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return r.copyJSON(data)
	}
	r.writeTop(last)
	return nil
}

// topAgain shows the last second every second, until ctx ends.
func (r *runner) topAgain(ctx context.Context, k *client) error {
	var last *liveAnswer
	for {
		_, next, err := k.lastSecond(ctx, last)
		if ctx.Err() != nil {
			return nil
		}
		if f, ok := err.(*fault); ok && f.passing && last != nil {
			fmt.Fprintf(r.out, "\x1b[H%s\x1b[K\n", r.screen.paint(red, printable(err.Error())))
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		} else if err != nil {
			return err
		} else {
			last = next
			var frame bytes.Buffer
			shown := *r
			shown.out = &sink{w: &frame}
			shown.writeTop(last)
			// Written over the frame before, line by line: a cleared screen flickers.
			fmt.Fprint(r.out, "\x1b[H"+strings.ReplaceAll(frame.String(), "\n", "\x1b[K\n")+"\x1b[J")
		}
	}
}

// collectFor is how long collecting takes until the last second is known.
const collectFor = 4 * time.Second

// lastSecond waits until the samples of a second after those of last are known.
func (k *client) lastSecond(ctx context.Context, last *liveAnswer) ([]byte, *liveAnswer, error) {
	from := int64(0)
	if last != nil {
		from = last.Next
	}
	for until := time.Now().Add(collectFor); ; {
		var a liveAnswer
		data, err := k.get(ctx, "show what the appliance is doing", "/api/live?from="+strconv.FormatInt(from, 10), &a)
		if err != nil {
			return nil, nil, err
		}
		if a.EveryMS > 0 && int64(len(a.Samples))*a.EveryMS >= 1000 || time.Now().After(until) {
			return data, &a, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (r *runner) writeTop(a *liveAnswer) {
	perSecond := len(a.Samples)
	if a.EveryMS > 0 {
		perSecond = int(1000 / a.EveryMS)
	}
	second := a.Samples[max(0, len(a.Samples)-perSecond):]
	var succeeded, failed int
	cpu, memory := make([]float64, len(a.Components)), make([]int64, len(a.Components))
	var now liveSample
	for _, s := range second {
		succeeded, failed, now = succeeded+s.Succeeded, failed+s.Failed, s
		for i := range a.Components {
			if i < len(s.CPU) && i < len(s.Memory) {
				cpu[i] += s.CPU[i] / float64(len(second))
				memory[i] = max(memory[i], s.Memory[i])
			}
		}
	}
	if len(second) == 0 {
		fmt.Fprintf(r.out, "%s no figures have arrived\n", r.screen.paint(yellow, "warning:"))
	}
	fmt.Fprintf(r.out, "inspections: %d succeeded, %d failed in the last second; %s in progress\n", succeeded, failed, libra.Several(a.Count, "inspection"))
	fmt.Fprintf(r.out, "queue: %s", libra.Several(now.Open, "open request"))
	if now.Open > 0 {
		fmt.Fprintf(r.out, ", the oldest is %s old", ageText(now.OldestS))
	}
	fmt.Fprintf(r.out, "; %s\n\n", libra.Several(now.Connections, "connection"))
	t := table{columns: []column{left("COMPONENT"), right(fmt.Sprintf("CPU OF %d", a.Cores)), right("MEMORY")}}
	for i, name := range a.Components {
		t.add(text(name), text(strconv.FormatFloat(cpu[i], 'f', 2, 64)), text(libra.FormatBytes(memory[i])))
	}
	t.write(r.out, r.screen)
	fmt.Fprintln(r.out)
	if len(a.Running) == 0 {
		fmt.Fprintln(r.out, "no page is being inspected")
		return
	}
	r.writeRunning(a)
}

func (r *runner) writeRunning(a *liveAnswer) {
	t := table{columns: []column{
		left("REQUEST"), right("CPU"), right("AGE"), right("HELD").goes(3), left("STEP").goes(4), left("INSPECTOR").goes(1), left("CLIENT").goes(2).cutTo(8), left("PAGE").cutTo(16),
	}}
	for _, w := range a.Running {
		step, client, inspector := w.Step, w.Client, w.Inspector
		if w.Found > 0 {
			step += fmt.Sprintf(" %d/%d", w.Done, w.Found)
		}
		if w.Label != "" {
			client = w.Label
		}
		if w.Alone {
			inspector += ", alone"
		}
		t.add(text(w.Request), text(fmt.Sprintf("%d ms", w.CPUMS)), text(ageText(w.AgeS)), text(libra.FormatBytes(w.HeldBytes)), text(step), text(inspector), text(client), text(w.URL))
	}
	t.write(r.out, r.screen)
	if more := a.Count - len(a.Running); more > 0 {
		fmt.Fprintf(r.out, "and %d more\n", more)
	}
}

func ageText(seconds float64) string {
	return libra.FormatDuration(time.Duration(seconds * float64(time.Second)))
}

func (r *runner) lookInto(c *cli.Context) error {
	request, err := only(c, "request")
	if err != nil {
		return err
	}
	var a lookAnswer
	printed, err := r.call(c, "look into the inspection", http.MethodGet, livePath(request), nil, &a)
	if err != nil || printed {
		return err
	}
	fmt.Fprintf(r.out, "%s\n", printable(a.URL))
	fmt.Fprintf(r.out, "request %s, attempt %d, of client %s, inspector %s", printable(a.Request), a.Attempt, printable(a.Client), printable(a.Inspector))
	if a.Alone {
		fmt.Fprint(r.out, ", in a process of its own")
	}
	ago := func(t time.Time) string { return libra.FormatDuration(max(0, a.At.Sub(t))) }
	fmt.Fprintf(r.out, "\nage %s, CPU of the last second %d ms, memory held %s\n\nsteps:\n", ago(a.Since), a.CPUMS, libra.FormatBytes(a.HeldBytes))
	for _, s := range a.Steps {
		fmt.Fprintf(r.out, "  %s, since %s\n", printable(s.Step), ago(s.At))
	}
	fmt.Fprintln(r.out, "pending requests:")
	for _, o := range a.Outgoing {
		fmt.Fprintf(r.out, "  %s, since %s\n", printable(o.URL), ago(o.Since))
	}
	fmt.Fprintln(r.out, "journal:")
	if a.JournalFault != "" {
		fmt.Fprintf(r.out, "  %s %s\n", r.screen.paint(yellow, "warning:"), printable(a.JournalFault))
	}
	for _, line := range a.Journal {
		fmt.Fprintf(r.out, "  %s\n", printable(line))
	}
	fmt.Fprintln(r.out, "goroutines:")
	for _, s := range a.Stacks {
		fmt.Fprintf(r.out, "  %d:\n", s.Count)
		for _, frame := range s.Frames {
			fmt.Fprintf(r.out, "    %s\n", printable(frame))
		}
	}
	return nil
}
