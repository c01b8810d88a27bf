// Package component is the registry of Libra's components: the processes that
// are on the bus. Broker, watchdog, command line and test harness read it;
// tests compare it with the units, sysusers.conf, the Makefile and the docs,
// and name every file that lacks a component. To add one, add it to All and run
//
//	go test ./systemd ./pkg ./pkg/broker ./pkg/watchdog ./cmd
//
// The registry is constant; the package imports nothing of Libra.
package component

import (
	"fmt"
	"slices"
)

// Names of components: of the program in cmd/, of the systemd unit, of its user,
// and in heartbeats.
const (
	Bus       = "libra-bus"
	Web       = "libra-web"
	Inspector = "libra-inspector"
	Recorder  = "libra-recorder"
	Watchdog  = "libra-watchdog"
	Notifier  = "libra-notifier"
	Lab       = "libra-lab"
)

// Component is one row of the registry.
type Component struct {
	Name string
	// Role is its name on the bus, which is that of its key, too: "web" for
	// /var/lib/libra/keys/web.nk. pkg/broker/roles.go has its permissions.
	Role string
	// Instances is how many instances of a template unit libra.target starts:
	// 2 for NAME@1 and NAME@2. 0 means one process, whose unit is no template.
	Instances int
	// State is its folder below /var/lib/libra; "" if it keeps nothing there.
	State string
	// Readers is the group that may read State; "" if nobody else does.
	Readers string
	// Optional components are not started by libra.target. The watchdog and
	// libra doctor do not miss them.
	Optional bool
	// Root says that its unit runs as root, and not as a user of its own.
	Root bool
	// CheckAsRoot says that systemd hands it files that its own user cannot
	// read, so that only root can run its --check.
	CheckAsRoot bool
}

// All returns the registry, in the order in which libra.target starts what is not optional.
func All() []Component {
	return []Component{
		{Name: Bus, Role: "bus", State: "bus", CheckAsRoot: true},
		{Name: Web, Role: "web"},
		{Name: Inspector, Role: "inspector", Instances: 2},
		{Name: Recorder, Role: "recorder", State: "history", Readers: "libra-history"},
		{Name: Watchdog, Role: "watchdog", State: "watchdog"},
		{Name: Notifier, Role: "notifier", State: "notifier", CheckAsRoot: true},
		{Name: Lab, Role: "lab", Optional: true, Root: true},
	}
}

// Required returns the components that are not optional.
func Required() []Component {
	return slices.DeleteFunc(All(), func(c Component) bool { return c.Optional })
}

// UpgradeOrder returns the required components in the order in which an upgrade restarts
// them, and no optional one; see
// docs/operations.md#upgrades. What consumes messages is restarted before what publishes
// them, and what harms nobody if it fails before what does.
func UpgradeOrder() (order []Component) {
	for _, name := range []string{Recorder, Notifier, Watchdog, Inspector, Web, Bus} {
		c, _ := Find(name) // a test compares the list with Required
		order = append(order, c)
	}
	return order
}

// Find returns the component of that name.
func Find(name string) (Component, bool) {
	for _, c := range All() {
		if c.Name == name {
			return c, true
		}
	}
	return Component{}, false
}

// UnitFile is the name of its unit file in systemd/.
func (c Component) UnitFile() string {
	if c.Instances > 0 {
		return c.Name + "@.service"
	}
	return c.Name + ".service"
}

// Units returns the names of the units that libra.target starts, without the
// suffix .service; of an optional component, those that it would.
func (c Component) Units() (names []string) {
	if c.Instances == 0 {
		return []string{c.Name}
	}
	for n := range c.Instances {
		names = append(names, fmt.Sprintf("%s@%d", c.Name, n+1))
	}
	return names
}
