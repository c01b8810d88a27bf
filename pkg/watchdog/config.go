package watchdog

import (
	"os"
	"strconv"
	"time"

	"libra/pkg/component"
	"libra/pkg/rules"
)

// Config of a watchdog. The zero value of every field means its default,
// except where it says "off".
type Config struct {
	// Thresholds say when something is an alarm. Only all of them together have
	// a default, rules.Defaults, because a limit per severity may be 0.
	rules.Thresholds
	// AlarmsFile is alarms.toml, whose thresholds take the place of Thresholds.
	// "" is off.
	AlarmsFile string
	// SettingsFaults are the faults of settings that this process goes on in spite
	// of. They are an alarm, together with those of other components.
	SettingsFaults []error
	// Interval between two probes of a target: 1 s.
	Interval time.Duration
	// Timeout of one probe: 1 s.
	Timeout time.Duration
	// Grace after the start, in which a target that never passed does not fail:
	// 5 s.
	Grace time.Duration
	// PageTimeout is what one inspection may take: 60 s.
	PageTimeout time.Duration
	// Expect lists the components that must send heartbeats: those of package
	// component.
	Expect []Target
	// WebURL answers 200 while web can serve: http://127.0.0.1:8080/up.
	WebURL string
	// Folder on the file system to probe: /var/lib/libra.
	Folder string
	// Database is the recorder's file, beside which damaged ones are set aside. ""
	// is off.
	Database string
	// UpgradeRecord is the file with the record of the last upgrade. "" is off.
	UpgradeRecord string
	// UpgradeFailed is for how long an upgrade that went back is an alarm: 24 h.
	UpgradeFailed time.Duration
	// Aside is for how long a damaged file there is an alarm: 7 days.
	Aside time.Duration
	// MemoryUsed is how much of the host's memory may be in use, in per cent, where
	// the kernel does not have how long processes wait for it: 90, 95, 98.
	MemoryUsed rules.Percent
	// Proc is where the kernel's figures of memory are: /proc.
	Proc string
	// NotifierSocket is where the notifier accepts alarms while the bus is away:
	// /run/libra-notifier/alarm.sock.
	NotifierSocket string
	// State is a folder that outlives a reboot; "" is off.
	State string
	// Runtime is a folder that outlives the process; "" is off.
	Runtime string
	// HeartbeatURL of an outside service that expects a request every
	// HeartbeatEvery (30 s), and raises an alarm when this watchdog, its host, the
	// bus, web or the notifier is gone. "" is off.
	HeartbeatURL   string
	HeartbeatEvery time.Duration
	// Hostname names this machine in transitions: os.Hostname.
	Hostname string
}

// Target is a component that must send heartbeats.
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
		case c.Name == component.Watchdog: // probes, and is not probed
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
	fill(&c.WebURL, "http://127.0.0.1:8080/up")
	fill(&c.Folder, "/var/lib/libra")
	fill(&c.NotifierSocket, "/run/libra-notifier/alarm.sock")
	fill(&c.Aside, 7*24*time.Hour)
	fill(&c.UpgradeFailed, 24*time.Hour)
	fill(&c.HeartbeatEvery, 30*time.Second)
	fill(&c.PageTimeout, time.Minute)
	fill(&c.MemoryUsed, rules.Percent{Minor: 90, Major: 95, Critical: 98})
	fill(&c.Proc, "/proc")
	fill(&c.Thresholds, rules.Defaults().Thresholds)
	if c.Expect == nil {
		inspector, _ := component.Find(component.Inspector)
		c.Expect = Expected(inspector.Instances)
	}
	if c.Hostname == "" {
		c.Hostname, _ = os.Hostname() // "" names no host, which is true then
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
