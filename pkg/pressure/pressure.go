// Package pressure reads the kernel's pressure stall information, and decides by it
// what a host is short of. It remembers nothing.
//
// https://docs.kernel.org/accounting/psi.html
package pressure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Resource is what a host can be short of: a file of that name in /proc/pressure.
type Resource string

// The resources that are read. None is what a host lacks that lacks nothing.
const (
	None   Resource = ""
	Memory Resource = "memory"
	CPU    Resource = "cpu"
)

// Stall is for how much of the time some process waited for a resource, in percent.
type Stall struct {
	Avg10, Avg60 float64 // of the last 10 s and of the last minute
}

// Read reads the line "some" of a resource below proc, which is /proc but in tests.
// It is an error that wraps fs.ErrNotExist where the kernel has no such information.
func Read(proc string, r Resource) (s Stall, err error) {
	name := filepath.Join(proc, "pressure", string(r))
	data, err := os.ReadFile(name)
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "some" {
			continue
		}
		figures := map[string]*float64{"avg10": &s.Avg10, "avg60": &s.Avg60}
		for _, f := range fields[1:] {
			key, value, _ := strings.Cut(f, "=")
			figure := figures[key]
			if figure == nil {
				continue
			}
			if *figure, err = strconv.ParseFloat(value, 64); err != nil {
				return s, fmt.Errorf("read %s of %q: %w", key, name, err)
			}
			delete(figures, key)
		}
		if len(figures) == 0 {
			return s, nil
		}
	}
	return s, fmt.Errorf("read %q: no line \"some avg10= avg60=\"", name)
}

// The thresholds of [Next], in percent of the last 10 s. What ends a shortage is
// well below what begins it, so that it does not come and go with every page. A
// process that waits for memory waits for the disk, and everything on the host with
// it. To wait for the CPU is what every busy host does: it is short of CPU only when
// some process waits almost always.
const (
	EnterMemory, LeaveMemory = 10, 5
	EnterCPU, LeaveCPU       = 90, 70
)

// Next is what a host is short of that was short of now, by its stalls. The first line
// that fits holds:
//
//	short of    memory               CPU               then short of
//	memory      at least LeaveMemory any               memory
//	any         at least EnterMemory any               memory
//	CPU         less                 at least LeaveCPU CPU
//	any         less                 at least EnterCPU CPU
//	any         less                 less              nothing
func Next(now Resource, memory, cpu Stall) Resource {
	switch {
	case memory.Avg10 >= EnterMemory, now == Memory && memory.Avg10 >= LeaveMemory:
		return Memory
	case cpu.Avg10 >= EnterCPU, now == CPU && cpu.Avg10 >= LeaveCPU:
		return CPU
	}
	return None
}
