package cli

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
)

// capacityAnswer is what GET /api/capacity answers. What is nil is not known yet.
type capacityAnswer struct {
	WindowS float64 `json:"window_s"`
	Stages  []struct {
		Stage         string   `json:"stage"`
		PerSecond     float64  `json:"per_second"`
		ServiceMS     *float64 `json:"service_ms"`
		InProgress    float64  `json:"in_progress"`
		Slots         int64    `json:"slots"`
		Utilisation   *float64 `json:"utilisation"`
		MostPerSecond *float64 `json:"most_per_second"`
	} `json:"stages"`
	Processor struct {
		Cores           int      `json:"cores"`
		InUse           float64  `json:"in_use"`
		Utilisation     float64  `json:"utilisation"`
		Idle            *float64 `json:"idle"`
		PerInspectionMS *float64 `json:"per_inspection_ms"`
	} `json:"processor"`
	Queue *struct {
		Open       int      `json:"open"`
		OldestAgeS float64  `json:"oldest_age_s"`
		Bytes      int64    `json:"bytes"`
		MostBytes  int64    `json:"most_bytes"`
		PerMinute  *float64 `json:"per_minute"`
		FullInS    *float64 `json:"full_in_s"`

		WatchesWaiting int     `json:"watches_waiting"`
		WatchesWaitS   float64 `json:"watches_wait_s"`
	} `json:"queue"`
	History *struct {
		Bytes          int64    `json:"bytes"`
		ReportsPerDay  *float64 `json:"reports_per_day"`
		BytesPerDay    *float64 `json:"bytes_per_day"`
		DiskAvailable  int64    `json:"disk_available_bytes"`
		DiskPercent    float64  `json:"disk_percent"`
		PruneAtPercent int64    `json:"prune_at_percent"`
		PruneInS       *float64 `json:"prune_in_s"`
		FullInS        *float64 `json:"full_in_s"`
		HoldsDays      *float64 `json:"holds_days"`
	} `json:"history"`
	Watches struct {
		Count     int     `json:"count"`
		EveryS    float64 `json:"every_s"`
		LimitedBy string  `json:"limited_by"`
		Fit       *int    `json:"fit"`
		FitMinute *int    `json:"fit_every_minute"`
		AtLeast   bool    `json:"at_least"`
	} `json:"watches"`
	Inspectors struct {
		Up         int  `json:"up"`
		FitWithout *int `json:"fit_without_one"`
		AtLeast    bool `json:"at_least_without_one"`
	} `json:"inspectors"`
	Warnings []string `json:"warnings"`
	freshness
}

func (r *runner) capacityCommand() *cli.Command {
	return &cli.Command{
		Name:  "capacity",
		Usage: "show how busy the appliance is, and how many watches fit",
		Description: `Of the last five minutes: how many a second each stage does, how long one takes,
how much of it is in use; where the queue and the disk of the history are going.

   libra capacity
   libra capacity --json | jq .watches.fit

Exit codes: 0 there is room, 1 something is full, or soon is, or it is unknown,
2 no appliance.`,
		Flags:  applianceFlags(),
		Action: r.capacity,
	}
}

func (r *runner) capacity(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	var a capacityAnswer
	printed, err := r.call(c, "show the appliance's capacity", http.MethodGet, "/api/capacity", nil, &a)
	if err != nil {
		return err
	}
	if !printed {
		r.writeUnknown(&a.freshness)
		r.writeCapacity(&a)
	}
	if len(a.Warnings) > 0 {
		return errBad
	}
	return a.unknown()
}

func (r *runner) writeCapacity(a *capacityAnswer) {
	w := a.Watches
	switch {
	case w.Fit == nil:
		fmt.Fprintf(r.out, "%s; how many fit is known after 20 inspections\n", watchesText(w.Count, w.EveryS))
	default:
		fmt.Fprintf(r.out, "%s, %s fit, %s with one inspector fewer of %d; every minute: %s (limited by %s)\n",
			watchesText(w.Count, w.EveryS), fitText(w.Fit, w.AtLeast), fitText(a.Inspectors.FitWithout, a.Inspectors.AtLeast), a.Inspectors.Up, fitText(w.FitMinute, w.AtLeast), printable(w.LimitedBy))
	}
	fmt.Fprintf(r.out, "processors: %s of %d in use", shareText(a.Processor.Utilisation), a.Processor.Cores)
	switch p := a.Processor; {
	case p.PerInspectionMS == nil:
	case p.Idle == nil:
		fmt.Fprintf(r.out, ", %s an inspection at most; what Libra uses without inspections is known after 5 s without one", serviceText(*p.PerInspectionMS))
	default:
		fmt.Fprintf(r.out, ", %s an inspection", serviceText(*p.PerInspectionMS))
	}
	fmt.Fprintln(r.out)
	r.writeQueue(a)
	r.writeGrowth(a)
	for _, text := range a.Warnings {
		fmt.Fprintf(r.out, "%s %s\n", r.screen.paint(yellow, "warning:"), printable(text))
	}
	fmt.Fprintln(r.out)
	t := table{columns: []column{left("STAGE"), right("IN USE"), right("RATE"), right("SERVICE TIME"), right("IN PROGRESS").goes(1), right("SLOTS").goes(2), right("AT MOST").goes(3)}}
	for _, s := range a.Stages {
		slots := "-"
		if s.Slots > 0 {
			slots = strconv.FormatInt(s.Slots, 10)
		}
		t.add(text(s.Stage), known(s.Utilisation, shareText), text(rateText(s.PerSecond)), known(s.ServiceMS, serviceText),
			text(strconv.FormatFloat(s.InProgress, 'f', 2, 64)), text(slots), known(s.MostPerSecond, rateText))
	}
	t.write(r.out, r.screen)
	fmt.Fprintf(r.out, "\nof the last %s\n", spanText(a.WindowS))
}

