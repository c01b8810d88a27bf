//go:build appliance

package loadtest_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"libra/systemd/harness"
	"libra/systemd/load"
)

// box is the appliance under test.
var box = harness.Harness{Name: "load"}

func TestMain(m *testing.M) {
	if load.Main(os.Stdin, os.Stdout) {
		return
	}
	flag.Parse()
	code := harness.Run(m, &box)
	printTable(os.Stdout)
	os.Exit(code)
}

// scenario is a part of the table.
type scenario struct {
	name string
	run  func(*trial)
}

// scenarios are those of make load, in the order of the table.
func scenarios() []scenario {
	return slices.Concat(fairness, overloads, connections, hosts, spikes)
}

// trial is the run of a scenario.
type trial struct {
	*testing.T
	name string
}

// line is one of the table.
type line struct{ scenario, figure, wanted, measured, held string }

var table []line

// want adds a figure, and fails the scenario where it is not held.
func (s *trial) want(figure, wanted, measured string, held bool) {
	s.Helper()
	verdict := "held"
	if !held {
		verdict = "NOT HELD"
		s.Errorf("%s: %s, wanted %s", figure, measured, wanted)
	}
	table = append(table, line{s.name, figure, wanted, measured, verdict})
}

// note adds a figure that nothing is wanted of.
func (s *trial) note(figure, measured string) {
	table = append(table, line{s.name, figure, "", measured, ""})
}

// printTable prints the table, a scenario's name once.
func printTable(out *os.File) {
	if len(table) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nscenario\tfigure\twanted\tmeasured\t\n")
	name := ""
	for _, l := range table {
		shown := l.scenario
		if shown == name {
			shown = ""
		}
		name = l.scenario
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", shown, l.figure, l.wanted, l.measured, l.held)
	}
	w.Flush()
	fmt.Fprintln(out)
}

// TestLoad runs each scenario on a healthy appliance without open requests.
func TestLoad(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			box.EnsureHealthy(t)
			s.run(&trial{t, s.name})
			drain(t)
		})
	}
}

// drain waits until no request is open.
func drain(t *testing.T) {
	t.Helper()
	harness.Await(t, "all requests to be reported", 5*time.Minute, func() bool { return box.OpenRequests(t) == 0 })
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }
