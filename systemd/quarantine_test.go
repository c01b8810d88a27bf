//go:build appliance

package systemd_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/systemd/harness"
)

// enableFaults enables fault injection until the test ends.
func enableFaults(t *testing.T, settings string) {
	t.Helper()
	setInspectorSettings(t, "LIBRA_FAULTS=yes\n"+settings)
}

// setInspectorSettings restarts the inspectors with more settings until the test ends.
func setInspectorSettings(t *testing.T, settings string) {
	t.Helper()
	file := filepath.Join(filepath.Dir(box.State()), "etc", "libra.env")
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte) {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		box.Systemctl(t, "restart", "libra-inspector@1", "libra-inspector@2")
	}
	put(slices.Concat(was, []byte("\n"+settings)))
	t.Cleanup(func() { put(was); box.EnsureHealthy(t) })
}

// Pages that crash, block or exhaust their inspector are quarantined; other pages
// are inspected within seconds; a released page is inspected again.
func TestFaultyPagesAreQuarantined(t *testing.T) {
	box.EnsureHealthy(t)
	enableFaults(t, "LIBRA_PAGE_TIMEOUT=3s\n")
	s := site(t)
	faulty := map[string]string{}
	for _, kind := range []string{"crash", "spin", "hunger"} {
		faulty[kind] = box.Submit(t, s.URL+"/libra-fault/"+kind)
	}
	good := box.Submit(t, s.URL+"/")
	took := harness.Await(t, "the page without a fault", 30*time.Second, func() bool { return box.Page(t, good).State == libra.Reported })
	t.Logf("the page without a fault was inspected after %s", took.Round(time.Millisecond))
	for kind, id := range faulty {
		harness.Await(t, kind+" to be quarantined", 60*time.Second, func() bool { return box.Page(t, id).State == libra.Quarantined })
		if p := box.Page(t, id); len(p.Reasons) == 0 || !strings.Contains(p.Reasons[0], "3 times") {
			t.Errorf("%s: %+v", kind, p.Reasons)
		}
	}
	if code, body := box.Get(t, "/up"); code != 200 {
		t.Errorf("/up: %d %s", code, body)
	}
	// From now on the page is harmless.
	file := filepath.Join(filepath.Dir(box.State()), "etc", "libra.env")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "LIBRA_FAULTS=yes", "LIBRA_FAULTS=no", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	box.Systemctl(t, "restart", "libra-inspector@1", "libra-inspector@2")
	if out, err := runCLI(t, "release", "--server", box.URL, faulty["crash"]); err != nil {
		t.Fatalf("release: %v\n%s", err, out)
	}
	harness.Await(t, "the released page's report", 20*time.Second, func() bool { return box.Page(t, faulty["crash"]).State == libra.Reported })
}