func (r *runner) writeQueue(a *capacityAnswer) {
	q := a.Queue
	if q == nil {
		return
	}
	fmt.Fprintf(r.out, "queue: %s", libra.Several(q.Open, "open request"))
	if q.Open > 0 {
		fmt.Fprintf(r.out, ", the oldest waits for %s", spanText(q.OldestAgeS))
	}
	fmt.Fprintf(r.out, ", %s of %s", libra.FormatBytes(q.Bytes), libra.FormatBytes(q.MostBytes))
	if q.PerMinute != nil {
		fmt.Fprintf(r.out, ", %+.1f a minute", *q.PerMinute)
	}
	if q.FullInS != nil {
		fmt.Fprintf(r.out, ", full in %s", spanText(*q.FullInS))
	}
	if q.WatchesWaiting > 0 {
		fmt.Fprintf(r.out, "; %s due and waiting, the longest for %s", libra.Plural(q.WatchesWaiting, "watch", "watches"), spanText(q.WatchesWaitS))
	}
	fmt.Fprintln(r.out)
}

func (r *runner) writeGrowth(a *capacityAnswer) {
	h := a.History
	if h == nil {
		return
	}
	fmt.Fprintf(r.out, "history: %s", libra.FormatBytes(h.Bytes))
	if h.BytesPerDay != nil && h.ReportsPerDay != nil {
		fmt.Fprintf(r.out, ", %s a day (%.0f reports)", libra.FormatBytes(int64(*h.BytesPerDay)), *h.ReportsPerDay)
	}
	fmt.Fprintf(r.out, "; disk %.0f %% full, %s free", h.DiskPercent, libra.FormatBytes(h.DiskAvailable))
	switch {
	case h.PruneAtPercent > 0 && h.PruneInS != nil && h.HoldsDays != nil:
		fmt.Fprintf(r.out, ", %d %% in %s: it then holds the reports of %s", h.PruneAtPercent, spanText(*h.PruneInS), spanText(*h.HoldsDays*24*3600))
	case h.FullInS != nil:
		fmt.Fprintf(r.out, ", full in %s", spanText(*h.FullInS))
	}
	fmt.Fprintln(r.out)
}

// known is a cell of a figure; "-" while it is not known.
func known(figure *float64, write func(float64) string) cell {
	if figure == nil {
		return text("-")
	}
	return text(write(*figure))
}

// fitText writes how many watches fit.
func fitText(n *int, atLeast bool) string {
	s := "-"
	if n != nil {
		s = strconv.Itoa(*n)
	}
	if atLeast {
		s = "at least " + s
	}
	return s
}

func watchesText(n int, everyS float64) string {
	s := libra.Plural(n, "watch", "watches")
	if n > 0 {
		s += ", every " + spanText(everyS) + " on average"
	}
	return s
}

func shareText(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// rateText writes how many there are in a second or, where that is less than one, in a
// minute or an hour.
func rateText(perSecond float64) string {
	switch {
	case perSecond == 0:
		return "-"
	case perSecond >= 1:
		return fmt.Sprintf("%.1f/s", perSecond)
	case 60*perSecond >= 1:
		return fmt.Sprintf("%.1f/min", 60*perSecond)
	}
	return fmt.Sprintf("%.1f/h", 3600*perSecond)
}

// serviceText writes milliseconds, with their tenths where there are few.
func serviceText(ms float64) string {
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return libra.FormatDuration(time.Duration(ms * float64(time.Millisecond)))
}

// spanText writes seconds for people.
func spanText(seconds float64) string {
	const longest = 10 * 365 * 24 * time.Hour
	if seconds >= longest.Seconds() {
		return "more than 10 years"
	}
	return libra.FormatDuration(time.Duration(seconds * float64(time.Second)))
}
