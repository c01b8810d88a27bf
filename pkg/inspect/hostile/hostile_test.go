// Package hostile_test runs an Inspector against servers that misbehave. Each case
// must end within the page's deadline with a report that names the fault, and the
// process must stay small. The inspector is a process of its own, so that the
// servers' memory is not measured. Run with -v for the table.
package hostile_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"libra/pkg/libra"
)

const (
	pageTimeout = 4 * time.Second
	// slack is how long a report may take after the page's deadline, on a machine
	// that is busy with other cases.
	slack    = 10 * time.Second
	maxRSS   = 150 << 20
	together = 12 // cases at a time that mostly wait
)

// scenario is a server that misbehaves, and the report that it must result in.
type scenario struct {
	name string
	// start starts the server and returns the page's URL. It may add what the
	// inspector needs to reach it.
	start start
	want  libra.Outcome
	// reason is in one of the report's reasons; "" for a complete report.
	reason string
	// heavy cases run alone, as they cost memory or time.
	heavy bool
	// patience is the page timeout, if pageTimeout is not enough.
	patience time.Duration
}

func scenarios() []scenario {
	return slices.Concat(timing(), bodies(), heads(), redirects(), names(), markup(), styles(), secure(), http2())
}

// outcome is a row of the table.
type outcome struct {
	scenario
	got  *libra.Report
	took time.Duration
	// peak is that of the process: of this case if it runs alone, else since the
	// start.
	peak int64
}

func TestHostile(t *testing.T) {
	all := scenarios()
	if raceDetector {
		// Heavy cases run one after the other, where the race detector is ten times
		// slower and finds nothing.
		all = slices.DeleteFunc(all, func(s scenario) bool { return s.heavy })
	}
	if len(all) < 40 {
		t.Fatalf("%d scenarios, want at least 40", len(all))
	}
	child := startChild(t)
	results := make([]outcome, len(all))
	var wg sync.WaitGroup
	slots := make(chan struct{}, together)
	for i, s := range all {
		if s.heavy {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = child.run(t, s)
		})
	}
	wg.Wait()
	for i, s := range all {
		if s.heavy {
			// A test and a process of its own, which leaves nothing behind.
			t.Run(s.name, func(t *testing.T) { results[i] = startChild(t).run(t, s) })
		}
	}
	var most int64
	for _, r := range results {
		most = max(most, r.peak)
	}
	table(t, results, most)
	for _, r := range results {
		judge(t, r)
		if !raceDetector && r.peak > maxRSS {
			t.Errorf("%s: the process grew to %d MB, want at most %d", r.name, r.peak>>20, maxRSS>>20)
		}
	}
}

func judge(t *testing.T, r outcome) {
	t.Helper()
	if r.got.Outcome != r.want {
		t.Errorf("%s: outcome %s, want %s: %q", r.name, r.got.Outcome, r.want, r.got.Reasons)
	}
	if limit := max(pageTimeout, r.patience); r.took > limit+slack {
		t.Errorf("%s: took %v, want at most %v", r.name, r.took, limit)
	}
	if r.got.Outcome != libra.Complete && len(r.got.Reasons) == 0 {
		t.Errorf("%s: a %s report without a reason", r.name, r.got.Outcome)
	}
	named := r.reason == ""
	for _, reason := range r.got.Reasons {
		named = named || strings.Contains(reason, r.reason)
		if strings.ContainsAny(reason, "\n\r\x00") || len(reason) > 1000 {
			t.Errorf("%s: reason is not one line: %.1000q", r.name, reason)
		}
	}
	if !named {
		t.Errorf("%s: no reason contains %q: %.500q", r.name, r.reason, r.got.Reasons)
	}
}

func table(t *testing.T, results []outcome, most int64) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "case\toutcome\tms\tpeak MB\tassets\treason")
	for _, r := range results {
		reason := ""
		if len(r.got.Reasons) > 0 {
			reason = r.got.Reasons[0]
			if len(reason) > 110 {
				reason = strings.ToValidUTF8(reason[:110], "") + "…"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", r.name, r.got.Outcome, r.took.Milliseconds(), r.peak>>20, len(r.got.Assets), reason)
	}
	w.Flush()
	t.Logf("%d cases\n%s\nprocess peak %d MB, without the servers", len(results), b.String(), most>>20)
}
