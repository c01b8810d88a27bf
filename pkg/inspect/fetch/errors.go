package fetch

import "errors"

// What went wrong, for callers to tell apart. Every text that wraps one of
// these names the value and, where there is one, the remedy.
var (
	ErrURL       = errors.New("not a URL that can be fetched")
	ErrForbidden = errors.New("address is not public")
	ErrResolve   = errors.New("no such host")
	ErrConnect   = errors.New("no connection")
	ErrTLS       = errors.New("no trusted TLS connection")
	ErrProtocol  = errors.New("answer is not HTTP")
	ErrEncoding  = errors.New("body does not decode")
	ErrCut       = errors.New("body ended early")
	ErrCanceled  = errors.New("given up")
)

// Limit is one of [Limits] that was hit. Match it with errors.As.
type Limit struct {
	// Name is the limit in snake case: "encoded_bytes".
	Name string
	// Value is the limit in its own unit, for a person: "50 MiB", "10 s".
	Value string
	// What happened: "body cut".
	What string
}

// Error is one line: "body cut at 50 MiB: limit encoded_bytes".
func (l *Limit) Error() string { return l.What + " at " + l.Value + ": limit " + l.Name }
