package pressure_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libra/pkg/pressure"
)

func TestRead(t *testing.T) {
	proc := t.TempDir()
	if err := os.Mkdir(filepath.Join(proc, "pressure"), 0o755); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]pressure.Stall{
		"some avg10=12.50 avg60=3.25 avg300=0.10 total=99\nfull avg10=70.00 avg60=71.00 avg300=0.00 total=1\n": {Avg10: 12.5, Avg60: 3.25},
		"full avg10=70.00 avg60=71.00\nsome avg10=0.00 avg60=100.00 avg300=0.10 total=99\n":                    {Avg60: 100},
	} {
		if err := os.WriteFile(filepath.Join(proc, "pressure/memory"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := pressure.Read(proc, pressure.Memory); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                    "no line",
		"full avg10=1.00 avg60=1.00\n":        "no line",
		"some avg10=1.00 avg300=1.00\n":       "no line",
		"some avg10=high avg60=1.00 total=1":  "read avg10",
		"some avg10=1.00 avg60=1,00 total=1":  "read avg60",
		"sometimes avg10=1.00 avg60=1.00\n\n": "no line",
	} {
		if err := os.WriteFile(filepath.Join(proc, "pressure/memory"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := pressure.Read(proc, pressure.Memory); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v, want an error with %q", text, got, err, want)
		}
	}
	if _, err := pressure.Read(proc, pressure.CPU); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
}

// The lines of the rule table, at both sides of each threshold.
func TestNextFollowsItsTable(t *testing.T) {
	const none, memory, cpu = pressure.None, pressure.Memory, pressure.CPU
	for _, c := range []struct {
		now         pressure.Resource
		memory, cpu float64
		then        pressure.Resource
	}{
		{now: none, memory: 9.99, cpu: 89.99, then: none},
		{now: none, memory: 10, cpu: 0, then: memory},
		{now: none, memory: 10, cpu: 100, then: memory},
		{now: none, memory: 9.99, cpu: 90, then: cpu},
		{now: memory, memory: 5, cpu: 0, then: memory},
		{now: memory, memory: 5, cpu: 100, then: memory},
		{now: memory, memory: 4.99, cpu: 89.99, then: none},
		{now: memory, memory: 4.99, cpu: 90, then: cpu},
		{now: cpu, memory: 0, cpu: 70, then: cpu},
		{now: cpu, memory: 9.99, cpu: 70, then: cpu},
		{now: cpu, memory: 10, cpu: 70, then: memory},
		{now: cpu, memory: 9.99, cpu: 69.99, then: none},
	} {
		if got := pressure.Next(c.now, pressure.Stall{Avg10: c.memory}, pressure.Stall{Avg10: c.cpu}); got != c.then {
			t.Errorf("short of %q, memory %g %%, CPU %g %%: then short of %q, want %q", c.now, c.memory, c.cpu, got, c.then)
		}
	}
	// The last minute has no say: it would hold a shortage long after its end.
	if got := pressure.Next(none, pressure.Stall{Avg60: 100}, pressure.Stall{Avg60: 100}); got != none {
		t.Errorf("by the last minute: short of %q", got)
	}
}
