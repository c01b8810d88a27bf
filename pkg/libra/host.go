package libra

// HostState is the state of the circuit breaker of an inspected host.
type HostState string

// The states.
const (
	HostClosed   HostState = "closed"    // its pages are inspected
	HostHalfOpen HostState = "half-open" // one page at a time is, until one has an answer
	HostOpen     HostState = "open"      // none is
)

// HostCause is why a breaker is open.
type HostCause string

// The causes.
const (
	HostNoAnswer HostCause = "no-answer" // several pages in a row had no answer
	HostAsked    HostCause = "asked"     // it asked to wait: 429, or 503 with Retry-After
)
