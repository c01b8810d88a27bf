package watchdog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"libra/pkg/libra"
	"libra/pkg/pressure"
	"libra/pkg/rules"
)

// memoryProbe reads for how much of the last minute some process of the host
// waited for memory (pressure stall information), or, where the kernel does not
// have that, how much memory is in use.
func (w *Watchdog) memoryProbe() *probe {
	return &probe{
		streak:   ofHost,
		indirect: true, // the kernel answers at once if this process runs at all
		alarm: libra.Alarm{
			ID: "memory", Scope: libra.ScopeHost, Target: "memory", Severity: libra.Minor,
			Summary: "The host is short of memory", Runbook: "#memory",
		},
		recovered: "The host has memory again",
		check: func(_ context.Context, p *probe) Reading {
			cfg := w.config()
			free, total, err := available(cfg.Proc)
			if err != nil {
				return Reading{Evidence: "cannot look at memory: " + err.Error()}
			}
			room := libra.FormatBytes(free) + " of " + libra.FormatBytes(total) + " available"
			if waiting, err := pressure.Read(cfg.Proc, pressure.Memory); err == nil {
				return judgeShare(waiting.Avg60, cfg.Memory, "some process waited for memory during %s of the last minute", room)
			}
			used := 100 * (1 - float64(free)/float64(total))
			return judgeShare(used, cfg.MemoryUsed, "%s of memory used", room)
		},
	}
}

// judgeShare judges a share against thresholds. what is the format of its
// evidence, with the share as %s.
func judgeShare(share float64, limits rules.Percent, what, more string) Reading {
	severity, limit := exceeded(share, limits)
	if severity == "" {
		return Reading{Verdict: Pass}
	}
	return Reading{Verdict: Fail, Severity: severity, Evidence: fmt.Sprintf(what+", limit %g %%, %s", shareText(share, limit), limit, more)}
}

// shareText writes a share with as many digits as keep it from reading as the limit
// that it is over.
func shareText(share, limit float64) string {
	text := ""
	for digits := 1; digits <= 4; digits++ {
		text = strconv.FormatFloat(share, 'f', digits, 64)
		if read, err := strconv.ParseFloat(text, 64); err != nil || read != limit || share == limit {
			break
		}
	}
	return text + " %"
}

// available is MemAvailable and MemTotal, in bytes.
func available(proc string) (free, total int64, err error) {
	data, err := os.ReadFile(filepath.Join(proc, "meminfo"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemTotal: %d kB", &kib); n == 1 {
			total = kib << 10
		}
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			free = kib << 10
		}
	}
	if total == 0 || free == 0 {
		return 0, 0, fmt.Errorf("%q has no MemTotal or no MemAvailable", filepath.Join(proc, "meminfo"))
	}
	return free, total, nil
}
