//go:build appliance

package systemd_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"libra/systemd/harness"
)

// figures are printed as one table.
type figures struct{ rows []figure }

type figure struct{ name, measured, aim, verdict string }

// add adds a figure without an aim.
func (f *figures) add(name, measured string) { f.rows = append(f.rows, figure{name, measured, "", ""}) }

// aim adds a figure and whether it reaches its aim.
func (f *figures) aim(name, measured, aim string, reached bool) {
	verdict := "reached"
	if !reached {
		verdict = "MISSED"
	}
	f.rows = append(f.rows, figure{name, measured, aim, verdict})
}

func (f *figures) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nfigure\tmeasured\taim\t\n")
	for _, r := range f.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.name, r.measured, r.aim, r.verdict)
	}
	w.Flush()
	fmt.Println()
}

// sample is a duration measured several times.
type sample []time.Duration

func (s sample) median() time.Duration {
	s = slices.Sorted(slices.Values(s))
	return s[len(s)/2]
}

func (s sample) String() string {
	return fmt.Sprintf("median %s, worst %s of %d", ms(s.median()), ms(slices.Max(s)), len(s))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

func mb(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// BenchmarkAppliance measures the real units once and prints the figures beside
// their aims. It does not fail for being slow.
func BenchmarkAppliance(b *testing.B) {
	if b.N > 1 {
		b.Skip("needs -benchtime 1x")
	}
	var f figures
	defer f.print()
	box.EnsureHealthy(b)
	startFigures(b, &f)
	memoryFigures(b, &f)
	recoveryFigures(b, &f)
	faultFigures(b, &f)
	flowFigures(b, &f)
	liveFigures(b, &f)
	readFigures(b, &f)
	historyFigures(b, &f)
}

// startFigures measures from systemctl start to ready, and to the first response of
// libra-web.
func startFigures(b *testing.B, f *figures) {
	var ready, web sample
	for range 10 {
		box.Systemctl(b, "stop", "libra.target", "libra-web.socket")
		box.Systemctl(b, append([]string{"reset-failed", "libra.target", "libra-web.socket"}, harness.Services...)...)
		began := harness.Monotonic()
		box.Systemctl(b, "start", "libra.target")
		end := box.Timestamps(b, "libra.target")["ActiveEnter"]
		for _, unit := range harness.Services {
			end = max(end, box.Timestamps(b, unit)["ActiveEnter"])
		}
		ready = append(ready, end-began)
		if !box.Active(b, "libra-web.socket") || !box.Healthy(b) {
			harness.Await(b, "the appliance to be healthy", 10*time.Second, func() bool { return box.Healthy(b) })
		}
	}
	f.aim("systemctl start libra.target to all ready", ready.String(), "≤ 500 ms", ready.median() <= 500*time.Millisecond)
	for range 10 {
		box.Systemctl(b, "stop", "libra-web.service")
		box.Systemctl(b, "reset-failed", "libra-web.service")
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
		res, err := client.Get(box.URL + "/") // the socket starts libra-web
		if err != nil {
			b.Fatal(err)
		}
		responded := harness.Monotonic()
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			b.Fatalf("the first response is %s", res.Status)
		}
		harness.Await(b, "web to be active", 5*time.Second, func() bool { return box.Active(b, "libra-web") })
		web = append(web, responded-box.Timestamps(b, "libra-web")["ExecMainStart"])
	}
	f.aim("libra-web, systemd's fork to first 200", web.String(), "≤ 50 ms", web.median() <= 50*time.Millisecond)
	if ready := regexp.MustCompile(`msg=ready .* dur=(\S+)`).FindAllStringSubmatch(box.Journal(b, "--unit", "libra-web"), -1); ready != nil {
		f.add("  of which in libra-web itself; the rest is its sandbox", ready[len(ready)-1][1])
	}
	box.EnsureHealthy(b)
}

func memoryFigures(b *testing.B, f *figures) {
	<-time.After(10 * time.Second) // until idle
	var all, resident int64
	var each []string
	for _, unit := range harness.Services {
		pss, rss, err := harness.Memory(box.HostPID(b, unit))
		if err != nil {
			b.Fatal(err)
		}
		all, resident = all+pss, resident+rss
		each = append(each, fmt.Sprintf("%s %.1f", strings.TrimPrefix(unit, "libra-"), float64(pss)/1e6))
	}
	f.aim("idle memory of all components, PSS", mb(all), "≤ 115 MB", all <= 115e6)
	f.aim("idle memory of all components, RSS", mb(resident), "≤ 120 MB", resident <= 120e6)
	f.add("  PSS each, MB", strings.Join(each, ", "))
}

// recoveryFigures measures from kill -9 until systemd has the unit active.
func recoveryFigures(b *testing.B, f *figures) {
	for _, unit := range harness.Services {
		var took sample
		for range 3 {
			took = append(took, killAndAwait(b, unit))
		}
		f.aim("kill -9 "+unit+" to ready again", took.String(), "≤ 1 s", slices.Max(took) <= time.Second)
	}
	box.EnsureHealthy(b)
}

func killAndAwait(b *testing.B, unit string) time.Duration {
	b.Helper()
	box.Systemctl(b, "reset-failed", unit)
	pid := box.HostPID(b, unit)
	if pid == 0 {
		b.Fatalf("%s has no process", unit)
	}
	began := harness.Monotonic()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		b.Fatal(err)
	}
	var ready time.Duration
	harness.Await(b, unit+" to be ready again", 20*time.Second, func() bool {
		ready = box.Timestamps(b, unit)["ActiveEnter"]
		return ready > began && box.Active(b, unit)
	})
	return ready - began
}
