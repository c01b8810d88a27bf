package watchdog

import (
	"os"
	"strconv"
	"time"

	"libra/pkg/component"
)

// Config says what to watch. The zero value of every field means its default,
// except where it says "off".
type Config struct {
	// Interval between two probes of a target: 1 s.
	Interval time.Duration
	// Timeout of one probe: 1 s.
	Timeout time.Duration
	// Grace after the start, in which a target that was never well is not yet
	// unwell: 5 s.
	Grace time.Duration
	// Silence of a component's heart that counts as a failure: 2 s.
	Silence time.Duration
	// Limits of every probe of a part.
	Limits Limits
	// HostLimits are for the host's disk and memory.
	HostLimits Limits
	// PageLimits are for the inspections of watched pages; like Limits, but 3
	// failures raise.
	PageLimits Limits
	// PageTimeout is what one inspection may take: 60 s.
	PageTimeout time.Duration
	// Missed is how many intervals of a watch may pass without a report: 3.
	Missed int
	// Certificate says how long the certificates of watched pages must last:
	// minor below 21 days, major below 7, critical below 1.
	Certificate Days
	// Queue says how long the oldest request may wait: minor from 5 min, major
	// from 15 min, critical never.
	Queue Waits
	// QueueLength says how many requests may be open: any number.
	QueueLength Counts
	// Starts of one component within RestartWindow that are too many: 5 in
	// 10 min.
	Starts        int
	RestartWindow time.Duration
	// Expect lists the components whose hearts must beat: those of package component.
	Expect []Target
	// WebURL answers 200 while web can serve: http://127.0.0.1:8080/up.
	WebURL string
	// Folder on the file system to watch: /var/lib/libra.
	Folder string
	// Database is the recorder's file: beside it lie those that were damaged.
	// "" does not look.
	Database string
	// Aside is for how long a damaged file beside it is worth an alarm: 7 days.
	Aside time.Duration
	// Behind is how long the recorder may write nothing: 5 s.
	Behind time.Duration
	// Disk says how full it may be: 80, 90, 95.
	Disk Thresholds
	// Memory says for how much of the time some process may wait for memory,
	// in per cent of the last minute: 10, 25, 50. Where the kernel does not
	// say, it is judged by MemoryUsed.
	Memory Thresholds
	// MemoryUsed says how much of the host's memory may be in use: 90, 95, 98.
	MemoryUsed Thresholds
	// Proc is where the kernel tells of memory: /proc.
	Proc string
	// NotifierSocket is where the notifier hears of alarms while the bus is
	// away: /run/libra-notifier/alarm.sock.
	NotifierSocket string
	// State is a folder that outlives a reboot; "" is off.
	State string
	// Runtime is a folder that outlives the process; "" is off.
	Runtime string
	// HeartbeatURL of an outside service that expects to be asked every
	// HeartbeatEvery (30 s), and raises the alarm when this watchdog, or its
	// host, is gone. "" is off.
	HeartbeatURL   string
	HeartbeatEvery time.Duration
	// Host names this machine in transitions: os.Hostname.
	Host string
}

// Waits are thresholds of how long something takes. 0 is none.
type Waits struct {
	Minor, Major, Critical time.Duration
}

// Counts are thresholds of how many there are. 0 is none.
type Counts struct {
	Minor, Major, Critical int
}

// Days are thresholds of what is left, the least severe first. 0 is none.
type Days struct {
	Minor, Major, Critical int
}

// Target is a component whose heart must beat.
type Target struct {
	Component string // "libra-inspector"
	Instance  string // "1"; "" accepts any instance
}

// Expected lists the targets of the components that must be running, with so
// many inspectors.
func Expected(inspectors int) (list []Target) {
	for _, c := range component.Required() {
		instances := c.Instances
		if c.Name == component.Inspector {
			instances = inspectors
		}
		switch {
		case c.Name == component.Watchdog: // asks, and is not asked
		case c.Instances == 0:
			list = append(list, Target{Component: c.Name})
		default:
			for n := range instances {
				list = append(list, Target{c.Name, strconv.Itoa(n + 1)})
			}
		}
	}
	return list
}

func (c Config) withDefaults() Config {
	fill(&c.Interval, time.Second)
	fill(&c.Timeout, time.Second)
	fill(&c.Grace, 5*time.Second)
	fill(&c.Silence, 2*time.Second)
	fill(&c.WebURL, "http://127.0.0.1:8080/up")
	fill(&c.Folder, "/var/lib/libra")
	fill(&c.NotifierSocket, "/run/libra-notifier/alarm.sock")
	fill(&c.Disk, Thresholds{80, 90, 95})
	fill(&c.Queue, Waits{Minor: 5 * time.Minute, Major: 15 * time.Minute})
	fill(&c.Missed, 3)
	fill(&c.Starts, 5)
	fill(&c.RestartWindow, 10*time.Minute)
	fill(&c.Aside, 7*24*time.Hour)
	fill(&c.Behind, 5*time.Second)
	fill(&c.HeartbeatEvery, 30*time.Second)
	fill(&c.PageTimeout, time.Minute)
	fill(&c.Certificate, Days{21, 7, 1})
	fill(&c.Memory, Thresholds{10, 25, 50})
	fill(&c.MemoryUsed, Thresholds{90, 95, 98})
	fill(&c.Proc, "/proc")
	fill(&c.PageLimits.Raise, 3)
	c.Limits, c.HostLimits, c.PageLimits = c.Limits.withDefaults(), c.HostLimits.withDefaults(), c.PageLimits.withDefaults()
	if c.Expect == nil {
		inspector, _ := component.Find(component.Inspector)
		c.Expect = Expected(inspector.Instances)
	}
	if c.Host == "" {
		c.Host, _ = os.Hostname() // "" names no host, which is true then
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
