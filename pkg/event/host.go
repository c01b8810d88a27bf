package event

import (
	"time"

	"libra/pkg/libra"
)

// HostStream holds what is known of the hosts of inspected pages.
const HostStream = "HOSTS"

// Subject patterns of stream HOSTS.
const (
	AllHosts  = "libra.host.*"
	AllProbes = "libra.probe.*"
	AllHolds  = "libra.hold.*"
)

// MaxHost and MaxHostWhy bound the texts of these messages, in bytes. A host with a
// longer name is known to one inspector alone.
const (
	MaxHost    = 260
	MaxHostWhy = 300
)

// HostSubject holds the newest state of the breaker of a host.
func HostSubject(host string) string { return "libra.host." + Token(host) }

// ProbeSubject holds the claim of the inspector that probes the host, until it is
// over.
func ProbeSubject(host string) string { return "libra.probe." + Token(host) }

// HoldSubject holds what an operator wants of the breaker of a host.
func HoldSubject(host string) string { return "libra.hold." + Token(host) }

// Host is the state of a host's circuit breaker after a change.
type Host struct {
	Host      string            `json:"host"`            // with its port, if it has one
	State     libra.HostState   `json:"state"`           // open or closed: half-open is open after Until
	Cause     libra.HostCause   `json:"cause,omitempty"` // "" where it is closed
	Since     time.Time         `json:"since"`           // since when it is so
	Until     time.Time         `json:"until,omitzero"`  // of the pause
	PauseMS   int64             `json:"pause_ms,omitempty"`
	Pages     int               `json:"pages,omitempty"` // in a row without an answer
	Why       *libra.ReasonList `json:"why,omitempty"`   // of the last of them
	Inspector string            `json:"inspector"`       // instance that saw it
	At        time.Time         `json:"at"`
}

// Probe is the claim of an inspector on the one page that is fetched of a host whose
// breaker is half-open.
type Probe struct {
	Host      string    `json:"host"`
	Inspector string    `json:"inspector"`
	Page      string    `json:"page"`
	At        time.Time `json:"at"`
}

// Hold is what an operator wants of a host's breaker.
type Hold struct {
	Host  string          `json:"host"`
	State libra.HostState `json:"state,omitempty"` // open or closed; "": not held any more
	By    string          `json:"by"`              // who asked for it, as in Request.Client
	Why   string          `json:"why,omitempty"`
	At    time.Time       `json:"at"`
}
