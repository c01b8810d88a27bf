package watchdog_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"libra/pkg/libra"
)

// proc writes the kernel's files about memory.
func (r *rig) proc(pressure, meminfo string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Join(r.cfg.Proc, "pressure"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	for file, text := range map[string]string{"pressure/memory": pressure, "meminfo": meminfo} {
		file = filepath.Join(r.cfg.Proc, file)
		err := os.Remove(file)
		if err != nil && !os.IsNotExist(err) {
			r.t.Fatal(err)
		}
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

func TestMemory(t *testing.T) {
	const meminfo = "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    4000000 kB\n"
	for _, c := range []struct{ pressure, meminfo, severity, evidence string }{
		{"some avg10=90.00 avg60=9.99 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n", meminfo, "", ""},
		{
			"some avg10=0.00 avg60=25.50 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n", meminfo,
			"major", "some process waited for memory during 25.5 % of the last minute, limit 25 %, 4.1 GB of 8.2 GB available",
		},
		{"", meminfo, "", ""},
		{"", "MemTotal: 1000 kB\nMemAvailable: 10 kB\n", "critical", "99.0 % of memory used, limit 98 %, 10.2 kB of 1.0 MB available"},
		{"", "MemTotal: 1000000 kB\nMemAvailable: 19900 kB\n", "critical", "98.01 % of memory used, limit 98 %, 20.4 MB of 1.0 GB available"},
		{"", "", "", ""}, // no figures
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.proc(c.pressure, c.meminfo)
			r.start()
			r.advance(10, true)
			switch {
			case c.severity == "" && len(r.stored) > 0, c.severity != "" && len(r.stored) != 1:
				t.Fatalf("%+v: %+v", c, r.stored)
			case c.severity != "":
				if a := r.stored[0].Alarm; a.ID != "memory" || a.Severity != libra.Severity(c.severity) || a.Evidence != c.evidence || a.Scope != libra.ScopeHost {
					t.Errorf("%+v, want %q", a, c.evidence)
				}
			}
		})
	}
}
